"""Copies, conversions and fills."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from .._arguments import ends
from .._capi import call, lib
from ..binding import method, op, passes_on, public_names
from ..devices import CPU, device
from ..operands import in_place, tensor_argument
from ..random import takes_generator
from ..tensor import Tensor, become
from ..tensor_types import dtype_of, type_of


class memory_format:
    """How dims lie in memory. Copies are row-major, whichever is asked for: their elements are the same."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"autograd.{self.name}"


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


@op
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """Returns a copy through which gradients flow."""
    return call(lib.ag_clone, input)


@op
@passes_on(lib.ag_detach)
def detach(input: Tensor) -> Tensor:
    """Returns a tensor over the same storage, without history."""


@method
def detach_(self: Tensor) -> Tensor:
    """Cuts this tensor from its history and returns it; a leaf does not require grad any more."""
    return self.requires_grad_(False) if self.is_leaf else become(self, self.detach())


@method
def contiguous(self: Tensor, memory_format: Any = contiguous_format) -> Tensor:
    """Returns this tensor if its elements lie densely in row-major order, else a copy."""
    return self if _is_contiguous(self) else call(lib.ag_contiguous, self)


_is_contiguous = lib.ag_tensor_is_contiguous


def convert(self: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The elements in another dtype; the tensor itself if it has that dtype already."""
    return self if self.dtype is dtype else call(lib.ag_to_dtype, self, dtype.code)


_FLAGS = ("non_blocking", "copy")


def conversion_of(
    args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[dtypes.dtype | None, bool]:
    """What the arguments of to() ask for: a dtype, or None to keep it, and whether to copy in any case.

    to(device, dtype), to(dtype) or to(tensor), each followed by non_blocking and copy. Raises TypeError for anything
    else, RuntimeError for a device that there is not.
    """
    first = args[0] if args else None
    places: tuple[str, ...] = ("device", "dtype")
    if isinstance(first, (dtypes.dtype, Tensor, type)):
        places = ("tensor",) if isinstance(first, Tensor) else ("dtype",)
    given = dict(zip((*places, *_FLAGS), args))
    if len(given) < len(args) or given.keys() & options.keys():
        raise TypeError("to() received an invalid combination of arguments: too many, or one twice")
    given.update(options)
    for name, value in given.items():
        if name not in _TAKEN:
            raise TypeError(f"to() got an unexpected keyword argument '{name}'")
        if not isinstance(value, _TAKEN[name]) or (isinstance(value, bool) and name not in _FLAGS):
            raise TypeError(
                f"to() received an invalid combination of arguments - got {type(value).__name__} as {name}, but "
                "expected a dtype, a device or a Tensor, then bools"
            )
    place = given.get("device")
    if place is not None and place is not CPU:
        device(place)
    dtype = given["tensor"].dtype if "tensor" in given else given.get("dtype")
    return None if dtype is None else dtypes.dtype_meant(dtype), given.get("copy", False)


_NONE = type(None)
_TAKEN: dict[str, tuple[type, ...]] = {
    "device": (str, int, device, _NONE),
    "dtype": (dtypes.dtype, type, _NONE),
    "tensor": (Tensor,),
    "memory_format": (memory_format, _NONE),
    **dict.fromkeys(_FLAGS, (bool,)),
}


@method
def to(self: Tensor, *args: Any, **options: Any) -> Tensor:
    """Returns the elements in the dtype given, or in that of another tensor; the tensor itself if nothing changes.

    A device may be given too, and must be the CPU. copy=True always copies.
    """
    dtype, copy = conversion_of(args, options)
    result = self if dtype is None else convert(self, dtype)
    return call(lib.ag_clone, self) if copy and result is self else result


def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """Returns the elements in a dtype, also given as ``LongTensor`` or its name; without one the name of the type."""
    return type_of(self) if dtype is None else convert(self, dtype_of(dtype))


method(_type, "type")


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


@method
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Returns this tensor: there is no device whose copies would gain."""
    return self


@method
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """Raises RuntimeError: there are no CUDA devices."""
    return self.to("cuda")


# ---- filling in place ------------------------------------------------------------------------------------


@method
def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Copies src, broadcast and converted, into this tensor and returns it."""
    return in_place(lib.ag_copy_, self, tensor_argument("copy_", "src", src))


@method
def zero_(self: Tensor) -> Tensor:
    """Sets all elements to 0 and returns the tensor itself."""
    return in_place(lib.ag_zero_, self)


@method
def fill_(self: Tensor, value: Any) -> Tensor:
    """Sets all elements to a number or one-element tensor and returns the tensor itself."""
    return in_place(lib.ag_fill_, self, tensor_argument("fill_", "value", value))


@method
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Sets the elements whose positions are the same in all dims to a number and returns the tensor itself.

    wrap starts again below in a matrix with more rows than columns, one row left out. Raises RuntimeError for less
    than two dims, or for more that are not of equal size.
    """
    shape = self.shape
    if len(shape) < 2:
        raise RuntimeError(
            f"fill_diagonal_(): dimensions must be at least 2, got a tensor of shape {tuple(shape)}"
        )
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError(
            f"fill_diagonal_(): all dimensions of input must be of equal length, got {tuple(shape)}"
        )
    period = shape[1] + 1 if wrap and len(shape) == 2 else max(1, shape[0])
    for start in range(0, shape[0], period):
        diagonal = self[start:]
        while diagonal.ndim > 1:
            diagonal = diagonal.diagonal(dim1=0, dim2=-1)
        fill_(diagonal, fill_value)
    return self


@method
@takes_generator
def uniform_(self: Tensor, low: float = 0, high: float = 1, **named: Any) -> Tensor:
    """Fills with numbers uniform in [low, high) and returns the tensor itself."""
    low, high = ends("uniform_", low, high, named)
    return in_place(lib.ag_uniform_, self, low, high)


@method
@takes_generator
def normal_(self: Tensor, mean: float = 0, std: float = 1) -> Tensor:
    """Fills with normal numbers and returns the tensor itself."""
    return in_place(lib.ag_normal_, self, mean, std)


__all__ = [
    *public_names(globals()),
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "memory_format",
    "preserve_format",
]
