"""Tensors to and from Python lists, bytes and NumPy arrays. NumPy is imported only to make an array."""

from __future__ import annotations

import builtins
import ctypes
import itertools
import sys
import warnings
from array import array
from types import SimpleNamespace
from typing import Any

from . import dtypes
from ._calls import fast_method
from ._capi import DELETER, as_method, call, fast, lib, pack, run
from .tensor import Tensor, take

# ---- out -------------------------------------------------------------------------------------------------


def to_bytes(tensor: Tensor) -> bytes:
    """The elements in row-major order, in this machine's byte order."""
    numel, dtype = tensor.numel(), tensor.dtype
    buffer = ctypes.create_string_buffer(max(1, numel * dtype.itemsize))
    run(lib.ag_tensor_copy_out, tensor, dtype.code, buffer, numel)
    return buffer.raw[: numel * dtype.itemsize]


def to_flat_list(tensor: Tensor) -> list[Any]:
    """The elements in row-major order as Python numbers."""
    dtype = tensor.dtype
    numbers = array(dtype.typecode)
    numbers.frombytes(to_bytes(tensor))
    return list(map(bool, numbers)) if dtype is dtypes.bool_ else numbers.tolist()


def to_list(tensor: Tensor) -> Any:
    """The elements as nested lists; a number for a 0-d tensor."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tolist() is a method of Tensor, not of {type(tensor).__name__}")
    level, shape = to_flat_list(tensor), tensor.shape
    if not shape:
        return level[0]
    if tensor.numel() == 0:
        return _empty_lists(shape)
    for size in reversed(shape[1:]):
        level = [level[i : i + size] for i in range(0, len(level), size)]
    return level


if fast:
    Tensor.tolist = as_method(fast_method(lib, "tolist", to_list))  # type: ignore[method-assign]


def _empty_lists(shape: tuple[int, ...]) -> list[Any]:
    return [_empty_lists(shape[1:]) for _ in range(shape[0])] if len(shape) > 1 and shape[0] else []


def array_interface(tensor: Tensor) -> dict[str, Any]:
    """The tensor's memory as NumPy's array interface describes it, version 3.

    What is made from it holds the memory itself, not the tensor, whose memory may be exchanged by setting ``.data``.
    AttributeError if the tensor requires grad, so that what asks for it goes on to ``__array__`` and its error.
    """
    if tensor.requires_grad:
        raise AttributeError("a Tensor that requires grad has no __array_interface__; detach() it")
    held = call(lib.ag_detach, tensor)
    item, shape, strides = tensor.dtype.itemsize, tuple(tensor.shape), tensor.stride()
    last = builtins.sum((size - 1) * step for size, step in zip(shape, strides))
    memory: Any = (ctypes.c_char * ((last + 1) * item if tensor.numel() else 0)).from_address(
        tensor.data_ptr() or ctypes.addressof(_NOWHERE)
    )
    memory.owner = held
    return {
        "version": 3,
        "data": memory,
        "shape": shape,
        "typestr": tensor.dtype.typestr,
        "strides": tuple(step * item for step in strides),
    }


_NOWHERE = ctypes.c_char()


def to_numpy(tensor: Tensor) -> Any:
    """A NumPy array over the tensor's memory, which it keeps alive. RuntimeError if the tensor requires grad."""
    if tensor.requires_grad:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    import numpy

    if tensor.numel() == 0:
        return numpy.empty(tuple(tensor.shape), tensor.dtype.typestr)
    return numpy.asarray(SimpleNamespace(__array_interface__=array_interface(tensor)))


# ---- in --------------------------------------------------------------------------------------------------

# NumPy arrays whose memory tensors use, by the number given to the library as the deleter's context.
_lent: dict[int, Any] = {}
_ticket = itertools.count(1)


@DELETER
def _return_memory(ticket: int) -> None:
    _lent.pop(ticket, None)


_BY_TYPESTR = {dtype.typestr[1:]: dtype for dtype in dtypes.by_name.values()}
_OTHER_ORDER = ">" if sys.byteorder == "little" else "<"


