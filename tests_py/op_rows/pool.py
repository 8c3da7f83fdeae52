"""Pooling, and the windows of images as columns."""

import numpy as np

from .row import DTYPES, FLOATS, Row, Values, bad, case, cases, normal, positive

NUMBERS = ("float32", "float64", "int32", "int64", "uint8", "bool")


def shaped(dims: int) -> list:
    """A batch, a single image, and an empty batch."""
    sizes = (5, 6, 4)[:dims]
    return [(2, 3, *sizes), (2, *sizes), (0, 2, *sizes)]


def max_cases(dims: int) -> tuple:
    """Kernels, strides, padding, dilation, and windows that end outside."""
    each = (3, 2, 2)[:dims]
    return (
        *cases(shaped(dims), {"kernel_size": 2}, {"kernel_size": each, "padding": 1}),
        *cases(
            shaped(dims)[:1],
            {"kernel_size": 3, "stride": 1},
            {"kernel_size": 2, "stride": each, "ceil_mode": True},
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            {"kernel_size": 2, "dilation": (2, 3, 2)[:dims]},
            {"kernel_size": 3, "padding": 1, "dilation": 2, "stride": 1},
            {"kernel_size": 2, "stride": 5, "padding": 1, "ceil_mode": True},
            {"kernel_size": (4,), "stride": (3,), "padding": (2,)},
        ),
        case((1, 1, *(2,) * dims), kernel_size=1),
    )


def avg_cases(dims: int) -> tuple:
    """As max_cases, with the divisors."""
    each = (3, 2, 2)[:dims]
    divisors = [{"divisor_override": 7}, {"divisor_override": -2}] if dims > 1 else [{}]
    return (
        *cases(shaped(dims), {"kernel_size": 2}, {"kernel_size": each, "padding": 1}),
        *cases(
            shaped(dims)[:1],
            {"kernel_size": 3, "stride": 1},
            {"kernel_size": 2, "stride": each, "ceil_mode": True},
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            {"kernel_size": 3, "padding": 1, "count_include_pad": False},
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
            {"kernel_size": (4,), "stride": (3,), "padding": (2,)},
            *({"kernel_size": 3, "padding": 1, **divisor} for divisor in divisors),
        ),
        case((1, 1, *(2,) * dims), kernel_size=1),
    )  # fmt: skip


def adaptive_cases(dims: int) -> tuple:
    """Sizes that divide, that do not, that grow, and none."""
    each = (2, 5, 3)[:dims]
    kept = [{"output_size": (None, 2, None)[:dims]}] if dims > 1 else []
    return (
        *cases(shaped(dims), {"output_size": 2}, {"output_size": each}),
        *cases(shaped(dims)[:1], {"output_size": 1}, {"output_size": 7}, *kept),
    )


def row(name: str, found: tuple, errors: tuple = (), **options: object) -> Row:
    """A row of functional.<name>."""
    options.setdefault("path", f"nn.functional.{name}")
    return Row(name, (normal,), found, method=False, errors=errors, **options)


