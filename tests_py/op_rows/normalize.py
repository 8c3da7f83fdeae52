"""Normalization and dropout."""

from .row import FLOATS, SHAPES, Case, Row, bad, case, cases, nonzero, normal

ROWS_OF = ((2, 3), (2, 3, 4), (5, 70), (70, 5), (0, 3), (3, 0))


def last_dims(*weights):
    """Shapes with their last one or two dims normalized; weights says how many tensors of those sizes follow."""
    found = []
    for shape in ROWS_OF:
        for n in (1, 2):
            if len(shape) >= n:
                tail = shape[-n:]
                found += [case(shape, *[tail] * w, normalized_shape=tail) for w in weights]
    return tuple(found)


SHAPE_ERRORS = (
    bad((2, 3), says="Given normalized_shape", normalized_shape=(4,)),
    bad((2, 3), says="Given normalized_shape", normalized_shape=(2,)),
    bad((2, 3), says="Given normalized_shape", normalized_shape=(1, 2, 3)),
    bad((2, 3), says="at least 1-dimensional", shows=(), normalized_shape=()),
    bad((2, 3), (2,), says="Expected weight", shows=((2,),), normalized_shape=(3,)),
    bad((2, 3), says="not implemented", shows=(), dtype="int64", normalized_shape=(3,)),
    bad("text", says="must be Tensor", normalized_shape=(3,)),
)


def layer_norm(lib, x, *affine, normalized_shape, **options):
    """x, and weight and bias if there are any."""
    return lib.nn.functional.layer_norm(x, normalized_shape, *affine, **options)


def rms_norm(lib, x, *weight, normalized_shape, **options):
    """x, and weight if there is one."""
    return lib.nn.functional.rms_norm(x, normalized_shape, *weight, **options)


def group_norm(lib, x, *affine, num_groups, **options):
    """x, and weight and bias if there are any."""
    return lib.nn.functional.group_norm(x, num_groups, *affine, **options)


def statistics(lib, x, channels):
    """A running mean and variance."""
    numbers = [0.5 * c - 1 for c in range(channels)]
    return (
        lib.tensor(numbers, dtype=x.dtype),
        lib.tensor([abs(v) + 0.5 for v in numbers], dtype=x.dtype),
    )


def batch_norm(lib, x, *affine, training, tracked=True, channels=None, **options):
    """y, by running statistics made here if they are tracked."""
    running = (None, None)
    if tracked:
        running = statistics(lib, x, x.shape[1] if channels is None else channels)
    return lib.nn.functional.batch_norm(x, *running, *affine, training=training, **options)


def instance_norm(lib, x, *affine, tracked=False, **options):
    """y, by running statistics made here if they are tracked."""
    running = statistics(lib, x, x.shape[1]) if tracked else (None, None)
    return lib.nn.functional.instance_norm(x, *running, *affine, **options)


IMAGES = ((4, 3), (2, 6, 4), (2, 4, 3, 2), (3, 2, 2, 1, 2), (4, 37), (3, 5, 41))
BATCH = tuple(
    Case((shape, *[(shape[1],)] * n), {"training": training, **more})
    for shape in IMAGES
    for n in (0, 1, 2)
    for training, more in (
        (True, {}),
        (False, {}),
        (True, {"tracked": False}),
        (True, {"momentum": 0.25, "eps": 0.1}),
    )
)
GROUPS = tuple(
    Case((shape, *[(shape[1],)] * n), {"num_groups": groups})
    for shape, choices in (
        ((2, 6), (1, 2)),
        ((2, 6, 4), (1, 2, 6)),
        ((1, 4, 3, 2), (2, 4)),
        ((3, 4, 41), (1, 2)),
        ((0, 4, 3), (2,)),
    )
    for groups in choices
    for n in (0, 1, 2)
)
INSTANCES = tuple(
    Case((shape, *[(shape[1],)] * n), more)
    for shape in ((2, 3, 4), (1, 2, 3, 2), (3, 4, 41))
    for n in (0, 1, 2)
    for more in (
        {},
        {"tracked": True},
        {"tracked": True, "use_input_stats": False},
        {"tracked": True, "momentum": 0.3, "eps": 0.1},
    )
)
PROBABILITIES = tuple({"p": p, "training": t} for p in (0.0, 0.3, 1.0) for t in (True, False))
BAD_P = tuple(
    bad((2, 3, 4, 5), says="has to be between 0 and 1", shows=(), p=p, training=True)
    for p in (-0.1, 1.5)
)
MIXED = bad(
    (4, 3),
    [1.0, 2.0, 3.0],
    says="mixed dtype",
    shows=(),
    dtype="float64",
    training=True,
    tracked=False,
)

