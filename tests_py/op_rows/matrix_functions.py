"""Functions of matrices: LU factors, exponentials, what is made of a Cholesky factor, and more."""

from .decompositions import NO_MATRIX, NOT_SQUARE, apart, decomposed, row, well
from .linalg import FLOATS, SQUARES, mirrored
from .row import DIM, Row, Values, bad, case, cases, normal

FACTORED = [(3, 3), (4, 2), (2, 4), (2, 3, 2), (2, 2, 3), (0, 0), (0, 3), (3, 0), (2, 0, 0)]
NO_PIVOTING = bad((2, 2), says="without pivoting is not implemented", shows=(), pivot=False)
small = Values(lambda rng, shape: rng.standard_normal(shape) / 2)


def of_factor(name):
    """A function of the Cholesky factor of a a^T + 1."""

    def call(lib, *tensors, upper=False):
        *before, a = tensors
        positive = a @ a.transpose(-1, -2) + lib.eye(a.shape[-1], dtype=a.dtype)
        factor = lib.linalg.cholesky(positive, upper=upper)
        return getattr(lib, name)(*before, factor, upper=upper)

    return call


def differentiable_first(factors):
    """L, U and P."""
    P, L, U = factors
    return L, U, P


def of_lu(lib, a, *rest, **kwargs):
    """What is made of the result of lu_factor()."""
    LU, pivots, *_ = lib.linalg.lu_factor_ex(apart(lib, a))
    if rest:
        return lib.linalg.lu_solve(LU, pivots, *rest, **kwargs)
    return differentiable_first(lib.lu_unpack(LU, pivots))


def reshaped(lib, a):
    """With 7 added where the matrix that it is has its diagonal: layouts make its rows equal."""
    if not a.is_floating_point() or a.numel() != 36:
        return a
    return a + 7 * lib.eye(6, dtype=a.dtype).reshape(a.shape)


