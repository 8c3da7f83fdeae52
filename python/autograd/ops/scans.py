"""Running sums, products and extremes along a dim; differences and areas."""

from __future__ import annotations

from typing import Any

from .._capi import call, lib
from ..binding import by_numpys_names, method, op, public_names
from ..binding import function_only as function
from ..dtypes import bool_
from ..dtypes import dtype as _dtype
from ..operands import dtype_code, in_place, must_be_tensors, two_results
from ..tensor import NO_TENSOR, Tensor
from .reductions import max_result

_MISSING: Any = object()


def _dim(name: str, dim: Any) -> Any:
    if dim is _MISSING:
        raise TypeError(f'{name}() missing 1 required positional arguments: "dim"')
    return dim


@op
@by_numpys_names
def cumsum(input: Tensor, dim: int = _MISSING, *, dtype: _dtype | None = None) -> Tensor:
    """Returns the sums of the elements up to each along dim. Integers and bool are summed as int64."""
    return call(
        lib.ag_cumsum, input, _dim("cumsum", dim), -1 if dtype is None else dtype_code(dtype)
    )


@op
@by_numpys_names
def cumprod(input: Tensor, dim: int = _MISSING, *, dtype: _dtype | None = None) -> Tensor:
    """Returns the products of the elements up to each along dim. Integers and bool are multiplied as int64."""
    return call(
        lib.ag_cumprod, input, _dim("cumprod", dim), -1 if dtype is None else dtype_code(dtype)
    )


@method
def cumsum_(self: Tensor, dim: int = _MISSING, *, dtype: _dtype | None = None) -> Tensor:
    """Replaces the elements by cumsum() of them and returns the tensor itself."""
    return in_place(lib.ag_copy_, self, cumsum(self, dim, dtype=dtype))


@method
def cumprod_(self: Tensor, dim: int = _MISSING, *, dtype: _dtype | None = None) -> Tensor:
    """Replaces the elements by cumprod() of them and returns the tensor itself."""
    return in_place(lib.ag_copy_, self, cumprod(self.clone(), dim, dtype=dtype))


@op
@by_numpys_names
def cummax(input: Tensor, dim: int = _MISSING) -> max_result:
    """Returns (values, indices): the largest element up to each along dim, and where it stands last."""
    return max_result(*two_results(lib.ag_cummax, input, _dim("cummax", dim)))


@op
@by_numpys_names
def cummin(input: Tensor, dim: int = _MISSING) -> max_result:
    """Returns (values, indices): the smallest element up to each along dim, and where it stands last."""
    return max_result(*two_results(lib.ag_cummin, input, _dim("cummin", dim)))


@op
@by_numpys_names
def logcumsumexp(input: Tensor, dim: int = _MISSING) -> Tensor:
    """Returns the logarithms of the sums of e^x up to each element along dim, without overflow."""
    return call(lib.ag_logcumsumexp, input, _dim("logcumsumexp", dim))


@op
@by_numpys_names
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Returns the n-th differences of neighbours along dim, after prepend and append have been joined on.

    Raises RuntimeError for a 0-d tensor, a negative n, and ends of other sizes.
    """
    return call(
        lib.ag_diff,
        input,
        n,
        dim,
        NO_TENSOR if prepend is None else prepend,
        NO_TENSOR if append is None else append,
    )


@function
def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """Returns the area under y along dim by the trapezoidal rule, at the points x, or dx (1) apart."""
    return call(lib.ag_trapezoid, y, NO_TENSOR if x is None else x, 1.0 if dx is None else dx, dim)


trapz = trapezoid


@function
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """Returns the area under y along dim up to each point but the first; see :func:`trapezoid`."""
    must_be_tensors("cumulative_trapezoid", y=y, **({} if x is None else {"x": x}))
    if bool_ in (y.dtype, None if x is None else x.dtype):
        raise RuntimeError("cumulative_trapezoid: received a bool input, but bool is not supported")
    n = y.size(dim)
    strips = (y.narrow(dim, 0, max(n - 1, 0)) + y.narrow(dim, min(n, 1), max(n - 1, 0))) / 2
    if x is None:
        return (strips if dx is None else strips * dx).cumsum(dim)
    if x.dim() == 1:
        along = [1] * y.dim()
        along[dim] = -1
        x = x.reshape(along)
    if x.dim() != y.dim() or x.size(dim) != n:
        raise RuntimeError(
            "cumulative_trapezoid: There must be one `x` value for each sample point, got "
            f"{list(x.shape)} for y of sizes {list(y.shape)}"
        )
    return (strips * x.diff(dim=dim)).cumsum(dim)


__all__ = public_names(globals())
