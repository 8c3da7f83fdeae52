"""Copies with the elements at other places, joins by shape, padding."""

from .row import DIM, FLOATS, Row, bad, case, cases, normal
from .views import many, method


def joined(name):
    """Calls a function of a sequence of tensors."""
    return lambda lib, *tensors: getattr(lib, name)(tensors)


def join(name, *errors):
    """The row of a join that adds the dims it needs."""
    shapes = [
        ((2,), (3,)),
        ((), (1,)),
        ((2, 3), (2, 3)),
        ((2, 3, 2), (2, 3, 2)),
        ((3,), (3,)),
        ((), ()),
    ]
    fits = {"vstack": slice(1, None), "dstack": slice(1, None), "column_stack": slice(1, None)}
    return Row(
        name,
        (normal,),
        cases(shapes[fits.get(name, slice(None))]),
        call=joined(name),
        method=False,
        mixed=True,
        errors=(
            bad(says="non-empty"),
            bad((2, 3), (3, 2), says="Sizes of tensors must match", shows=()),
            bad((2, 3), "text", says="expected Tensor", shows=()),
        ),
    )


def matrices(name):
    """The row of tril or triu."""
    return Row(
        name,
        (normal,),
        cases(
            [(3, 3), (2, 5), (5, 2), (2, 3, 4), (0, 3), (2, 3, 0)],
            *({"diagonal": n} for n in (0, 1, -1, 9, -9, 2**62, -(2**62))),
        ),
        errors=(bad((3,), says="at least 2 dim"),),
    )


def repeated(lib, x, *, repeats, **options):
    """repeat_interleave, where a list of repeats becomes a tensor."""
    return lib.repeat_interleave(
        x, lib.tensor(repeats) if isinstance(repeats, list) else repeats, **options
    )


PADS = (
    {"pad": (1, 2)},
    {"pad": (0, 0)},
    {"pad": (-1, 2)},
    {"pad": (1, -2)},
    {"pad": (1, 1), "value": 2.5},
)
AROUND = [
    case((2, 2, 5), pad=(1, 2)),
    case((2, 5), pad=(2, 1)),
    case((2, 2, 3, 4), pad=(1, 2, 2, 1)),
    case((2, 3, 4), pad=(1, 0, 0, 2)),
    case((1, 2, 3, 2, 4), pad=(1, 1, 0, 1, 2, 1)),
    case((2, 3, 5), pad=(-1, 1)),
    case((0, 3, 5), pad=(1, 1)),
]


def around(mode):
    """The cases of a mode that pads with what is there."""
    return tuple(case(*one.shapes, mode=mode, **one.kwargs) for one in AROUND)


