"""Reductions: over all elements or along dims."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .._arguments import bool_argument, int_argument, text_argument
from .._capi import (
    ZERO,
    ArgumentError,
    again,
    call,
    constants,
    lib,
    not_null,
    raise_last_error,
)
from ..binding import by_numpys_names, in_own_names, method, op, public_names
from ..binding import function_only as function
from ..dtypes import bool_
from ..dtypes import dtype as _dtype
from ..operands import (
    Dims,
    dim_argument,
    dims_argument,
    dtype_code,
    in_place,
    must_be_tensors,
    tensor_argument,
    two_results,
)
from ..tensor import NO_TENSOR, Tensor
from .pointwise import abs, add, eq, le, lgamma, maximum, minimum, mul, ne, sub

_sum, _mean = lib.ag_sum, lib.ag_mean


class max_result(NamedTuple):
    """The values and positions that max(), min(), median(), mode(), cummax() or cummin() found along a dim."""

    values: Tensor
    indices: Tensor


class aminmax_result(NamedTuple):
    """The smallest and the largest elements."""

    min: Tensor
    max: Tensor


@op
def sum(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: _dtype | None = None,
    **numpy: Any,
) -> Tensor:
    """Returns the sum of all elements or over dims. Integers and bool are summed as int64."""
    if numpy:
        return sum(**in_own_names(sum, locals()))
    dims, n = (None, ZERO) if dim is None else dims_argument(dim)
    code = -1 if dtype is None else dtype_code(dtype)
    try:
        result = _sum(input, dims, n, keepdim, code)
    except ArgumentError as error:
        result = again(_sum, (input, dims, n, keepdim, code), error)
    if not_null(result):
        return result
    raise_last_error()


@op
def mean(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: _dtype | None = None,
    **numpy: Any,
) -> Tensor:
    """Returns the mean of all elements or over dims; only floats have one."""
    if numpy:
        return mean(**in_own_names(mean, locals()))
    dims, n = (None, ZERO) if dim is None else dims_argument(dim)
    code = -1 if dtype is None else dtype_code(dtype)
    try:
        result = _mean(input, dims, n, keepdim, code)
    except ArgumentError as error:
        result = again(_mean, (input, dims, n, keepdim, code), error)
    if not_null(result):
        return result
    raise_last_error()


@op
@by_numpys_names
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
    dims, n, correction = _moments(dim, unbiased, correction)
    return call(lib.ag_var, input, dims, n, correction, keepdim)


@op
@by_numpys_names
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Returns the standard deviation, the square root of var(); its gradient where it is 0 is 0."""
    dims, n, correction = _moments(dim, unbiased, correction)
    return call(lib.ag_std, input, dims, n, correction, keepdim)


def _moments(dim: Any, unbiased: bool | None, correction: float | None) -> tuple[Any, Any, float]:
    """The dims as the library takes them, and the correction that the arguments stand for."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    return (*dims_argument(dim), correction)


@op
@by_numpys_names
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns (var(), mean())."""
    dims, n, correction = _moments(dim, unbiased, correction)
    return two_results(lib.ag_var_mean, input, dims, n, correction, keepdim)


@op
@by_numpys_names
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns (std(), mean())."""
    dims, n, correction = _moments(dim, unbiased, correction)
    return two_results(lib.ag_std_mean, input, dims, n, correction, keepdim)


@op
@by_numpys_names
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns the maximum of all elements or over dims; ties share the gradient evenly."""
    dims, n = dims_argument(dim)
    return call(lib.ag_amax, input, dims, n, keepdim)


