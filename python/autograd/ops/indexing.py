"""``x[...]`` and ``x[...] = y``: Python's index expressions as the library takes them."""

from __future__ import annotations

import struct
from typing import Any

from .._capi import ONE, ZERO, call, constants, lib, not_null, raise_last_error, run
from ..binding import method, public_names
from ..dtypes import int64
from ..operands import tensor_argument
from ..tensor import Tensor

_INT = constants["AG_INDEX_INT"]
_SLICE = constants["AG_INDEX_SLICE"]
_NEWAXIS = constants["AG_INDEX_NEWAXIS"]
_ELLIPSIS = constants["AG_INDEX_ELLIPSIS"]
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_select, _slice_rows, _index = lib.ag_select, lib.ag_slice, lib.ag_index

_ADVICE = "use index_select(), where(), or one 1-d integer index"
_PACKERS = [struct.Struct(f"{n}q").pack for n in range(33)]
_FULL = (_SLICE, _LOWEST, _HIGHEST, 1)


def _bound(bound: Any, absent: int) -> int:
    """A bound of a slice as the library takes it."""
    if bound is None:
        return absent
    if not hasattr(bound, "__index__"):
        raise TypeError(f"slice indices must be integers or None, not {type(bound).__name__}")
    # Beyond 64 bits is beyond the ends of any dim.
    return max(_LOWEST, min(bound.__index__(), _HIGHEST))


def _slice(part: slice) -> tuple[int, int, int, int]:
    if part.start is None and part.stop is None and part.step is None:
        return _FULL
    step = _bound(part.step, 1)
    if step <= 0:
        raise ValueError("step must be greater than zero")
    return _SLICE, _bound(part.start, _LOWEST), _bound(part.stop, _HIGHEST), step


def _integer_tensor(part: Any) -> Any:
    """part, a Tensor, list or array, as a tensor of positions."""
    if not isinstance(part, Tensor):
        from ..creation import tensor

        part = tensor(part) if len(part) else tensor(part, dtype=int64)
    kind = part.dtype
    if kind.is_floating_point:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if kind.name in ("bool", "uint8"):
        raise NotImplementedError(f"indexing with a mask is not supported: {_ADVICE}")
    return part


def _parse(index: Any) -> tuple[list[int], list[Any]]:
    """The items of a basic index, four numbers each, and (item, positions) where a tensor chooses."""
    items: list[int] = []
    chosen: list[Any] = []
    for part in index if type(index) is tuple else (index,):
        kind = type(part)
        if kind is int:
            items += (_INT, part, 0, 0)
        elif kind is slice:
            items += _slice(part)
        elif part is None:
            items += (_NEWAXIS, 0, 0, 0)
        elif part is Ellipsis:
            items += (_ELLIPSIS, 0, 0, 0)
        elif _chooses(part):
            chosen.append((len(items) // 4, _integer_tensor(part)))
            items += _FULL
        else:
            items += (_INT, _position(part), 0, 0)
    if len(chosen) > 1:
        raise NotImplementedError(f"indexing with more than one tensor is not supported: {_ADVICE}")
    return items, chosen


def _chooses(part: Any) -> bool:
    """True for what names several positions: a list, range, array or tensor that is not 0-d."""
    if isinstance(part, Tensor):
        return part.ndim > 0 or part.dtype.name in ("bool", "uint8") or part.dtype.is_floating_point
    return isinstance(part, (list, range)) or bool(getattr(part, "shape", ()))


def _position(part: Any) -> int:
    """The number that an int-like part stands for."""
    if isinstance(part, bool):
        raise NotImplementedError(f"indexing with True or False is not supported: {_ADVICE}")
    if not hasattr(part, "__index__"):
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long tensors are valid indices "
            f"(got {type(part).__name__})"
        )
    return part.__index__()


def _chosen_dim(items: list[int], place: int, ndim: int) -> int:
    """The dim of the basic index's result in which the full slice at a place of it shows up."""
    kinds = items[::4]
    if _ELLIPSIS in kinds[:place]:
        return ndim - sum(kind != _INT for kind in kinds[place:])
    return sum(kind != _INT for kind in kinds[:place])


def _select_positions(source: Tensor, dim: int, positions: Tensor) -> Tensor:
    flat = positions if positions.ndim == 1 else positions.reshape(-1)
    result = lib.ag_index_select(source, dim, flat)
    if not not_null(result):
        if not bool((flat < 0).any()):
            raise_last_error()
        # index_select() knows no negative positions; here they count from the end.
        result = call(lib.ag_index_select, source, dim, flat + (flat < 0) * source.size(dim))
    if positions.ndim != 1:
        shape = result.shape
        result = result.reshape(shape[:dim] + tuple(positions.shape) + shape[dim + 1 :])
    return result


def _items(items: list[int]) -> bytes:
    """The items as an array of int64."""
    try:
        n = len(items)
        return _PACKERS[n](*items) if n < len(_PACKERS) else struct.pack(f"{n}q", *items)
    except struct.error:
        position = next(number for number in items if not _LOWEST <= number <= _HIGHEST)
        raise IndexError(f"index {position} is out of bounds: it does not fit 64 bits") from None


def _getitem(self: Tensor, index: Any) -> Tensor:
    """Returns the part that index names: a view for ints, slices, None and ..., a copy for a tensor of positions."""
    if type(index) is int and _LOWEST <= index <= _HIGHEST:
        result = _select(self, ZERO, index)
        if not_null(result):
            return result
        if self.ndim == 0:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` to convert it to a Python number"
            )
        raise_last_error()
    if type(index) is slice and index.step is None:
        start = 0 if index.start is None else index.start
        stop = _HIGHEST if index.stop is None else index.stop
        if (
            type(start) is int
            and type(stop) is int
            and _LOWEST <= start <= _HIGHEST >= stop >= _LOWEST
        ):
            result = _slice_rows(self, ZERO, start, stop, ONE)
            if not_null(result):
                return result
            raise_last_error()
    if isinstance(index, Tensor) and index.ndim == 1:
        return _select_positions(self, 0, _integer_tensor(index))
    items, chosen = _parse(index)
    if not chosen:
        result = _index(self, _items(items), len(items) // 4)
        if not_null(result):
            return result
        raise_last_error()
    place, positions = chosen[0]
    part = self if len(items) == 4 else call(_index, self, _items(items), len(items) // 4)
    return _select_positions(part, _chosen_dim(items, place, part.ndim), positions)


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """Writes value, broadcast and converted, to the part of the tensor that index names."""
    items, chosen = _parse(index)
    if chosen:
        raise NotImplementedError(
            "assigning to positions chosen by a tensor is not supported: assign to slices"
        )
    if not isinstance(value, Tensor) and (
        isinstance(value, (list, tuple)) or getattr(value, "shape", ())
    ):
        from ..creation import tensor

        value = tensor(value, dtype=self.dtype)
    run(
        lib.ag_index_put_,
        self,
        _items(items),
        len(items) // 4,
        tensor_argument("__setitem__", "value", value),
    )


method(_getitem, "__getitem__")
method(_setitem, "__setitem__")

__all__ = public_names(globals())
