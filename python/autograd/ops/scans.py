"""Running sums, products and extremes along a dim; differences and areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._arguments import int_argument
from .._capi import call, lib
from ..binding import by_numpys_names, method, op, public_names
from ..binding import function_only as function
from ..dtypes import bool_, uint8
from ..dtypes import dtype as _dtype
from ..operands import dtype_code, in_place, must_be_tensors, number_argument, two_results
from ..tensor import NO_TENSOR, Tensor
from .joining import cat
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


@function
def gradient(
    input: Tensor,
    *,
    spacing: Any = 1,
    dim: int | Sequence[int] | None = None,
    edge_order: int = 1,
) -> tuple[Tensor, ...]:
    """Returns the slopes of samples along each dim (all unless given), tensors of input's sizes.

    spacing is the distance of neighbours, a number or one for each dim, or for each dim the vector of its coordinates.
    Inside, the slope is that of the parabola through a sample and its neighbours; at the ends that of the line through
    two samples, or with edge_order 2 of the parabola through three.
    Raises RuntimeError for uint8, dims given twice or of fewer than edge_order + 1 samples, and for another number of
    spacings or coordinates.
    """
    must_be_tensors("gradient", input=input)
    if input.dtype is uint8:
        raise RuntimeError("gradient: does not support uint8 input")
    rank = input.dim()
    given = range(rank) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    wanted = [int_argument("gradient", "dim", d) for d in given]
    spacings = _spacings(spacing, len(wanted))
    if len(spacings) != len(wanted):
        raise RuntimeError(
            "gradient expected spacing to be unspecified, a scalar, or a list with a number or vector for each of the "
            f"{len(wanted)} dims of {list(input.shape)}, got {len(spacings)}"
        )
    if int_argument("gradient", "edge_order", edge_order) not in (1, 2):
        raise RuntimeError("gradient only supports edge_order=1 and edge_order=2")
    sizes = [input.size(d) for d in wanted]  # raises IndexError for dims that there are not
    if len({d % rank for d in wanted}) < len(wanted):
        raise RuntimeError(f"gradient: a dim appears multiple times in the list of dims {wanted}")
    if sizes and min(sizes) < edge_order + 1:
        raise RuntimeError(
            f"gradient expected each dimension size to be at least edge_order+1, got {list(input.shape)}"
        )
    for n, each in zip(sizes, spacings):
        if isinstance(each, Tensor) and each.shape != (n,):
            raise RuntimeError(
                "gradient expected each element of spacing to have one dimension and a coordinate for each of the "
                f"{n} samples, but got an element of sizes {list(each.shape)}"
            )
    return tuple(_slopes(input, d % rank, each, edge_order) for d, each in zip(wanted, spacings))


def _spacings(spacing: Any, dims: int) -> Sequence[Any]:
    """A number or a vector of coordinates for each dim."""
    if spacing is None:
        spacing = 1
    if not isinstance(spacing, (tuple, list)):
        return [number_argument("gradient", "spacing", spacing)] * dims
    if any(isinstance(each, Tensor) for each in spacing):
        must_be_tensors("gradient", **{f"spacing[{i}]": each for i, each in enumerate(spacing)})
        return spacing
    return [number_argument("gradient", "spacing", each) for each in spacing]


def _slopes(x: Tensor, dim: int, spacing: Any, edge_order: int) -> Tensor:
    """The slopes along one dim of n samples, of which `spacing` is the distance or the n coordinates."""
    n, inner = x.size(dim), x.size(dim) - 2

    def at(first: int, count: int = 1) -> Tensor:
        return x.narrow(dim, first % n, count)

    inside = []
    if not isinstance(spacing, Tensor):
        if edge_order == 1:
            left, right = at(1) - at(0), at(-1) - at(-2)
        else:
            left = -1.5 * at(0) + 2 * at(1) - 0.5 * at(2)
            right = 0.5 * at(-3) - 2 * at(-2) + 1.5 * at(-1)
        left, right = left / spacing, right / spacing
        if inner:
            inside.append((at(2, inner) - at(0, inner)) / spacing / 2)
        return cat((left, *inside, right), dim)

    gaps = spacing.diff().reshape([-1 if d == dim else 1 for d in range(x.dim())])
    first, last = gaps.narrow(dim, 0, 1), gaps.narrow(dim, inner, 1)
    if edge_order == 1:
        left, right = (at(1) - at(0)) / first, (at(-1) - at(-2)) / last
    else:
        left = _slope_at_end(at(0), at(1), at(2), first, gaps.narrow(dim, 1, 1))
        right = -_slope_at_end(at(-1), at(-2), at(-3), last, gaps.narrow(dim, inner - 1, 1))
    if inner:
        h, k = gaps.narrow(dim, 0, inner), gaps.narrow(dim, 1, inner)
        inner_slopes = at(0, inner) * (-k / (h * (h + k))) + at(2, inner) * (h / (k * (h + k)))
        inside.append(inner_slopes + at(1, inner) * ((k - h) / (h * k)))
    return cat((left, *inside, right), dim)


def _slope_at_end(x: Tensor, y: Tensor, z: Tensor, h: Tensor, k: Tensor) -> Tensor:
    """The slope at x of the parabola through x, y and z, which are h and k apart."""
    both = h + k
    return x * (-(h + both) / (h * both)) + y * (both / (h * k)) + z * (-h / (k * both))


__all__ = public_names(globals())
