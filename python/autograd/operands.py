"""What operations take besides tensors: Python numbers, and lists of tensors as native arrays."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Union

from ._arguments import int_argument, kind_of
from ._capi import (
    ZERO,
    ArgumentError,
    again,
    call,
    fast,
    get_address,
    lib,
    listed,
    not_null,
    pack,
    raise_last_error,
    run,
)
from .dtypes import dtype as _dtype
from .dtypes import dtype_meant
from .tensor import Number, Tensor, tensor_classes

Dims = Union[None, int, Sequence[int]]

_LIMIT = 1024
_KNOWN_DIMS = 12
_MOST_LISTED = 24
# pack((dim,)) for every dim there can be: at its place, counted from the end if it is negative.
_ONE_DIM = [pack((dim,)) for dim in (*range(_KNOWN_DIMS), *range(-_KNOWN_DIMS, 0))]
_numbers: dict[type, dict[Any, Tensor]] = {float: {}, int: {}, bool: {}}


def operand(value: Any) -> Tensor | None:
    """The Tensor that stands for an operand: itself, or the wrapped number; None for anything else."""
    known = _numbers.get(type(value))
    if known is not None:
        wrapped = known.get(value)
        return _wrap(value, known) if wrapped is None else wrapped
    if isinstance(value, Tensor):
        return value
    # Subclasses of numbers, NumPy's among them; item() is how a NumPy scalar gives its number.
    if isinstance(value, (bool, int, float)):
        return operand(
            bool(value)
            if isinstance(value, bool)
            else (int if isinstance(value, int) else float)(value)
        )
    if getattr(value, "shape", None) == () and hasattr(value, "item") and hasattr(value, "dtype"):
        return operand(value.item())
    return None


def _wrap(value: Number, known: dict[Any, Tensor]) -> Tensor:
    if type(value) is float:
        wrapped = call(lib.ag_scalar_double, value)
        if value == 0.0 or value != value:
            return wrapped  # 0.0 equals -0.0, and NaN not even itself: neither is a key
    elif type(value) is bool:
        wrapped = call(lib.ag_scalar_bool, value)
    else:
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError(f"int too big to convert: {value} does not fit 64 bits")
        wrapped = call(lib.ag_scalar_int, value)
    if len(known) >= _LIMIT:
        known.clear()
    known[value] = wrapped
    return wrapped


def must_be_tensors(function: str, **named: Any) -> None:
    """Raises TypeError naming the function and the first of the arguments that is no Tensor."""
    for name, value in named.items():
        if type(value) not in tensor_classes and not isinstance(value, Tensor):
            raise TypeError(f"{function}(): argument '{name}' must be Tensor, not {kind_of(value)}")


def must_be_sequence(function: str, argument: str, value: Any, of: str = "ints") -> None:
    """Raises TypeError naming function and argument for what is neither a tuple nor a list."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(
            f"{function}(): argument '{argument}' must be tuple of {of}, not {type(value).__name__}"
        )


def ints_argument(function: str, argument: str, value: Any) -> tuple[Any, Any]:
    """A tuple or list of ints as the library takes it through call(); TypeError for anything else, one int too."""
    if type(value) is not tuple:
        must_be_sequence(function, argument, value)
    return listed(value)


def tensor_argument(function: str, argument: str, value: Any) -> Tensor:
    """The operand that value stands for; TypeError naming function and argument if it is neither Tensor nor number."""
    wrapped = operand(value)
    if wrapped is None:
        raise TypeError(
            f"{function}(): argument '{argument}' must be Tensor or number, not {kind_of(value)}"
        )
    return wrapped


def number_argument(function: str, argument: str, value: Any) -> Number:
    """The number that value is or, as NumPy's numbers and tensors of one number, holds.

    Raises TypeError naming function and argument for anything else.
    """
    if type(value) in _numbers:
        return value  # type: ignore[no-any-return]
    number = operand(value)
    if number is None or number.ndim:
        raise TypeError(
            f"{function}(): argument '{argument}' must be Number, not {type(value).__name__}"
        )
    return number.item()


def _array_type(n: int) -> Any:
    """The type of a native array of n handles, which keeps the tensors alive in `owners`."""
    if n >= len(_ARRAY_TYPES):
        return type("Handles", (ctypes.c_void_p * n,), {"__slots__": ("owners",)})
    return _ARRAY_TYPES[n]


_ARRAY_TYPES: list[Any] = []
for _n in range(33):
    _ARRAY_TYPES.append(type("Handles", (ctypes.c_void_p * _n,), {"__slots__": ("owners",)}))


