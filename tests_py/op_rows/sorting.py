"""Sorting and searching."""

import numpy as np

from .row import DIM, Row, Values, bad, case, cases, normal

few = Values(lambda rng, shape: rng.integers(0, 4, shape))
ascending = Values(lambda rng, shape: np.sort(rng.standard_normal(shape), axis=-1))
SORTED = cases(
    [(), (0,), (1,), (37,), (2, 3), (3, 70), (2, 0, 3), (2, 3, 4)],
    {"stable": True},
    {"stable": True, "descending": True, "dim": -1},
) + (
    *[case((70, 3), dim=0, stable=True), case((2, 70, 2), dim=1, stable=True, descending=True)],
    case((1030,), stable=True),
)
BAD_DIM = (bad((2, 3), says=DIM, shows=(), dim=2), bad((2, 3), says=DIM, shows=(), dim=-3))
UNIQUE = (
    *cases([(), (0,), (12,), (4, 5), (2, 0, 3)], {"return_inverse": True, "return_counts": True}),
    *[case((12,)), case((12,), return_inverse=True), case((12,), return_counts=True)],
    *[case((9, 2), dim=0, return_inverse=True), case((2, 9), dim=-1, return_counts=True)],
    *[case((3, 2, 2), dim=1, return_inverse=True, return_counts=True), case((0, 3), dim=0)],
)
BAD_UNIQUE = (
    bad((2, 3), says=DIM, shows=(), dim=2),
    bad((2, 0), says="0 sized dimensions", shows=((2, 0),), dim=0),
    bad((), says="no dimensions", shows=(), dim=0),
)


def values(name):
    """The values alone: which of equal elements is meant is left to the library."""
    return lambda lib, x, **kwargs: getattr(lib, name)(x, **kwargs)[0]


def values_of(name):
    """The results without the history that PyTorch pretends they had."""
    return lambda lib, x, **kwargs: getattr(lib, name)(x.detach(), **kwargs)


ROWS = (
    Row("sort", (normal,), SORTED, errors=BAD_DIM, differs="always stable"),
    Row("argsort", (normal,), SORTED, order=0, errors=BAD_DIM, differs="always stable"),
    Row(
        "topk",
        (normal,),
        cases([(1, 5), (2, 5), (3, 70), (2, 3, 4)], {"k": 1}, {"k": 3, "largest": False}, {"k": 0})
        + (
            *[
                case((), k=1),
                case((2, 70, 2), k=5, dim=1),
                case((3, 1030), k=7),
                case((1, 40), k=40),
            ],
            *[case((2, 0, 3), k=2), case((5, 0), k=0)],
        ),
        call=values("topk"),
        method=False,
        errors=(
            *(
                bad((2, 3), says=DIM, shows=(), k=1, dim=2),
                bad((2, 3), says="k out of range", k=4),
                bad((2, 3), says="k out of range", k=-1),
            ),
            bad((2, 3), says="does not support bool", shows=(), k=1, dtype="bool"),
        ),
    ),
    Row(
        "kthvalue",
        (normal,),
        cases([(1, 5), (2, 5), (3, 70), (2, 3, 4)], {"k": 1}, {"k": 3, "keepdim": True})
        + (case((), k=1), case((2, 70, 2), k=5, dim=1), case((0, 3), k=2)),
        call=values("kthvalue"),
        method=False,
        errors=(
            bad((2, 3), says="k out of range", k=4),
            bad((2, 3), says="k out of range", k=0),
            bad((3, 0), says="non-zero size", k=1),
            bad((2, 3), says=DIM, shows=(), k=1, dim=2),
        ),
    ),
    Row(
        "unique",
        (few,),
        UNIQUE,
        order=0,
        errors=BAD_UNIQUE,
        call=values_of("unique"),
        method=False,
        differs="results carry no history",
    ),
    Row(
        "unique_consecutive",
        (few,),
        UNIQUE,
        order=0,
        errors=BAD_UNIQUE,
        call=values_of("unique_consecutive"),
        method=False,
        differs="results carry no history",
    ),
    Row(
        "searchsorted",
        (ascending, normal),
        cases(
            [
                ((5,), (7,)),
                ((5,), (2, 3)),
                ((5,), ()),
                ((2, 5), (2, 3)),
                ((0,), (3,)),
                ((5,), (0,)),
            ],
            {},
            {"right": True},
            {"side": "right", "out_int32": True},
        ),
        order=0,
        method=False,
        errors=(
            bad((2, 3), (3, 2), says="must match, but we got", right=True),
            bad((2, 3), 1.0, says="input value can be a scalar only", shows=()),
            bad((3,), (3,), says="opposites", shows=(), side="left", right=True),
            bad((3,), (3,), says="side can only be", shows=(), side="up"),
        ),
    ),
    Row(
        "isin",
        (few, few),
        cases([((5,), (2,)), ((6,), (4,)), ((), (3,)), ((5,), ()), ((5,), (0,)), ((0,), (3,))])
        + (case((9,), (2,), invert=True), case((5,), (0,), invert=True)),
        order=0,
        dtypes=("float32", "float64", "int32", "int64", "uint8", "bool"),
        mixed=True,
        method=False,
    ),
)
