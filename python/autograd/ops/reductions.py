"""Reductions: over all elements or along dims."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

from .._capi import ZERO, ArgumentError, argument_error, call, lib, not_null, raise_last_error, run
from ..binding import op, public_names
from ..dtypes import dtype as _dtype
from ..operands import Dims, dims_argument, dtype_code
from ..tensor import Tensor, adopt
from .pointwise import abs, add, eq, le, maximum, minimum, mul, ne, sqrt, sub

_sum, _mean = lib.ag_sum, lib.ag_mean


class max_result(NamedTuple):
    """The values and positions that max() or min() found along a dim."""

    values: Tensor
    indices: Tensor


@op
def sum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Returns the sum of all elements or over dims. Integers and bool are summed as int64."""
    dims, n = (None, ZERO) if dim is None else dims_argument(dim)
    code = -1 if dtype is None else dtype_code(dtype)
    try:
        result = _sum(input, dims, n, keepdim, code)
    except ArgumentError as error:
        raise argument_error(_sum, (input, dims, n, keepdim, code), error) from None
    if not_null(result):
        return result
    raise_last_error()


@op
def mean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Returns the mean of all elements or over dims; only floats have one."""
    dims, n = (None, ZERO) if dim is None else dims_argument(dim)
    code = -1 if dtype is None else dtype_code(dtype)
    try:
        result = _mean(input, dims, n, keepdim, code)
    except ArgumentError as error:
        raise argument_error(_mean, (input, dims, n, keepdim, code), error) from None
    if not_null(result):
        return result
    raise_last_error()


@op
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Returns the variance of all elements or over dims, with divisor max(0, N - correction).

    correction is 1 unless given; unbiased=False means correction=0.
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    dims, n = dims_argument(dim)
    return call(lib.ag_var, input, dims, n, correction, keepdim)


@op
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Returns the standard deviation, the square root of var()."""
    return sqrt(var(input, dim, unbiased, keepdim, correction=correction))


@op
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns the maximum of all elements or over dims; ties share the gradient evenly."""
    dims, n = dims_argument(dim)
    return call(lib.ag_amax, input, dims, n, keepdim)


@op
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns the minimum of all elements or over dims; ties share the gradient evenly."""
    dims, n = dims_argument(dim)
    return call(lib.ag_amin, input, dims, n, keepdim)


def _along(native: Any, input: Tensor, dim: int, keepdim: bool) -> max_result:
    out = (ctypes.c_void_p * 2)()
    run(
        native,
        input,
        dim,
        keepdim,
        ctypes.byref(out),
        ctypes.byref(out, ctypes.sizeof(ctypes.c_void_p)),
    )
    return max_result(adopt(out[0]), adopt(out[1]))


@op
def max(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Any:
    """Returns the maximum of all elements, or (values, indices) along dim, or maximum(input, other)."""
    if isinstance(dim, Tensor) or other is not None:
        return maximum(input, dim if other is None else other)
    return call(lib.ag_max, input) if dim is None else _along(lib.ag_max_dim, input, dim, keepdim)


@op
def min(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Any:
    """Returns the minimum of all elements, or (values, indices) along dim, or minimum(input, other)."""
    if isinstance(dim, Tensor) or other is not None:
        return minimum(input, dim if other is None else other)
    return call(lib.ag_min, input) if dim is None else _along(lib.ag_min_dim, input, dim, keepdim)


@op
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns the int64 position of the first maximum, along dim or in the flattened tensor."""
    dims, n = dims_argument(dim)
    return call(lib.ag_argmax, input, dims, n, keepdim)


@op
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns the int64 position of the first minimum, along dim or in the flattened tensor."""
    dims, n = dims_argument(dim)
    return call(lib.ag_argmin, input, dims, n, keepdim)


@op
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns True where some element, of all or over dims, is not zero."""
    return sum(ne(input, 0), dim, keepdim) != 0


@op
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns True where no element, of all or over dims, is zero."""
    return sum(eq(input, 0), dim, keepdim) == 0


@op
def equal(input: Tensor, other: Tensor) -> bool:
    """Returns True if both tensors have the same sizes and elements."""
    return input.shape == other.shape and bool(all(eq(input, other)))


@op
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Returns True if |input - other| <= atol + rtol * |other| or input == other everywhere."""
    input, other = input.detach(), other.detach()
    near = le(abs(sub(input, other)), add(mul(abs(other), rtol), atol)) + eq(input, other)
    if equal_nan:
        near = near + mul(ne(input, input), ne(other, other))
    return bool(all(near))


__all__ = public_names(globals())