X = (2, 4, 6, 6)
WINDOW_ERRORS = (
    bad((6,), says="(?i)expected", shows=((6,),), kernel_size=2, dtype="float32"),
    bad((1, 1, 4, 6, 6), says="(?i)expected", kernel_size=2),
    bad((2, 0, 6, 6), says="(?i)expected", kernel_size=2),
    bad((2, 4, 0, 6), says="(?i)expected", kernel_size=2),
    bad((0, 6, 6), says="(?i)expected", kernel_size=2),
    bad(X, says="should be greater than zero|should not be zero", shows=(), kernel_size=0),
    bad(X, says="should be greater than zero", shows=(X,), kernel_size=(2, -1)),
    bad(X, says="stride should", shows=(), kernel_size=2, stride=0),
    bad(X, says="stride should be greater than zero", shows=(), kernel_size=2, stride=-1),
    bad(X, says="pad should be at most half of", shows=(), kernel_size=2, padding=2),
    bad(X, says="pad must be non-negative", shows=(), kernel_size=2, padding=-1),
    bad(X, says=r"Output size is too small", kernel_size=7),
    bad(X, says="must .*be a single int, or a tuple of two ints", shows=(), kernel_size=(2, 3, 1)),
    bad(X, says="a single int, or a tuple of two ints", shows=(), kernel_size=2, stride=(1, 1, 1)),
    bad(X, says="a single int, or a tuple of two ints", shows=(), kernel_size=2, padding=(1, 1, 1)),
    bad(X, says="without overflow", shows=(), kernel_size=2**40),
    bad(X, says="without overflow", shows=(), kernel_size=2, stride=2**40),
    bad("text", says="must be Tensor, not str", shows=(), kernel_size=2),
    bad(X, says="must be tuple of ints, not str", shows=(), kernel_size="a"),
    bad(X, says="must be tuple of ints, not float", shows=(), kernel_size=2.5),
)
MAX_ERRORS = (
    *WINDOW_ERRORS,
    bad((6, 6), says="(?i)expected", kernel_size=2),
    bad(X, says="dilation should be greater than zero", shows=(X,), kernel_size=2, dilation=0),
    bad(X, says="Output size is too small", kernel_size=3, dilation=3),
    bad(X, says="pad should be", shows=(), kernel_size=3, padding=2, dilation=2, stride=1),
)
ERRORS_1D = (
    bad((6,), says="(?i)expected", kernel_size=2),
    bad((1, 1, 4, 6), says="(?i)expected", kernel_size=2),
    bad((2, 0, 6), says="(?i)expected", kernel_size=2),
    bad((2, 4, 6), says="greater than zero", shows=(), kernel_size=0),
    bad((2, 4, 6), says="greater than zero", shows=(), kernel_size=2, stride=-1),
    bad((2, 4, 6), says="at most half", shows=(), kernel_size=2, padding=2),
    bad((2, 4, 6), says="(?i)output size", kernel_size=7),
    bad((2, 4, 6), says="one int|got size 2", shows=(), kernel_size=(2, 3)),
)
ERRORS_3D = (
    bad((6, 6, 6), says="(?i)expected", kernel_size=2),
    bad((2, 0, 6, 6, 6), says="(?i)expected", kernel_size=2),
    bad((2, 4, 6, 6, 6), says="(?i)too small|smaller", kernel_size=7),
    bad((2, 4, 6, 6, 6), says="a single int, or a tuple of three ints", shows=(), kernel_size=(2, 2)),
)  # fmt: skip
ADAPTIVE_ERRORS = (
    bad((6, 6), says="Expected", output_size=3),
    bad((2, 2, 2, 6, 6), says="Expected", output_size=3),
    bad(X, says="output_size", shows=(), output_size=-1),
    bad(X, says="output_size", shows=(), output_size=(3, 3, 3)),
    bad(X, says="output_size", shows=(), output_size=(3,)),
    bad((2, 4, 0, 6), says="non-zero size for non-batch dimensions", output_size=3),
)


def per_dim(dims: int) -> tuple:
    """The rows over one number of spatial dims."""
    integers = FLOATS if dims == 1 else NUMBERS
    max_errors = (ERRORS_1D, MAX_ERRORS, ERRORS_3D)[dims - 1]
    avg_errors = (ERRORS_1D, (*WINDOW_ERRORS[1:], AVG_ERROR), ERRORS_3D)[dims - 1]
    adaptive_errors = ADAPTIVE_ERRORS if dims == 2 else ()
    n = f"{dims}d"
    return (
        row(f"max_pool{n}", max_cases(dims), max_errors, dtypes=integers),
        row(f"max_pool{n}_with_indices", max_cases(dims), max_errors, dtypes=FLOATS),
        row(f"avg_pool{n}", avg_cases(dims), avg_errors, dtypes=DTYPES),
        row(f"adaptive_avg_pool{n}", adaptive_cases(dims), adaptive_errors, dtypes=DTYPES),
        row(f"adaptive_max_pool{n}", adaptive_cases(dims), adaptive_errors, dtypes=DTYPES),
        row(f"adaptive_max_pool{n}_with_indices", adaptive_cases(dims), adaptive_errors),
    )


# Positions in planes of 12 elements, all different.
places = Values(
    lambda rng, shape: (
        np.stack(
            [rng.permutation(12)[: shape[-1]] for _ in range(int(np.prod(shape[:-1])))]
        ).reshape(shape)
        if np.prod(shape)
        else np.zeros(shape)
    ),
    "int64",
)


def unpooled(dims: int) -> object:
    """max_unpool with the positions of a plane in one row."""

    def call(lib, input, indices, plane, **kwargs):
        shape = (*input.shape[:-1], *plane)
        function = getattr(lib.nn.functional, f"max_unpool{dims}d")
        return function(input.reshape(shape), indices.reshape(shape), **kwargs)

    return call


