"""What functions take besides tensors: ints, floats, bools and texts, as strictly as PyTorch takes them."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Iterable
from typing import Any

# ---- arguments of Python functions -----------------------------------------------------------------------


def kind_of(value: Any) -> str:
    """What an error calls something that is no Tensor; another library's tensor is told from this one's."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if kind.__name__ in ("Tensor", "Parameter") and library != __package__:
        return f"{library}.{kind.__name__}; autograd.from_dlpack(x.detach()) makes one of it"
    return kind.__name__


def _is_no_int(value: Any) -> bool:
    """True for what is neither an int nor, as NumPy's integers and 0-d tensors of integers, stands for one."""
    kind = str(getattr(value, "dtype", ""))
    return (
        isinstance(value, bool)
        or not hasattr(type(value), "__index__")
        or bool(getattr(value, "ndim", 0))
        or kind.endswith("bool")
        or "float" in kind
    )


def int_argument(function: str, argument: str, value: Any) -> int:
    """The int that value is or, as NumPy's integers and tensors of one integer, stands for.

    Raises TypeError naming function and argument for anything else, ValueError for an int beyond 64 bits.
    """
    if type(value) is not int:
        if _is_no_int(value):
            raise TypeError(
                f"{function}(): argument '{argument}' must be int, not {type(value).__name__}"
            )
        value = operator.index(value)
    if -(1 << 63) <= value < 1 << 63:
        return value
    raise ValueError(
        f"Overflow when unpacking long long: {function}(): argument '{argument}' is {value}"
    )


def bool_argument(function: str, argument: str, value: Any) -> bool:
    """The bool that value is; TypeError naming function and argument for anything else."""
    if value is True or value is False:
        return value
    raise TypeError(f"{function}(): argument '{argument}' must be bool, not {type(value).__name__}")


def text_argument(function: str, argument: str, value: Any) -> str:
    """The text that value is; TypeError naming function and argument for anything else."""
    if isinstance(value, str):
        return value
    raise TypeError(f"{function}(): argument '{argument}' must be str, not {type(value).__name__}")


def each_dim(value: Any, dims: int) -> tuple[Any, ...]:
    """What a layer was given for each of its dims: one value for all, or one after the other."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * dims


def ends(function: str, low: Any, high: Any, named: dict[str, Any]) -> tuple[Any, Any]:
    """The ends of a range, which may have been given by PyTorch's names, ``from`` and ``to``."""
    for name in named:
        if name not in ("from", "to"):
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")
    return named.get("from", low), named.get("to", high)


# ---- argument types of C functions -----------------------------------------------------------------------


class HandleArgument:
    """The argument type of a handle: takes handle objects, refuses everything else.

    ``c_void_p.from_param`` would take any int as an address. This method, written in C, returns an instance of
    a c_void_p subclass unchanged and raises TypeError for an int, a str or None, at no extra cost.
    """

    from_param = ctypes._SimpleCData.__ctypes_from_outparam__  # type: ignore[attr-defined]


class IntArgument:
    """The argument type of an int32_t: what ctypes does with a plain int by itself is five times as fast as c_int32."""

    from_param = operator.index


class BoolArgument:
    """The argument type of an ag_bool: takes True and False only."""

    @staticmethod
    def from_param(value: Any) -> Any:
        """The bool itself."""
        if value is True or value is False:
            return value
        raise TypeError("must be bool")


class LongArgument:
    """The argument type of an int64_t: refuses what does not fit, which c_int64 would cut off silently."""

    @staticmethod
    def from_param(value: Any) -> Any:
        """The number as ctypes takes it; small ones are known objects, which is faster than c_int64's own way."""
        if type(value) is int:
            if -_KNOWN_INTS <= value < _KNOWN_INTS:
                return _KNOWN[value]
        elif type(value) is ctypes.c_int64:
            return value
        else:
            if _is_no_int(value):
                raise TypeError("must be int")
            value = operator.index(value)
        if -(1 << 63) <= value < 1 << 63:
            return ctypes.c_int64(value)
        raise OverflowError("does not fit 64 bits")


class DoubleArgument:
    """The argument type of a double: also takes NumPy's numbers and tensors of one number."""

    @staticmethod
    def from_param(value: Any) -> Any:
        """The number as ctypes takes it."""
        if type(value) is ctypes.c_double:
            return value
        if not hasattr(type(value), "__float__") or getattr(value, "ndim", 0):
            raise TypeError("must be a number")
        return ctypes.c_double(float(value))


class ArrayArgument:
    """The argument type of an array of numbers: an array, bytes or None; no int as an address, and no handle."""

    @staticmethod
    def from_param(value: Any) -> Any:
        """The array as ctypes takes it."""
        kind = type(value)
        if kind is int or kind is str or (kind is not _Pointer and isinstance(value, _Pointer)):
            raise TypeError("must be an array")
        return _Pointer.from_param(value)


_Pointer = ctypes.c_void_p


class HandlesArgument:
    """The argument type of an array of handles: an array, bytes, or a single handle, an array of one."""

    @staticmethod
    def from_param(value: Any) -> Any:
        """The address of a handle object; whatever else c_void_p takes as it is."""
        if isinstance(value, ctypes.c_void_p) and type(value) is not ctypes.c_void_p:
            return ctypes.byref(value)
        return ctypes.c_void_p.from_param(value)


_KNOWN_INTS = 64
# At its place, counted from the end if it is negative.
_KNOWN = [ctypes.c_int64(n) for n in (*range(_KNOWN_INTS), *range(-_KNOWN_INTS, 0))]
