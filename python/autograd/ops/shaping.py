"""Operations on shape, copies and conversions. Views are views where PyTorch gives views."""

from __future__ import annotations

import builtins
import ctypes
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from .._capi import ONE, ZERO, call, lib, run
from ..binding import function_only as function
from ..binding import method, op, public_names
from ..operands import Dims, dims_argument, handles, in_place, tensor_argument
from ..tensor import CPU, Tensor, adopt, device, pack

# ---- shape -----------------------------------------------------------------------------------------------


def _sizes(function: str, first: Any, more: tuple[Any, ...]) -> tuple[bytes, Any]:
    """Sizes or dims given one by one or as one sequence, as the library takes them."""
    if more:
        return pack((first, *more))
    if isinstance(first, (tuple, list)):
        return pack(first)
    if first is None:
        raise TypeError(f"{function}() missing 1 required positional arguments: the sizes or dims")
    return pack((first,))


@op
def reshape(input: Tensor, shape: Any = None, *more: Any) -> Tensor:
    """Returns the same elements with other sizes, one of which may be -1; a view where possible, else a copy."""
    return call(lib.ag_reshape, input, *_sizes("reshape", shape, more))


@method
def view(self: Tensor, size: Any = None, *more: Any) -> Tensor:
    """Returns a view with other sizes, one of which may be -1. Raises RuntimeError where a copy would be needed."""
    if isinstance(size, dtypes.dtype):
        raise NotImplementedError(
            "view(dtype): reinterpreting the bytes is not supported; to(dtype) converts the values"
        )
    return call(lib.ag_view, self, *_sizes("view", size, more))


@method
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns a view with the sizes of other."""
    return view(self, other.shape)


@method
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns the same elements with the sizes of other."""
    return reshape(self, other.shape)


@op
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Returns a view with two dims exchanged."""
    return call(lib.ag_transpose, input, dim0, dim1)


@op
def t(input: Tensor) -> Tensor:
    """Returns the transposed matrix; a vector or a 0-d tensor stays as it is. Raises RuntimeError for more dims."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return call(lib.ag_transpose, input, 0, -1)


@op
def permute(input: Tensor, dims: Any = None, *more: Any) -> Tensor:
    """Returns a view with the dims in another order."""
    return call(lib.ag_permute, input, *_sizes("permute", dims, more))


def _T(self: Tensor) -> Tensor:
    """The view with all dims in reverse order."""
    return (
        call(lib.ag_transpose, self, ZERO, ONE)
        if self.ndim == 2
        else permute(self, tuple(range(self.ndim - 1, -1, -1)))
    )


def _mT(self: Tensor) -> Tensor:
    """The view with the last two dims exchanged."""
    return transpose(self, -2, -1)


Tensor.T = property(_T)
Tensor.mT = property(_mT)


@method
def expand(self: Tensor, size: Any = None, *more: Any) -> Tensor:
    """Returns a view in which dims of size 1 are repeated; -1 keeps a size."""
    return call(lib.ag_expand, self, *_sizes("expand", size, more))


@method
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns a view of the sizes of other in which dims of size 1 are repeated."""
    return expand(self, other.shape)


@op
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Returns a view of the given sizes in which dims of size 1 are repeated."""
    return expand(input, size)


@op
def squeeze(input: Tensor, dim: Dims = None) -> Tensor:
    """Returns a view without the given dims that have size 1; without all of those if dim is left out."""
    if isinstance(dim, (tuple, list)) and not dim:
        return call(lib.ag_reshape, input, *_sizes("squeeze", input.shape, ()))
    return call(lib.ag_squeeze, input, *dims_argument(dim))


@op
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Returns a view with a dim of size 1 inserted."""
    return call(lib.ag_unsqueeze, input, dim)


@op
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Returns the tensor with the dims from start_dim to end_dim made one."""
    return call(lib.ag_flatten, input, start_dim, end_dim)


@op
def ravel(input: Tensor) -> Tensor:
    """Returns the elements as one dim."""
    return call(lib.ag_flatten, input, 0, -1)


@op
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Returns the view at one position of a dim, which goes away."""
    return call(lib.ag_select, input, dim, index)


@op
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """Returns the view of `length` positions of a dim from start on."""
    size = input.size(dim)
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -size <= start <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        )
    start = start + size if start < 0 else start
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return call(lib.ag_slice, input, dim, start, start + length, 1)


@function
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Returns the tensors joined along a dim they have."""
    array = handles("cat", "tensors", tensors)
    return call(lib.ag_cat, array, len(array), dim)


