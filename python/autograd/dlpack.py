"""Tensors to and from other libraries through the DLPack protocol, without a copy and without dependencies."""

from __future__ import annotations

import ctypes
import warnings
from typing import Any

from . import dtypes
from ._capi import DELETER, call, lib, pack, raise_last_error
from .devices import device
from .tensor import Tensor

__all__ = ["from_dlpack"]

_CPU = (1, 0)
_READ_ONLY = 1
# By what a DLDataType says: code (0 int, 1 uint, 2 float, 6 bool) and bits.
_BY_TYPE = {
    (2, 32): dtypes.float32,
    (2, 64): dtypes.float64,
    (0, 32): dtypes.int32,
    (0, 64): dtypes.int64,
    (1, 8): dtypes.uint8,
    (6, 8): dtypes.bool_,
}


class _Tensor(ctypes.Structure):
    """DLTensor."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Managed(ctypes.Structure):
    """DLManagedTensor."""

    _fields_ = [
        ("tensor", _Tensor),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    ]


class _ManagedVersioned(ctypes.Structure):
    """DLManagedTensorVersioned."""

    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


# The names of capsules; Python keeps only their addresses, so they live as long as the module.
_KINDS: dict[bytes, Any] = {b"dltensor": _Managed, b"dltensor_versioned": _ManagedVersioned}
_ITEMS = tuple(_KINDS.items())
_USED = {name: b"used_" + name for name in _KINDS}


def _python(name: str, result: Any, *arguments: Any) -> Any:
    # A prototype of its own: others may use the same functions with other types.
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


_new = _python("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_is_valid = _python("PyCapsule_IsValid", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)
_pointer = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
_rename = _python("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _release(
    capsule: int,
    kinds: Any = _ITEMS,
    is_valid: Any = _is_valid,
    pointer: Any = _pointer,
    deleter_type: Any = DELETER,
) -> None:
    """The destructor of a capsule: what nobody has taken out of it is given back."""
    # All it needs are defaults, because it may run when the module has been torn down.
    for name, kind in kinds:
        if is_valid(capsule, name):
            address = pointer(capsule, name)
            deleter_type(kind.from_address(address).deleter)(address)


_destructor = ctypes.cast(_release, ctypes.c_void_p)
# Capsules may outlive this module.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_release))


# ---- out -------------------------------------------------------------------------------------------------


def to_dlpack(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A capsule over this tensor's memory, for another library's from_dlpack().

    Raises BufferError if the tensor requires grad or another device than the CPU is asked for.
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if stream is not None:
        raise AssertionError("stream should be None on cpu.")
    if dl_device is not None and tuple(map(int, dl_device)) != _CPU:
        raise BufferError(f"this tensor is on the CPU, not on device {tuple(dl_device)}")
    source = call(lib.ag_clone, self) if copy else self
    versioned = max_version is not None and max_version[0] >= 1
    address = lib.ag_tensor_to_dlpack(source, versioned)
    if address is None:
        raise_last_error()
    return _new(address, _VERSIONED if versioned else _PLAIN, _destructor)


_PLAIN, _VERSIONED = _KINDS
Tensor.__dlpack__ = to_dlpack  # type: ignore[attr-defined]
Tensor.__dlpack_device__ = lambda self: _CPU  # type: ignore[attr-defined]


# ---- in --------------------------------------------------------------------------------------------------


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Returns a tensor over the memory of another library's tensor or array; both see each other's changes.

    ext_tensor has ``__dlpack__``, or is a DLPack capsule, which can be used once. copy=True copies. Raises BufferError
    for memory of another device, TypeError for element types there is no dtype for, ValueError for negative strides.
    """
    _check_device(device)
    capsule = ext_tensor
    if hasattr(ext_tensor, "__dlpack__"):
        place = ext_tensor.__dlpack_device__()
        if int(place[0]) != _CPU[0]:
            raise BufferError(
                f"from_dlpack: the memory is on device {tuple(place)}, not on the CPU"
            )
        try:
            capsule = ext_tensor.__dlpack__(max_version=(1, 0))
        except TypeError:  # made before version 1.0
            capsule = ext_tensor.__dlpack__()
    result = _take(capsule)
    return call(lib.ag_clone, result) if copy else result


def _check_device(place: Any) -> None:
    if place is not None:
        device(str(place))


def _take(capsule: Any) -> Tensor:
    for name in _KINDS:
        if type(capsule).__name__ == "PyCapsule" and _is_valid(id(capsule), name):
            break
    else:
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so "
            "you might have already constructed a tensor from it once"
        )
    address, kind = _pointer(id(capsule), name), _KINDS[name]
    managed = kind.from_address(address)
    if kind is _ManagedVersioned:
        if managed.major > 1:
            raise BufferError(f"from_dlpack: version {managed.major} of DLPack is not supported")
        if managed.flags & _READ_ONLY:
            warnings.warn(
                "The memory is not writable, and autograd does not support non-writable tensors. Writing to this "
                "tensor is undefined; copy it first",
                UserWarning,
                stacklevel=3,
            )
    result = _over(managed.tensor, managed.deleter, address)
    _rename(capsule, _USED[name])
    return result


def _over(lent: _Tensor, deleter: int | None, address: int) -> Tensor:
    """The tensor over the memory of a DLTensor, which it gives back at the end."""
    if lent.device_type != _CPU[0]:
        raise BufferError(
            f"from_dlpack: the memory is on device type {lent.device_type}, not on the CPU"
        )
    dtype = _BY_TYPE.get((lent.code, lent.bits))
    if dtype is None or lent.lanes != 1:
        supported = ", ".join(dtypes.by_name)
        raise TypeError(
            f"from_dlpack: elements of DLPack type code {lent.code} with {lent.bits} bits are not supported, only "
            f"{supported}"
        )
    shape = lent.shape[: lent.ndim] if lent.ndim else []
    strides = None
    if lent.strides and lent.ndim and 0 not in shape:
        # A size of 1 makes its stride mean nothing; other libraries write anything there.
        strides = [0 if n == 1 else step for n, step in zip(shape, lent.strides[: lent.ndim])]
        strides = pack(_row_major(shape) if _is_row_major(shape, strides) else strides)[0]
    memory = (lent.data or 0) + lent.byte_offset
    sizes, ndim = pack(shape)
    return call(
        lib.ag_tensor_from_blob,
        memory or None,
        dtype.code,
        sizes,
        strides,
        ndim,
        DELETER(deleter) if deleter else DELETER(),
        address,
    )


def _row_major(shape: list[int]) -> list[int]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]


def _is_row_major(shape: list[int], strides: list[int]) -> bool:
    return all(n == 1 or a == b for n, a, b in zip(shape, strides, _row_major(shape)))
