"""Linear algebra."""

import numpy as np

from .row import DIM, Row, Values, bad, case, cases, normal


def dominant(rng, shape):
    """Matrices far from singular ones."""
    values = rng.standard_normal(shape)
    if len(shape) > 1 and shape[-1] == shape[-2]:
        values = values + 3 * np.sqrt(shape[-1]) * np.eye(shape[-1])
    return values


well = Values(dominant)
SQUARES = [(3, 3), (1, 1), (2, 3, 3), (2, 1, 2, 2), (0, 0), (0, 2, 2), (2, 0, 0)]
FLOATS = ("float32", "float64")
NOT_SQUARE = (
    bad((2, 3), says="must be batches of square matrices"),
    bad((3,), says="at least 2 dimensions"),
    bad((2, 2), says="floating point", shows=(), dtype="int64"),
    bad("text", says="must be Tensor, not str", shows=()),
)


def lifted(name):
    """A function that gets a multiple of the identity on top where an expanded matrix would be singular."""

    def call(lib, a, *rest, **kwargs):
        if hasattr(a, "stride") and a.ndim == 2 and a.stride(0) == 0 and a.is_floating_point():
            a = a + 7 * lib.eye(a.shape[-1], dtype=a.dtype)
        return getattr(lib.linalg, name)(a, *rest, **kwargs)

    return call


def mirrored(name):
    """A function of the positive definite matrix a a^T + 1."""

    def call(lib, a, **kwargs):
        return getattr(lib.linalg, name)(
            a @ a.transpose(-1, -2) + lib.eye(a.shape[-1], dtype=a.dtype), **kwargs
        )

    return call


def triangular(lib, a, b, **kwargs):
    """PyTorch may not look at the other half either, but its gradient of a strided one is no test."""
    return lib.linalg.solve_triangular(a, b, **kwargs)


ROWS = (
    Row(
        "linalg_inv",
        (well,),
        cases([*SQUARES, (17, 17)]),
        call=lifted("inv"),
        method=False,
        errors=(
            *NOT_SQUARE,
            bad((2, 2), says="diagonal element 2 is zero", shows=()),
            bad((3, 2, 2), says=r"\(Batch element 0\)", shows=()),
        ),
    ),
    Row(
        "linalg_inv_ex",
        (well,),
        cases([(3, 3), (2, 2, 2)]),
        call=lifted("inv_ex"),
        method=False,
        errors=(*NOT_SQUARE, bad((2, 2), says="diagonal element 2", shows=(), check_errors=True)),
    ),
    Row(
        "linalg_solve",
        (well, normal),
        cases(
            [((3, 3), (3, 2)), ((3, 3), (3,)), ((2, 3, 3), (2, 3)), ((2, 3, 3), (3,))]
            + [
                ((2, 3, 3), (3, 2)),
                ((3, 3), (2, 3, 1)),
                ((2, 1, 2, 2), (3, 2, 2)),
                ((2, 2), (2, 0)),
            ]
            + [((0, 0), (0, 3)), ((0, 2, 2), (0, 2, 1)), ((17, 17), (17, 5))]
        )
        + cases([((3, 3), (2, 3)), ((2, 3, 3), (1, 3))], {"left": False}),
        call=lifted("solve"),
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((3, 3), (4,), says="Incompatible shapes of A and B", shows=((3, 3),)),
            bad((3, 3), (4, 2), says="Incompatible shapes of A and B"),
            bad((2, 3, 3), (5, 3, 4), says="must match", shows=()),
            bad((3, 2), (3, 1), says="must be batches of square matrices", shows=()),
            bad((3, 3), (3, 1), says="input matrix is singular", shows=()),
            bad((2, 3, 3), (3, 1), says=r"\(Batch element 0\)", shows=()),
        ),
    ),
    Row(
        "linalg_solve_triangular",
        (well, normal),
        tuple(
            case(*shapes, upper=upper, unitriangular=unit)
            for shapes in [
                ((3, 3), (3, 2)),
                ((2, 3, 3), (3, 1)),
                ((1, 1), (2, 1, 2)),
                ((2, 2), (2, 0)),
            ]
            for upper in (False, True)
            for unit in (False, True)
        )
        + cases(
            [((3, 3), (2, 3))], {"left": False, "upper": True}, {"left": False, "upper": False}
        ),
        call=triangular,
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((3, 3), (3,), says="B must have at least 2", shows=((3,),), upper=True),
            bad((3, 3), (4, 2), says="Incompatible shapes of A and B", upper=True),
            bad((3, 2), (3, 2), says="square matrices", shows=(), upper=True),
        ),
    ),
    Row(
        "linalg_cholesky",
        (normal,),
        cases([*SQUARES, (17, 17)], {}) + cases(SQUARES[:3], {"upper": True}),
        call=mirrored("cholesky"),
        method=False,
        dtypes=FLOATS,
    ),
    Row(
        "linalg_det",
        (well,),
        cases(SQUARES),
        call=lifted("det"),
        method=False,
        errors=NOT_SQUARE,
        differs="the gradient at a singular matrix is the matrix of cofactors, where PyTorch gives 0; the second order "
        "is NaN there",
    ),
    Row(
        "linalg_slogdet",
        (well,),
        cases(SQUARES),
        call=lifted("slogdet"),
        method=False,
        errors=NOT_SQUARE,
    ),
    Row(
        "linalg_matrix_power",
        (well,),
        cases([(3, 3), (2, 2, 2)], *[{"n": n} for n in (1, 2, 5, -1, -3)]),
        call=lifted("matrix_power"),
        method=False,
        dtypes=FLOATS,
        errors=(bad((2, 3), n=2, says="square matrices"), bad((3,), n=2, says="at least 2")),
    ),
    Row(
        "linalg_cross",
        (normal, normal),
        cases([((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (1, 3)), ((0, 3), (0, 3))])
        + cases([((3, 2), (3, 2)), ((3, 3), (3, 1))], {"dim": 0}),
        path="linalg.cross",
        method=False,
        errors=(
            bad((3, 2), (3, 2), says="must have length 3"),
            bad((3,), (2, 3), says="same number of dimensions"),
            bad((4, 3), (2, 3), says="must match"),
            bad((2, 3), (2, 3), dim=2, says=DIM, shows=()),
        ),
    ),
)
