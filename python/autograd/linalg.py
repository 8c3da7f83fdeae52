"""Linear algebra: ``autograd.linalg`` holds what PyTorch keeps in ``torch.linalg``.

Matrices are the last two dims of float32 or float64 tensors, leading dims are a batch. A matrix without a result raises
LinAlgError, sizes or dtypes that do not fit RuntimeError.
"""

from __future__ import annotations

from typing import NamedTuple

from ._capi import LinAlgError, call, lib
from .operands import two_results
from .ops.matrices import slogdet_result
from .ops.norms import matrix_norm, norm, vector_norm
from .ops.products import multi_dot
from .tensor import Tensor

__all__ = [
    "LinAlgError",
    "cholesky",
    "cross",
    "det",
    "inv",
    "inv_ex",
    "matrix_norm",
    "matrix_power",
    "multi_dot",
    "norm",
    "slogdet",
    "solve",
    "solve_triangular",
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


def matrix_power(A: Tensor, n: int) -> Tensor:
    """Returns A multiplied with itself n times; a negative n inverts first, 0 gives the identity."""
    return call(lib.ag_linalg_matrix_power, A, n)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Returns the cross product of vectors of 3 along dim; other dims broadcast."""
    return call(lib.ag_linalg_cross, input, other, dim)
