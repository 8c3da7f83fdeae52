"""Tensors put together and taken apart. The parts are views."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from .._arguments import int_argument, kind_of, text_argument
from .._capi import (
    ArgumentError,
    argument_error,
    call,
    fast,
    lib,
    listed,
    not_null,
    raise_last_error,
)
from ..binding import by_numpys_names, method, op, public_names
from ..binding import function_only as function
from ..operands import handles, many_results, must_be_sequence, packed
from ..tensor import Tensor, tensor_classes


def _packed(native: Any, name: str, tensors: Any, options: tuple[Any, ...]) -> Any:
    """What the native function makes of an array of the tensors."""
    try:
        return native(*packed(name, "tensors", tensors), *options)
    except ArgumentError as error:
        raise argument_error(native, (None, None, *options), error) from None


def _joined(native: Any, name: str, tensors: Any, *options: Any) -> Tensor:
    """The tensor that a native function makes of a sequence of tensors; TypeError for a single tensor."""
    if type(tensors) in _SEQUENCES and fast:
        try:
            result = native(tensors, len(tensors), *options)
        except ArgumentError:  # also for long ones
            result = _packed(native, name, tensors, options)
    else:
        result = call(native, *packed(name, "tensors", tensors), *options)
    if not_null(result):
        return result
    raise_last_error()


def _no_tensor(name: str, given: Any) -> TypeError:
    return TypeError(f"{name}(): argument 'input' must be Tensor, not {kind_of(given)}")


_SEQUENCES = (tuple, list)


_MOST_LISTED = 24
_MOST_PARTS = 1 << 24  # the library's own limit, kept before arrays of that length are made


def _parts(name: str, parts: int, native: Any, *arguments: Any) -> tuple[Tensor, ...]:
    """The parts that a native function makes; RuntimeError for absurd numbers."""
    if parts > _MOST_PARTS:
        raise RuntimeError(f"{name}: {parts} parts are too many, expected at most {_MOST_PARTS}")
    return many_results(native, parts, *arguments)


def _spread(name: str, tensors: tuple[Any, ...]) -> Any:
    """Tensors given one by one or as one sequence, as the library takes them."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) and tensors[0]:
        tensors = tuple(tensors[0])
    return _one_by_one(name, tensors)


def _one_by_one(name: str, tensors: tuple[Any, ...]) -> Any:
    """Tensors as the library takes them."""
    if fast and len(tensors) <= _MOST_LISTED and tensor_classes.issuperset(map(type, tensors)):
        return tensors
    return handles(name, "tensors", tensors)


@function
@by_numpys_names
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Returns the tensors joined along a dim they have."""
    return _joined(lib.ag_cat, "cat", tensors, dim)


@function
@by_numpys_names
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Returns the tensors, all of the same sizes, joined along a new dim."""
    return _joined(lib.ag_stack, "stack", tensors, dim)


