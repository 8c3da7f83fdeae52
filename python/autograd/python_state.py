"""PythonState: what the Python code of a function can read and change by name.

It is looked at in depth before and after a captured call, and a little of it before each run of a plan.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any, Callable

from .fingerprints import PLAIN, Fingerprints, difference, is_users
from .identity import CELL, ITEM, LENGTH, same_objects
from .nn.module import Module
from .tensor import Tensor

_FUNCTIONS, _FEW = 32, 16


class PythonState:
    """The variables of a function's closure, the globals that it names and those of its own modules that it names with
    a dot, its defaults, what it is bound to, and the same of the user's functions that it calls by name.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.cells: list[tuple[str, types.CellType]] = []
        self.globals: list[tuple[str, dict[str, Any]]] = []
        self.owners: list[tuple[str, Any]] = []
        self._names: set[str] = set()
        self._seen: set[int] = set()
        self._add(function)

    def _add(self, function: Any) -> None:
        while isinstance(function, functools.partial):
            function = function.func
        if isinstance(function, types.MethodType):
            self.owners.append((function.__func__.__code__.co_varnames[0], function.__self__))
            function = function.__func__
        if not isinstance(function, types.FunctionType):
            if not isinstance(function, type) and is_users(type(function)):
                self.owners.append(("self", function))
                self._add(vars(type(function)).get("__call__"))
            return
        if id(function) in self._seen or len(self._seen) >= _FUNCTIONS or not is_users(function):
            return
        self._seen.add(id(function))
        self._add_names(function)

    def _add_names(self, function: types.FunctionType) -> None:
        called = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self.cells.append((name, cell))
            called.append(_contents(cell))
        names = dict.fromkeys(_names(function.__code__))
        self._names.update(names)
        for name in names:
            if name in function.__globals__:
                self.globals.append((name, function.__globals__))
                called.append(function.__globals__[name])
        for module in [each for each in called if isinstance(each, types.ModuleType)]:
            if is_users(module):
                self.globals += [(name, vars(module)) for name in names if name in vars(module)]
        defaults = (function.__defaults__ or ()) + tuple((function.__kwdefaults__ or {}).values())
        self.owners += [
            ("a default argument", each) for each in defaults if not isinstance(each, PLAIN)
        ]
        self.owners.append((function.__name__, function))
        for each in called:
            if isinstance(each, (types.FunctionType, types.MethodType, functools.partial)):
                self._add(each)

    def taken(self) -> list[tuple[str, Any]]:
        """What everything is now, in a form that can be compared."""
        take = Fingerprints().of
        now = [(name, take(_contents(cell))) for name, cell in self.cells]
        now += [(name, take(holder.get(name))) for name, holder in self.globals]
        return now + [(name, take(owner)) for name, owner in self.owners]

    def held(self) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
        """What the objects that the functions are bound to hold, and what stands behind the names.

        The names of attributes may be those of globals by chance, so that the first come first.
        """
        own: list[tuple[str, Any]] = []
        for name, owner in self.owners:
            own.append((name, owner))
            if not isinstance(owner, (Module, type, types.FunctionType)):
                own += list(getattr(owner, "__dict__", {}).items())
        named = [(name, _contents(cell)) for name, cell in self.cells]
        named += [(name, holder.get(name)) for name, holder in self.globals]
        return own, named

    def guard(self) -> Guard:
        """What is looked at before each run."""
        return Guard(self.cells, self.globals, self.owners, self._names)


def what_changed(before: list[tuple[str, Any]], after: list[tuple[str, Any]]) -> str:
    """The first name whose value is another one, "" if there is none."""
    for (name, then), (_, now) in zip(before, after):
        if then != now:
            return name + difference(then, now)
    return ""


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


class Guard:
    """The names that a function reads, and the plain values next to them: its closure and globals, the numbers and
    texts among the attributes that it names of the user's objects, and what short dicts and lists hold.

    ``same()`` tells in a fraction of a microsecond whether all of them are the same objects; ``holds()`` also takes
    equal numbers and texts for the same.
    """

    def __init__(
        self,
        cells: list[tuple[str, types.CellType]],
        names: list[tuple[str, dict[str, Any]]],
        owners: list[tuple[str, Any]],
        attributes: set[str],
    ) -> None:
        #: The name of what is another one now, once holds() has said so.
        self.broken = ""
        self._reads: list[tuple[str, Any, Any]] = []
        self._names: list[str] = []
        self._then: list[Any] = []
        for name, cell in {id(cell): (name, cell) for name, cell in cells}.values():
            self._watch(name, CELL, cell, None)
        for name, holder in names:
            if not isinstance(holder.get(name), types.ModuleType):
                self._watch(name, ITEM, holder, name)
        values = [*owners, *zip(self._names, self._then)]
        for name, value in {id(each): (name, each) for name, each in values}.values():
            self._watch_value(name, value, attributes)
        self.same = same_objects(self._reads, self._then)

    def _watch(self, name: str, read: str, holder: Any, key: Any) -> None:
        try:
            now = _read(read, holder, key)
        except (LookupError, ValueError):  # not set yet
            return
        self._names.append(name)
        self._reads.append((read, holder, key))
        self._then.append(now)

    def _watch_value(self, name: str, value: Any, attributes: set[str]) -> None:
        if isinstance(value, (Tensor, Module, types.FunctionType, type)):
            return
        if type(value) in (list, dict) and len(value) <= _FEW:
            self._watch(f"len({name})", LENGTH, value, None)
            for key in value if type(value) is dict else range(len(value)):
                self._watch(f"{name}[{key!r}]", ITEM, value, key)
        elif is_users(type(value)) and isinstance(getattr(value, "__dict__", None), dict):
            for key, each in list(vars(value).items()):
                if key in attributes and type(each) in PLAIN:
                    self._watch(f"{name}.{key}", ITEM, vars(value), key)

    def holds(self) -> bool:
        """True if nothing is another object or number than it was."""
        now = []
        for name, read, then in zip(self._names, self._reads, self._then):
            try:
                now.append(_read(*read))
            except (LookupError, ValueError):  # it is gone
                now.append(self)
            if not _equal(now[-1], then):
                self.broken = name
                return False
        self._then = now
        self.same = same_objects(self._reads, now)
        return True


def _read(read: str, holder: Any, key: Any) -> Any:
    if read == CELL:
        return holder.cell_contents
    return len(holder) if read == LENGTH else holder[key]


def _equal(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and type(a) in PLAIN and repr(a) == repr(b))
