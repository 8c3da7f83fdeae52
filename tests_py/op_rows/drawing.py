"""Random numbers that depend on tensors: only shapes, dtypes and errors are compared."""

from .row import SHAPES, Case, Row, Values, bad, case, cases, normal, positive

chances = Values(lambda rng, shape: rng.uniform(0, 1, shape))
whole = Values(lambda rng, shape: rng.integers(0, 50, shape) * 1.0)


def standard_gamma(lib, x):
    """PyTorch has it under a name of its own."""
    return (lib.standard_gamma if hasattr(lib, "standard_gamma") else lib._standard_gamma)(x)


def fill(name, values, *errors, **options):
    """A row of a method that fills a tensor."""

    def call(lib, x, *args, **kwargs):
        return getattr(x.clone(), name)(*args, **kwargs)

    found = cases(SHAPES, {}, values) if values else cases(SHAPES)
    return Row(
        name,
        (normal,),
        found,
        call=call,
        order=0,
        method=False,
        random=True,
        errors=errors,
        **options,
    )


FLOATS = ("float32", "float64")
TOO_MANY = bad((3,), says="without replacement", num_samples=4)

ROWS = (
    fill("random_", {}, bad((2,), 5, 2, says="from", shows=())),
    fill("exponential_", {"lambd": 2.0}, bad((2,), 0.0, says="lambda", shows=())),
    fill("log_normal_", {"mean": 0.0, "std": 0.5}, bad((2,), 0.0, -1.0, says="std", shows=())),
    fill("cauchy_", {"median": 1.0}, bad((2,), 0.0, -1.0, says="sigma", shows=())),
    Row(
        "geometric_",
        (normal,),
        cases(SHAPES, {"p": 0.3}),
        call=lambda lib, x, **options: x.clone().geometric_(**options),
        order=0,
        method=False,
        random=True,
        errors=(bad((2,), says="p to be in", shows=(), p=1.5),),
    ),
    Row(
        "bernoulli",
        (chances,),
        cases(SHAPES) + (case((2, 3), p=0.25),),
        order=0,
        method=False,
        random=True,
        dtypes=FLOATS,
        errors=(
            bad([0.5, 2.0], says="p_in", shows=()),
            bad([0.5, float("nan")], says="p_in", shows=()),
            bad((2,), says="not implemented", shows=(), dtype="int64"),
        ),
    ),
    Row(
        "poisson",
        (positive,),
        cases(SHAPES),
        order=0,
        method=False,
        random=True,
        dtypes=FLOATS,
        errors=(
            bad([0.5, -2.0], says="invalid Poisson rate", shows=()),
            bad([0.5, float("nan")], says="invalid Poisson rate", shows=()),
            bad((2,), says="not implemented", shows=(), dtype="int64"),
        ),
    ),
    Row(
        "binomial",
        (whole, chances),
        tuple(case(a, b) for a, b in [((3,), (3,)), ((2, 3), (3,)), ((), (2,)), ((2, 0), (1,))]),
        order=0,
        method=False,
        random=True,
        dtypes=FLOATS,
        errors=(
            bad((2,), (2,), says="floating-point", shows=(), dtype="int64"),
            bad((2,), (3,), says="size"),
        ),
    ),
    Row(
        "standard_gamma",
        (positive,),
        cases(SHAPES),
        call=standard_gamma,
        order=0,
        method=False,
        random=True,
        dtypes=FLOATS,
        errors=(bad((2,), says="not implemented", shows=(), dtype="int64"),),
    ),
    Row(
        "multinomial",
        (positive,),
        tuple(
            Case((shape,), {"num_samples": n, "replacement": again})
            for shape in [(3,), (2, 3), (1, 40)]
            for n, again in [(1, False), (2, False), (3, False), (5, True)]
        ),
        order=0,
        method=False,
        random=True,
        dtypes=FLOATS,
        errors=(
            TOO_MANY,
            bad((3,), says="n_sample <= 0", shows=(), num_samples=0),
            bad([0.0, 0.0], says="sum of probabilities", shows=(), num_samples=1),
            bad([-1.0, 1.0], says="element < 0", shows=(), num_samples=1),
            bad([float("inf"), 1.0], says="inf", shows=(), num_samples=1),
            bad((2, 2, 2), says="1 or 2 dim", num_samples=1),
            bad((3,), says="floating-point", shows=(), dtype="int64", num_samples=1),
        ),
    ),
)