def inverse_rows(dims: int) -> tuple:
    """lp_pool and max_unpool."""
    windows = cases(
        shaped(dims)[:2],
        {"norm_type": 2, "kernel_size": 2},
        {
            "norm_type": 3.5,
            "kernel_size": (3, 2, 2)[:dims] if dims > 1 else 3,
            "stride": 2,
            "ceil_mode": True,
        },
        {"norm_type": 1, "kernel_size": 3, "stride": 1},
        {"norm_type": float("inf"), "kernel_size": 2},
        {"norm_type": float("-inf"), "kernel_size": 2, "stride": 1},
    )
    plane = {1: (4,), 2: (2, 2), 3: (1, 2, 2)}[dims]
    sizes = {1: (13,), 2: (7, 5), 3: (4, 5, 7)}[dims]
    ones = (1,) * dims
    return (
        Row(
            f"lp_pool{dims}d",
            (positive,),
            windows,
            path=f"nn.functional.lp_pool{dims}d",
            method=False,
            dtypes=FLOATS,
            python_only=True,
            errors=(
                bad((2, 3, *(4,) * dims), says="greater than zero", shows=(), norm_type=2, kernel_size=0),
                bad((2, 3, *(4,) * dims), says="(?i)too small|output size", shows=(), norm_type=2, kernel_size=7),
            ),
        ),
        Row(
            f"max_unpool{dims}d",
            (normal, places),
            (
                *cases([((2, 3, 4), (2, 3, 4))], {"plane": plane, "kernel_size": (3, 2, 2)[:dims]}),
                *cases([((3, 4), (3, 4))], {"plane": plane, "kernel_size": 3, "output_size": sizes}),
                *cases([((0, 3, 4), (0, 3, 4))], {"plane": plane, "kernel_size": 4, "stride": 4}),
            ),
            call=unpooled(dims),
            method=False,
            python_only=True,
            dtypes=FLOATS,
            errors=(
                bad((1, 1, 1), [[[70]]], says="out of bounds|invalid max index", shows=(), plane=ones, kernel_size=4),
                bad((1, 1, 1), [[[1.0]]], says="type int64", shows=(), plane=ones, kernel_size=4),
                bad(
                    *((1, 1, 1), [[[0]]]),
                    says="invalid output_size",
                    shows=(),
                    plane=ones,
                    kernel_size=2,
                    output_size=(9,) * dims,
                ),
                bad(
                    *((1, 1, 1), [[[0]]]),
                    says="containing",
                    shows=(),
                    plane=ones,
                    kernel_size=2,
                    output_size=(2,) * (dims + 1),
                ),
            ),
        ),
    )  # fmt: skip


AVG_ERROR = bad(X, says="divisor must be not zero", shows=(), kernel_size=2, divisor_override=0)
IMAGES = [(2, 3, 5, 6), (2, 5, 6), (0, 2, 5, 6)]

ROWS = (
    *per_dim(1),
    *per_dim(2),
    *per_dim(3),
    *inverse_rows(1),
    *inverse_rows(2),
    *inverse_rows(3),
    row(
        "im2col",
        (
            *cases(IMAGES, {"kernel_size": 2}, {"kernel_size": (3, 2), "padding": 1}),
            *cases(
                IMAGES[:1],
                {"kernel_size": (2, 1), "stride": (2, 3), "dilation": (3, 1), "padding": (0, 2)},
                {"kernel_size": 1, "stride": 2},
            ),
        ),
        (
            bad((1, 1, 1, 6, 6), says="Expected 3D or 4D", kernel_size=2),
            bad((2, 0, 6, 6), says="Expected 3D or 4D", kernel_size=2),
            bad(X, says="should be greater than zero", shows=(), kernel_size=0),
            bad(X, says="should be greater than zero", shows=(), kernel_size=2, stride=0),
            bad(X, says="should be greater than zero", shows=(), kernel_size=2, dilation=0),
            bad(X, says="should be non-negative", shows=(), kernel_size=2, padding=-1),
            bad(X, says="components must be at least one", kernel_size=7),
            bad(X, says="expected kernel_size equals to 2, but got size 3", shows=(), kernel_size=(1, 1, 1)),
        ),
        path="nn.functional.unfold",
        dtypes=("float32", "float64", "int64"),
    differs='`nn.functional.unfold`; bool is refused'),
    row(
        "col2im",
        (
            *cases([(2, 12, 20), (12, 20), (0, 4, 20)], {"output_size": (5, 6), "kernel_size": 2}),
            case((1, 4, 9), output_size=(5, 6), kernel_size=2, stride=2, padding=(1, 0)),
            case((1, 4, 6), output_size=(3, 5), kernel_size=2, dilation=(1, 2)),
            case((1, 2, 4), output_size=3, kernel_size=(1, 2), stride=(2, 1)),
        ),
        (
            bad((36,), says="Expected 2D or 3D", output_size=6, kernel_size=3),
            bad((2, 35, 16), says="divisible by the product of kernel_size", output_size=6, kernel_size=3),
            bad((2, 36, 15), says="number of sliding blocks 4 . 4 = 16", output_size=6, kernel_size=3),
            bad((2, 36, 16), says="sliding blocks", output_size=0, kernel_size=3),
            bad((2, 36, 16), says="sliding blocks", output_size=2, kernel_size=3),
            bad((2, 36, 16), says="greater than zero", shows=(), output_size=6, kernel_size=0),
            bad((2, 0, 16), says="Expected 2D or 3D", output_size=6, kernel_size=3),
            bad((2, 36, 16), says="size 3", shows=(), output_size=(6, 6, 6), kernel_size=3),
        ),
        path="nn.functional.fold",
        dtypes=("float32", "float64", "int64"),
    differs='`nn.functional.fold`; bool is refused'),
)  # fmt: skip
