"""Views, copies and joins."""

from .row import DIM, Row, bad, case, cases, normal

BAD_DIM = (bad((2, 3), says=DIM, shows=(), dim=2), bad((2, 3), says=DIM, shows=(), dim=-3))
INVALID = bad((2, 3), says=r"shape '\[4\]' is invalid for input of size 6", shows=(), shape=(4,))
TWO_UNKNOWN = bad((2, 3), says="only one dimension can be inferred", shows=(), shape=(-1, -1))
NEGATIVE = bad((2, 3), says="invalid shape dimension", shows=(), shape=(-2, 3))
AMBIGUOUS = bad((0, 3), says="cannot reshape tensor of 0 elements", shows=(), shape=(0, -1))
RESHAPES = (
    *cases(
        [(2, 3)], *({"shape": s} for s in [(6,), (3, 2), (-1,), (1, 6), (3, -1), (2, 1, 3), (2, 3)])
    ),
    *[
        case((), shape=(1, 1)),
        case((1,), shape=()),
        case((2, 3, 4), shape=(6, 4)),
        case((0,), shape=(2, 0)),
    ],
    *[case((2, 0, 3), shape=(0,)), case((2, 0, 3), shape=(3, 0)), case((2, 3, 4), shape=(2, -1))],
)


def cat(lib, *tensors, **kwargs):
    """The tensors, one after the other."""
    return lib.cat(tensors, **kwargs)


def stack(lib, *tensors, **kwargs):
    """The tensors along a new dim."""
    return lib.stack(tensors, **kwargs)


def at(lib, x, item):
    """x[item]."""
    return x[item]


def sized(name):
    """Calls the Tensor method, which takes its sizes as a tuple."""
    return lambda lib, x, **kwargs: getattr(x, name)(*kwargs.values())