ROWS = (
    join("hstack"),
    join("vstack"),
    join("dstack"),
    join("column_stack"),
    matrices("tril"),
    matrices("triu"),
    Row(
        "block_diag",
        (normal,),
        cases([((2, 3), (1, 2)), ((), (3,), (2, 2)), ((2, 0), (1, 2)), ((3,),)]),
        call=many("block_diag"),
        method=False,
        mixed=True,
        errors=(bad((2, 2), (2, 2, 2), says="2 or fewer dim", shows=((2, 2, 2),)),),
    ),
    Row(
        "cartesian_prod",
        (normal,),
        cases([((2,), (3,)), ((2,), (1,), (3,)), ((0,), (2,))]),
        call=many("cartesian_prod"),
        method=False,
        errors=(bad((2,), (2, 2), says="Expect a 1D vector", shows=((2, 2),)),),
    ),
    Row(
        "combinations",
        (normal,),
        cases(
            [(4,), (1,), (0,)],
            *(
                {"r": r, "with_replacement": again}
                for r in (2, 0, 1, 3, 5)
                for again in (False, True)
            ),
        ),
        method=False,
        errors=(
            bad((2, 2), says="1D vector"),
            bad((3,), says="non-negative", shows=(), r=-1),
        ),
    ),
    Row(
        "flip",
        (normal,),
        cases(
            [(2, 3, 4), (2, 0, 3)],
            *({"dims": dims} for dims in [(0,), (-1,), (0, 2), (2, 1, 0), ()]),
        )
        + (case((37,), dims=(0,)), case((), dims=()), case((), dims=(0,))),
        errors=(
            bad((2, 3), says="multiple times", shows=(), dims=(0, -2)),
            bad((2, 3), says=DIM, shows=(), dims=(2,)),
        ),
    ),
    Row(
        "fliplr",
        (normal,),
        cases([(2, 3), (2, 3, 4), (2, 0, 3)]),
        errors=(bad((3,), says=">= 2-d"),),
    ),
    Row(
        "flipud",
        (normal,),
        cases([(3,), (2, 3), (2, 3, 4), (2, 0, 3)]),
        errors=(bad((), says=">= 1-d", shows=()),),
    ),
    Row(
        "rot90",
        (normal,),
        cases([(2, 3), (2, 0)], *({"k": k} for k in (-5, -1, 0, 1, 2, 3, 4)))
        + (case((2, 3, 4), k=1, dims=(2, 0)), case((2, 3, 4), k=3, dims=(-1, 1))),
        errors=(
            bad((3,), says="total dims >= 2", shows=()),
            bad((3, 3), says="dims to be different", shows=(), dims=(0, -2)),
            bad((3, 3), says="rotation dims == 2", shows=(), dims=(0,)),
            bad((3, 3), says=DIM, shows=(), dims=(0, 5)),
        ),
    ),
    Row(
        "roll",
        (normal,),
        cases([(4,), (2, 3), (2, 0, 3)], *({"shifts": n, "dims": 0} for n in (0, 1, -1, 7, 2**40)))
        + cases([(2, 3), (), (0,), (5,)], {"shifts": 2})
        + (
            case((3, 4), shifts=(1, 2), dims=(0, 1)),
            case((3, 4), shifts=(1, 1), dims=(-1, 1)),
            case((2, 3, 4), shifts=(-1,), dims=(1,)),
        ),
        errors=(
            bad((2, 3), says="must align", shows=(), shifts=(1, 2), dims=0),
            bad((2, 3), says=DIM, shows=(), shifts=1, dims=2),
        ),
    ),
    Row(
        "repeat",
        (normal,),
        cases(
            [(2, 3), (1, 3)],
            *({"repeats": n} for n in [(1, 1), (2, 3), (2, 1, 3), (1, 1, 1), (0, 2), (3, 2)]),
        )
        + (
            case((), repeats=(2, 3)),
            case((), repeats=()),
            case((3,), repeats=(2,)),
            case((0,), repeats=(2,)),
            case((2, 1, 2), repeats=(2, 3, 2)),
        ),
        call=method("repeat"),
        method=False,
        errors=(
            bad((2, 3), says="can not be smaller", repeats=(2,)),
            bad((2,), says="negative dimension", shows=(), repeats=(2, -1)),
        ),
    ),
    Row(
        "tile",
        (normal,),
        cases([(2, 3), (1, 3)], *({"dims": n} for n in [(2,), (2, 3), (2, 1, 3), (), (0,)]))
        + (case((), dims=(2,)),),
        errors=(bad((2,), says="negative dimension", shows=(), dims=(-1,)),),
    ),
    Row(
        "repeat_interleave",
        (normal,),
        cases([(2, 3), (3,), ()], *({"repeats": n} for n in (0, 1, 3)))
        + cases([(2, 3), (2, 3, 2)], *({"repeats": 2, "dim": d} for d in (0, 1, -1)))
        + cases([(2, 3), (2, 0)], *({"repeats": n, "dim": 0} for n in ([1, 2], [0, 3], [2])))
        + (
            case((2, 3), repeats=[1, 2, 0, 1, 1, 3]),
            case((2, 3), repeats=[1, 2, 0], dim=-1, output_size=3),
            case((2, 3), repeats=2, dim=1, output_size=6),
        ),
        call=repeated,
        method=False,
        errors=(
            bad((2, 3), says="(?i)repeats must be non-negative", shows=(), repeats=-1),
            bad((2, 3), says="same size as input along dim", repeats=[1, 2, 3], dim=0),
            bad((2, 3), says="can not be negative", shows=(), repeats=[1, -2], dim=0),
            bad((2, 3), says="not implemented for", shows=(), repeats=[1.0, 2.0], dim=0),
            bad((2, 3), says="0-dim or 1-dim", shows=(), repeats=[[1, 2]], dim=0),
            bad((2, 3), says="output_size", shows=(), repeats=2, dim=0, output_size=3),
            bad((2, 3), says=DIM, shows=(), repeats=2, dim=2),
        ),
    ),
    Row(
        "diag",
        (normal,),
        cases([(3,), (0,), (3, 3), (2, 4), (4, 2)], *({"diagonal": n} for n in (0, 1, -2))),
        errors=(bad((2, 2, 2), says="1D or 2D"), bad((), says="1D or 2D", shows=())),
    ),
    Row(
        "diag_embed",
        (normal,),
        cases([(3,), (2, 3), (2, 0), (2, 2, 3)], *({"offset": n} for n in (0, 1, -2)))
        + (
            case((2, 3), dim1=0, dim2=2),
            case((2, 3), offset=1, dim1=2, dim2=0),
            case((2, 3), offset=-1, dim1=-1, dim2=0),
        ),
        errors=(
            bad((2, 3), says="cannot be identical", shows=(), dim1=0, dim2=-3),
            bad((2, 3), says=DIM, shows=(), dim1=3, dim2=0),
        ),
    ),
    Row(
        "diagflat",
        (normal,),
        cases([(), (3,), (2, 2), (0,)], {}, {"offset": 1}, {"offset": -2}),
    ),
    Row(
        "pixel_shuffle",
        (normal,),
        (
            case((4, 2, 3), upscale_factor=2),
            case((2, 9, 1, 2), upscale_factor=3),
            case((2, 1, 8, 2, 2), upscale_factor=2),
        ),
        method=False,
        errors=(
            bad((3, 2, 2), says="divisible by the square", shows=(), upscale_factor=2),
            bad((4, 2), says="at least 3 dim", shows=(), upscale_factor=2),
            bad((4, 2, 2), says="positive upscale_factor", shows=(), upscale_factor=0),
        ),
    ),
    Row(
        "channel_shuffle",
        (normal,),
        cases([(2, 6, 2, 3), (1, 6, 4), (0, 6, 2), (2, 6, 0)], {"groups": 2}, {"groups": 3})
        + (case((2, 4, 1, 2, 2), groups=1),),
        method=False,
        errors=(
            bad((2, 4), says="input with > 2 dims", groups=2),
            bad((2, 4, 1), says="divisible by groups", shows=(), groups=3),
            bad((2, 4, 1), says="must be positive", shows=(), groups=0),
        ),
    ),
    Row(
        "pixel_unshuffle",
        (normal,),
        (
            case((1, 4, 6), downscale_factor=2),
            case((2, 2, 3, 6), downscale_factor=3),
        ),
        method=False,
        errors=(
            bad((1, 3, 2), says="height to be divisible", shows=(), downscale_factor=2),
            bad((1, 2, 3), says="width to be divisible", shows=(), downscale_factor=2),
            bad((4, 2), says="at least 3 dim", shows=(), downscale_factor=2),
            bad((4, 2, 2), says="positive downscale_factor", shows=(), downscale_factor=0),
        ),
    ),
    Row(
        "pad",
        (normal,),
        cases([(4,), (2, 4), (2, 0, 3), (2, 3, 4)], *PADS)
        + (
            case((2, 3), pad=(1, 0, 2, 1)),
            case((2, 3), pad=(0, 0, -1, 1), value=-1.0),
            case((0,), pad=(2, 1)),
            case((), pad=()),
            case((2, 3), pad=(-2, 0, 3, -1)),
        )
        + around("reflect")
        + around("replicate")
        + around("circular"),
        path="nn.functional.pad",
        method=False,
        dtypes=(*FLOATS, "int64", "int32", "uint8", "bool"),
        errors=(
            bad((4,), says="divisible by 2", shows=(), pad=(1,)),
            bad((4,), says="(?i)pad(ding)? length", shows=(), pad=(1, 1, 1, 1)),
            bad((2, 3), says="negative output size", pad=(-2, -2)),
            bad((2, 3), says="less than the corresponding input dim", pad=(3, 0), mode="reflect"),
            bad((2, 3), says="wrapping around more than once", pad=(4, 0), mode="circular"),
            bad((2, 3), says="too small", pad=(-3, 0), mode="replicate"),
            bad((2, 3, 3, 3, 3, 3), says="Only 2D, 3D, 4D, 5D", pad=(1, 1), mode="reflect"),
            bad((3,), says="Only 2D, 3D, 4D, 5D", pad=(1, 1), mode="replicate"),
            bad((2, 0), says="(?i)expected", pad=(1, 1), mode="reflect"),
            bad((2, 3), says="mode|Unrecognised", shows=(), pad=(1, 1), mode="mirror"),
            bad(
                (2, 3),
                says="doesn't take in value",
                shows=(),
                pad=(1, 1),
                mode="reflect",
                value=1.0,
            ),
        ),
    ),
)
