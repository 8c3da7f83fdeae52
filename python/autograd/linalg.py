"""Linear algebra: ``autograd.linalg`` holds what PyTorch keeps in ``torch.linalg``.

Matrices are the last two dims of float32 or float64 tensors, leading dims are a batch. A matrix without a result raises
LinAlgError, sizes or dtypes that do not fit RuntimeError.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from ._arguments import int_argument, kind_of, text_argument
from ._capi import LinAlgError, call, lib
from .creation import ones_like
from .dtypes import bool_, finfo
from .operands import (
    Dims,
    must_be_sequence,
    must_be_tensors,
    number_argument,
    three_results,
    two_results,
)
from .ops.joining import cat
from .ops.matrices import lu_unpack, matrix_exp, slogdet_result
from .ops.norms import matrix_norm, norm, svdvals, vector_norm
from .ops.products import matmul, multi_dot
from .tensor import Tensor

__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "inv_ex",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]


class inv_ex_result(NamedTuple):
    """The inverse, and per matrix 0 or the number of the pivot that is 0."""

    inverse: Tensor
    info: Tensor


def inv(A: Tensor) -> Tensor:
    """Returns the inverse of [..., n, n]."""
    return call(lib.ag_linalg_inv, A)


def inv_ex(A: Tensor, *, check_errors: bool = False) -> inv_ex_result:
    """Returns (inverse, info); a singular matrix gives info > 0 instead of an error, unless check_errors."""
    return inv_ex_result(*two_results(lib.ag_linalg_inv_ex, A, check_errors))


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Returns X with A X = B, or X A = B if not left.

    A is [..., n, n]; B is [..., n, k] ([..., k, n] if not left), a vector [n], or has the sizes of A without the last.
    Batches broadcast.
    """
    return call(lib.ag_linalg_solve, A, B, left)


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """Returns X with A X = B (X A = B if not left) for a triangular A, whose other half is not read."""
    return call(lib.ag_linalg_solve_triangular, A, B, upper, left, unitriangular)


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Returns the lower L with L L^T = A, from A's lower half; or the upper U with U^T U = A, from the upper."""
    return call(lib.ag_linalg_cholesky, A, upper)


def det(A: Tensor) -> Tensor:
    """Returns the determinants of [..., n, n], with a gradient for singular matrices, too."""
    return call(lib.ag_linalg_det, A)


def slogdet(A: Tensor) -> slogdet_result:
    """Returns (sign, log |det A|); 0 and -inf for a singular matrix."""
    return slogdet_result(*two_results(lib.ag_linalg_slogdet, A))


class qr_result(NamedTuple):
    """Orthonormal columns, and the upper triangular matrix that makes A of them."""

    Q: Tensor
    R: Tensor


class eigh_result(NamedTuple):
    """Ascending eigenvalues, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class svd_result(NamedTuple):
    """Left singular vectors as columns, descending singular values, right singular vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class lstsq_result(NamedTuple):
    """The solution, its squared residuals, the rank of A, and A's singular values; empty what was not asked for."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class cholesky_ex_result(NamedTuple):
    """The factor, and per matrix 0 or the order of the leading minor that is not positive."""

    L: Tensor
    info: Tensor


def cholesky_ex(
    A: Tensor, *, upper: bool = False, check_errors: bool = False
) -> cholesky_ex_result:
    """Returns (L, info), as cholesky() does; a matrix that has no factor gives info > 0 instead of an error."""
    return cholesky_ex_result(*two_results(lib.ag_linalg_cholesky_ex, A, upper, check_errors))


class lu_result(NamedTuple):
    """The factors of A = P L U: a permutation, lower with a diagonal of 1, and upper triangular."""

    P: Tensor
    L: Tensor
    U: Tensor


class lu_factor_result(NamedTuple):
    """L and U in one matrix, and the rows, from 1, that rows 1, 2 ... were exchanged with."""

    LU: Tensor
    pivots: Tensor


class lu_factor_ex_result(NamedTuple):
    """What lu_factor() returns, and per matrix 0 or the number of the first pivot that is 0."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


