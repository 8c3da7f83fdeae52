"""Tensors put together and taken apart. The parts are views."""

from __future__ import annotations

import builtins
import ctypes
from collections.abc import Sequence
from typing import Any

from .._capi import ZERO, call, lib, run
from ..binding import function_only as function
from ..binding import method, op, public_names
from ..operands import handles, packed, room_for
from ..tensor import Tensor, pack, tensor_classes


def _sequence(name: str, tensors: Any) -> tuple[Any, Any]:
    """The handles of a sequence of tensors, and their count; TypeError for a single tensor."""
    if type(tensors) in tensor_classes:
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )
    return packed(name, "tensors", tensors)


def _size(input: Tensor, dim: int) -> int:
    """The size of a dim; IndexError if there is no such dim."""
    try:
        return input.shape[dim]
    except IndexError:
        return input.size(dim)


_MOST_PARTS = 1 << 24  # the library's own limit, kept before arrays of that length are made


def _parts(name: str, parts: int) -> Any:
    """An array for the handles of so many parts; RuntimeError for absurd numbers."""
    if parts > _MOST_PARTS:
        raise RuntimeError(f"{name}: {parts} parts are too many, expected at most {_MOST_PARTS}")
    return room_for(parts)


def _spread(name: str, tensors: tuple[Any, ...]) -> Any:
    """The handles of tensors given one by one or as one sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    return handles(name, "tensors", tensors)


@function
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Returns the tensors joined along a dim they have."""
    return call(lib.ag_cat, *_sequence("cat", tensors), dim or ZERO)


@function
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Returns the tensors, all of the same sizes, joined along a new dim."""
    return call(lib.ag_stack, *_sequence("stack", tensors), dim or ZERO)


@op
def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Returns views along dim: of one size (the last may be smaller), or of the sizes given."""
    sections = split_size_or_sections
    if not isinstance(sections, (int, list, tuple)) and hasattr(type(sections), "__index__"):
        sections = sections.__index__()
    if isinstance(sections, int):
        if not tensor.shape:
            raise RuntimeError("split expects at least a 1-dimensional tensor")
        size = _size(tensor, dim)
        if sections < 0 or (sections == 0 and size):
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={sections}"
            )
        out = _parts("split", -(-size // sections) if size else 1)
        sections = (
            [sections] * (size // sections) + [size % sections] * (size % sections > 0)
            if size
            else [0]
        )
    else:
        out = room_for(len(sections))
    run(lib.ag_split, tensor, *pack(sections), dim, out)
    return tuple(out)


@op
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns at most `chunks` views of equal size along dim; the last may be smaller."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    room = builtins.min(chunks, builtins.max(input.size(dim), 1)) if chunks > 64 else chunks
    out, count = _parts("chunk", room), ctypes.c_int64()
    run(lib.ag_chunk, input, room, dim, out, ctypes.byref(count))
    return tuple(out[: count.value])


@op
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns the views at all positions of a dim."""
    n = _size(input, dim)
    out = _parts("unbind", n)
    run(lib.ag_unbind, input, dim or ZERO, n, out)
    return tuple(out)


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
    if isinstance(where, Tensor):
        where = where.tolist()
    if not isinstance(where, (list, tuple)):
        if not input.shape:
            raise RuntimeError(
                "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
            )
        if where <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {where}")
        out = _parts("tensor_split", where)
        each, larger = divmod(_size(input, dim), where)
        where = [i * each + builtins.min(i, larger) for i in range(1, where)]
    else:
        out = room_for(len(where) + 1)
    run(lib.ag_tensor_split, input, *pack(where), dim, out)
    return tuple(out)


@op
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Returns the parts of :func:`tensor_split` along dim 1, of a vector along dim 0."""
    return _split_evenly("hsplit", input, indices_or_sections, 1, 0 if input.ndim == 1 else 1)


@op
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Returns the parts of :func:`tensor_split` along dim 0."""
    return _split_evenly("vsplit", input, indices_or_sections, 2, 0)


@op
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Returns the parts of :func:`tensor_split` along dim 2."""
    return _split_evenly("dsplit", input, indices_or_sections, 3, 2)


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
    out = room_for(len(split_sizes))
    run(lib.ag_split, input, *pack(split_sizes), dim, out)
    return tuple(out)


def _join(native: Any, doc: str) -> Any:
    """A function of a sequence of tensors, computed by a native function."""
    name = native.__name__[3:]

    def join(tensors: Sequence[Tensor]) -> Tensor:
        return call(native, *_sequence(name, tensors))

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
    array = _spread("block_diag", tensors)
    return call(lib.ag_block_diag, array, len(array))


@function
def cartesian_prod(*tensors: Any) -> Tensor:
    """Returns the rows of all combinations of the vectors' elements; those of the last vector change fastest."""
    array = _spread("cartesian_prod", tensors)
    return call(lib.ag_cartesian_prod, array, len(array))


@function
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Returns views of the shape that all tensors broadcast to."""
    array = _spread("broadcast_tensors", tensors)
    out = room_for(len(array))
    run(lib.ag_broadcast_tensors, array, len(array), out)
    return tuple(out)


@function
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Returns the vectors as views over the grid of all their combinations.

    indexing "ij" (the default) gives dim i to vector i; "xy" exchanges the first two dims.
    """
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    array = _spread("meshgrid", tensors)
    out = room_for(len(array))
    run(lib.ag_meshgrid, array, len(array), indexing == "xy", out)
    return tuple(out)


concat = concatenate = cat
row_stack = vstack


def _split_method(self: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns views along dim: of one size (the last may be smaller), or of the sizes given."""
    return split(self, split_size, dim)


method(_split_method, "split")

__all__ = public_names(globals())