@op
def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Returns views along dim: of one size (the last may be smaller), or of the sizes given."""
    sections = split_size_or_sections
    if not isinstance(tensor, Tensor):
        raise _no_tensor("split", tensor)
    if not isinstance(sections, (int, list, tuple)) and hasattr(type(sections), "__index__"):
        sections = int_argument("split", "split_size_or_sections", sections)
    if isinstance(sections, int):
        sections = int_argument("split", "split_size_or_sections", sections)
        if not tensor.shape:
            raise RuntimeError("split expects at least a 1-dimensional tensor")
        size = tensor.size(dim)
        if sections < 0 or (sections == 0 and size):
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={sections}"
            )
        if sections and size // sections > _MOST_PARTS:
            raise RuntimeError(f"split: more than {_MOST_PARTS} parts are too many")
        sections = (
            [sections] * (size // sections) + [size % sections] * (size % sections > 0)
            if size
            else [0]
        )
    must_be_sequence("split", "split_size_or_sections", sections)
    return many_results(lib.ag_split, len(sections), tensor, *listed(sections), dim)


@op
@by_numpys_names
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns at most `chunks` views of equal size along dim; the last may be smaller."""
    if type(chunks) is not int:
        chunks = int_argument("chunk", "chunks", chunks)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not isinstance(input, Tensor):
        raise _no_tensor("chunk", input)
    if not input.shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    size = input.size(dim)
    # As many as there are when each is of size / chunks, rounded up.
    count = -(-size // -(-size // chunks)) if size else chunks
    if count <= _MOST_LISTED and fast:
        return _chunks(input, count, dim)
    return _parts("chunk", count, lambda *given: _chunk(*given, None), input, count, dim)


_chunk = lib.ag_chunk


def _chunks(input: Tensor, count: int, dim: int) -> tuple[Tensor, ...]:
    """Exactly as many parts, which must be few."""
    out = [None] * count
    if _chunk(input, count, dim, out, None):
        raise_last_error()
    return tuple(out)  # type: ignore[arg-type]


@op
@by_numpys_names
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns the views at all positions of a dim."""
    try:
        n = input.size(dim)
    except AttributeError:
        raise _no_tensor("unbind", input) from None
    return _parts("unbind", n, lib.ag_unbind, input, dim, n)


@op
def tensor_split(
    input: Tensor,
    indices_or_sections: Any = None,
    dim: int = 0,
    *,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Returns views along dim: as many as a number says, as even as possible, or those between the indices given."""
    where = indices_or_sections if indices is None else indices
    where = where if sections is None else sections
    kind = type(where)
    if kind is not int and kind is not tuple and kind is not list:
        if isinstance(where, Tensor):
            where = where.tolist()
        kind = int if not isinstance(where, (list, tuple)) else list
    if kind is int:
        if fast and 0 < where <= _MOST_LISTED and lib.ag_tensor_ndim(input) > 0:
            size = input.size(dim)
            if size and size % where == 0:
                return _chunks(input, where, dim)
        where = _even_places(input, where, dim)
    return many_results(lib.ag_tensor_split, len(where) + 1, input, *listed(where), dim)


def _even_places(input: Tensor, sections: int, dim: int) -> list[int]:
    """Where a dim is to be split into sections of sizes that differ by at most one."""
    if lib.ag_tensor_ndim(input) == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    if sections > _MOST_PARTS:
        raise RuntimeError(
            f"tensor_split: {sections} parts are too many, expected at most {_MOST_PARTS}"
        )
    size = input.size(dim)
    each, larger = divmod(size, sections)
    if each and not larger:
        return list(range(each, size, each))
    return [i * each + builtins.min(i, larger) for i in range(1, sections)]


@op
def hsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Returns the parts of :func:`tensor_split` along dim 1, of a vector along dim 0."""
    where = _where("hsplit", indices_or_sections, indices, sections)
    return _split_evenly("hsplit", input, where, 1, 0 if input.ndim == 1 else 1)


@op
def vsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Returns the parts of :func:`tensor_split` along dim 0."""
    where = _where("vsplit", indices_or_sections, indices, sections)
    return _split_evenly("vsplit", input, where, 2, 0)


@op
def dsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Returns the parts of :func:`tensor_split` along dim 2."""
    where = _where("dsplit", indices_or_sections, indices, sections)
    return _split_evenly("dsplit", input, where, 3, 2)


def _where(name: str, *given: Any) -> Any:
    """Where to split, under whichever of the three names it was given."""
    named = [one for one in given if one is not None]
    if len(named) != 1:
        raise TypeError(f"{name}() takes one of indices_or_sections, indices and sections")
    return named[0]


def _split_evenly(name: str, input: Tensor, where: Any, least: int, dim: int) -> tuple[Tensor, ...]:
    if input.ndim < least:
        raise RuntimeError(
            f"{name} requires a tensor with at least {least} dimension{'s' * (least > 1)}, but got a tensor with "
            f"{input.ndim} dimensions!"
        )
    if isinstance(where, int) and (where <= 0 or input.shape[dim] % where):
        raise RuntimeError(
            f"{name} attempted to split along dimension {dim}, but the size of the dimension "
            f"{input.shape[dim]} is not divisible by the split_size {where}!"
        )
    return tensor_split(input, where, dim)


@op
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views of the given sizes along dim."""
    return many_results(lib.ag_split, len(split_sizes), input, *listed(split_sizes), dim)


# What PyTorch's autograd need not see; here they are the same.
unsafe_split, unsafe_chunk = op(split, "unsafe_split"), op(chunk, "unsafe_chunk")
unsafe_split_with_sizes = op(split_with_sizes, "unsafe_split_with_sizes")


def _join(native: Any, doc: str) -> Any:
    """A function of a sequence of tensors, computed by a native function."""
    name = native.__name__[3:]

    def join(tensors: Sequence[Tensor]) -> Tensor:
        return _joined(native, name, tensors)

    join.__name__ = join.__qualname__ = name
    join.__doc__ = f"Returns the tensors joined {doc}."
    return function(join)


hstack = _join(lib.ag_hstack, "along dim 1; 0-d tensors and vectors along dim 0")
vstack = _join(lib.ag_vstack, "along dim 0; 0-d tensors and vectors become rows first")
dstack = _join(lib.ag_dstack, "along dim 2, which vectors and matrices get first")
column_stack = _join(
    lib.ag_column_stack, "along dim 1; 0-d tensors and vectors become columns first"
)


@function
def block_diag(*tensors: Any) -> Tensor:
    """Returns a matrix of zeros with the matrices (vectors: rows) along its diagonal."""
    array = _one_by_one("block_diag", tensors)
    return call(lib.ag_block_diag, array, len(array))


@function
def cartesian_prod(*tensors: Any) -> Tensor:
    """Returns the rows of all combinations of the vectors' elements; those of the last vector change fastest."""
    array = _spread("cartesian_prod", tensors)
    return call(lib.ag_cartesian_prod, array, len(array))


@function
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Returns views of the shape that all tensors broadcast to."""
    array = _one_by_one("broadcast_tensors", tensors)
    return many_results(lib.ag_broadcast_tensors, len(array), array, len(array))


@function
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Returns the vectors as views over the grid of all their combinations.

    indexing "ij" (the default) gives dim i to vector i; "xy" exchanges the first two dims.
    """
    if indexing is not None:
        text_argument("meshgrid", "indexing", indexing)
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    array = _spread("meshgrid", tensors)
    return many_results(lib.ag_meshgrid, len(array), array, len(array), indexing == "xy")


concat = concatenate = cat
row_stack = vstack


def _split_method(self: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views along dim: of one size (the last may be smaller), or of the sizes given."""
    return split(self, split_size, dim)


method(_split_method, "split")

__all__ = public_names(globals())