def _lu_parts(name: str, A: Tensor, pivot: bool, check_errors: bool) -> tuple[Tensor, ...]:
    if not pivot:
        raise RuntimeError(f"linalg.{name}: LU without pivoting is not implemented on the CPU")
    return three_results(lib.ag_linalg_lu_factor_ex, A, check_errors)


def lu(A: Tensor, *, pivot: bool = True) -> lu_result:
    """Returns P [..., m, m], L [..., m, k] and U [..., k, n] with P L U = A [..., m, n] and k = min(m, n)."""
    LU, pivots, _ = _lu_parts("lu", A, pivot, False)
    return lu_result(*lu_unpack(LU, pivots))


def lu_factor(A: Tensor, *, pivot: bool = True) -> lu_factor_result:
    """Returns (LU, pivots): L strictly below the diagonal, U on it and above; int32 pivots [..., k] from 1.

    Raises RuntimeError if a pivot is 0, as for singular matrices.
    """
    return lu_factor_result(*_lu_parts("lu_factor", A, pivot, True)[:2])


def lu_factor_ex(
    A: Tensor, *, pivot: bool = True, check_errors: bool = False
) -> lu_factor_ex_result:
    """Returns (LU, pivots, info), as lu_factor() does; a pivot of 0 gives info > 0 instead of an error."""
    return lu_factor_ex_result(*_lu_parts("lu_factor_ex", A, pivot, check_errors))


def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """Returns X with A X = B (X A = B if not left; A^T for A if adjoint) from the factors lu_factor() makes of A.

    B is [..., n, k], [..., k, n] if not left; batches broadcast but for those of LU and pivots.
    """
    return call(lib.ag_linalg_lu_solve, LU, pivots, B, left, adjoint)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Returns the sums of x y along dim; x and y broadcast."""
    must_be_tensors("linalg.vecdot", x=x, y=y)
    if x.dtype is not y.dtype:
        raise RuntimeError(
            "linalg.vecdot: Expected x and y to have the same dtype, "
            f"but found x of type {x.dtype} and y of type {y.dtype} instead"
        )
    if not x.is_floating_point():
        raise RuntimeError(
            f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {x.dtype}"
        )
    return (x * y).sum(int_argument("linalg.vecdot", "dim", dim))


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Returns a view of the diagonals of the matrices in dim1 and dim2, as the last dim."""
    if not isinstance(A, Tensor):
        must_be_tensors("linalg.diagonal", A=A)
    return A.diagonal(offset, dim1, dim2)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Returns the powers 0 to N-1 of x [..., n], [..., n, N]; N is n by default, a number without dims one of n = 1."""
    must_be_tensors("linalg.vander", x=x)
    if x.dtype is bool_:
        raise RuntimeError(
            "linalg.vander supports floating point and integer tensors, but got bool"
        )
    base = (x if x.is_floating_point() else x.long()).reshape(x.shape or (1,)).unsqueeze(-1)
    columns = base.shape[-2] if N is None else int_argument("linalg.vander", "N", N)
    if columns <= 1:
        raise RuntimeError(f"N must be greater than 1, got {columns}")
    powers = base.expand(*base.shape[:-1], columns - 1).cumprod(-1)
    return cat([ones_like(base), powers], -1)


def _square(name: str, A: Tensor, lead: int) -> int:
    """The size of the matrix whose rows are the first dims of A and whose columns the rest."""
    rows, columns = prod(A.shape[:lead]), prod(A.shape[lead:])
    if rows != columns:
        raise RuntimeError(
            f"linalg.{name}: the first {lead} and the other dims should have the same number of elements, "
            f"but these are {rows} and {columns} for sizes {list(A.shape)}"
        )
    return rows


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """Returns X with tensordot(X, A, ind) the identity: the inverse of A seen as a matrix.

    The first ind dims of A are its rows and the others its columns; X has the sizes A.shape[ind:] + A.shape[:ind].
    """
    must_be_tensors("linalg.tensorinv", A=A)
    ind = int_argument("linalg.tensorinv", "ind", ind)
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    n = _square("tensorinv", A, ind)
    return inv(A.reshape(n, n)).reshape(A.shape[ind:] + A.shape[:ind])


def tensorsolve(A: Tensor, B: Tensor, dims: Dims = None) -> Tensor:
    """Returns X with tensordot(A, X, X.ndim) = B, after dims of A were moved to its end; A.shape begins with B's."""
    must_be_tensors("linalg.tensorsolve", A=A, B=B)
    if dims is not None:
        must_be_sequence("linalg_tensorsolve", "dims", dims)
        dims = tuple(dims)  # type: ignore[arg-type]
        A = A.movedim(dims, tuple(range(A.ndim - len(dims), A.ndim)))
    n = _square("tensorsolve", A, B.ndim)
    return solve(A.reshape(n, n), B.reshape(-1)).reshape(A.shape[B.ndim :])