ROWS = (
    row(
        "lu",
        lambda lib, *a, **kwargs: differentiable_first(decomposed("lu")(lib, *a, **kwargs)),
        cases(FACTORED),
        (*NO_MATRIX[1:], NO_PIVOTING),
        python_only=True,
    ),
    row(
        "lu_factor",
        decomposed("lu_factor"),
        cases([(3, 3), (4, 2), (2, 3, 3)]),
        (
            *NO_MATRIX[1:],
            NO_PIVOTING,
            bad([[1.0, 2.0], [2.0, 4.0]], says=r"U\[2,2\] is zero", shows=()),
        ),
        python_only=True,
    ),
    row("lu_factor_ex", decomposed("lu_factor_ex"), cases(FACTORED), (*NO_MATRIX[1:], NO_PIVOTING)),
    Row(
        "lu_unpack",
        (well,),
        cases(FACTORED[:5]),
        call=of_lu,
        method=False,
        dtypes=FLOATS,
    ),
    Row(
        "linalg_lu_solve",
        (well, normal),
        cases([((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1))], {}, {"adjoint": True})
        + cases(
            [((3, 3), (2, 3)), ((2, 3, 3), (2, 2, 3))],
            {"left": False},
            {"left": False, "adjoint": True},
        ),
        call=of_lu,
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((3, 3), (4, 1), says="Incompatible shapes of A and B"),
            bad((3, 3), (3,), says="at least 2 dimensions", shows=((3,),)),
        ),
    ),
    row(
        "matrix_exp",
        lambda lib, a: lib.linalg.matrix_exp(a),
        cases([*SQUARES, (9, 9)]),
        (*NO_MATRIX, *NOT_SQUARE),
    ),
    row(
        "cholesky_ex",
        mirrored("cholesky_ex"),
        cases(SQUARES, {}) + cases(SQUARES[:3], {"upper": True}),
        (),
    ),
    Row(
        "cholesky_solve",
        (normal, normal),
        cases([((3, 2), (3, 3)), ((2, 3, 2), (2, 3, 3)), ((3, 1), (2, 3, 3))], {}, {"upper": True}),
        call=of_factor("cholesky_solve"),
        method=False,
        dtypes=FLOATS,
        python_only=True,
        errors=(bad((4, 2), (3, 3), says="Incompatible", shows=((3, 3),)),),
    ),
    Row(
        "cholesky_inverse",
        (normal,),
        cases([(3, 3), (1, 1), (2, 3, 3)], {}, {"upper": True}),
        call=of_factor("cholesky_inverse"),
        method=False,
        dtypes=FLOATS,
        python_only=True,
    ),
    Row(
        "pinverse",
        (well,),
        cases([(3, 3), (4, 2), (2, 4)]),
        dtypes=FLOATS,
        python_only=True,
        call=lambda lib, a: lib.pinverse(apart(lib, a)),
        method=False,
    ),
    Row(
        "linalg_vecdot",
        (normal, normal),
        cases([((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3)), ((2, 0), (2, 0))], {})
        + (case((2, 3), (2, 3), dim=0),),
        path="linalg.vecdot",
        method=False,
        python_only=True,
        errors=(
            bad((2, 3), (2, 4), says="must match"),
            bad((2, 3), (2, 3), says=DIM, shows=(), dim=2),
        ),
    ),
    Row(
        "linalg_diagonal",
        (normal,),
        cases([(3, 3), (2, 4), (2, 3, 4)], {}, {"offset": 1}) + (case((2, 3, 4), dim1=0, dim2=1),),
        path="linalg.diagonal",
        method=False,
        view=True,
        python_only=True,
        errors=(bad((3,), says=DIM, shows=()),),
    ),
    Row(
        "linalg_vander",
        (normal,),
        cases([(3,), (2, 3)], {}, {"N": 4}),
        path="linalg.vander",
        method=False,
        order=1,  # PyTorch's second order fails, as it writes to what it has saved
        python_only=True,
        errors=(bad((3,), says="greater than 1", shows=(), N=1),),
    ),
    Row(
        "linalg_tensorinv",
        (well,),
        (case((2, 3, 6), ind=2), case((6, 2, 3), ind=1)),
        call=lambda lib, a, **kwargs: lib.linalg.tensorinv(reshaped(lib, a), **kwargs),
        method=False,
        dtypes=FLOATS,
        python_only=True,
        errors=(
            bad((2, 3, 6), says="strictly positive", shows=(), ind=0),
            bad((2, 3, 6), says="number", shows=(), ind=1),
        ),
    ),
    Row(
        "linalg_tensorsolve",
        (well, normal),
        (case((2, 3, 6), (2, 3)), case((2, 3, 2, 3), (2, 3)), case((6, 2, 3), (2, 3), dims=(0,))),
        call=lambda lib, a, b, **kwargs: lib.linalg.tensorsolve(reshaped(lib, a), b, **kwargs),
        method=False,
        dtypes=FLOATS,
        python_only=True,
        errors=(bad((2, 3, 6), (2, 2), says="Incompatible|prod", shows=()),),
    ),
    Row(
        "dist",
        (normal, normal),
        cases(
            [((2, 3), (2, 3)), ((2, 3), (3,)), ((), ())],
            {},
            {"p": 1.0},
            {"p": 3.0},
            {"p": float("inf")},
        ),
        dtypes=FLOATS,
        python_only=True,
        errors=(bad((2, 3), (2, 4), says="must match"),),
    ),
    Row(
        "pdist",
        (normal,),
        cases([(4, 3), (2, 1), (1, 3)], {}, {"p": 1.0}, {"p": 3.0}, {"p": float("inf")}),
        method=False,
        dtypes=FLOATS,
        order=1,  # PyTorch's has no second one; ours is tested in test_nn_losses.py
        errors=(
            bad((3,), says="only supports 2D tensors", shows=()),
            bad((2, 3), says="non-negative p", shows=(), p=-1.0),
        ),
    ),
)
