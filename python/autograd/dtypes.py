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