ROWS = (
    Row(
        "layer_norm",
        (normal,),
        last_dims(0, 1, 2) + (case((2, 3), (3,), normalized_shape=(3,), eps=0.1),),
        path="nn.functional.layer_norm",
        call=layer_norm,
        method=False,
        rtol={"float32": 1e-4},
        errors=SHAPE_ERRORS,
    ),
    Row(
        "rms_norm",
        (normal,),
        last_dims(0, 1) + (case((2, 3), (3,), normalized_shape=(3,), eps=0.1),),
        path="nn.functional.rms_norm",
        call=rms_norm,
        method=False,
        rtol={"float32": 1e-4},
        errors=SHAPE_ERRORS,
    ),
    Row(
        "local_response_norm",
        (normal,),
        (
            *cases(
                [(2, 4, 3), (2, 3, 2, 3), (1, 5, 2, 1, 2)],
                {"size": 2},
                {"size": 3, "alpha": 0.5, "beta": 0.6, "k": 1.5},
            ),
            case((0, 3, 4), size=2),
        ),
        path="nn.functional.local_response_norm",
        method=False,
        python_only=True,
        dtypes=FLOATS,
        errors=(
            bad((2, 3), says="Expected 3D or higher", shows=(), size=2),
            bad((2, 3, 4), says="", shows=(), size=0),
        ),
    ),
    Row(
        "group_norm",
        (normal,),
        GROUPS,
        path="nn.functional.group_norm",
        call=group_norm,
        method=False,
        rtol={"float32": 1e-4},
        errors=(
            bad((2, 3), says="divisible by num_groups", num_groups=2),
            bad((2, 3), says="greater than 0", shows=(), num_groups=-1),
            bad((2, 3), says="", shows=(), num_groups=0),
            bad((3,), says="at least 2 dim", num_groups=1),
            bad((2, 3), (4,), says="weight", num_groups=1),
            bad((2, 3), (3,), (1, 3), says="bias", shows=((1, 3),), num_groups=1),
            bad((1, 3), says="more than 1 value per channel", shows=(), num_groups=3),
            bad((2, 3), says="not implemented", shows=(), dtype="int32", num_groups=1),
        ),
        differs="the gradient of the weight is 0 where a group has no elements, PyTorch's NaN",
    ),
    Row(
        "batch_norm",
        (normal,),
        BATCH,
        path="nn.functional.batch_norm",
        call=batch_norm,
        method=False,
        rtol={"float32": 1e-4},
        errors=(
            bad(
                (4, 3),
                says="running_mean should contain 3 elements not 4",
                training=True,
                channels=4,
            ),
            bad((4, 3), (2,), says="weight should contain 3 elements not 2", training=True),
            bad((4, 3), (3,), (4,), says="bias should contain 3", shows=((4,),), training=True),
            bad(
                (4, 3),
                says="must be defined in evaluation",
                shows=(),
                training=False,
                tracked=False,
            ),
            bad((1, 3), says="more than 1 value per channel", training=True),
            bad((4, 3), says="not implemented", shows=(), dtype="int64", training=True),
            MIXED,
        ),
        differs="in eval mode the running statistics are copied for backward",
    ),
    Row(
        "instance_norm",
        (normal,),
        INSTANCES,
        path="nn.functional.instance_norm",
        call=instance_norm,
        method=False,
        rtol={"float32": 1e-4},
        errors=(
            bad((4, 3), says="more than 1 spatial element"),
            bad((4, 3, 1), says="more than 1 spatial element"),
            bad((4, 3, 2), says="to be defined when", shows=(), use_input_stats=False),
            bad((4, 3, 2), (4,), says="weight should contain", shows=((4,),)),
        ),
    ),
    *(
        Row(
            name,
            (nonzero,),
            cases(shapes, *PROBABILITIES),
            path=f"nn.functional.{function}",
            order=0,
            method=False,
            random=True,
            errors=BAD_P,
        )
        for name, function, shapes in (
            ("dropout", "dropout", SHAPES),
            ("feature_dropout", "dropout2d", [(2, 3, 4, 5), (2, 0, 3, 1), (2, 3, 4)]),
            ("alpha_dropout", "alpha_dropout", SHAPES),
            ("feature_alpha_dropout", "feature_alpha_dropout", [(2, 3), (2, 3, 4, 5), (0, 2)]),
        )
    ),
)
