"""Parts of a tensor picked or replaced by tensors of positions, and by masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._arguments import bool_argument, text_argument
from .._capi import (
    ZERO,
    ArgumentError,
    argument_error,
    call,
    constants,
    lib,
    listed,
    not_null,
    raise_last_error,
)
from ..binding import by_numpys_names, method, op, passes_on, public_names
from ..binding import function_only as function
from ..dtypes import bool_
from ..operands import handles, in_place, must_be_tensors, number_argument, tensor_argument
from ..tensor import Tensor

_gather, _index_select, _scatter_add = lib.ag_gather, lib.ag_index_select, lib.ag_scatter_add
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
_REDUCTIONS = {
    name: constants[f"AG_SCATTER_{name.upper()}"]
    for name in ("sum", "prod", "mean", "amax", "amin")
}


# ---- along one dim ---------------------------------------------------------------------------------------


@op
@by_numpys_names
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Returns out[i][j] = input[index[i][j]][j] for dim 0, likewise for other dims; of the sizes of index.

    index (int32, int64) has as many dims as input and is no larger apart from dim. Raises RuntimeError for
    positions out of range. sparse_grad is ignored: gradients are dense.
    """
    try:
        result = _gather(input, dim, index)
    except ArgumentError as error:
        raise argument_error(_gather, (input, dim, index), error) from None
    if not_null(result):
        return result
    raise_last_error()


@op
@by_numpys_names
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Returns gather(input, dim, indices) with all other dims broadcast; without dim over the elements as one row."""
    dims, n = (None, ZERO) if dim is None else listed((dim,))
    return call(lib.ag_take_along_dim, input, indices, dims, n)


def _source(function: str, src: Any, value: Any) -> Tensor:
    """The tensor or number to scatter, whichever of the two was given."""
    if src is None and value is None:
        raise TypeError(f"{function}() missing 1 required positional arguments: src or value")
    if src is not None and value is not None:
        raise TypeError(f"{function}() takes one of src and value, got both")
    if src is None:
        return tensor_argument(function, "value", number_argument(function, "value", value))
    return tensor_argument(function, "src", src)


def _kind(reduce: str) -> int:
    code = _REDUCTIONS.get(text_argument("scatter_reduce", "reduce", reduce))
    if code is None:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    return code


_OLD_REDUCTIONS = {"add": "sum", "multiply": "prod"}


def _old_kind(reduce: str) -> int:
    if text_argument("scatter", "reduce", reduce) not in _OLD_REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce}")
    return _REDUCTIONS[_OLD_REDUCTIONS[reduce]]


@op
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    value: Any = None,
    *,
    reduce: str | None = None,
) -> Tensor:
    """Returns a copy of input with input[index[i][j]][j] = src[i][j] for dim 0, likewise for other dims.

    src may be a number, also named value. reduce: 'add' or 'multiply' instead of replacing.
    """
    source = _source("scatter", src, value)
    if reduce is not None:
        return call(lib.ag_scatter_reduce, input, dim, index, source, _old_kind(reduce), True)
    return call(lib.ag_scatter, input, dim, index, source)


@method
def scatter_(
    self: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    value: Any = None,
    *,
    reduce: str | None = None,
) -> Tensor:
    """Does what scatter() does to the tensor itself and returns it."""
    source = _source("scatter_", src, value)
    if reduce is not None:
        return in_place(lib.ag_scatter_reduce_, self, dim, index, source, _old_kind(reduce), True)
    return in_place(lib.ag_scatter_, self, dim, index, source)


@op
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Returns a copy of input with input[index[i][j]][j] += src[i][j] for dim 0, likewise for other dims."""
    return call(_scatter_add, input, dim, index, src)


@method
def scatter_add_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Does what scatter_add() does to the tensor itself and returns it."""
    return in_place(lib.ag_scatter_add_, self, dim, index, src)


@op
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Returns a copy of input into which src is reduced at the positions.

    reduce is 'sum', 'prod', 'mean', 'amax' or 'amin'; include_self says whether the elements of input take part.
    """
    return call(lib.ag_scatter_reduce, input, dim, index, src, _kind(reduce), include_self)


