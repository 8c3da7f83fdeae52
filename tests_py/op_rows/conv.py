"""Convolutions."""

from .row import Row, bad, case, normal

DTYPES = ("float32", "float64", "int64", "bool")


def convolutions(dims: int) -> tuple:
    """Cases over a few small images of one to three dims."""

    def image(n: int, c: int, *sizes: int) -> tuple:
        return (n, c, *sizes[:dims])

    x, w = image(2, 3, 5, 6, 4), image(4, 3, 3, 2, 2)
    each = (1, 2, 1)[:dims]
    found = [
        case(x, w),
        case(x, w, (4,)),
        case(x[1:], w, (4,)),
        case(x, w, stride=2),
        case(x, w, padding=1),
        case(x, w, (4,), stride=each, padding=each, dilation=each[::-1]),
        case(x, w, stride=2, padding=2, dilation=2),
        case(x, w, stride=3, padding=1),
        case(x, w, padding="same"),
        case(x, w, padding="same", dilation=each),
        case(x, w, padding="valid", stride=(2,)),
        case(image(2, 4, 5, 4, 3), image(6, 2, 2, 2, 2), (6,), groups=2),
        case(image(1, 4, 4, 4, 3), image(8, 1, 3, 3, 3), groups=4, padding=1),
        case(image(1, 1, 3, 3, 3), image(1, 1, 3, 3, 3)),
        case(image(1, 2, 3, 2, 2), image(2, 2, 1, 1, 1), (2,)),
        case(image(3, 2, 4, 4, 3), image(2, 2, 1, 1, 1), stride=2),
        case(image(0, 3, 5, 6, 4), w, (4,)),
        case(image(1, 1, 2, 2, 2), image(1, 1, 5, 5, 5), (1,), padding=2),
        case(image(1, 1, 7, 3, 2), image(2, 1, 2, 2, 1), stride=(5, 1, 1)[:dims], padding=1),
    ]
    return tuple(found)


def transposed(dims: int) -> tuple:
    """Cases of the transposed maps."""

    def image(n: int, c: int, *sizes: int) -> tuple:
        return (n, c, *sizes[:dims])

    x, w = image(2, 3, 4, 3, 2), image(3, 4, 3, 2, 2)
    each = (2, 3, 1)[:dims]
    return (
        case(x, w),
        case(x, w, (4,)),
        case(x[1:], w, (4,)),
        case(x, w, (4,), stride=2, padding=1),
        case(x, w, (4,), stride=2, output_padding=1),
        case(x, w, stride=each, dilation=each[::-1], padding=1, output_padding=0),
        case(x, w, (4,), stride=4),
        case(x, w, dilation=2, output_padding=1),
        case(x, w, stride=2, dilation=3, output_padding=2),
        case(image(2, 4, 3, 3, 2), image(4, 2, 2, 2, 2), (4,), groups=2, stride=2),
        case(image(1, 3, 3, 3, 2), image(3, 1, 3, 3, 3), groups=3, padding=1),
        case(image(1, 2, 2, 2, 2), image(2, 1, 1, 1, 1), (1,), stride=2, output_padding=1),
        case(image(0, 3, 4, 3, 2), w, (4,)),
        case(image(1, 1, 2, 2, 2), image(1, 1, 2, 2, 2)),
    )


def row(name: str, cases: tuple, errors: tuple = ()) -> Row:
    """A row of functional.<name>."""
    return Row(
        name,
        (normal,),
        cases,
        path=f"nn.functional.{name}",
        method=False,
        dtypes=DTYPES,
        errors=errors,
    )


