"""Norms of vectors and matrices, for ``autograd.linalg``."""

from __future__ import annotations

import math
from typing import Any

from .._capi import call, lib
from ..dtypes import dtype as _dtype
from ..operands import Dims, dims_argument, dtype_code
from ..tensor import Tensor
from .pointwise import abs
from .reductions import amax, amin, sum


def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: _dtype | None = None,
) -> Tensor:
    """Returns (sum |x|^ord)^(1/ord) of all elements or over dims.

    ord may be 0 (the number of elements that are not 0), inf or -inf (the extremes of |x|). Raises RuntimeError for
    integers, and for a negative or infinite ord of nothing.
    """
    if isinstance(ord, str):
        raise TypeError("linalg_vector_norm(): argument 'ord' must be Number, not str")
    dims, n = dims_argument(dim)
    return call(lib.ag_vector_norm, x, ord, dims, n, keepdim, dtype_code(dtype))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """Returns the singular values of [..., m, n], descending, [..., min(m, n)]; see svd()."""
    if driver is not None:
        raise RuntimeError(
            "linalg.svdvals: keyword argument `driver=` is only supported on CUDA inputs"
        )
    return call(lib.ag_linalg_svdvals, A)


def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: tuple[int, int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: _dtype | None = None,
) -> Tensor:
    """Returns a norm of the matrices in dim.

    ord: 'fro' (of all elements), 1 and -1 (the extremes of the sums of columns), inf and -inf (of rows), 2 and -2 (of
    the singular values), 'nuc' (the sum of the singular values). Raises RuntimeError for less than 2 dims.
    """
    if A.ndim < 2:
        raise RuntimeError(
            f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions, got sizes {list(A.shape)}"
        )
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {tuple(dim)}")
    if ord == "fro":
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if ord != "nuc" and (isinstance(ord, str) or not (math.isinf(ord) or ord in (1, -1, 2, -2))):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if not A.is_floating_point():
        raise RuntimeError(
            f"linalg.matrix_norm: Expected a floating point or complex tensor as input. Got {A.dtype}"
        )
    A = A if dtype is None else A.to(dtype)
    rows, columns = (d % A.ndim for d in dim)
    if ord in (2, -2, "nuc"):
        s = svdvals(A.movedim((rows, columns), (-2, -1)))
        result = sum(s, -1) if ord == "nuc" else amax(s, -1) if ord == 2 else amin(s, -1)
        return (
            result.unsqueeze(-1).unsqueeze(-1).movedim((-2, -1), (rows, columns))
            if keepdim
            else result
        )
    summed, kept = (columns, rows) if math.isinf(ord) else (rows, columns)
    sums = sum(abs(A), summed, True)
    result = amax(sums, kept, True) if ord > 0 else amin(sums, kept, True)
    return result if keepdim else result.squeeze((rows, columns))


def norm(
    A: Tensor,
    ord: Any = None,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: _dtype | None = None,
) -> Tensor:
    """Returns a vector or matrix norm: of all if ord is None, else of vectors for one dim, matrices for two."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    count = A.ndim if dim is None else 1 if isinstance(dim, int) else len(dim)
    if count == 1:
        return vector_norm(A, ord, dim, keepdim, dtype=dtype)
    if count != 2:
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
        )
    return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)  # type: ignore[arg-type]
