"""Matrix products."""

from __future__ import annotations

from typing import Any

from .._capi import call, lib, not_null, raise_last_error
from ..binding import method, op, public_names
from ..tensor import Tensor, tensor_classes

_matmul = lib.ag_matmul


@op
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Returns the matrix product as PyTorch defines it: of vectors, matrices, and batches that broadcast."""
    return call(lib.ag_matmul, input, other)


@op
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the product of two matrices, [m, k] x [k, n] -> [m, n]."""
    return call(lib.ag_mm, input, mat2)


@op
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the products of two batches of matrices, [B, m, k] x [B, k, n] -> [B, m, n]."""
    return call(lib.ag_bmm, input, mat2)


@op
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """Returns beta * input + alpha * (mat1 x mat2); input broadcasts to [m, n]."""
    return call(lib.ag_addmm, input, mat1, mat2, beta, alpha)


def _matmul_operator(self: Tensor, other: Any) -> Tensor:
    if type(other) not in tensor_classes:
        return NotImplemented
    result = _matmul(self, other)
    if not_null(result):
        return result
    raise_last_error()


method(_matmul_operator, "__matmul__")

__all__ = public_names(globals())
