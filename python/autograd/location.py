"""Where in the user's program tensors were made and changed: ``tensor.made_at``, ``tensor.changed_at``.

The library reads the interpreter's frames by itself, in a few nanoseconds per operation. It asks this module once
for each instruction that leads into it, and gets the number of the line.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import weakref
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from ._capi import CODE_RESOLVER, PACKAGE, lib, text
from .tensor import Tensor

__all__ = ["SourceLocation", "at"]


class SourceLocation(NamedTuple):
    """A line of the user's program; its text is ``file:line``."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@lru_cache(maxsize=4096)
def location(number: int) -> SourceLocation | None:
    """The line that a number of the library stands for, None if it is unknown."""
    file = text(lib.ag_location_file, number)
    if not file:
        return None
    return SourceLocation(
        file, lib.ag_location_line(number), text(lib.ag_location_function, number)
    )


def _made_at(self: Tensor) -> SourceLocation | None:
    """The line of the user's program that made this tensor, None where it is not known.

    What a backward pass makes has the line of the forward operation that it belongs to.
    """
    return location(lib.ag_tensor_made_at(self))


def _changed_at(self: Tensor) -> SourceLocation | None:
    """The line that last changed the memory of this tensor in place, through any tensor that shares it; or None."""
    return location(lib.ag_tensor_changed_at(self))


def _changed_by(self: Tensor) -> str | None:
    """The name of the operation that last changed the memory of this tensor in place, None if none has."""
    return text(lib.ag_tensor_changed_by, self) or None


Tensor.changed_by = property(_changed_by)  # type: ignore[attr-defined]
Tensor.made_at = property(_made_at)  # type: ignore[attr-defined]
Tensor.changed_at = property(_changed_at)  # type: ignore[attr-defined]


class at:
    """A context manager within which everything is said to happen at a line, for code that is made from other code."""

    def __init__(self, file: str, line: int, function: str = "") -> None:
        self._number = lib.ag_location_make(file.encode(), line, function.encode())
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(lib.ag_location_set(self._number))

    def __exit__(self, *exception: Any) -> None:
        lib.ag_location_set(self._before.pop())


# ---- what the library asks -------------------------------------------------------------------------------

# Also under the name by which it was imported, which may lead through links.
_OWN = (str(PACKAGE) + os.sep, os.path.dirname(__file__) + os.sep, "<frozen ")
_line_of = ctypes.pythonapi["PyCode_Addr2Line"]  # not the shared function: its types are set
_line_of.argtypes, _line_of.restype = [ctypes.py_object, ctypes.c_int], ctypes.c_int
# By address; when a code object is freed, the library must forget it, for another may get its place.
_codes: dict[int, weakref.ref[CodeType]] = {}


class _CodeReference(weakref.ref):
    """Remembers the address of what it referred to."""

    __slots__ = ("address",)
    address: int


def _forget(reference: _CodeReference) -> None:
    _codes.pop(reference.address, None)
    lib.ag_location_forget_code(reference.address)


@CODE_RESOLVER
def _resolve(address: int, offset: int) -> int:
    try:
        code = ctypes.cast(address, ctypes.py_object).value
        if address not in _codes:
            reference = _CodeReference(code, _forget)
            reference.address = address
            _codes[address] = reference
        if code.co_filename.startswith(_OWN):
            return -1
        name = getattr(code, "co_qualname", code.co_name)
        file = code.co_filename.encode("utf-8", "replace")
        return lib.ag_location_make(file, _line_of(code, offset), name.encode("utf-8", "replace"))
    except KeyboardInterrupt:
        # Nobody above can catch it here: let it come again.
        from _thread import interrupt_main

        interrupt_main()
        return 0
    except BaseException:
        return 0


_TEST = """\
def inner(found):
    found.append(
        here())

def steps(found):
    inner(found)
    yield 1
    found.append(here())
found = []
for _ in steps(found):
    found += [(lambda: here())()]
"""


def _is_right() -> bool:
    """True if the library finds the lines of a program that is known."""
    space = {"here": lib.ag_location_here}
    exec(compile(_TEST, "<autograd location test>", "exec"), space)
    found = [location(number) for number in space["found"]]
    return [(f.file, f.line) if f else None for f in found] == [
        ("<autograd location test>", line) for line in (3, 11, 8)
    ]


def _is_main_interpreter() -> bool:
    found = []
    for name in ("PyInterpreterState_Get", "PyInterpreterState_Main"):
        function = ctypes.pythonapi[name]
        function.restype = ctypes.c_void_p
        found.append(function())
    return found[0] == found[1]


def _stop() -> None:
    lib.ag_location_follow_python(CODE_RESOLVER())


def _start() -> None:
    if sys.implementation.name != "cpython" or os.environ.get("AUTOGRAD_LOCATIONS") == "0":
        return
    if not _is_main_interpreter():
        # A thread may be in frames of two interpreters, and the library can't tell which of them runs.
        _stop()
        return
    if lib.ag_location_follow_python(_resolve):
        atexit.register(_stop)
        if not _is_right():
            _stop()


_start()