X, W = (2, 4, 5, 5), (6, 4, 3, 3)
ERRORS = (
    bad(X, (6, 3, 3, 3), says="expected input.* to have 3 channels, but got 4 channels instead"),
    bad((4, 5, 5), (6, 3, 3, 3), says="to have 3 channels, but got 4", shows=((6, 3, 3, 3),)),
    bad(X, (6, 2, 3, 3), says="to have 6 channels, but got 4", groups=3),
    bad(X, (6, 1, 3, 3), says="divisible by 4 at dimension 0", shows=((6, 1, 3, 3),), groups=4),
    bad(X, W, says="non-positive groups is not supported", shows=(), groups=0),
    bad(X, W, says="non-positive groups is not supported", shows=(), groups=-1),
    bad(X, W, says="expected weight to be at least 7 at dimension 0", shows=(W,), groups=7),
    bad(X, W, says="negative padding is not supported", shows=(W,), padding=-1),
    bad(X, W, says="negative padding is not supported", shows=(W,), padding=(1, -1)),
    bad(X, (6, 4, 7, 7), says="Kernel size can't be greater than actual input size"),
    bad(X, W, says="Kernel size: .7 x 7.. Kernel size can't be greater", dilation=3),
    bad(X, W, says="non-positive stride is not supported", shows=(W,), stride=0),
    bad(X, W, says="non-positive stride is not supported", shows=(W,), stride=(1, -1)),
    bad(X, W, says="non-positive dilation is not supported", shows=(W,), dilation=0),
    bad((5,), W, says=r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d", shows=((5,),)),
    bad((5, 5), W, says="Expected 3D .unbatched. or 4D", shows=((5, 5),)),
    bad((1, 1, 4, 5, 5), W, says="Expected 3D .unbatched. or 4D", shows=((1, 1, 4, 5, 5),)),
    bad(X, (6, 4, 3), says="weight|expected stride", shows=((6, 4, 3),)),
    bad(X, (6, 4, 3, 3, 3), says="weight|expected stride", shows=((6, 4, 3, 3, 3),)),
    bad(X, W, says="padding='same' is not supported for strided", shows=(), padding="same", stride=2),
    bad(X, W, says="Invalid padding string: 'foo'", shows=(), padding="foo"),
    bad(X, W, (5,), says="expected bias to be 1-dimensional with 6 elements", shows=(W, (5,))),
    bad(X, W, (6, 1), says="expected bias to be 1-dimensional with 6", shows=(W, (6, 1))),
    bad(X, W, says="expected stride to be a single integer value or a list of 2", shows=(), stride=(1, 1, 1)),
    bad(X, W, says="expected padding to be a single integer value or a list of 2", shows=(), padding=(1, 1, 1)),
    bad(X, W, says="expected dilation to be a single", shows=(), dilation=(1, 1, 1)),
    bad((2, 4, 0, 5), W, says="Kernel size can't be greater than actual input size"),
    bad((2, 4, 0, 5), W, says="Only zero batch or zero channel", shows=((2, 4, 0, 5),), padding=2),
    bad(X, (0, 4, 3, 3), says="expected weight to be at least 1 at dimension 0", shows=((0, 4, 3, 3),)),
    bad(X, (6, 4, 0, 3), says="kernel", shows=((6, 4, 0, 3),)),
    bad(X, [[[[1, 2]]]] * 4, says="to have 1 channels", shows=(X,)),
    bad(X, [[[[1, 2]] * 2] * 4], says=r"Input type \(float32\) and weight type \(int64\) should be the same"),
    bad("text", W, says="must be Tensor, not str", shows=()),
    bad(X, "text", says="must be Tensor, not str", shows=()),
    bad(X, W, says="must be tuple of ints, not float", shows=(), stride=1.5),
    bad(X, W, says="expected padding to be at most", shows=(), padding=2**62),
    bad(X, W, says="too large", shows=(), dilation=2**62),
)  # fmt: skip
V = (4, 6, 3, 3)
TRANSPOSED_ERRORS = (
    bad(X, (3, 6, 3, 3), says="Given transposed=1, .* to have 3 channels, but got 4 channels instead"),
    bad(X, V, says="output padding must be smaller than either stride or dilation", shows=(), output_padding=1),
    bad(X, V, says="negative output_padding is not supported", shows=(V,), stride=2, output_padding=-1),
    bad(X, V, says="divisible by 3 at dimension 0", shows=(V,), groups=3),
    bad(X, V, says="non-positive groups is not supported", shows=(), groups=0),
    bad(X, V, says="negative padding is not supported", shows=(V,), padding=-1),
    bad(X, V, says="Output size is too small", padding=4),
    bad(X, V, (4,), says="expected bias to be 1-dimensional with 6 elements", shows=(V, (4,))),
    bad(X, V, says="must be tuple of ints, not str", shows=(), padding="same"),
    bad(X, V, says="non-positive stride is not supported", shows=(V,), stride=0),
    bad((5, 5), V, says="Expected 3D .unbatched. or 4D .batched. input to conv_transpose2d", shows=((5, 5),)),
    bad((1, 4, 0, 5), V, says="Only zero batch or zero channel inputs", shows=((1, 4, 0, 5),)),
    bad(X, V, says="dilation", shows=(V,), dilation=0),
)  # fmt: skip

ROWS = (
    row(
        "conv1d",
        convolutions(1),
        (
            bad((1, 4, 5), (6, 3, 3), says="to have 3 channels, but got 4 channels"),
            bad((4,), (6, 4, 3), says="Expected 2D .unbatched. or 3D", shows=((4,),)),
            bad(
                (1, 4, 5),
                (6, 4, 8),
                says="size per channel: .5.. Kernel size: .8.. Kernel size can't",
            ),
        ),
    ),
    row("conv2d", convolutions(2), ERRORS),
    row(
        "conv3d",
        convolutions(3),
        (
            bad(
                (4, 4, 4), (6, 4, 3, 3, 3), says="Expected 4D .unbatched. or 5D", shows=((4, 4, 4),)
            ),
        ),
    ),
    row("conv_transpose1d", transposed(1)),
    row("conv_transpose2d", transposed(2), TRANSPOSED_ERRORS),
    row("conv_transpose3d", transposed(3)),
)