@op
@by_numpys_names
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns the minimum of all elements or over dims; ties share the gradient evenly."""
    dims, n = dims_argument(dim)
    return call(lib.ag_amin, input, dims, n, keepdim)


def _along(native: Any, input: Tensor, dim: int, keepdim: bool) -> max_result:
    return max_result(*two_results(native, input, dim, keepdim))


def _of_all(name: str, native: Any, input: Tensor, keepdim: bool) -> Tensor:
    """What a function of all elements gives, which keeps no dims."""
    if keepdim is not False:
        raise TypeError(
            f'{name}() missing 1 required positional arguments: "dim", keepdim without it'
        )
    return call(native, input)


def _extreme_of_two(
    name: str, of_two: Any, native: Any, input: Tensor, dim: Any, keepdim: bool, other: Any
) -> Any:
    """The extreme of two tensors, the second given as other or in the place of dim."""
    if dim is None or other is None:
        must_be_tensors(name, other=dim if other is None else other)
        if keepdim is False:
            return of_two(input, dim if other is None else other)
        if other is None:  # with keepdim it is a tensor that stands for a number
            return _along(native, input, int_argument(name, "dim", dim), keepdim)
    raise TypeError(f"{name}() takes either dim and keepdim or other")


@op
@by_numpys_names
def max(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Any:
    """Returns the maximum of all elements, or (values, indices) along dim, or maximum(input, other)."""
    if dim is None and other is None:
        return _of_all("max", lib.ag_max, input, keepdim)
    if isinstance(dim, Tensor) or other is not None:
        return _extreme_of_two("max", maximum, lib.ag_max_dim, input, dim, keepdim, other)
    return _along(lib.ag_max_dim, input, dim, keepdim)


@op
@by_numpys_names
def min(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Any:
    """Returns the minimum of all elements, or (values, indices) along dim, or minimum(input, other)."""
    if dim is None and other is None:
        return _of_all("min", lib.ag_min, input, keepdim)
    if isinstance(dim, Tensor) or other is not None:
        return _extreme_of_two("min", minimum, lib.ag_min_dim, input, dim, keepdim, other)
    return _along(lib.ag_min_dim, input, dim, keepdim)


@op
@by_numpys_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns the int64 position of the first maximum, along dim or in the flattened tensor."""
    dims, n = dim_argument("argmax", dim)
    return call(lib.ag_argmax, input, dims, n, keepdim)


@op
@by_numpys_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns the int64 position of the first minimum, along dim or in the flattened tensor."""
    dims, n = dim_argument("argmin", dim)
    return call(lib.ag_argmin, input, dims, n, keepdim)


def _truth(native: Any, input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    if isinstance(dim, (tuple, list)) and not dim:
        return ne(input, 0)
    dims, n = (None, ZERO) if dim is None else dims_argument(dim)
    return call(native, input, dims, n, keepdim)


@op
@by_numpys_names
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns True where some element, of all or over dims, is not zero; uint8 for uint8."""
    return _truth(lib.ag_any, input, dim, keepdim)


@op
@by_numpys_names
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns True where no element, of all or over dims, is zero; uint8 for uint8."""
    return _truth(lib.ag_all, input, dim, keepdim)


@op
@by_numpys_names
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Returns the product of all elements or along dim. Integers and bool are multiplied as int64."""
    dims, n = dim_argument("prod", dim)
    return call(lib.ag_prod, input, dims, n, keepdim, dtype_code(dtype))


@op
@by_numpys_names
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> aminmax_result:
    """Returns (min, max) of all elements or along dim; ties share the gradient evenly."""
    if bool_argument("aminmax", "keepdim", keepdim) and dim is None:
        every = tuple(range(input.ndim))
        return aminmax_result(amin(input, every, True), amax(input, every, True))
    dims, n = dim_argument("aminmax", dim)
    return aminmax_result(*two_results(lib.ag_aminmax, input, dims, n, keepdim))


_QUANTILES = {
    name: constants[f"AG_QUANTILE_{name.upper()}"]
    for name in ("linear", "lower", "higher", "midpoint", "nearest")
}


def _quantile(
    name: str, native: Any, input: Tensor, q: Any, dim: int | None, keepdim: bool, kind: str
) -> Tensor:
    if text_argument(name, "interpolation", kind) not in _QUANTILES:
        raise RuntimeError(
            f"{name}() interpolation must be one of {', '.join(_QUANTILES)}, but got {kind}"
        )
    if not isinstance(q, Tensor):
        q = float(tensor_argument(name, "q", q))
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        q = call(lib.ag_to_dtype, call(lib.ag_scalar_double, q), input.dtype.code)
    dims, n = dim_argument(name, dim)
    return call(native, input, q, dims, n, keepdim, _QUANTILES[kind])


@op
@by_numpys_names
def quantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """Returns the elements at the places q (n - 1) of the n sorted ones, of all or along dim.

    q is a number in [0, 1], or a tensor of one or [Q] such numbers in the input's dtype; the result is [Q, ...].
    interpolation says what lies between two elements: "linear", "lower", "higher", "midpoint" or "nearest". A NaN is
    the quantile of its row. Raises RuntimeError for other q, an empty input and integers.
    """
    return _quantile("quantile", lib.ag_quantile, input, q, dim, keepdim, interpolation)