@method
def scatter_reduce_(
    self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Does what scatter_reduce() does to the tensor itself and returns it."""
    return in_place(lib.ag_scatter_reduce_, self, dim, index, src, _kind(reduce), include_self)


# ---- slices by number ------------------------------------------------------------------------------------


@op
@by_numpys_names
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Returns the slices along dim whose numbers stand in index (0-d or 1-d, int32 or int64)."""
    try:
        result = _index_select(input, dim, index)
    except ArgumentError as error:
        raise argument_error(_index_select, (input, dim, index), error) from None
    if not_null(result):
        return result
    raise_last_error()


def _scale(function: str, alpha: Any) -> Tensor:
    """alpha as a tensor; TypeError for what is no number."""
    return tensor_argument(function, "alpha", number_argument(function, "alpha", alpha))


@op
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """Returns a copy of input with alpha times slice i of source added to slice index[i] along dim."""
    scale = _scale("index_add", alpha)
    return call(lib.ag_index_add, input, dim, index, source, scale)


@method
def index_add_(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """Does what index_add() does to the tensor itself and returns it."""
    scale = _scale("index_add_", alpha)
    return in_place(lib.ag_index_add_, self, dim, index, source, scale)


@op
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Returns a copy of input with slice i of source in the place of slice index[i] along dim."""
    return call(lib.ag_index_copy, input, dim, index, source)


@method
def index_copy_(self: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Does what index_copy() does to the tensor itself and returns it."""
    return in_place(lib.ag_index_copy_, self, dim, index, source)


@op
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Returns a copy of input with value, a number or 0-d tensor, in the slices index[i] along dim."""
    filler = tensor_argument("index_fill", "value", value)
    return call(lib.ag_index_fill, input, dim, index, filler)


@method
def index_fill_(self: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Does what index_fill() does to the tensor itself and returns it."""
    filler = tensor_argument("index_fill_", "value", value)
    return in_place(lib.ag_index_fill_, self, dim, index, filler)


def _indices(function: str, indices: Any) -> Any:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"{function}(): argument 'indices' must be tuple of Tensors, not {type(indices).__name__}"
        )
    return handles(function, "indices", indices)


@op
def index_put(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """Returns a copy of input with input[indices] = values, or += with accumulate.

    indices is one tensor of positions, or a mask, for each leading dim; values broadcasts.
    """
    array = _indices("index_put", indices)
    return call(lib.ag_index_put, input, array, len(array), values, accumulate)


@method
def index_put_(
    self: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """Does what index_put() does to the tensor itself and returns it."""
    array = _indices("index_put_", indices)
    return in_place(lib.ag_index_put_, self, array, len(array), values, accumulate)


@op
def take(input: Tensor, index: Tensor) -> Tensor:
    """Returns the elements of input, seen as one row, at the positions in index (int64, of any sizes)."""
    return call(lib.ag_take, input, index)


@op
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Returns a copy of input, seen as one row, with the elements of source written, or added, at the positions."""
    return call(lib.ag_put, input, index, source, accumulate)


@method
def put_(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Does what put() does to the tensor itself and returns it."""
    return in_place(lib.ag_put_, self, index, source, accumulate)


# ---- parts replaced --------------------------------------------------------------------------------------


@op
@passes_on(lib.ag_select_scatter)
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Returns input with src in the place of input.select(dim, index).

    Raises IndexError for a dim or an index that is not there, RuntimeError for other sizes.
    """


@op
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """Returns input with src in the place of the slice start:end:step of a dim.

    Raises IndexError for a dim that is not there, RuntimeError for other sizes and a step that is not positive.
    """
    first = _FIRST if start is None else start
    last = _LAST if end is None else end
    return call(lib.ag_slice_scatter, input, src, dim, first, last, step)


@op
@passes_on(lib.ag_diagonal_scatter)
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """Returns input with src in the place of input.diagonal(offset, dim1, dim2).

    Raises IndexError for dims that are not there, RuntimeError for other sizes.
    """


def _slice_reduction(name: str, reduce: Any) -> int:
    if text_argument(name, "reduce", reduce) not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"{name}(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}."
        )
    return _REDUCTIONS[reduce]


@op
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """Returns input with slice index[i] along dim put together with slice i of source.

    reduce is "prod", "mean", "amax" or "amin"; unless include_self, the slices of input that are named do not take
    part. Raises IndexError for a position that is not there, RuntimeError for sizes and dtypes that do not fit.
    """
    kind = _slice_reduction("index_reduce", reduce)
    return call(lib.ag_index_reduce, input, dim, index, source, kind, include_self)


@method
def index_reduce_(
    self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Does what index_reduce() does to the tensor itself and returns it."""
    kind = _slice_reduction("index_reduce_", reduce)
    return in_place(lib.ag_index_reduce_, self, dim, index, source, kind, include_self)


# ---- masks -----------------------------------------------------------------------------------------------


@op
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Returns the coordinates of the elements that are not 0: [count, ndim], or a tensor per dim with as_tuple."""
    if not bool_argument("nonzero", "as_tuple", as_tuple):
        return call(lib.ag_nonzero, input)
    found = call(lib.ag_nonzero, input)
    if not input.ndim:
        found = call(lib.ag_nonzero, input.reshape(1))
    return tuple(call(lib.ag_select, found, 1, d) for d in range(found.shape[1]))


@function
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Returns the coordinates, a tensor per dim, of elements whose numbers in row-major order are given.

    Raises TypeError for what is no integer tensor or no sizes, ValueError for negative sizes.
    """
    must_be_tensors("unravel_index", indices=indices)
    if indices.is_floating_point() or indices.dtype is bool_:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(size, int) for size in sizes):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {shape!r}")
    if any(size < 0 for size in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    indices, found = indices.long(), []
    for size in reversed(sizes):
        found.append(indices.remainder(size))
        indices = indices.div(size, rounding_mode="floor")
    return tuple(reversed(found))


@op
def argwhere(input: Tensor) -> Tensor:
    """Returns the coordinates of the elements that are not 0: [count, ndim], int64."""
    return call(lib.ag_nonzero, input)


@op
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Returns value, a number or 0-d tensor, where mask (bool, broadcast) is true, else input."""
    return call(lib.ag_masked_fill, input, mask, tensor_argument("masked_fill", "value", value))


@method
def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Replaces the elements by value where mask is true and returns the tensor itself."""
    filler = tensor_argument("masked_fill_", "value", value)
    return in_place(lib.ag_masked_fill_, self, mask, filler)


@op
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Returns the elements of input where mask (bool) is true, as one row; both are broadcast."""
    return call(lib.ag_masked_select, input, mask)


@op
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Returns the elements of source, in order, where mask (bool, broadcast) is true, else input."""
    return call(lib.ag_masked_scatter, input, mask, source)


@method
def masked_scatter_(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Writes the elements of source, in order, where mask is true and returns the tensor itself."""
    return in_place(lib.ag_masked_scatter_, self, mask, source)


__all__ = public_names(globals())
