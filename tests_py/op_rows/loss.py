"""Losses and distances."""

import numpy as np

from .row import DIM, FLOATS, Row, Values, bad, case, cases, integers, nonzero, normal, positive

REDUCTIONS = ({}, {"reduction": "sum"}, {"reduction": "none"})
BY_CLASS = [
    ((4, 3), (4,)),
    ((3,), ()),
    ((2, 3, 5), (2, 5)),
    ((2, 3, 2, 4), (2, 2, 4)),
    ((5, 70), (5,)),
]
BY_WEIGHT = [((4, 3), (4, 3)), ((3,), (3,)), ((2, 3, 5), (2, 3, 5))]
WITH_WEIGHT = [((4, 3), (4,), (3,)), ((3,), (), (3,)), ((2, 3, 5), (2, 5), (3,))]
WITH_BOTH = [((4, 3), (4, 3), (3,)), ((2, 3, 5), (2, 3, 5), (3,))]
NOT_A_REDUCTION = bad(
    (2, 3), (2, 3), says="not a valid value for reduction", shows=(), reduction="avg"
)
PAIRS = [((2, 3), (2, 3)), ((), ()), ((0,), (0,)), ((2, 0, 3), (2, 0, 3)), ((1030,), (1030,))]
BROADCAST = [((2, 3), (3,)), ((2, 1), (1, 3))]
unit = Values(lambda rng, shape: rng.uniform(0.05, 0.95, shape))
# Not 0, where PyTorch's gradient of log(t!) is NaN, nor 1, where a step is.
counts = Values(lambda rng, shape: rng.choice([0.5, 2.0, 3.0, 5.0], shape))
# Integers have no gradient: PyTorch gives none to weights and to targets of signs.
signs = Values(lambda rng, shape: rng.choice([-1, 1], shape), "int64")
weights = Values(lambda rng, shape: rng.integers(1, 6, shape), "int64")
# Classes before the first -1, and others behind it.
classes_and_ends = Values(
    lambda rng, shape: np.minimum(rng.integers(-1, 9, shape), shape[-1] - 1), "int64"
)
# PyTorch's gradient is wrong where a target ends in a blank.
no_blanks = Values(lambda rng, shape: rng.choice([1, 3, 4], shape), "int64")
LOSSES = {"method": False, "dtypes": FLOATS}


def loss(name, inputs, variants, *errors, **options):
    """A row of nn.functional.<name>."""
    options = {"path": f"nn.functional.{name}", **LOSSES, **options}
    return Row(name, inputs, variants, errors=errors, **options)


def weighted(name, at=2):
    """Calls a loss with the tensor at a position as its weight, which gets no gradient."""

    def call(lib, *tensors, **kwargs):
        function = getattr(lib.nn.functional, name)
        weight = {"weight": tensors[at].to(tensors[0].dtype)} if len(tensors) > at else {}
        return function(*tensors[:at], **weight, **kwargs)

    return call


def with_weights(lib, input, target, *more, weight_first=False, **kwargs):
    """binary_cross_entropy_with_logits with pos_weight, or weight, or weight and pos_weight."""
    names = ("weight", "pos_weight") if weight_first else ("pos_weight", "weight")
    named = {name: weight.to(input.dtype) for name, weight in zip(names, more)}
    return lib.nn.functional.binary_cross_entropy_with_logits(input, target, **named, **kwargs)


def both(variants, *more):
    """Every variant of the reduction with every further variant."""
    return [{**one, **other} for one in variants for other in more]


def ctc_loss(lib, x, targets, lengths, **kwargs):
    """The loss of logits: PyTorch's gradient is that behind log_softmax, and it misreads targets with gaps."""
    if lib.__name__ == "torch":
        targets = targets.contiguous()
    log_probs = x.log_softmax(-1) if x.ndim > 1 else x
    return lib.nn.functional.ctc_loss(log_probs, targets, *lengths, **kwargs)