ROWS = (
    Row(
        "reshape",
        (normal,),
        RESHAPES,
        view=True,
        errors=(INVALID, TWO_UNKNOWN, NEGATIVE, AMBIGUOUS),
    ),
    Row(
        "view",
        (normal,),
        RESHAPES,
        call=sized("view"),
        method=False,
        view=True,
        errors=(INVALID, TWO_UNKNOWN, NEGATIVE, AMBIGUOUS),
    ),
    Row(
        "transpose",
        (normal,),
        cases([(2, 3), (2, 3, 4), (2, 0, 3)], {"dim0": 0, "dim1": 1}, {"dim0": -1, "dim1": 0})
        + (case((3,), dim0=0, dim1=-1), case((), dim0=0, dim1=0), case((2, 3), dim0=1, dim1=1)),
        view=True,
        errors=(
            bad((2, 3), says=DIM, shows=(), dim0=0, dim1=2),
            bad((2, 3), says=DIM, shows=(), dim0=-3, dim1=0),
        ),
    ),
    Row(
        "permute",
        (normal,),
        cases(
            [(2, 3, 4), (2, 0, 3)], *({"dims": dims} for dims in [(2, 0, 1), (0, 1, 2), (-1, 1, 0)])
        )
        + (case((), dims=()), case((3,), dims=(0,)), case((2, 3), dims=(1, 0))),
        view=True,
        errors=(
            bad(
                (2, 3),
                says="duplicate dims|appears multiple times|repeated dim",
                shows=(),
                dims=(0, 0),
            ),
            bad((2, 3), says="number of dim", shows=(), dims=(0,)),
            bad((2, 3), says=DIM, shows=(), dims=(0, 2)),
        ),
    ),
    Row(
        "expand",
        (normal,),
        (
            *[
                case((), size=(2, 3)),
                case((1,), size=(4,)),
                case((3,), size=(2, 3)),
                case((2, 1), size=(2, 4)),
            ],
            *[case((2, 3), size=(-1, -1)), case((2, 1), size=(5, -1, 3)), case((1,), size=(0,))],
            *[case((2, 1, 3), size=(2, 0, 3)), case((), size=())],
        ),
        call=sized("expand"),
        method=False,
        view=True,
        errors=(
            bad((2, 3), says="expanded size|must match the existing size", size=(4, 3)),
            bad((2, 3), says="number of (sizes|dim)", size=(3,)),
            bad((2, 3), says="-1|isn't allowed|not allowed", size=(-1, 2, 3)),
        ),
    ),
    Row(
        "squeeze",
        (normal,),
        cases([(), (1,), (3,), (2, 1, 3), (1, 0, 1), (1, 1)])
        + cases([(1, 2, 1)], *({"dim": d} for d in (0, 1, -1, -3, (0, 2), (0, 1), (-1,))))
        + (case((), dim=0), case((), dim=-1)),
        view=True,
        errors=BAD_DIM,
    ),
    Row(
        "unsqueeze",
        (normal,),
        cases([(3,), (2, 0, 3), (2, 3)], *({"dim": d} for d in (0, 1, -1, -2)))
        + (case((), dim=0), case((), dim=-1)),
        view=True,
        errors=(bad((2, 3), says=DIM, shows=(), dim=3), bad((2, 3), says=DIM, shows=(), dim=-4)),
    ),
    Row(
        "flatten",
        (normal,),
        cases([(), (3,), (2, 3), (2, 3, 4), (2, 0, 3)])
        + cases(
            [(2, 3, 4, 2)],
            {"start_dim": 1},
            {"end_dim": -2},
            {"start_dim": -1},
            {"start_dim": 1, "end_dim": 2},
        ),
        view=True,
        errors=(
            bad(
                (2, 3), says="start_dim cannot come after end_dim", shows=(), start_dim=1, end_dim=0
            ),
            bad((2, 3), says=DIM, shows=(), start_dim=2),
        ),
    ),
    Row(
        "select",
        (normal,),
        cases(
            [(2, 3), (2, 3, 4)],
            {"dim": 0, "index": 1},
            {"dim": -1, "index": -3},
            {"dim": 1, "index": 0},
        ),
        view=True,
        errors=(
            bad((2, 3), says="out of (range|bounds)", shows=((2, 3),), dim=0, index=2),
            bad((2, 3), says=DIM, shows=(), dim=2, index=0),
        ),
    ),
    Row(
        "slice",
        (normal,),
        tuple(
            case((5, 4), item=(..., slice(*s)))
            for s in [(1, 3), (0, 4, 2), (-3, -1), (3, 1), (None, 9, 3)]
        )
        + tuple(case((5, 4), item=(slice(*s),)) for s in [(1, 3), (0, 5, 2), (-3, None), (9, 1)]),
        call=at,
        method=False,
        view=True,
    ),
    Row(
        "cat",
        (normal,),
        cases([((2, 3), (2, 3)), ((2, 3), (2, 3), (2, 3))], {}, {"dim": 1}, {"dim": -2})
        + cases([((2, 3), (4, 3)), ((0, 3), (2, 3)), ((0,), (2, 3)), ((3,),), ((0,), (0,))])
        + cases([((2, 1, 3), (2, 4, 3), (2, 0, 3)), ((2, 17), (2, 5))], {"dim": 1}),
        call=cat,
        method=False,
        mixed=True,
        errors=(
            bad(says="non-empty list"),
            bad((2, 3), (2, 4), says="Sizes of tensors must match except in dimension 0"),
            bad((2, 3), (2,), says="same number of dimensions"),
            bad((2, 3), (2, 3), says=DIM, shows=(), dim=2),
            bad((), (), says="zero-dimensional"),
            bad((2,), "text", says="must be Tensor|expected Tensor", shows=()),
        ),
    ),
    Row(
        "stack",
        (normal,),
        cases([((2, 3), (2, 3)), ((2, 3), (2, 3), (2, 3))], {}, {"dim": 1}, {"dim": -1}, {"dim": 2})
        + cases([((), ()), ((0,), (0,)), ((3,),), ((2, 0, 3), (2, 0, 3))]),
        call=stack,
        method=False,
        mixed=True,
        errors=(
            bad(says="non-empty"),
            bad((2, 3), (2, 4), says="each tensor to be equal size"),
            bad((2, 3), (2, 3), says=DIM, shows=(), dim=3),
        ),
    ),
    Row(
        "split",
        (normal,),
        cases([(5,), (5, 4)], {"split_size_or_sections": 2}, {"split_size_or_sections": [1, 4]})
        + cases(
            [(2, 6)],
            *({"split_size_or_sections": s, "dim": d} for s in (4, [1, 0, 5], 9) for d in (1, -1)),
        )
        + (case((0,), split_size_or_sections=2), case((2, 0, 3), split_size_or_sections=1, dim=2)),
        path="split",
        method=False,
        view=True,
        errors=(
            bad((4,), says="sum exactly to 4", split_size_or_sections=[1, 2]),
            bad((4,), says="non-negative", shows=(), split_size_or_sections=-1),
            bad(
                (4,),
                says="split_size can only be 0 if|split_size.*0",
                shows=(),
                split_size_or_sections=0,
            ),
            bad((4,), says="negative", shows=(), split_size_or_sections=[-1, 5]),
            bad((4,), says=DIM, shows=(), split_size_or_sections=1, dim=1),
            bad((), says="at least a 1-dimensional|0-dim", split_size_or_sections=1),
        ),
        differs="at most 2^24 parts",
    ),
    Row(
        "chunk",
        (normal,),
        cases([(6,), (5,), (6, 4)], *({"chunks": c} for c in (1, 2, 3, 4, 9)))
        + (case((2, 5), chunks=2, dim=1), case((2, 5), chunks=3, dim=-1), case((0,), chunks=3)),
        view=True,
        errors=(
            bad((4,), says="greater than 0", shows=(), chunks=0),
            bad((4,), says=DIM, shows=(), chunks=2, dim=1),
            bad((), says="at least a 1-dimensional|0-dim", chunks=1),
        ),
    ),
    Row(
        "contiguous",
        (normal,),
        cases([(), (0,), (3,), (2, 3), (2, 3, 4)]),
        call=sized("contiguous"),
        view=True,
    ),
    Row(
        "clone",
        (normal,),
        cases([(), (0,), (3,), (2, 3), (2, 3, 4)]),
        differs="copies are row-major, whatever memory_format says",
    ),
    Row("detach", (normal,), cases([(), (0,), (3,), (2, 3), (2, 3, 4)]), order=0, view=True),
)
