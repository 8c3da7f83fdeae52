"""Linear algebra under the names that PyTorch has outside of linalg."""

from __future__ import annotations

from typing import NamedTuple

from .._capi import call, lib
from ..binding import op, public_names
from ..operands import two_results
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
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Returns the cross product along dim; without one along the first dim of size 3."""
    if dim is None:
        threes = [d for d, size in enumerate(input.shape) if size == 3]
        if not threes:
            raise RuntimeError(f"no dimension of size 3 in input, got {list(input.shape)}")
        dim = threes[0]
    return call(lib.ag_linalg_cross, input, other, dim)


__all__ = public_names(globals())
