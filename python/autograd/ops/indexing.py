"""``x[...]`` and ``x[...] = y``: Python's index expressions as the library takes them."""

from __future__ import annotations

import ctypes
import struct
from typing import Any, NoReturn

from .._capi import ONE, ZERO, constants, fast, lib, not_null, raise_last_error, run
from ..binding import method, public_names
from ..dtypes import int64
from ..operands import operand, tensor_argument
from ..tensor import Tensor, tensor_classes

_INT = constants["AG_INDEX_INT"]
_SLICE = constants["AG_INDEX_SLICE"]
_NEWAXIS = constants["AG_INDEX_NEWAXIS"]
_ELLIPSIS = constants["AG_INDEX_ELLIPSIS"]
_TENSOR = constants["AG_INDEX_TENSOR"]
_BOOL = constants["AG_INDEX_BOOL"]
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_select, _slice_rows, _unsqueeze = lib.ag_select, lib.ag_slice, lib.ag_unsqueeze
_index, _index_tensors = lib.ag_index, lib.ag_index_tensors

# By count: what makes an array of that many numbers, and the number of items as the library takes it.
_PACKERS = [(struct.Struct(f"{n}q").pack, ctypes.c_int64(n // 4)) for n in range(33)]
_ONE_TENSOR = struct.pack("4q", _TENSOR, 0, 0, 0)
# Positions that are used often, as objects that ctypes takes faster than plain ints.
_SMALL = [ctypes.c_int64(i) for i in range(256)]
_END = ctypes.c_int64(_HIGHEST)
_ALL = slice(None)
_LAST = ctypes.c_int64(-1)
# A list of at least this length is one index, whatever is in it.
_LONG_LIST = 32


def _bound(bound: Any, absent: int) -> int:
    """A bound of a slice as the library takes it."""
    if type(bound) is int and _LOWEST < bound < _HIGHEST:
        return bound
    if bound is None:
        return absent
    if not hasattr(bound, "__index__"):
        raise TypeError(
            "slice indices must be integers or None or have an __index__ method, "
            f"not {type(bound).__name__}"
        )
    # Beyond 64 bits is beyond the ends of any dim.
    return max(_LOWEST, min(bound.__index__(), _HIGHEST))


def _step(step: Any) -> int:
    """The step of a slice as the library takes it."""
    step = _bound(step, 1)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step < 0:
        raise ValueError("step must be greater than zero")
    return step


_PLAIN = {int, bool}
_tensor: Any = None  # creation.tensor, once it is needed


def _as_tensor(part: Any) -> Tensor:
    """A list, range or array as a tensor of positions or a mask; numbers with a fraction lose it."""
    global _tensor
    if _tensor is None:
        from ..creation import tensor as _tensor
    tensor = _tensor
    if type(part) is list and part and _PLAIN.issuperset(map(type, part)):
        return tensor(part)
    if isinstance(part, range):
        part = list(part)
    if isinstance(part, (str, bytes)) or (isinstance(part, (list, tuple)) and _holds_text(part)):
        raise TypeError(f"new(): invalid data type '{type(part).__name__}'")
    kind = getattr(part, "dtype", None)
    if getattr(kind, "kind", "") in ("i", "u") and kind.name != "uint8":
        part = part.astype("int64")  # NumPy has more integer types than there are here
    made = tensor(part)
    if made.dtype.is_floating_point:
        made = made.to(int64)
    return made


def _holds_text(part: Any) -> bool:
    return any(
        isinstance(one, (str, bytes)) or (isinstance(one, (list, tuple)) and _holds_text(one))
        for one in part
    )


def _parts(index: Any) -> tuple[Any, ...]:
    """The items of an index: a short list that holds more than numbers is as good as a tuple."""
    if type(index) is tuple:
        return index
    if isinstance(index, tuple):
        return tuple(index)
    if type(index) is list and _PLAIN.issuperset(map(type, index)):
        return (index,)
    if isinstance(index, list) and len(index) < _LONG_LIST:
        for one in index:
            if (
                one is None
                or one is Ellipsis
                or isinstance(one, (slice, list, tuple, range, str, Tensor))
                or hasattr(one, "__len__")
            ):
                return tuple(index)
    return (index,)


def _parse(index: Any) -> tuple[list[int], list[Tensor]]:
    """The items of an index, four numbers each, and the tensors among them."""
    items: list[int] = []
    tensors: list[Tensor] = []
    for part in _parts(index):
        kind = type(part)
        if kind is int:
            items += (_INT, part, 0, 0)
        elif kind is slice:
            start, stop, step = part.start, part.stop, part.step
            if start is None:
                start = _LOWEST
            elif type(start) is not int:
                start = _bound(start, _LOWEST)
            if stop is None:
                stop = _HIGHEST
            elif type(stop) is not int:
                stop = _bound(stop, _HIGHEST)
            items += (_SLICE, start, stop, 1 if step is None else _step(step))
        elif part is None:
            items += (_NEWAXIS, 0, 0, 0)
        elif part is Ellipsis:
            items += (_ELLIPSIS, 0, 0, 0)
        elif kind in tensor_classes:
            items += (_TENSOR, len(tensors), 0, 0)
            tensors.append(part)
        elif kind is bool:
            items += (_BOOL, part, 0, 0)
        elif isinstance(part, (list, tuple, range, str, bytes)) or getattr(part, "shape", ()):
            items += (_TENSOR, len(tensors), 0, 0)
            tensors.append(_as_tensor(part))
        elif hasattr(part, "__index__"):
            items += (_INT, part.__index__(), 0, 0)
        else:
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
                f"valid indices (got {kind.__name__})"
            )
    return items, tensors


def _packed(items: list[int]) -> tuple[bytes, Any]:
    """The items as an array of int64, and their number."""
    n = len(items)
    try:
        if n < len(_PACKERS):
            packer, count = _PACKERS[n]
            return packer(*items), count
        return struct.pack(f"{n}q", *items), n // 4
    except struct.error:
        return struct.pack(f"{n}q", *_clipped(items)), n // 4


def _clipped(items: list[int]) -> list[int]:
    """The items with bounds of slices brought into 64 bits; ValueError for positions beyond them."""
    found: list[int] = []
    for i in range(0, len(items), 4):
        kind, a, b, c = items[i : i + 4]
        if kind == _SLICE:
            a, b = _bound(a, 0), _bound(b, 0)
        elif not _LOWEST <= a <= _HIGHEST:
            raise ValueError("Overflow when unpacking long long: an index does not fit 64 bits")
        found += (kind, a, b, c)
    return found


def _handles(tensors: list[Tensor]) -> tuple[Any, int]:
    n = len(tensors)
    return tensors if fast and n < 16 else (ctypes.c_void_p * n)(*tensors), n


def _fail_of_scalar(self: Tensor) -> NoReturn:
    if lib.ag_tensor_ndim(self) == 0:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` to convert it to a Python number"
        )
    raise_last_error()


def _getitem(self: Tensor, index: Any) -> Tensor:
    """Returns the part that index names: a view for ints, slices, None and ..., a copy where tensors choose."""
    kind = type(index)
    if kind is int:
        if 0 <= index < 256:
            result = _select(self, ZERO, _SMALL[index])
        elif _LOWEST <= index <= _HIGHEST:
            result = _select(self, ZERO, index)
        else:
            raise ValueError("Overflow when unpacking long long: the index does not fit 64 bits")
        if not_null(result):
            return result
        _fail_of_scalar(self)
    if kind is slice:
        start, stop = index.start, index.stop
        if index.step is None:
            if start is None:
                start = ZERO
            elif type(start) is int and 0 <= start < 256:
                start = _SMALL[start]
            else:
                start = _bound(start, 0)
            if stop is None:
                stop = _END
            elif type(stop) is int and 0 <= stop < 256:
                stop = _SMALL[stop]
            else:
                stop = _bound(stop, _HIGHEST)
            result = _slice_rows(self, ZERO, start, stop, ONE)
            if not_null(result):
                return result
            raise_last_error()
    elif kind is Tensor:
        result = _index_tensors(self, _ONE_TENSOR, ONE, index, ONE)
        if not_null(result):
            return result
        raise_last_error()
    elif index is None:
        result = _unsqueeze(self, ZERO)
        if not_null(result):
            return result
        raise_last_error()
    elif kind is tuple and len(index) == 2 and type(index[1]) is int and index[0] is Ellipsis:
        last = index[1]
        if 0 <= last < 256:
            result = _select(self, _LAST, _SMALL[last])
            if not_null(result):
                return result
    elif kind is tuple and len(index) == 2 and type(index[1]) is int and type(index[0]) is slice:
        # A column: one position of dim 1.
        column = index[1]
        if 0 <= column < 256 and index[0] == _ALL:
            result = _select(self, ONE, _SMALL[column])
            if not_null(result):
                return result
    items, tensors = _parse(index)
    packed, count = _packed(items)
    if tensors:
        result = _index_tensors(self, packed, count, *_handles(tensors))
    else:
        result = _index(self, packed, count)
    if not_null(result):
        return result
    raise_last_error()


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """Writes value, broadcast, to the part of the tensor that index names."""
    if type(value) not in tensor_classes:
        wrapped = operand(value)
        if wrapped is None and (isinstance(value, (list, tuple)) or getattr(value, "shape", ())):
            from ..creation import tensor

            wrapped = tensor(value, dtype=self.dtype)
        value = tensor_argument("__setitem__", "value", value) if wrapped is None else wrapped
    if type(index) is Tensor:
        run(lib.ag_index_assign_, self, _ONE_TENSOR, ONE, index, ONE, value)
        return
    items, tensors = _parse(index)
    packed, count = _packed(items)
    handles, n = _handles(tensors) if tensors else (None, ZERO)
    run(lib.ag_index_assign_, self, packed, count, handles, n, value)


def _delitem(self: Tensor, index: Any) -> None:
    raise TypeError("Tensor does not support deleting items")


method(_getitem, "__getitem__")
method(_setitem, "__setitem__")
method(_delitem, "__delitem__")

__all__ = public_names(globals())
