"""Further views: diagonals, windows, dims moved and cut up, grids."""

from .row import DIM, DTYPES, Row, bad, case, cases, normal

NO_DIMS = "at least a 1-dimensional|no dimensions|0-dim"


def many(name):
    """Calls the function with its tensors one by one."""
    return lambda lib, *tensors, **kwargs: getattr(lib, name)(*tensors, **kwargs)


def method(name):
    """Calls the Tensor method, with its arguments by position."""
    return lambda lib, x, **kwargs: getattr(x, name)(*kwargs.values())


def atleast(rank):
    """The row of atleast_<rank>d."""
    shapes = [(), (3,), (0,), (2, 3), (2, 0, 3), (2, 3, 4), (1, 2, 3, 2)]
    name = f"atleast_{rank}d"
    return Row(name, (normal,), cases(shapes), method=False, view=True)


ROWS = (
    atleast(1),
    atleast(2),
    atleast(3),
    Row(
        "narrow",
        (normal,),
        cases(
            [(5,), (5, 4)],
            {"dim": 0, "start": 1, "length": 3},
            {"dim": -1, "start": 0, "length": 4},
            {"dim": 0, "start": -2, "length": 2},
            {"dim": 0, "start": 3, "length": 0},
        )
        + (case((2, 0, 3), dim=1, start=0, length=0),),
        view=True,
        errors=(
            bad((4,), says="exceeds dimension size", shows=(), dim=0, start=2, length=3),
            bad((4,), says="length must be non-negative", shows=(), dim=0, start=0, length=-1),
            bad((4,), says="start out of range", shows=(), dim=0, start=5, length=0),
            bad((4,), says=DIM, shows=(), dim=1, start=0, length=1),
            bad((), says="0-dim", shows=(), dim=0, start=0, length=1),
        ),
    ),
    Row(
        "unflatten",
        (normal,),
        cases([(6,), (6, 2)], *({"dim": 0, "sizes": s} for s in [(2, 3), (-1, 2), (6,), (1, 6, 1)]))
        + (
            case((2, 12), dim=-1, sizes=(3, -1, 2)),
            case((0, 2), dim=0, sizes=(0, 3)),
            case((2, 0, 3), dim=1, sizes=(4, 0)),
        ),
        view=True,
        errors=(
            bad((3, 3), says="don't multiply up", dim=0, sizes=(2, 2)),
            bad((4, 3), says="must be non-empty", shows=(), dim=0, sizes=()),
            bad((4, 3), says="unflatten", shows=(), dim=0, sizes=(-1, -1)),
            bad((4, 3), says=DIM, shows=(), dim=2, sizes=(2, 2)),
        ),
    ),
    Row(
        "movedim",
        (normal,),
        cases(
            [(2, 3, 4), (2, 0, 3)],
            *(
                {"source": a, "destination": b}
                for a, b in [(0, 2), (-1, 0), ((0, 1), (1, 2)), ((2, 0), (0, 1)), ((), ())]
            ),
        )
        + (case((3,), source=0, destination=-1), case((), source=0, destination=0)),
        view=True,
        errors=(
            bad((4, 3), says="same number of dim", shows=(), source=(0, 1), destination=(0,)),
            bad(
                (4, 3), says="repeated dim in `source`", shows=(), source=(0, 0), destination=(0, 1)
            ),
            bad((4, 3), says="repeated dim in `dest", shows=(), source=(0, 1), destination=(1, -1)),
            bad((4, 3), says=DIM, shows=(), source=2, destination=0),
        ),
    ),
    Row(
        "diagonal",
        (normal,),
        cases(
            [(3, 3), (3, 5), (5, 3), (0, 3), (2, 3, 4)],
            *({"offset": n} for n in (0, 1, -1, 2, -7, 9)),
        )
        + (
            case((2, 3, 4), dim1=1, dim2=2),
            case((2, 3, 4), offset=1, dim1=-1, dim2=0),
            case((2, 3, 4, 3), offset=-1, dim1=3, dim2=1),
        ),
        view=True,
        errors=(
            bad((3, 3), says="cannot be identical", dim1=0, dim2=-2),
            bad((3,), says=DIM, shows=()),
        ),
    ),
    Row(
        "unfold",
        (normal,),
        tuple(
            case((7,), dimension=0, size=size, step=step)
            for size in (1, 3, 7, 0)
            for step in (1, 2, 5)
        )
        + (
            case((4, 6), dimension=1, size=2, step=1),
            case((4, 6), dimension=-2, size=3, step=1),
            case((2, 0, 3), dimension=2, size=2, step=1),
            case((), dimension=0, size=1, step=1),
        ),
        call=method("unfold"),
        method=False,
        view=True,
        errors=(
            bad((3, 4), says="maximum size for tensor at dim", dimension=0, size=4, step=1),
            bad((3,), says="must be > 0", shows=(), dimension=0, size=1, step=0),
            bad((3,), says="must be >= 0", shows=(), dimension=0, size=-1, step=1),
            bad((3,), says=DIM, shows=(), dimension=1, size=1, step=1),
        ),
    ),
    Row(
        "as_strided",
        (normal,),
        (
            case((3, 4), size=(4, 3), stride=(1, 4)),
            case((3, 4), size=(2, 2), stride=(5, 3), storage_offset=2),
            case((3, 4), size=(3, 5), stride=(2, 1)),
            case((7,), size=(3, 2), stride=(2, 1), storage_offset=1),
            case((3,), size=(2, 3), stride=(0, 1)),
            case((3,), size=(), stride=(), storage_offset=2),
            case((4,), size=(0, 2), stride=(1, 1)),
            case((), size=(2, 1), stride=(0, 7)),
        ),
        view=True,
        errors=(
            bad((3, 4), says="out of bounds for storage", shows=(), size=(3, 5), stride=(5, 1)),
            bad((3,), says="out of bounds", shows=(), size=(2,), stride=(1,), storage_offset=99),
            bad((3,), says="mismatch in length", shows=(), size=(2,), stride=(1, 1)),
            bad((3,), says="(?i)negative", shows=(), size=(-2,), stride=(1,)),
            bad((3,), says="(?i)negative", shows=(), size=(2,), stride=(-1,)),
            bad(
                (3,),
                says="(?i)negative|storage offset",
                shows=(),
                size=(2,),
                stride=(1,),
                storage_offset=-1,
            ),
            bad((3,), says="must be tuple of ints|must be tuple", shows=(), size=2.5, stride=(1,)),
        ),
        differs="a view of the given tensor, not of what that is a view of: changes in place give their gradient to it",
    ),
    Row(
        "view_dtype",
        (normal,),
        cases([(4,), (2, 8), (1, 2, 8)], *({"into": d} for d in DTYPES)),
        call=lambda lib, x, into: x.view(getattr(lib, into)),
        method=False,
        order=0,
        view=True,
        errors=(
            bad((), says="dim\\(\\) cannot be 0", shows=(), into="float64"),
            bad((3,), says="size\\(-1\\) must be divisible by 2", shows=(), into="float64"),
        ),
        differs="`x.view(dtype)`; refused in compiled functions and in `vmap`",
    ),
    Row(
        "unbind",
        (normal,),
        cases([(3,), (1,), (2, 3), (2, 3, 4)], {}, {"dim": -1}) + (case((2, 0, 3)),),
        view=True,
        errors=(
            bad((2,), says=DIM, shows=(), dim=1),
            bad((), says="no dimensions", shows=()),
        ),
        differs="at most 2^24 parts",
    ),
    Row(
        "tensor_split",
        (normal,),
        cases(
            [(7,), (7, 2)],
            *({"indices_or_sections": n} for n in (1, 2, 3, 9, (2,), (1, 4), (3, 9), (2, -1), ())),
        )
        + (
            case((2, 5), indices_or_sections=2, dim=1),
            case((2, 5), indices_or_sections=(1, 1, 3), dim=-1),
            case((0, 2), indices_or_sections=2),
        ),
        call=method("tensor_split"),
        method=False,
        view=True,
        errors=(
            bad((4,), says="larger than 0", shows=(), indices_or_sections=0),
            bad((), says=NO_DIMS, shows=(), indices_or_sections=2),
            bad((), says=NO_DIMS, shows=(), indices_or_sections=(1,)),
            bad((4,), says=DIM, shows=(), indices_or_sections=2, dim=1),
        ),
        differs="at most 2^24 parts",
    ),
    Row(
        "broadcast_tensors",
        (normal,),
        cases([((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2,)), ((3,),), ((2, 0), (1,), (1, 1))]),
        call=many("broadcast_tensors"),
        method=False,
        view=True,
        errors=(bad((2,), (3,), says="must match the size"),),
    ),
    Row(
        "meshgrid",
        (normal,),
        cases(
            [((2,), (3,)), ((2,), (1,), (3,)), ((), (2,)), ((0,), (2,)), ((3,),)],
            {"indexing": "ij"},
            {"indexing": "xy"},
        ),
        call=many("meshgrid"),
        method=False,
        view=True,
        errors=(
            bad((2,), (2, 2), says="0D or 1D tensor", shows=(), indexing="ij"),
            bad((2,), (2,), says="indexing must be one of", shows=(), indexing="a"),
            bad(says="non-empty", indexing="ij"),
        ),
    ),
    Row(
        "t",
        (normal,),
        cases([(), (3,), (2, 3), (0, 3)]),
        view=True,
        errors=(bad((2, 3, 4), says="expects a tensor with <= 2 dimensions", shows=()),),
    ),
    Row(
        "broadcast_to",
        (normal,),
        (
            case((3,), size=(2, 3)),
            case((2, 1), size=(2, 4)),
            case((), size=(2,)),
            case((0,), size=(2, 0)),
        ),
        view=True,
        python_only=True,
        errors=(bad((3,), says="must match the existing size", size=(4,)),),
    ),
)