ROWS = (
    Row(
        "cross_entropy",
        (normal, integers(3), weights),
        cases(BY_CLASS, *REDUCTIONS)
        + cases(BY_WEIGHT, *REDUCTIONS, inputs=(normal, positive))
        + cases([((0, 3), (0,))], *REDUCTIONS[1:])
        + cases(BY_CLASS[:3], *both(REDUCTIONS, {"ignore_index": 1}, {"label_smoothing": 0.3}))
        + cases(BY_CLASS[:3], *both(REDUCTIONS, {"ignore_index": 2, "label_smoothing": 0.1}))
        + cases(
            WITH_WEIGHT,
            *both(REDUCTIONS, {}, {"ignore_index": 0}, {"ignore_index": 2, "label_smoothing": 0.2}),
        )
        + cases(BY_WEIGHT, {"label_smoothing": 0.2}, inputs=(normal, positive))
        + cases(
            WITH_BOTH,
            *both(REDUCTIONS, {}, {"label_smoothing": 0.2}),
            inputs=(normal, positive, weights),
        ),
        call=weighted("cross_entropy"),
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((2, 3), [1, 3], says="Target 3 is out of bounds", shows=()),
            bad((2, 3), [1, -1], says="Target -1 is out of bounds", shows=()),
            bad(
                (2, 3),
                [1, 2, 0],
                says="Expected .*batch_size|Expected .*sizes",
                shows=(),
            ),
            bad((2, 3), (2, 4), says="(?i)size|shape|expected target dtype"),
            bad((2, 3, 4), [[0, 1]], says="(?i)size|shape"),
            bad((2, 3), [0, 1], (2,), says="all 3 classes", shows=((2,),)),
            bad((2, 3), [0, 1], says="between 0.0 and 1.0", shows=(), label_smoothing=1.5),
            bad((2, 3), (2, 3), says="not supported for floating", shows=(), ignore_index=1),
            NOT_A_REDUCTION,
        ),
    ),
    Row(
        "nll_loss",
        (normal, integers(3), weights),
        cases(BY_CLASS[:3], *both(REDUCTIONS, {}, {"ignore_index": 1}))
        + cases(WITH_WEIGHT, *both(REDUCTIONS, {}, {"ignore_index": 0}))
        + cases([((0, 3), (0,))], *REDUCTIONS[1:]),
        call=weighted("nll_loss"),
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((2, 3), [1, 5], says="Target 5 is out of bounds", shows=()),
            bad((2, 3), [1], says="Expected input batch_size", shows=()),
            bad((2, 3), [0, 1], (2,), says="all 3 classes", shows=((2,),)),
            bad((2, 3, 4), [[0, 1], [1, 2]], says="Expected target size"),
            bad((2, 3), (2,), says="Long", shows=()),
            NOT_A_REDUCTION,
        ),
    ),
    Row(
        "ctc_loss",
        (normal, no_blanks),
        (
            *cases(
                [((6, 2, 5), (2, 3))],
                *(
                    {"lengths": lengths, **more}
                    for lengths in (((6, 6), (3, 2)), ((5, 3), (2, 1)), ((6, 2), (0, 1)))
                    for more in (*REDUCTIONS, {"blank": 2}, {"zero_infinity": True})
                ),
            ),
            *cases(
                [((6, 2, 5), (2, 3))],
                {"lengths": ((1, 6), (3, 2)), "zero_infinity": True, "reduction": "none"},
            ),
            *cases(
                [((7, 3, 5), (6,))], *({"lengths": ((7, 5, 7), (3, 1, 2)), **r} for r in REDUCTIONS)
            ),
            *cases([((6, 5), (3,))], *({"lengths": ((6,), (3,)), **one} for one in REDUCTIONS)),
            case((4, 1, 5), (1, 2), lengths=((4,), (2,))),
        ),
        call=ctc_loss,
        order=1,
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((5,), [1], says="Expected 3-dimensional tensor", shows=(), lengths=((6,), (1,))),
            bad((6, 2, 4), [[1], [2]], says="value at most 6", shows=(), lengths=((7, 6), (1, 1))),
            bad((6, 2, 4), [[1], [2]], says="batch_size", shows=(), lengths=((6,), (1, 1))),
            bad((6, 2, 4), [[1], [2]], says="batch_size", shows=(), lengths=((6, 6), (1,))),
            bad(
                (6, 2, 4), [[1], [2]], says="at least 2 at dim", shows=(), lengths=((6, 6), (2, 1))
            ),
            bad((6, 2, 4), [[1], [2]], says="at least 0", shows=(), lengths=((6, 6), (-1, 1))),
            bad((6, 2, 4), [[1], [2]], says="at least 0", shows=(), lengths=((-6, 6), (1, 1))),
            bad((6, 2, 4), [[1]], says="size 2 at dimension 0", shows=(), lengths=((6, 6), (1, 1))),
            bad(
                (6, 2, 4),
                [1, 2, 3],
                says="size 2 at dimension 0",
                shows=(),
                lengths=((6, 6), (1, 1)),
            ),
            bad(
                *((6, 2, 4), [[1], [2]]),
                says="blank must be in label range",
                shows=(),
                lengths=((6, 6), (1, 1)),
                blank=4,
            ),
            bad((6, 2, 4), [[1], [2]], says="ctc_loss", shows=(), lengths=((6.5, 6), (1, 1))),
            bad(
                *((6, 2, 4), [[1], [2]]),
                says="not a valid value for reduction",
                shows=(),
                lengths=((6, 6), (1, 1)),
                reduction="avg",
            ),
        ),
        differs="a target that is no class is an error, where PyTorch reads beyond the row",
    ),
    loss(
        "mse_loss",
        (normal, normal),
        cases(PAIRS + BROADCAST, *REDUCTIONS)
        + (case((2, 3), (2, 3), size_average=False), case((2, 3), (2, 3), reduce=False)),
        bad((2, 3), (4,), says="must match"),
        NOT_A_REDUCTION,
        mixed=True,
        dtypes=("float32", "float64", "int32", "int64", "uint8", "bool"),
    ),
    loss(
        "l1_loss",
        (normal, normal),
        cases(PAIRS + BROADCAST, *REDUCTIONS),
        bad((2, 3), (4,), says="must match"),
        NOT_A_REDUCTION,
        mixed=True,
    ),
    loss(
        "smooth_l1_loss",
        (normal, normal),
        cases(PAIRS + BROADCAST, *REDUCTIONS)
        + cases([((2, 5), (2, 5))], *both(REDUCTIONS, {"beta": 0.3}, {"beta": 2.0}, {"beta": 0.0})),
        bad((2, 3), (4,), says="must match"),
        bad((2,), (2,), says="negative values for beta", shows=(), beta=-1.0),
        NOT_A_REDUCTION,
        mixed=True,
    ),
    loss(
        "huber_loss",
        (normal, normal),
        cases(PAIRS + BROADCAST, *REDUCTIONS)
        + cases([((2, 5), (2, 5))], *both(REDUCTIONS, {"delta": 0.3}, {"delta": 2.0})),
        bad((2, 3), (4,), says="must match"),
        bad((2,), (2,), says="non-positive values for delta", shows=(), delta=0.0),
        NOT_A_REDUCTION,
        differs="mixed float dtypes are promoted",
    ),
    loss(
        "soft_margin_loss",
        (normal, signs),
        cases([*PAIRS, ((2, 3), (3,))], *REDUCTIONS),
        bad((2, 3), (4,), says="must match"),
        NOT_A_REDUCTION,
        call=lambda lib, x, t, **kwargs: lib.nn.functional.soft_margin_loss(
            x, t.to(x.dtype), **kwargs
        ),
        differs="finite where PyTorch's overflows",
    ),
    loss(
        "kl_div",
        (normal, unit),
        cases(PAIRS + BROADCAST, *both(REDUCTIONS, {}, {"log_target": True}))
        + cases([((2, 3), (2, 3)), ((), ())], {"reduction": "batchmean"}),
        bad((2, 3), (4,), says="must match"),
        NOT_A_REDUCTION,
        differs="mixed float dtypes are promoted",
    ),
    loss(
        "binary_cross_entropy",
        (unit, unit, weights),
        cases(PAIRS, *REDUCTIONS)
        + cases([((2, 3), (2, 3), (2, 3)), ((2, 3), (2, 3), (3,))], *REDUCTIONS),
        bad((2, 3), (3,), says="(?i)target size"),
        bad([0.5, 1.5], [0.0, 1.0], says="elements of input should be between 0 and 1", shows=()),
        bad([0.5, 0.5], [0.0, 2.0], says="elements of target should be between 0 and 1", shows=()),
        NOT_A_REDUCTION,
        call=weighted("binary_cross_entropy"),
        rtol={"float32": 1e-4},
    ),
    loss(
        "binary_cross_entropy_with_logits",
        (normal, unit, weights),
        cases(PAIRS, *REDUCTIONS)
        + cases(
            [((2, 3), (2, 3), (3,)), ((2, 3), (2, 3), (3,), (2, 3))],
            *both(REDUCTIONS, {}, {"weight_first": True}),
        ),
        bad((2, 3), (3,), says="(?i)target size"),
        NOT_A_REDUCTION,
        call=with_weights,
    ),
    loss(
        "poisson_nll_loss",
        (positive, counts),
        cases(
            [((2, 3), (2, 3)), ((), ()), ((2, 0), (2, 0)), ((2, 3), (3,))],
            *both(REDUCTIONS, {}, {"log_input": False}, {"full": True}),
        )
        + (case((2, 3), (2, 3), log_input=False, full=True, eps=0.1),),
        bad((2, 3), (4,), says="must match"),
        NOT_A_REDUCTION,
    ),
    loss(
        "gaussian_nll_loss",
        (normal, normal, positive),
        cases(
            [
                ((2, 3), (2, 3), (2, 3)),
                ((2, 3), (2, 3), (2,)),
                ((2, 3), (2, 3), (2, 1)),
                ((), (), ()),
            ],
            *both(REDUCTIONS, {}, {"full": True}, {"eps": 0.1}),
        )
        + (case((2, 3), (2, 3), var=0.5),),
        bad((2, 3), (2, 3), (3, 3), says="incorrect size", shows=((2, 3), (3, 3))),
        bad([1.0], [1.0], [-1.0], says="negative entry", shows=()),
    ),
    loss(
        "hinge_embedding_loss",
        (normal, signs),
        cases([((2, 3), (2, 3)), ((), ()), ((2, 0), (2, 0)), ((2, 3), (3,))], *REDUCTIONS)
        + (case((3, 4), (3, 4), margin=0.5),),
        bad((2, 3), (4,), says="must match"),
        NOT_A_REDUCTION,
        call=lambda lib, x, t, **kwargs: lib.nn.functional.hinge_embedding_loss(
            x, t.to(x.dtype), **kwargs
        ),
    ),
    loss(
        "margin_ranking_loss",
        (normal, normal, signs),
        cases([((5,), (5,), (5,)), ((2, 3), (2, 3), (2, 1)), ((0,), (0,), (0,))], *REDUCTIONS)
        + (case((5,), (5,), (5,), margin=0.5),),
        bad((2, 3), (3,), (2, 3), says="same dimension"),
    ),
    loss(
        "cosine_embedding_loss",
        (normal, normal, signs),
        cases([((4, 3), (4, 3), (4,)), ((3,), (3,), ())], *both(REDUCTIONS, {}, {"margin": 0.3})),
        bad((2, 3), (2, 3), (2, 1), says="multi-target not supported", shows=((2, 1),)),
        bad((2,), (2,), (1,), says="1D target tensor expects 2D", shows=((2,),)),
        bad((2, 3), (2, 2), (2,), says="must match", shows=((2, 3), (2, 2))),
    ),
    loss(
        "triplet_margin_loss",
        (normal, normal, normal),
        cases(
            [((4, 3), (4, 3), (4, 3)), ((3,), (3,), (3,))],
            *both(REDUCTIONS, {}, {"swap": True}, {"p": 1.0}, {"p": 3.0, "margin": 0.5}),
        ),
        bad((2, 3), (2, 3), (3,), says="same number of dim"),
        bad((2, 3), (2, 3), (2, 3), says="greater than 0", shows=(), margin=-1.0),
        bad((2, 3), (2, 4), (2, 3), says="must match", shows=((2, 3), (2, 4))),
    ),
    loss(
        "multi_margin_loss",
        (normal, integers(3), weights),
        cases([((4, 3), (4,)), ((3,), ())], *both(REDUCTIONS, {}, {"p": 2}, {"margin": 0.4}))
        + cases([((4, 3), (4,), (3,))], *both(REDUCTIONS, {}, {"p": 2})),
        bad((2, 3), [1, 3], says="target out of range", shows=()),
        bad((2, 3), [1], says="Expected target size"),
        bad((2, 3), (2,), says="Long", shows=()),
        bad((2, 3), [1, 2], says="only p == 1 and p == 2", shows=(), p=3),
        bad((2, 3), [1, 2], (2,), says="inconsistent weight size", shows=((2,),)),
        call=weighted("multi_margin_loss"),
        order=1,
    ),
    loss(
        "multilabel_margin_loss",
        (normal, classes_and_ends),
        cases([((4, 3), (4, 3)), ((5,), (5,)), ((1, 1), (1, 1))], *REDUCTIONS)
        + cases([((0, 3), (0, 3))], REDUCTIONS[2]),  # PyTorch does not set the sum of nothing
        bad((2, 3), [[0, 3, -1], [0, 1, 2]], says="out of range|out of bounds", shows=()),
        bad((2, 3), [[0, -1, -2], [0, 1, 2]], says="out of range|out of bounds", shows=()),
        bad((2, 3), [0, 1, 2], says="inconsistent target size", shows=((2, 3), (3,))),
        bad((2, 3), (2, 3), says="Long", shows=()),
        bad((2, 0), [[], []], says="Expected non-empty vector or matrix"),
        order=1,
    ),
    loss(
        "multilabel_soft_margin_loss",
        (normal, unit, weights),
        cases([((4, 3), (4, 3)), ((3,), (3,)), ((2, 2, 3), (2, 2, 3))], *REDUCTIONS)
        + cases([((4, 3), (4, 3), (3,))], *REDUCTIONS),
        bad((2, 3), (4,), says="must match"),
        call=weighted("multilabel_soft_margin_loss"),
    ),
    loss(
        "normalize",
        (nonzero,),
        cases(
            [(4, 3), (2, 3, 4)],
            *({"p": p} for p in (2.0, 1.0, 3.0, float("inf"))),
            {"dim": 0},
            {"dim": -1},
        )
        + (case((3,), dim=0), case((2, 3), eps=100.0), case((0, 3)), case((), dim=0)),
        bad((2, 3), says=DIM, shows=(), dim=2),
    ),
    loss(
        "cosine_similarity",
        (normal, normal),
        cases([((4, 3), (4, 3)), ((2, 3, 4), (2, 3, 4))], {}, {"dim": 0}, {"dim": -1})
        + (
            case((3,), (3,), dim=0),
            case((2, 3), (3,), dim=-1),
            case((2, 3), (1, 3)),
            case((0, 3), (0, 3)),
        ),
        bad((2, 3), (2, 4), says="must match"),
        bad((2, 3), (2, 3), says=DIM, shows=(), dim=5),
    ),
    loss(
        "pairwise_distance",
        (normal, normal),
        cases(
            [((4, 3), (4, 3)), ((3,), (3,)), ((2, 3), (3,)), ((2, 2, 3), (2, 2, 3))],
            {},
            {"p": 1.0},
            {"p": 3.0},
            {"p": float("inf")},
            {"keepdim": True},
            {"eps": 0.5},
        ),
        bad((2, 3), (2, 4), says="must match"),
    ),
    loss(
        "cdist",
        (normal, normal),
        cases(
            [((4, 3), (5, 3)), ((2, 4, 3), (5, 3)), ((0, 3), (2, 3)), ((1, 2, 3), (3, 2, 3))],
            {},
            {"p": 1.0},
            {"p": 3.0},
            {"p": float("inf")},
        ),
        bad((3,), (3,), says="at least 2D", shows=()),
        bad((2, 3), (2, 4), says="same number of columns", shows=()),
        bad((2, 3), (2, 3), says="non-negative p", shows=(), p=-1.0),
        path="cdist",
        order=1,  # PyTorch's has no second one; ours is tested in test_nn_losses.py
        differs="takes the differences whatever `compute_mode` is",
    ),
)
