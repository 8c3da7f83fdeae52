"""Linear algebra under the names that PyTorch has outside of linalg."""

from __future__ import annotations

from typing import NamedTuple

from .._arguments import bool_argument
from .._capi import call, lib
from ..binding import function_only as function
from ..binding import op, public_names
from ..operands import must_be_tensors, three_results, two_results
from ..tensor import Tensor


class slogdet_result(NamedTuple):
    """Sign and log of the absolute value of a determinant."""

    sign: Tensor
    logabsdet: Tensor


@op
def inverse(input: Tensor) -> Tensor:
    """Returns linalg.inv(input)."""
    return call(lib.ag_linalg_inv, input)


@op
def det(input: Tensor) -> Tensor:
    """Returns linalg.det(input)."""
    return call(lib.ag_linalg_det, input)


@op
def slogdet(input: Tensor) -> slogdet_result:
    """Returns linalg.slogdet(input)."""
    return slogdet_result(*two_results(lib.ag_linalg_slogdet, input))


@op
def logdet(input: Tensor) -> Tensor:
    """Returns log(det(input)): NaN for a negative determinant, -inf for 0."""
    sign, logabsdet = slogdet(input)
    # log(1) = 0, log(-1) = NaN; a determinant of 0 has -inf already.
    return logabsdet + (sign + (sign == 0)).log()


@op
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """Returns linalg.cholesky(input, upper=upper)."""
    return call(lib.ag_linalg_cholesky, input, upper)


@op
def matrix_power(input: Tensor, n: int) -> Tensor:
    """Returns linalg.matrix_power(input, n)."""
    return call(lib.ag_linalg_matrix_power, input, n)


@op
def matrix_exp(A: Tensor) -> Tensor:
    """Returns the sum of A^i / i! for square A [..., n, n].

    By scaling, a quotient of polynomials of degree 13, and squaring (Higham, 2005). Raises RuntimeError for integers.
    """
    return call(lib.ag_linalg_matrix_exp, A)


@op
def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    """Returns X with A X = input [..., n, k] from the factor input2 of A: L of L L^T, or U of U^T U if upper."""
    bool_argument("cholesky_solve", "upper", upper)
    half = call(
        lib.ag_linalg_solve_triangular, _transposed_if(upper, input2), input, False, True, False
    )
    return call(
        lib.ag_linalg_solve_triangular, _transposed_if(not upper, input2), half, True, True, False
    )


@op
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """Returns the inverse of A from its factor: L of A = L L^T, or U of U^T U if upper.

    Raises LinAlgError if there is a 0 on the factor's diagonal.
    """
    bool_argument("cholesky_inverse", "upper", upper)
    must_be_tensors("cholesky_inverse", input=input)
    if input.ndim < 2 or input.shape[-2] != input.shape[-1]:
        raise RuntimeError(
            f"cholesky_inverse: A must be batches of square matrices, got sizes {list(input.shape)}"
        )
    try:
        inverse = call(lib.ag_linalg_inv, call(lib.ag_triu, _transposed_if(not upper, input), 0))
    except RuntimeError as error:
        raise type(error)(str(error).replace("linalg.inv", "cholesky_inverse")) from None
    return call(lib.ag_matmul, inverse, inverse.transpose(-2, -1))


def _transposed_if(wanted: bool, matrix: Tensor) -> Tensor:
    must_be_tensors("cholesky_solve", input2=matrix)
    return matrix.transpose(-2, -1) if wanted else matrix


class lu_unpack_result(NamedTuple):
    """The factors of A = P L U: a permutation, lower with a diagonal of 1, and upper triangular."""

    P: Tensor
    L: Tensor
    U: Tensor


@function
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> lu_unpack_result:
    """Returns P [..., m, m], L [..., m, k] and U [..., k, n] of A = P L U, from what linalg.lu_factor() returns.

    k is min(m, n). Without unpack_data L and U are empty, without unpack_pivots P is.
    """
    parts = three_results(lib.ag_lu_unpack, LU_data, LU_pivots)
    wanted = (unpack_pivots, unpack_data, unpack_data)
    return lu_unpack_result(
        *(part if keep else LU_data.new_empty((0,)) for part, keep in zip(parts, wanted))
    )


@op
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Returns linalg.pinv(input, rtol=rcond)."""
    return call(lib.ag_linalg_pinv, input, 0.0, rcond)


@op
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Returns the cross product along dim; without one along the first dim of size 3."""
    if dim is None:
        threes = [d for d, size in enumerate(input.shape) if size == 3]
        if not threes:
            raise RuntimeError(f"no dimension of size 3 in input, got {list(input.shape)}")
        dim = threes[0]
    return call(lib.ag_linalg_cross, input, other, dim)


__all__ = public_names(globals())
