"""PythonState: what the Python code of a function can change by name, looked at before and after a call."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from ._capi import PACKAGE
from .nn.module import Module
from .tensor import Tensor

_DEPTH, _ITEMS, _FUNCTIONS = 3, 64, 32
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_LISTS = (list, tuple, set, frozenset)


class PythonState:
    """The variables of a function's closure, the globals that it names, what it is bound to, and the same of the
    user's functions that it calls by name.

    Tensors and objects of the library count as what they are, not by their contents: what happens to them is captured.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.cells: dict[str, types.CellType] = {}
        self.globals: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, Any] = {}
        self._seen: set[int] = set()
        self._add(function)

    def _add(self, function: Any) -> None:
        while isinstance(function, functools.partial):
            function = function.func
        if isinstance(function, types.MethodType):
            self.owners[function.__func__.__code__.co_varnames[0]] = function.__self__
            function = function.__func__
        if not isinstance(function, types.FunctionType):
            if not isinstance(function, type) and _is_users(type(function)):
                self.owners["self"] = function
                self._add(vars(type(function)).get("__call__"))
            return
        if id(function) in self._seen or len(self._seen) >= _FUNCTIONS or not _is_users(function):
            return
        self._seen.add(id(function))
        called = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self.cells[name] = cell
            called.append(_contents(cell))
        for name in _names(function.__code__):
            if name in function.__globals__:
                self.globals[name] = function.__globals__
                called.append(function.__globals__[name])
        for each in called:
            if isinstance(each, (types.FunctionType, types.MethodType, functools.partial)):
                self._add(each)

    def taken(self) -> dict[str, Any]:
        """What everything is now, in a form that can be compared."""
        now = {name: _print_of(_contents(cell), _DEPTH) for name, cell in self.cells.items()}
        now.update({k: _print_of(v.get(k), _DEPTH) for k, v in self.globals.items()})
        now.update({name: _print_of(owner, _DEPTH + 1) for name, owner in self.owners.items()})
        return now


def what_changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The first name whose value is another one, "" if there is none."""
    for name, value in after.items():
        if name in before and before[name] != value:
            return name + _inside(before[name], value)
    return ""


def _inside(a: Any, b: Any) -> str:
    """Where in an object, of which both are prints, they differ."""
    if not (isinstance(a, tuple) and isinstance(b, tuple) and a[:2] == b[:2] and len(a) == 3):
        return ""
    if a[0] != "object":
        return ""
    for (name, x), (_, y) in zip(a[2], b[2]):
        if x != y:
            return f".{name}{_inside(x, y)}"
    return ""


class _Same:
    """Equal to what holds the same object. It keeps the object, lest another one get its address."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    __hash__ = None  # type: ignore[assignment]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _names(each)


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


@functools.lru_cache(maxsize=256)
def _is_in_package(file: str) -> bool:
    return PACKAGE in Path(file).parents


def _is_users(thing: Any) -> bool:
    """True for functions and classes that neither the library nor Python's own have made."""
    if isinstance(thing, types.FunctionType):
        return not _is_in_package(thing.__code__.co_filename)
    module = getattr(thing, "__module__", "") or ""
    return module.partition(".")[0] not in (
        "autograd",
        "builtins",
        "collections",
        "numpy",
        "random",
    )


def _print_of(value: Any, depth: int) -> Any:
    """Equal if the value is the same, as far as can be told."""
    kind = type(value)
    if kind in _PLAIN:
        return repr(value) if kind is float else value  # NaN is the same as NaN
    if isinstance(value, Tensor) or depth == 0:
        return _Same(value)
    if isinstance(value, Module):
        settings = [
            (f"{path}.{name}".lstrip("."), _print_of(each, 1))
            for path, part in value.named_modules()
            for name, each in list(vars(part).items())
            if name[0] != "_" and not isinstance(each, (Tensor, Module))
        ]
        return ("object", _Same(value), tuple(settings))
    if isinstance(value, dict) and kind.__module__.partition(".")[0] != "autograd":
        items = list(value.items())
        some = items[:_ITEMS] + items[_ITEMS:][-_ITEMS:]
        return ("dict", len(items), tuple((str(k), _print_of(v, depth - 1)) for k, v in some))
    if isinstance(value, _LISTS) or kind.__name__ == "deque":
        items = list(value)
        some = items[:_ITEMS] + items[_ITEMS:][-_ITEMS:]
        return (kind.__name__, len(items), tuple(_print_of(each, depth - 1) for each in some))
    members = getattr(value, "__dict__", None)
    if kind is types.CellType or not isinstance(members, dict) or isinstance(value, type):
        return _Same(value)
    if isinstance(value, (types.FunctionType, types.ModuleType)) or not _is_users(kind):
        return _Same(value)
    some = list(members.items())[:_ITEMS]
    return ("object", _Same(value), tuple((k, _print_of(v, depth - 1)) for k, v in some))
