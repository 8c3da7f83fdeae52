"""Reductions."""

from .row import DIM, Row, bad, case, cases, normal, reductions

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