@op
@by_numpys_names
def nanquantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """Returns the quantiles of the elements that are not NaN; see quantile()."""
    return _quantile("nanquantile", lib.ag_nanquantile, input, q, dim, keepdim, interpolation)


@op
@by_numpys_names
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """Returns log(sum e^x) over dims, without overflow; integers become floats."""
    dims, n = dims_argument(dim)
    return call(lib.ag_logsumexp, input, dims, n, keepdim)


@function
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    out: Tensor | None = None,
    dtype: _dtype | None = None,
) -> Tensor:
    """Returns (sum |x|^p)^(1/p) of all elements or over dims; 'fro' and None mean 2.

    p may be 0 (the number of elements that are not 0), inf or -inf (the extremes of |x|). out has to be None.
    """
    if out is not None:
        raise TypeError("norm(): argument 'out' must be None")
    return _norm(input, p, dim, keepdim, dtype)


def _norm(
    self: Tensor,
    p: Any = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    dtype: _dtype | None = None,
) -> Tensor:
    """Returns (sum |x|^p)^(1/p) of all elements or over dims; 'fro' and None mean 2.

    p may be 0 (the number of elements that are not 0), inf or -inf (the extremes of |x|).
    """
    if isinstance(p, str):
        if p != "fro":
            raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
        p = 2
    dims, n = dims_argument(dim)
    return call(
        lib.ag_vector_norm, self, 2.0 if p is None else p, dims, n, keepdim, dtype_code(dtype)
    )


method(_norm, "norm")


@op
@by_numpys_names
def nansum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Returns the sum, of all or over dims, of the elements that are not NaN."""
    dims, n = dims_argument(dim)
    return call(lib.ag_nansum, input, dims, n, keepdim, dtype_code(dtype))


@op
@by_numpys_names
def nanmean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Returns the mean, of all or over dims, of the elements that are not NaN."""
    dims, n = dims_argument(dim)
    return call(lib.ag_nanmean, input, dims, n, keepdim, dtype_code(dtype))


@op
@by_numpys_names
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """Returns how many elements, of all or over dims, are not zero, as int64."""
    dims, n = dims_argument(dim)
    return call(lib.ag_count_nonzero, input, dims, n)


@op
@by_numpys_names
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Returns the lower median of all elements, or (values, indices) along dim. A NaN is the median."""
    if dim is None:
        return _of_all("median", lib.ag_median, input, keepdim)
    return _along(lib.ag_median_dim, input, dim, keepdim)


@op
@by_numpys_names
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Returns the lower median of the elements that are not NaN, or (values, indices) along dim."""
    if dim is None:
        return _of_all("nanmedian", lib.ag_nanmedian, input, keepdim)
    return _along(lib.ag_nanmedian_dim, input, dim, keepdim)


@op
@by_numpys_names
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> max_result:
    """Returns (values, indices) along dim: the most frequent element (the smallest of several), its last position."""
    return _along(lib.ag_mode, input, dim, keepdim)


@op
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """Returns log(pi) p (p - 1) / 4 + sum of lgamma(x - j / 2) for j < p, elementwise.

    Raises RuntimeError for bools and for p < 1.
    """
    must_be_tensors("mvlgamma", input=input)
    if int_argument("mvlgamma", "p", p) < 1:
        raise RuntimeError(f"p has to be greater than or equal to 1, got {p}")
    if input.dtype is bool_:
        raise RuntimeError("The input tensor may not be a boolean tensor.")
    steps = mul(call(lib.ag_arange, 0.0, float(p), 1.0, constants["AG_INT64"]), 0.5)
    total = sum(lgamma(sub(input.unsqueeze(-1), steps)), -1)
    return add(total, p * (p - 1) / 4 * math.log(math.pi))


@method
def mvlgamma_(self: Tensor, p: int) -> Tensor:
    """Replaces the elements by their mvlgamma() and returns the tensor itself; RuntimeError for integers."""
    must_be_tensors("mvlgamma_", input=self)
    if not self.dtype.is_floating_point:
        raise RuntimeError(f"mvlgamma_: the result can't be cast to {self.dtype}")
    return in_place(lib.ag_copy_, self, mvlgamma(self.clone(), p))


@op
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Returns how often each number occurs in a vector of non-negative integers, or the sums of their weights."""
    return call(lib.ag_bincount, input, NO_TENSOR if weights is None else weights, minlength)


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