def handles(function: str, argument: str, tensors: Iterable[Any], optional: bool = False) -> Any:
    """A native array of the tensors' handles; None becomes NULL if optional.

    It keeps the tensors alive. Raises TypeError naming function and argument if an entry is not a Tensor.
    """
    entries = tuple(tensors)
    if not tensor_classes.issuperset(map(type, entries)):
        for position, entry in enumerate(entries):
            if not (isinstance(entry, Tensor) or (optional and entry is None)):
                raise TypeError(
                    f"{function}(): expected Tensor as element {position} in argument '{argument}', "
                    f"but got {kind_of(entry)}"
                )
    array = _array_type(len(entries))(*entries)
    array.owners = entries
    return array


def packed(function: str, argument: str, tensors: Any) -> tuple[Any, Any]:
    """handles() and their count, faster, for calls that keep the interpreter lock: the list stays as it is."""
    must_be_sequence(function, argument, tensors, "Tensors")
    if len(tensors) >= len(_POINTERS):
        array = handles(function, argument, tensors)
        return array, len(array)
    if not tensor_classes.issuperset(map(type, tensors)):
        handles(function, argument, tensors)
    pack, count = _POINTERS[len(tensors)]
    return pack(*map(get_address, tensors)), count


# By count: what makes an array of that many addresses, and the count as the library takes it.
_POINTERS = [(struct.Struct(f"{n}P").pack, ctypes.c_int64(n)) for n in range(33)]


def room_for(n: int) -> Any:
    """A native array of n empty tensors, for a function of the library to fill.

    Read each place once: a tensor of it owns its handle, and frees it.
    """
    return (_ROOMS[n] if n < len(_ROOMS) else Tensor * n)()


_ROOMS: list[Any] = [Tensor * n for n in range(33)]


def two_results(native: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
    """The two tensors that a native function makes; raises what went wrong."""
    first, second = _empty(Tensor), _empty(Tensor)
    try:
        status = native(*arguments, first, second)
    except ArgumentError as error:
        status = again(native, (*arguments, first, second), error)
    if status:
        raise_last_error()
    return first, second


def many_results(native: Any, n: int, *arguments: Any) -> tuple[Any, ...]:
    """The n tensors that a native function writes to its last argument, None where it wrote none."""
    if n <= _MOST_LISTED and fast:
        out: list[Any] = [None] * n
        try:
            if native(*arguments, out):
                raise_last_error()
            return tuple(out)
        except ArgumentError:
            pass  # a function of ctypes knows no lists of results
    room = room_for(n)
    run(native, *arguments, room)
    return tuple(result if not_null(result) else None for result in room)


def three_results(native: Any, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The three tensors that a native function makes; raises what went wrong."""
    results = (_empty(Tensor), _empty(Tensor), _empty(Tensor))
    run(native, *arguments, *results)
    return results


_empty = ctypes._SimpleCData.__new__


def empty_handle() -> Tensor:
    """A handle for a function of the library to fill."""
    return _empty(Tensor)


def dims_argument(dim: Dims) -> tuple[Any, Any]:
    """dim as the library takes it: an array and its length."""
    if type(dim) is int and -_KNOWN_DIMS <= dim < _KNOWN_DIMS:
        return _ONE_DIM[dim]
    if dim is None:
        return None, ZERO
    if isinstance(dim, (tuple, list)):
        return listed(dim)
    if isinstance(dim, int) and not -(1 << 63) <= dim < 1 << 63:
        raise ValueError(f"Overflow when unpacking long long: dim is {dim}")
    return listed((dim,))


def dim_argument(function: str, dim: Any) -> tuple[Any, Any]:
    """One dim or None, for all of them, as the library takes dims; TypeError for more dims and anything else."""
    if type(dim) is int and -_KNOWN_DIMS <= dim < _KNOWN_DIMS:
        return _ONE_DIM[dim]
    return (None, ZERO) if dim is None else listed((int_argument(function, "dim", dim),))


def dtype_code(dtype: _dtype | None) -> int:
    """The dtype as the library takes it, -1 for None."""
    return -1 if dtype is None else dtype_meant(dtype).code


def as_dtype(tensor: Tensor, dtype: _dtype) -> Tensor:
    """The elements in a dtype; TypeError for what is none."""
    return call(lib.ag_to_dtype, tensor, dtype_code(dtype))


def sizes_argument(function: str, first: Any, more: tuple[Any, ...]) -> tuple[Any, Any]:
    """Sizes or dims given one by one or as one sequence, as the library takes them through call()."""
    if more:
        return listed((first, *more))
    if isinstance(first, (tuple, list)):
        return listed(first)
    if first is None:
        raise TypeError(f"{function}() missing 1 required positional arguments: the sizes or dims")
    return listed((first,))


def in_place(native: Any, tensor: Tensor, *arguments: Any) -> Tensor:
    """The tensor itself, after native has changed it; raises what went wrong."""
    try:
        status = native(tensor, *arguments)
    except ArgumentError as error:
        status = again(native, (tensor, *arguments), error)
    if status:
        raise_last_error()
    return tensor
