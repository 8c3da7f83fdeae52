"""Element types: ``autograd.float32`` and its kin, and the default type of new floats."""

from __future__ import annotations

import builtins

from ._capi import constants, lib

__all__ = [
    "dtype",
    "float32",
    "float64",
    "int32",
    "int64",
    "uint8",
    "bool_",
    "finfo",
    "iinfo",
    "get_default_dtype",
    "set_default_dtype",
]


class dtype:
    """An element type. There is one object per type, so types are compared with ``is`` or ``==``."""

    __slots__ = ("name", "code", "itemsize", "is_floating_point", "typecode", "typestr")

    name: str
    code: int  # the ag_dtype value
    itemsize: int
    is_floating_point: builtins.bool
    typecode: str  # of the array module
    typestr: str  # of NumPy's array interface

    def __init__(self, name: str, typecode: str, typestr: str) -> None:
        self.name = name
        self.code = constants[f"AG_{name.upper()}"]
        self.itemsize = int(typestr[-1])
        self.is_floating_point = typestr[1] == "f"
        self.typecode = typecode
        self.typestr = typestr
        by_name[name] = self

    @property
    def is_signed(self) -> builtins.bool:
        """True for floats and signed integers."""
        return self.typestr[1] in "fi"

    @property
    def is_complex(self) -> builtins.bool:
        """False: there are no complex types."""
        return False

    def __repr__(self) -> str:
        return f"autograd.{self.name}"

    def __reduce__(self) -> str:
        # Pickled by name, so that there stays one object per type.
        return "bool_" if self.name == "bool" else self.name


by_name: dict[str, dtype] = {}

float32 = dtype("float32", "f", "<f4")
float64 = dtype("float64", "d", "<f8")
int32 = dtype("int32", "i", "<i4")
int64 = dtype("int64", "q", "<i8")
uint8 = dtype("uint8", "B", "|u1")
bool_ = dtype("bool", "B", "|b1")

# Indexed by ag_dtype value.
by_code: list[dtype] = sorted(by_name.values(), key=lambda kind: kind.code)

_OF_PYTHON: dict[object, dtype] = {float: float64, int: int64, bool: bool_}


def dtype_meant(kind: object) -> dtype:
    """The dtype itself, or that of Python's float, int or bool. Raises TypeError for anything else."""
    if isinstance(kind, dtype):
        return kind
    if not isinstance(kind, type) or kind not in _OF_PYTHON:
        raise TypeError(f"argument 'dtype' must be autograd.dtype, not {type(kind).__name__}")
    return _OF_PYTHON[kind]


_default = float32


def get_default_dtype() -> dtype:
    """The element type of tensors made from Python floats and by zeros(), rand() and the like."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Sets the element type of tensors made from Python floats, and of what integers become in exp(), / and the like.

    Raises TypeError unless d is float32 or float64.
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, not {d!r}")
    lib.ag_set_default_dtype(d.code)
    _default = d


class finfo:
    """What a float dtype can represent; the default dtype's without an argument.

    ``eps``: the step from 1 to the next number; ``tiny`` and ``smallest_normal``: the smallest positive normal number;
    ``min``, ``max``; ``resolution``: 10 to the power of minus the number of exact decimal digits; ``bits``.
    Raises TypeError for a dtype that is no float.
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type: dtype | None = None) -> None:
        kind = _default if type is None else dtype_meant(type)
        if not kind.is_floating_point:
            raise TypeError(f"finfo() requires a floating point type, but got {kind!r}; see iinfo")
        self.bits = 8 * kind.itemsize
        self.dtype = kind.name
        digits, exponent = (24, 128) if kind is float32 else (53, 1024)
        self.eps = 2.0 ** (1 - digits)
        self.max = (2.0 - self.eps) * 2.0 ** (exponent - 1)
        self.min = -self.max
        self.smallest_normal = self.tiny = 2.0 ** (2 - exponent)
        self.resolution = 1e-6 if kind is float32 else 1e-15

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name):g}" for name in _FLOAT_LIMITS)
        return f"finfo({values}, dtype={self.dtype})"


_FLOAT_LIMITS = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")


class iinfo:
    """What an integer dtype can represent: ``min``, ``max``, ``bits``. TypeError for a dtype that is no integer."""

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, type: dtype) -> None:
        kind = dtype_meant(type)
        if kind.is_floating_point or kind is bool_:
            raise TypeError(f"iinfo() requires an integer type, but got {type!r}; see finfo")
        self.bits = 8 * kind.itemsize
        self.dtype = kind.name
        self.min = -(1 << (self.bits - 1)) if kind.is_signed else 0
        self.max = self.min + (1 << self.bits) - 1

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
