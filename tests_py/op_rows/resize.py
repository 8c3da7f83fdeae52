"""Images and sequences in other sizes."""

from .row import FLOATS, Row, Values, bad, case, cases, normal

ALIGNED = ({}, {"align_corners": True}, {"align_corners": False})


def sizes(mode, shape, *more, variants=({},)):
    """Sizes and scale factors up and down, with further arguments."""
    dims = len(shape) - 2
    found = [{"size": tuple(n + 2 for n in shape[2:])}, {"size": 1}, {"size": shape[2:]}]
    found += [{"size": 2}, {"scale_factor": 2.0}, {"scale_factor": 1.7}, {"scale_factor": 0.6}]
    found += [{"scale_factor": 1.7, "recompute_scale_factor": True}]
    # PyTorch's own gradient mixes up the three scales of volumes in mode "nearest".
    distinct = mode != "nearest" or dims < 3
    found += distinct * [{"scale_factor": tuple(1.5 + 0.3 * i for i in range(dims))}]
    return tuple(case(shape, mode=mode, **one, **variant) for one in found for variant in variants)


# Some beyond the image, none where a step or a corner is.
points = Values(lambda rng, shape: rng.uniform(-1.9, 1.9, shape))
SAMPLES = [
    {"mode": mode, "padding_mode": padding, "align_corners": aligned}
    for mode in ("bilinear", "nearest", "bicubic")
    for padding in ("zeros", "border", "reflection")
    for aligned in (False, True)
]
IMAGES = tuple(SAMPLES)
VOLUMES = tuple(one for one in SAMPLES if one["mode"] != "bicubic")


ROWS = (
    Row(
        "interpolate",
        (normal,),
        sizes("nearest", (2, 3, 5))
        + sizes("nearest", (2, 2, 3, 4))
        + sizes("nearest", (1, 2, 2, 3, 2))
        + sizes("nearest-exact", (2, 3, 5))
        + sizes("nearest-exact", (2, 2, 3, 4))
        + sizes("area", (2, 3, 5))
        + sizes("area", (2, 2, 3, 4))
        + sizes("linear", (2, 3, 5), variants=ALIGNED)
        + sizes("bilinear", (2, 2, 3, 4), variants=ALIGNED)
        + sizes("bicubic", (1, 2, 3, 4), variants=ALIGNED)
        + sizes("trilinear", (1, 2, 2, 3, 2), variants=ALIGNED)
        + cases([(0, 2, 3)], {"size": 4}, {"size": 2, "mode": "linear"}),
        path="nn.functional.interpolate",
        method=False,
        dtypes=(*FLOATS, "uint8"),
        errors=(
            bad((2, 3, 4), says="either size or scale_factor", shows=()),
            bad((2, 3, 4), says="only one of size or", shows=(), size=2, scale_factor=2.0),
            bad((2, 3, 4), says="same number of spatial dim", shows=(), size=(2, 2)),
            bad((2, 3, 4), says="same number of spatial dim", shows=(), scale_factor=(2.0, 2.0)),
            bad((2, 3, 4), says="align_corners option", shows=(), size=2, align_corners=True),
            bad((2, 3, 4), says="mode needs 4D input", shows=(), size=2, mode="bilinear"),
            bad((2, 3), says="Only 3D, 4D and 5D", shows=(), size=2),
            bad((2, 3, 4), says="greater than 0", size=0),
            bad((2, 0, 4), says="(?i)greater than 0|non-zero", size=2),
            bad((2, 3, 4), says="not meaningful", shows=(), size=2, recompute_scale_factor=True),
        ),
        differs="antialias is not supported",
    ),
    Row(
        "grid_sample",
        (normal, points),
        (
            *cases([((2, 3, 4, 5), (2, 3, 2, 2)), ((1, 1, 1, 3), (1, 2, 1, 2))], *IMAGES),
            *cases([((2, 2, 3, 2, 4), (2, 1, 2, 3, 3))], *VOLUMES),
            *cases([((0, 3, 4, 5), (0, 3, 2, 2)), ((2, 0, 4, 5), (2, 3, 2, 2))], *IMAGES[:1]),
            case((2, 3, 4, 5), (2, 0, 2, 2), align_corners=False),
        ),
        path="nn.functional.grid_sample",
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((3, 4, 5), (2, 3, 2, 2), says="same batch size|4D or 5D", align_corners=True),
            bad((2, 3, 4, 5), (1, 3, 2, 2), says="same batch size", align_corners=True),
            bad(
                (2, 3, 4, 5),
                (2, 3, 2, 3),
                says="expected grid to have size 2",
                shows=((2, 3, 2, 3),),
                align_corners=True,
            ),
            bad((2, 3, 4, 5), (2, 2, 2, 2, 3), says="same number of dim", align_corners=True),
            bad(
                (2, 3, 0, 5),
                (2, 3, 2, 2),
                says="non-empty spatial",
                shows=((2, 3, 0, 5),),
                align_corners=True,
            ),
            bad((2, 3, 4, 5), (2, 3, 2, 2), says="expected mode", shows=(), mode="linear"),
            bad((2, 3, 4, 5), (2, 3, 2, 2), says="padding_mode", shows=(), padding_mode="same"),
            bad(
                *((1, 1, 2, 2, 2), (1, 1, 1, 1, 3)),
                says="only supports 4D input",
                shows=(),
                mode="bicubic",
                align_corners=False,
            ),
            bad(
                *((1, 1, 2, 2), (1, 1, 1, 2)),
                says="not implemented",
                shows=(),
                dtype="int64",
                align_corners=False,
            ),
        ),
        differs="volumes at points that are not finite give NaN, as images do",
    ),
    Row(
        "affine_grid",
        (normal,),
        (
            *cases([(2, 2, 3)], *({"size": (2, 3, 4, 5), **one} for one in ALIGNED[1:])),
            *cases([(2, 3, 4)], *({"size": (2, 1, 3, 2, 4), **one} for one in ALIGNED[1:])),
            case((1, 2, 3), size=(1, 1, 1, 3), align_corners=False),
        ),
        path="nn.functional.affine_grid",
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((2, 2, 2), says="batch of 2D affine", size=(2, 1, 3, 3), align_corners=False),
            bad((2, 2, 3), says="batch of 3D affine", size=(2, 1, 3, 3, 3), align_corners=False),
            bad(
                (2, 2, 3),
                says="only supports 4D and 5D",
                shows=(),
                size=(2, 3),
                align_corners=False,
            ),
            bad(
                (2, 2, 3),
                says="positive output size",
                shows=(),
                size=(2, 1, 0, 3),
                align_corners=False,
            ),
            bad([[[1, 2, 3]]], says="floating", shows=(), size=(1, 1, 2, 2), align_corners=False),
            bad((1, 2, 3), says="(?i)expected", shows=(), size=(2, 1, 2, 2), align_corners=False),
        ),
    ),
)
