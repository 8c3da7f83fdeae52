"""Reductions."""

import numpy as np

from .row import DIM, Case, Row, Values, bad, case, cases, integers, normal, reductions

ALL = reductions((), (0,), (1,), (3,), (2, 3), (2, 0, 3), (2, 3, 4)) + cases(
    [(1030,), (5, 70), (70, 5)]
)
FULL = reductions((), (1,), (3,), (2, 3), (2, 3, 4)) + cases([(1030,), (5, 70), (70, 5)])
EMPTY_BUT = (case((2, 0, 3), dim=0), case((2, 0, 3), dim=-1), case((0, 3), dim=1, keepdim=True))
ALONG = tuple(one for one in FULL + EMPTY_BUT if isinstance(one.kwargs.get("dim"), int))
ALONG += tuple(case((6, 70), dim=dim) for dim in (0, 1))
ONE_OR_ALL = tuple(one for one in FULL if not one.kwargs) + ALONG
BAD_DIM = (bad((2, 3), says=DIM, shows=(), dim=2), bad((2, 3), says=DIM, shows=(), dim=-3))
TWICE = (bad((2, 3), says="appears multiple times", shows=(), dim=(0, -2)), *BAD_DIM)
NO_ELEMENTS = (bad((0, 3), says="non-zero size|Expected reduction dim", shows=(), dim=0),)
NO_ELEMENT = (bad((0, 3), says="Expected reduction dim|non-zero size", shows=()),)
NUMBERS = (0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"))


fraction = Values(lambda rng, shape: rng.uniform(0.02, 0.98, shape))


def diff(lib, x, *ends, n=1, dim=-1):
    """x and what is joined before and behind it."""
    return lib.diff(x, n, dim, *ends)


ROWS = (
    Row(
        "sum",
        (normal,),
        ALL
        + (
            case((2, 3), dim=()),
            case((2, 3), dtype="float64"),
            case((2, 3), dim=1, dtype="float32"),
        ),
        special=NUMBERS,
        errors=TWICE,
    ),
    Row(
        "mean",
        (normal,),
        ALL
        + (
            case((2, 3), dim=()),
            case((2, 3), dtype="float64"),
            case((2, 3), dim=1, dtype="float32"),
        ),
        special=NUMBERS,
        errors=(
            *TWICE,
            bad((2, 3), says="could not infer output dtype|floating", shows=(), dtype="int64"),
        ),
    ),
    Row(
        "var",
        (normal,),
        reductions((0,), (1,), (3,), (2, 3), (2, 0, 3), (2, 3, 4))
        + tuple(case((3, 4), dim=d, correction=c) for d in (None, 1, (0, 1)) for c in (0, 2, 4, 12))
        + (
            case(()),
            case((3, 4), unbiased=False),
            case((3, 4), dim=0, unbiased=False, keepdim=True),
        ),
        special=NUMBERS,
        errors=(*TWICE, bad((2, 3), says="floating", shows=(), dtype="int64")),
    ),
    Row(
        "amax",
        (normal,),
        FULL + EMPTY_BUT,
        special=NUMBERS,
        errors=TWICE + NO_ELEMENTS + NO_ELEMENT,
    ),
    Row(
        "amin",
        (normal,),
        FULL + EMPTY_BUT,
        special=NUMBERS,
        errors=TWICE + NO_ELEMENTS + NO_ELEMENT,
    ),
    Row(
        "max",
        (normal,),
        cases([(), (1,), (3,), (2, 3), (2, 3, 4), (1030,)]),
        special=NUMBERS,
        errors=NO_ELEMENT,
    ),
    Row(
        "min",
        (normal,),
        cases([(), (1,), (3,), (2, 3), (2, 3, 4), (1030,)]),
        special=NUMBERS,
        errors=NO_ELEMENT,
    ),
    Row("max_dim", (normal,), ALONG, path="max", method=False, errors=BAD_DIM + NO_ELEMENTS),
    Row("min_dim", (normal,), ALONG, path="min", method=False, errors=BAD_DIM + NO_ELEMENTS),
    Row(
        "argmax",
        (normal,),
        ONE_OR_ALL,
        order=0,
        special=NUMBERS,
        errors=BAD_DIM + NO_ELEMENTS + NO_ELEMENT,
    ),
    Row(
        "argmin",
        (normal,),
        ONE_OR_ALL,
        order=0,
        special=NUMBERS,
        errors=BAD_DIM + NO_ELEMENTS + NO_ELEMENT,
    ),
    Row(
        "softmax",
        (normal,),
        tuple(
            case(s, dim=d)
            for s in [(1,), (3,), (2, 3), (2, 3, 4), (0,), (2, 0, 3)]
            for d in (0, -1)
        )
        + (
            case((), dim=0),
            case((), dim=-1),
            case((2, 3, 4), dim=1),
            case((5, 70), dim=1),
            case((70, 5), dim=0),
        ),
        errors=BAD_DIM,
    ),
    Row(
        "log_softmax",
        (normal,),
        tuple(
            case(s, dim=d)
            for s in [(1,), (3,), (2, 3), (2, 3, 4), (0,), (2, 0, 3)]
            for d in (0, -1)
        )
        + (
            case((), dim=0),
            case((), dim=-1),
            case((2, 3, 4), dim=1),
            case((5, 70), dim=1),
            case((70, 5), dim=0),
        ),
        errors=BAD_DIM,
    ),
)


def median(name):
    """The function, given dense tensors in PyTorch: it reads strided ones as if they were dense."""

    def call(lib, x, **options):
        return getattr(lib, name)(x if lib.__name__ == "autograd" else x.contiguous(), **options)

    return call


SCANS = tuple(
    case(s, dim=d) for s in [(1,), (3,), (2, 3), (2, 3, 4), (0,), (2, 0, 3)] for d in (0, -1)
)
SCANS += (case((), dim=0), case((2, 3, 4), dim=1), case((3, 40), dim=1), case((40, 3), dim=0))
SCANS += (case((2, 3, 20), dim=1), case((19, 5), dim=1))
NO_DIM = bad((2, 3), says="missing|required|must be", shows=())
ONE_DIM = tuple(one for one in ALONG if one.shapes != ((2, 0, 3),) or one.kwargs["dim"] != 1)
WITHOUT_0D = tuple(one for one in FULL if one.shapes != ((),))
sparse = Values(lambda rng, shape: rng.choice([0.0, 1.5, -0.5, 2.0], shape))
distinct = Values(lambda rng, shape: rng.permutation(int(np.prod(shape))).reshape(shape) / 4 - 2)


def norms(name, dims, ords):
    """Cases of a norm function that calls its order `name`."""
    return tuple(
        case(shape, **{name: p}, **more)
        for p in ords
        for shape, more in [
            ((3,), {}),
            ((2, 3), {}),
            ((2, 3, 4), {"dim": 1}),
            ((2, 3, 4), {"dim": (0, -1), "keepdim": True}),
            ((5, 70), {"dim": dims}),
        ]
    )


ORDS = (0, 1, 2, 3, 1.5, 2.5, -1, -2, float("inf"), float("-inf"))
TRUTH = {"order": 0, "special": NUMBERS, "errors": TWICE}
TRUTH_CASES = ALL + (case((2, 3), dim=()), case((0, 3), dim=0), case((2, 3), dim=1, keepdim=True))
# Deviations that are not 0 whatever the layout: a dim that may be expanded is never alone.
DIVISORS = tuple(
    one
    for one in reductions((2, 3), (2, 3, 4))
    if one.kwargs.get("dim") not in (0, -len(one.shapes[0]))
)
DIVISORS += tuple(case((3, 4), dim=d, correction=c) for d in (None, 1, (0, 1)) for c in (0, 2))
DIVISORS += (case((3, 4), unbiased=False), case((3, 4), dim=1, unbiased=False, keepdim=True))
FLOATS_ONLY = bad((2, 3), says="floating", shows=(), dtype="int64")


def unique_cases(cases_):
    """Each case once."""
    return tuple({str(one): one for one in cases_}.values())


ROWS += (
    Row(
        "prod",
        (sparse,),
        tuple(
            one
            for one in ALL
            if not isinstance(one.kwargs.get("dim"), tuple) and one.shapes != ((1030,),)
        )
        + (case((2, 3), dtype="float64"), case((2, 3), dim=1, dtype="float64", keepdim=True)),
        special=NUMBERS,
        errors=(*BAD_DIM, bad((2, 3), says="must be int|invalid", shows=(), dim=(0, 1))),
    ),
    Row(
        "std",
        (normal,),
        unique_cases(DIVISORS + (case((2, 0, 3), dim=1),)),
        errors=(*TWICE, FLOATS_ONLY),
        differs="the second order at 0 is 0, PyTorch's NaN",
    ),
    Row("var_mean", (normal,), unique_cases(DIVISORS), errors=(*TWICE, FLOATS_ONLY)),
    Row("std_mean", (normal,), unique_cases(DIVISORS), errors=(*TWICE, FLOATS_ONLY)),
    Row(
        "logsumexp",
        (normal,),
        tuple(one for one in ALL if "dim" in one.kwargs)
        + (case((5, 70), dim=1), case((70, 5), dim=0), case((3, 300), dim=(0, 1)), case((), dim=0)),
        errors=BAD_DIM,
    ),
    Row(
        "vector_norm",
        (normal,),
        norms("ord", 1, ORDS) + (case(()), case((0,)), case((2, 0, 3), ord=1, dim=1)),
        path="linalg.vector_norm",
        method=False,
        rtol={"float32": 1e-4},
        errors=(
            *TWICE,
            FLOATS_ONLY,
            bad((0, 3), says="empty", shows=(), ord=float("inf")),
            bad((0, 3), says="empty", shows=(), ord=-1, dim=0),
            bad((2, 3), says="must be Number", shows=(), ord="fro"),
        ),
    ),
    Row("any", (sparse,), unique_cases(TRUTH_CASES), **TRUTH),
    Row("all", (sparse,), unique_cases(TRUTH_CASES), **TRUTH),
    Row(
        "count_nonzero",
        (sparse,),
        tuple(one for one in ALL if not one.kwargs.get("keepdim")),
        order=0,
        errors=TWICE,
    ),
    Row("nansum", (normal,), ALL, special=NUMBERS, errors=TWICE),
    Row("nanmean", (normal,), FULL, special=NUMBERS, errors=TWICE),
    Row(
        "bincount",
        (integers(6),),
        (
            case((7,)),
            case((0,)),
            case((7,), minlength=9),
            Case(((7,), (7,)), {}, (integers(5), normal)),
        ),
        order=0,
        errors=(
            bad((2, 3), says="1-d", dtype="int64"),
            bad([-1], says="non-negative", shows=()),
            bad((3,), says="not implemented", shows=()),
            bad((3,), says="minlength", shows=(), dtype="int64", minlength=-1),
            bad((3,), (2,), says="same length", dtype="int64"),
        ),
    ),
    Row(
        "aminmax",
        (normal,),
        tuple(one for one in ONE_OR_ALL) + (case((2, 3), keepdim=True),),
        errors=BAD_DIM + NO_ELEMENTS + NO_ELEMENT,
    ),
    Row(
        "median",
        (distinct,),
        cases([(), (1,), (3,), (2, 3), (2, 3, 4), (70,), (0,)]),
        special=NUMBERS,
    ),
    Row("nanmedian", (distinct,), cases([(), (1,), (3,), (2, 3), (2, 3, 4)]), special=NUMBERS),
    Row(
        "median_dim",
        (distinct,),
        ONE_DIM,
        path="median",
        call=median("median"),
        method=False,
        errors=BAD_DIM + NO_ELEMENTS,
    ),
    Row(
        "nanmedian_dim",
        (distinct,),
        ONE_DIM,
        path="nanmedian",
        call=median("nanmedian"),
        method=False,
        errors=BAD_DIM,
    ),
    *(
        Row(
            name,
            (distinct, fraction),
            tuple(
                case(shape, q, dim=dim, keepdim=keep, interpolation=kind)
                for shape, dim in (((2, 3, 4), 1), ((5, 7), -1), ((6,), None), ((2, 3), None))
                for q in ((), (3,))
                for keep in (False, True)
                for kind in ("linear", "midpoint")
            )
            + (case((), ()), case((), (2,), dim=0, keepdim=True), case((2, 3), (0,), dim=1))
            + (case((70,), (3,)),),
            dtypes=("float32", "float64"),
            errors=(
                bad((0,), (), says="non-empty", shows=()),
                bad((2, 3), (1, 1), says="scalar or 1D", shows=()),
                bad((2, 3), (), says=DIM, shows=(), dim=2),
                bad(
                    (2, 3), (), says="interpolation must be one of", shows=(), interpolation="cubic"
                ),
            ),
        )
        for name in ("quantile", "nanquantile")
    ),
    Row(
        "mode",
        (distinct,),
        tuple(one for one in ONE_DIM if one.shapes != ((6, 70),)) + (case((2, 3)),),
        errors=BAD_DIM + NO_ELEMENTS,
    ),
    Row(
        "cumsum",
        (normal,),
        SCANS + (case((2, 3), dim=1, dtype="float64"),),
        errors=(*BAD_DIM, NO_DIM, bad((2, 3), says="must be int", shows=(), dim=(0,))),
    ),
    Row(
        "cumprod",
        (sparse,),
        SCANS + (case((2, 3), dim=1, dtype="float64"),),
        errors=(*BAD_DIM, NO_DIM),
    ),
    Row("cummax", (distinct,), SCANS, errors=(*BAD_DIM, NO_DIM)),
    Row("cummin", (distinct,), SCANS, errors=(*BAD_DIM, NO_DIM)),
    Row("logcumsumexp", (normal,), SCANS, errors=(*BAD_DIM, NO_DIM)),
    Row(
        "diff",
        (normal,),
        cases([(3,), (1,), (0,), (2, 3), (2, 3, 4)], {}, {"n": 2}, {"n": 0}, {"n": 9})
        + (
            case((2, 3), dim=0),
            case((2, 3), n=1, dim=-2),
            case((2, 3), (2, 1), dim=1),
            case((2, 3), (2, 2), (2, 1), dim=1, n=2),
        ),
        call=diff,
        method=False,
        errors=(
            bad(2.0, says="at least one-dim|must be Tensor", shows=()),
            bad((2, 3), says="non-negative", shows=(), n=-1),
            bad((2, 3), (3,), says="same dimension", shows=((3,),)),
            bad((2, 3), (3, 1), says="to match that of input", shows=()),
            *BAD_DIM,
        ),
    ),
    Row(
        "trapezoid",
        (normal,),
        cases([(3,), (1,), (2, 3), (2, 3, 4)], {}, {"dim": 0})
        + (
            case((2, 3), dx=0.5),
            case((2, 3), (3,)),
            case((2, 3), (2,), dim=0),
            case((2, 3), (2, 3)),
        ),
        method=False,
        errors=(bad((2, 3), (4,), says="one `x` value"), *BAD_DIM),
    ),
    Row(
        "cumulative_trapezoid",
        (normal,),
        cases([(3,), (1,), (0,), (2, 3), (2, 3, 4)], {}, {"dim": 0})
        + (
            case((2, 3), dx=0.5),
            case((2, 3), (3,)),
            case((2, 3), (2,), dim=0),
            case((2, 3), (2, 3)),
        ),
        method=False,
        python_only=True,
        errors=(bad((2, 3), (4,), says="one `x` value"), *BAD_DIM),
    ),
    Row(
        "gradient",
        (normal,),
        cases([(3,), (4, 5), (3, 4, 3)], {}, {"edge_order": 2}, {"spacing": 0.5}, {"dim": -1})
        + (
            case((2,)),
            case((4, 5), dim=(1, 0), spacing=3),
            case((4, 5), spacing=[0.5, 2], edge_order=2),
            case((4, 1), spacing=(2.5,), dim=0),
            case((2, 0), dim=0),
            case(()),
        ),
        method=False,
        python_only=True,
        errors=(
            bad((2, 3), says="edge_order=1 and edge_order=2", shows=(), edge_order=3),
            bad((1, 3), says="at least edge_order\\+1"),
            bad((2, 2), says="at least edge_order\\+1", edge_order=2),
            bad((2, 3), says="appears multiple times", shows=(), dim=(0, -2)),
            bad((2, 3), says="to be unspecified, a scalar", shows=(), spacing=[1.0], dim=(0, 1)),
            bad((2, 3), says="to be unspecified, a scalar", shows=(), spacing=[1.0]),
            bad((2, 3), says="uint8", shows=(), dtype="uint8"),
            *BAD_DIM,
        ),
    ),
    Row(
        "norm",
        (normal,),
        cases([(3,), (2, 3), (2, 3, 4)], {}, {"p": 1}, {"p": 3}, {"p": float("inf")})
        + (
            case(()),
            case((0,)),
            case((2, 3), p="fro"),
            case((2, 3), p=2, dim=1),
            case((2, 3), p=2, dim=(0, 1), keepdim=True),
            case((2, 3), p=2, dim=1, dtype="float64"),
        ),
        python_only=True,
        errors=BAD_DIM,
    ),
    Row(
        "softmin",
        (normal,),
        cases([(3,), (2, 3), (2, 3, 4)], {"dim": 0}, {"dim": -1}),
        path="nn.functional.softmin",
        method=False,
        python_only=True,
        errors=BAD_DIM,
    ),
)