def array_dtype(interface: dict[str, Any]) -> dtypes.dtype:
    """The element type of an array interface; TypeError if there is no such dtype."""
    typestr = interface["typestr"]
    dtype = _BY_TYPESTR.get(typestr[1:])
    if dtype is None:
        supported = ", ".join(dtypes.by_name)
        raise TypeError(
            f"can't convert np.ndarray of type {typestr!r}. The only supported types are: {supported}. "
            "Use array.astype(...) first"
        )
    if typestr[0] == _OTHER_ORDER:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Use array.astype(array.dtype.newbyteorder('='))"
        )
    return dtype


def from_numpy(ndarray: Any) -> Tensor:
    """Returns a tensor over the memory of a NumPy array: both see each other's changes.

    Warns if the array is read-only. Raises TypeError for anything else and for element types there is no dtype for,
    ValueError for negative strides.
    """
    interface = getattr(ndarray, "__array_interface__", None)
    if interface is None or not hasattr(ndarray, "strides"):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtype = array_dtype(interface)
    address, read_only = interface["data"]
    if read_only:
        warnings.warn(
            "The given NumPy array is not writable, and autograd does not support non-writable tensors. Writing to "
            "this tensor is undefined; copy the array first or use autograd.tensor()",
            UserWarning,
            stacklevel=2,
        )
    strides = [step // dtype.itemsize for step in ndarray.strides]
    if any(step < 0 for step in strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array with array.copy().)"
        )
    if any(step % dtype.itemsize for step in ndarray.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy the array first"
        )
    return _lend(address, dtype, ndarray.shape, strides, ndarray)


def frombuffer(
    buffer: Any,
    *,
    dtype: dtypes.dtype,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a 1-d tensor over the memory of a bytearray, array.array, memoryview, mmap or the like, without a copy.

    count: elements, -1 for all that fit; offset: bytes to skip. Warns if the memory is read-only. Raises ValueError
    if count and offset don't fit the buffer.
    """
    if not isinstance(dtype, dtypes.dtype):
        raise TypeError(
            f"frombuffer(): argument 'dtype' must be autograd.dtype, not {type(dtype).__name__}"
        )
    try:
        view = memoryview(buffer).cast("B")
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    size, item = view.nbytes, dtype.itemsize
    if size == 0 or count == 0:
        raise ValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({size} bytes) minus 1"
        )
    if count < 0:
        if (size - offset) % item:
            raise ValueError(
                f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a multiple of element "
                f"size ({item})"
            )
        count = (size - offset) // item
    elif offset + count * item > size:
        raise ValueError(
            f"requested buffer length ({count} * {item} bytes) after offset ({offset} bytes) must not be greater "
            f"than actual buffer length ({size} bytes)"
        )
    address, owner = _address_of(view)
    result = _lend(address + offset, dtype, (count,), (1,), owner)
    result.requires_grad = requires_grad
    return result


def _address_of(view: memoryview) -> tuple[int, Any]:
    """The address of a buffer, and an object that keeps it there."""
    if not view.readonly:
        lent = (ctypes.c_char * view.nbytes).from_buffer(view)
        return ctypes.addressof(lent), lent
    warnings.warn(
        "The given buffer is not writable, and autograd does not support non-writable tensors. Writing to this "
        "tensor is undefined",
        UserWarning,
        stacklevel=3,
    )
    # ctypes gives addresses of writable memory only; NumPy's are as good.
    import numpy

    array = numpy.frombuffer(view, numpy.uint8)
    return array.__array_interface__["data"][0], array


def _lend(address: int, dtype: dtypes.dtype, shape: Any, strides: Any, owner: Any) -> Tensor:
    """A tensor over memory that owner keeps alive."""
    ticket = next(_ticket)
    _lent[ticket] = owner
    try:
        return call(
            lib.ag_tensor_from_blob,
            address,
            dtype.code,
            pack(shape)[0],
            *pack(strides),
            _return_memory,
            ticket,
        )
    except BaseException:
        del _lent[ticket]
        raise


def rebuild(
    cls: type, data: bytes, dtype: dtypes.dtype, shape: tuple[int, ...], requires_grad: bool
) -> Any:
    """The tensor that was pickled."""
    result = call(lib.ag_tensor_from_data, data, dtype.code, *pack(shape))
    result = take(cls, result)
    result.requires_grad = requires_grad
    return result