@function
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Returns the tensors, all of the same sizes, joined along a new dim."""
    array = handles("stack", "tensors", tensors)
    return call(lib.ag_stack, array, len(array), dim)


@op
def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Returns views along dim: of one size (the last may be smaller), or of the sizes given."""
    sections = split_size_or_sections
    if tensor.dim() == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    if isinstance(sections, int):
        size = tensor.size(dim)
        if sections < 0 or (sections == 0 and size):
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={sections}"
            )
        sections = (
            [sections] * (size // sections) + [size % sections] * (size % sections > 0)
            if size
            else [0]
        )
    out = (ctypes.c_void_p * len(sections))()
    run(lib.ag_split, tensor, *pack(sections), dim, out)
    return tuple(map(adopt, out))


@op
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns at most `chunks` views of equal size along dim; the last may be smaller."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    room = builtins.min(chunks, builtins.max(input.size(dim), 1)) if chunks > 64 else chunks
    out, count = (ctypes.c_void_p * room)(), ctypes.c_int64()
    run(lib.ag_chunk, input, room, dim, out, ctypes.byref(count))
    return tuple(map(adopt, out[: count.value]))


@op
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Returns the views at all positions of a dim."""
    return tuple(call(lib.ag_select, input, dim, i) for i in range(input.size(dim)))


@op
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Returns the slices along dim whose numbers stand in index (0-d or 1-d, int32 or int64)."""
    return call(lib.ag_index_select, input, dim, index)


# ---- copies, conversions ---------------------------------------------------------------------------------


@op
def clone(input: Tensor) -> Tensor:
    """Returns a copy through which gradients flow."""
    return call(lib.ag_clone, input)


@op
def detach(input: Tensor) -> Tensor:
    """Returns a tensor over the same storage, without history."""
    return call(lib.ag_detach, input)


@method
def contiguous(self: Tensor) -> Tensor:
    """Returns this tensor if its elements lie densely in row-major order, else a copy."""
    return self if self.is_contiguous() else call(lib.ag_contiguous, self)


def convert(self: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The elements in another dtype; the tensor itself if it has that dtype already."""
    return self if self.dtype is dtype else call(lib.ag_to_dtype, self, dtype.code)


@method
def to(self: Tensor, *args: Any, **options: Any) -> Tensor:
    """Returns the elements in the dtype given, or in that of another tensor; the tensor itself if nothing changes.

    A device may be given too, and must be the CPU. copy=True always copies.
    """
    dtype, copy = options.pop("dtype", None), options.pop("copy", False)
    places = [options.pop("device", None)]
    other = options.pop("other", None)
    for unknown in set(options) - {"non_blocking", "memory_format"}:
        raise TypeError(f"to() got an unexpected keyword argument '{unknown}'")
    for argument in (*args, other):
        if isinstance(argument, dtypes.dtype):
            dtype = argument
        elif isinstance(argument, Tensor):
            dtype = argument.dtype
        elif isinstance(argument, (str, device)):
            places.append(argument)
        elif not (argument is None or isinstance(argument, bool)):
            raise TypeError(
                f"to(): expected a dtype, a Tensor or a device, not {type(argument).__name__}"
            )
    for place in places:
        if place is not None and place is not CPU:
            device(str(place))
    result = self if dtype is None else convert(self, dtype)
    return call(lib.ag_clone, self) if copy and result is self else result


@method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns the elements in the dtype of other."""
    return convert(self, other.dtype)


def _conversion(name: str, dtype: dtypes.dtype) -> None:
    def conversion(self: Tensor) -> Tensor:
        return convert(self, dtype)

    conversion.__doc__ = (
        f"Returns the elements as {dtype}; the tensor itself if it has that dtype already."
    )
    method(conversion, name)


_conversion("float", dtypes.float32)
_conversion("double", dtypes.float64)
_conversion("int", dtypes.int32)
_conversion("long", dtypes.int64)
_conversion("byte", dtypes.uint8)
_conversion("bool", dtypes.bool_)


@method
def cpu(self: Tensor) -> Tensor:
    """Returns this tensor: all memory is the CPU's."""
    return self


# ---- filling in place ------------------------------------------------------------------------------------


@method
def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Copies src, broadcast and converted, into this tensor and returns it."""
    return in_place(lib.ag_copy_, self, src)


@method
def zero_(self: Tensor) -> Tensor:
    """Sets all elements to 0 and returns the tensor itself."""
    return in_place(lib.ag_zero_, self)


@method
def fill_(self: Tensor, value: Any) -> Tensor:
    """Sets all elements to a number or one-element tensor and returns the tensor itself."""
    return in_place(lib.ag_fill_, self, tensor_argument("fill_", "value", value))


@method
def uniform_(self: Tensor, low: float = 0, high: float = 1) -> Tensor:
    """Fills with numbers uniform in [low, high) and returns the tensor itself."""
    return in_place(lib.ag_uniform_, self, low, high)


@method
def normal_(self: Tensor, mean: float = 0, std: float = 1) -> Tensor:
    """Fills with normal numbers and returns the tensor itself."""
    return in_place(lib.ag_normal_, self, mean, std)


swapaxes = op(transpose, "swapaxes")
swapdims = op(transpose, "swapdims")
concat = concatenate = cat

__all__ = public_names(globals())
