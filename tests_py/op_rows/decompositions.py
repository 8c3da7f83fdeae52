"""Orthogonal decompositions. Signs of vectors are nobody's choice: their squares are compared."""

import numpy as np

from .row import Row, Values, bad, cases


def tall_or_wide(rng, shape):
    """Matrices of any sizes whose singular values are far from 0."""
    values = rng.standard_normal(shape)
    return values + 3 * np.eye(*shape[-2:]) if len(shape) > 1 else values


well = Values(tall_or_wide)
FLOATS = ("float32", "float64")
SHAPES = [(3, 3), (1, 1), (4, 2), (2, 4), (2, 3, 2), (2, 1, 2, 2), (0, 0), (0, 3), (0, 2, 2)]
SQUARES = [shape for shape in SHAPES if shape[-1] == shape[-2]]
ROUGH = {"float32": 2e-5, "float64": 2e-13}
NO_MATRIX = (
    bad((3,), says="at least 2 dimensions"),
    bad((2, 2), says="floating point", shows=(), dtype="int64"),
    bad("text", says="must be Tensor, not str", shows=()),
)
NOT_SQUARE = (bad((2, 3), says="must be batches of square matrices"),)


def apart(lib, a):
    """The matrix; where a layout made its rows equal, with different numbers added to its diagonal."""
    if a.ndim < 2 or not a.is_floating_point() or 0 not in a.stride() or 0 in a.shape:
        return a
    return a + 7 * lib.eye(*a.shape[-2:], dtype=a.dtype) * (1 + lib.arange(a.shape[-1]))


def decomposed(name, squared=(), symmetric=False):
    """A function of a matrix: results of linalg.<name>, some of them squared."""

    def call(lib, a, *rest, **kwargs):
        if hasattr(a, "stride"):
            a = apart(lib, a)
            if symmetric and a.ndim > 1 and a.shape[-1] == a.shape[-2]:
                a = a + a.transpose(-1, -2)
        found = getattr(lib.linalg, name)(a, *rest, **kwargs)
        if not isinstance(found, tuple):
            return found
        return tuple(part**2 if i in squared else part for i, part in enumerate(found))

    return call


def row(name, call, all_cases, errors, **options):
    """The row of a function of linalg, which is not a method."""
    options = {"dtypes": FLOATS, "rtol": ROUGH, **options}
    return Row(
        f"linalg_{name}", (well,), all_cases, call=call, method=False, errors=errors, **options
    )


def least_squares(lib, a, b, **kwargs):
    """The solution alone: the rest is compared in test_decompositions.py.

    PyTorch's default driver, gelsy, reads pivots that nothing wrote, and then solves another system now and then.
    """
    if lib.__name__ == "torch":
        kwargs = {"driver": "gelsd", **kwargs}
    return lib.linalg.lstsq(apart(lib, a), b, **kwargs)[0]


ROWS = (
    row(
        "qr",
        decomposed("qr"),
        cases(SHAPES) + cases([(3, 3), (2, 4)], {"mode": "complete"}),
        (*NO_MATRIX, bad((2, 2), says="unrecognized mode 'all'", shows=(), mode="all")),
        differs="mode 'r' has a gradient, too",
    ),
    row(
        "eigh",
        decomposed("eigh", squared=(1,), symmetric=True),
        cases(SQUARES) + cases([(3, 3)], {"UPLO": "U"}),
        (*NO_MATRIX, *NOT_SQUARE, bad((2, 2), says="'L' or 'U'", shows=(), UPLO="X")),
    ),
    row(
        "eigvalsh",
        decomposed("eigvalsh", symmetric=True),
        cases(SQUARES),
        (*NO_MATRIX, *NOT_SQUARE),
        python_only=True,
    ),
    row(
        "svd",
        decomposed("svd", squared=(0, 2)),
        cases(SHAPES, {"full_matrices": False}) + cases([(3, 3), (2, 2, 2)]),
        NO_MATRIX,
        differs="an element that is not finite is an error wherever it stands",
    ),
    row("svdvals", decomposed("svdvals"), cases(SHAPES), NO_MATRIX),
    row(
        "pinv",
        decomposed("pinv"),
        cases([shape for shape in SHAPES if shape != (0, 3)]) + cases([(4, 2)], {"rtol": 1e-3}),
        NO_MATRIX,
    ),
    row(
        "cond",
        decomposed("cond"),
        cases([(3, 3), (4, 2)], {}, {"p": -2}),
        NO_MATRIX[:2],
        python_only=True,
    ),
    row(
        "lstsq",
        least_squares,
        cases([((4, 2), (4, 3)), ((2, 4), (2, 1)), ((2, 3, 3), (2, 3, 2))]),
        (
            bad((3, 2), (4, 1), says="should match"),
            bad((3, 2), (3, 1), says="driver", shows=(), driver="qr"),
        ),
    ),
)