def qr(A: Tensor, mode: str = "reduced") -> qr_result:
    """Returns (Q, R) with Q R = A [..., m, n], Q of orthonormal columns and R upper triangular.

    mode: "reduced", Q [..., m, k] and R [..., k, n] with k = min(m, n); "complete", k = m; "r", an empty Q and the
    reduced R. By reflections (Householder, 1958). The gradient takes n columns that are independent, and not
    "complete" of more rows than columns.
    """
    if text_argument("linalg_qr", "mode", mode) not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    q, r = two_results(lib.ag_linalg_qr, A, mode == "complete")
    return qr_result(q.new_empty((0,)) if mode == "r" else q, r)


def _upper(name: str, UPLO: str) -> bool:
    if text_argument(name, "UPLO", UPLO).upper() not in ("L", "U"):
        raise RuntimeError(f"{name}: Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "U"


def eigh(A: Tensor, UPLO: str = "L") -> eigh_result:
    """Returns (w, V) with V diag(w) V^T = A for symmetric A [..., n, n]: ascending eigenvalues, vectors in columns.

    Of A the lower half is read, of UPLO="U" the upper. Tridiagonal form, then QL with implicit shifts. Raises
    LinAlgError for elements that are not finite. The gradient of V takes eigenvalues that differ.
    """
    return eigh_result(*two_results(lib.ag_linalg_eigh, A, _upper("linalg.eigh", UPLO)))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Returns the eigenvalues that eigh() finds, [..., n]; their gradient exists where some are equal, too."""
    return two_results(lib.ag_linalg_eigh, A, _upper("linalg.eigvalsh", UPLO))[0]


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> svd_result:
    """Returns (U, S, Vh) with U diag(S) Vh = A [..., m, n] and descending S [..., min(m, n)].

    U is [..., m, m] and Vh [..., n, n]; without full_matrices [..., m, k] and [..., k, n] with k = min(m, n).
    Bidiagonal form by reflections, then QR with implicit shifts (Golub and Kahan, 1965; Demmel and Kahan, 1990).
    Raises LinAlgError for elements that are not finite. The gradients of U and Vh take singular values that differ
    and are not 0. driver is for GPUs and has to be None.
    """
    if driver is not None:
        raise RuntimeError(
            "linalg.svd: keyword argument `driver=` is only supported on CUDA inputs"
        )
    return svd_result(*three_results(lib.ag_linalg_svd, A, full_matrices))


def _tolerances(A: Tensor, atol: Any, rtol: Any) -> tuple[float, float]:
    """What counts as 0: absolutely, and in terms of the largest singular value."""
    least = 0.0 if atol is None else float(number_argument("linalg", "atol", atol))
    if rtol is not None:
        return least, float(number_argument("linalg", "rtol", rtol))
    return least, 0.0 if least > 0 else finfo(A.dtype).eps * max(A.shape[-2:])


def _mirrored(A: Tensor) -> Tensor:
    """The symmetric matrix of which A holds the lower half."""
    return A.tril() + A.tril(-1).transpose(-2, -1)


def _checked(name: str, A: Tensor) -> None:
    if not isinstance(A, Tensor):
        raise TypeError(f"{name}(): argument 'A' must be Tensor, not {kind_of(A)}")
    if A.ndim < 2:
        raise RuntimeError(
            f"{name}: The input tensor A must have at least 2 dimensions, got sizes {list(A.shape)}"
        )
    if not A.is_floating_point():
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {A.dtype}"
        )


def pinv(
    A: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> Tensor:
    """Returns the pseudoinverse of Moore and Penrose, [..., n, m] of A [..., m, n].

    Singular values up to max(atol, rtol times the largest) count as 0; rtol is max(m, n) times the dtype's eps unless
    atol is given. hermitian: A is symmetric, its lower half is read. rcond is an old name of rtol. The gradient
    (Golub and Pereyra, 1973) is that of matrices of the same rank.
    """
    _checked("linalg.pinv", A)
    if rcond is not None and (atol is not None or rtol is not None):
        raise TypeError("linalg_pinv() takes rcond or atol and rtol, got both")
    rtol = rcond if rtol is None else rtol
    return call(lib.ag_linalg_pinv, _mirrored(A) if hermitian else A, *_tolerances(A, atol, rtol))


def matrix_rank(
    A: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> Tensor:
    """Returns the numbers (int64) of singular values above max(atol, rtol times the largest); see pinv()."""
    _checked("linalg.matrix_rank", A)
    absolute, relative = _tolerances(A, tol if atol is None else atol, rtol)
    s = svdvals(_mirrored(A) if hermitian else A).detach()
    if not s.shape[-1]:
        return s.sum(-1).long()
    return (s > (s[..., :1] * relative).clamp(min=absolute)).sum(-1)


def cond(A: Tensor, p: Any = None) -> Tensor:
    """Returns the condition numbers |A| |A^-1| in a norm of matrix_norm(); p=None is 2, of any [..., m, n]."""
    _checked("linalg.cond", A)
    if p is not None and not isinstance(p, str):
        p = number_argument("linalg_cond", "p", p)
    if p is None or p in (2, -2):
        s = svdvals(A)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(
    A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> lstsq_result:
    """Returns the X [..., n, k] of smallest norm among those with the least |A X - B|, for B [..., m, k].

    By rcond (the dtype's eps times max(m, n) unless given) singular values count as 0. The result has what PyTorch's
    has: the rank of A but for the driver "gels"; the squared residuals [..., k], if m > n and the rank is n, but for
    "gelsy", which is the default; A's singular values for "gelsd" and "gelss". All drivers compute the same: by QR if
    the rank is full beyond doubt, else by singular values.
    """
    _checked("linalg.lstsq", A)
    must_be_tensors("linalg.lstsq", B=B)
    if B.ndim < 1:
        raise RuntimeError(
            "linalg.lstsq: input.dim() must be greater or equal to 2 and other at least 1"
        )
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        raise RuntimeError(
            f"linalg.lstsq: parameter `driver` should be one of {_DRIVERS}, got '{driver}'"
        )
    vectors = B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]
    right = B.unsqueeze(-1) if vectors else B
    if not 0 <= A.ndim - right.ndim <= 1:
        raise RuntimeError(
            "linalg.lstsq: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1, "
            f"got sizes {list(A.shape)} and {list(B.shape)}"
        )
    if right.ndim < 2 or right.shape[-2] != A.shape[-2]:
        raise RuntimeError(
            "linalg.lstsq: input.size(-2) should match other.size(-2), "
            f"got {list(A.shape)} and {list(B.shape)}"
        )
    if A.dtype is not B.dtype:
        raise RuntimeError(
            "linalg.lstsq: Expected input and other to have the same dtype, "
            f"but got input's dtype {A.dtype} and other's dtype {B.dtype}"
        )
    rows, columns = A.shape[-2:]
    rtol = finfo(A.dtype).eps * max(rows, columns) if rcond is None else rcond
    solution, rank = two_results(lib.ag_linalg_lstsq, A, right, rtol)
    nothing = A.detach().new_empty((0,))
    residuals = nothing
    if driver != "gelsy" and rows > columns and bool((rank == columns).all()):
        residuals = (A @ solution - right).square().sum(-2)
    return lstsq_result(
        solution.squeeze(-1) if vectors else solution,
        residuals,
        nothing.long() if driver == "gels" else rank,
        svdvals(A) if driver in ("gelsd", "gelss") else nothing,
    )


def matrix_power(A: Tensor, n: int) -> Tensor:
    """Returns A multiplied with itself n times; a negative n inverts first, 0 gives the identity."""
    return call(lib.ag_linalg_matrix_power, A, n)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Returns the cross product of vectors of 3 along dim; other dims broadcast."""
    return call(lib.ag_linalg_cross, input, other, dim)
