"""Fingerprints of values: equal if the value is the same, as far as can be told."""

from __future__ import annotations

import functools
import io
import itertools
import operator
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ._capi import PACKAGE
from .nn.module import Module
from .tensor import Tensor

PLAIN = (bool, int, float, complex, str, bytes, type(None))

# How deep objects are looked into, how many of a long list's items, how many values in all, how many bytes of an array.
_DEPTH, _ITEMS, _VALUES, _BYTES = 8, 1024, 4096, 1 << 16
_LISTS = (list, tuple, set, frozenset)
_OTHERS = {"autograd", "numpy", *getattr(sys, "stdlib_module_names", sys.builtin_module_names)} - {
    "__main__"
}


class _Same:
    """Equal to what holds the same object. It keeps the object, lest another one get its address."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    __hash__ = None  # type: ignore[assignment]


@functools.lru_cache(maxsize=256)
def _is_in_package(file: str) -> bool:
    return PACKAGE in Path(file).parents


def is_users(thing: Any) -> bool:
    """True for functions, classes and modules that neither the library nor Python's own have made."""
    if isinstance(thing, types.FunctionType):
        return not _is_in_package(thing.__code__.co_filename)
    if isinstance(thing, types.ModuleType):
        return thing.__name__.partition(".")[0] not in _OTHERS
    module = getattr(thing, "__module__", "") or ""
    return module.partition(".")[0] not in (
        "autograd",
        "builtins",
        "collections",
        "numpy",
        "random",
    )


class Fingerprints:
    """Takes fingerprints of several values, which together are looked into up to a limit.

    Tensors and objects of the library count as what they are, not by their contents: what happens to them is captured.
    """

    def __init__(self) -> None:
        self._left = _VALUES
        self._above: set[int] = set()  # the objects that are being looked into
        self._kinds: set[type] = set()  # the classes that were

    def of(self, value: Any, depth: int = _DEPTH) -> Any:
        kind = type(value)
        self._left -= 1
        if kind in PLAIN:
            return repr(value) if kind is float else value  # NaN is the same as NaN
        if isinstance(value, Tensor) or depth == 0 or self._left < 0 or id(value) in self._above:
            return _Same(value)
        self._above.add(id(value))
        try:
            return self._inside(value, kind, depth - 1)
        finally:
            self._above.discard(id(value))

    def _inside(self, value: Any, kind: type, depth: int) -> Any:
        if isinstance(value, Module):
            return self._of_module(value, depth)
        if isinstance(value, dict) and kind.__module__.partition(".")[0] != "autograd":
            items = _some(value.items())
            return ("dict", len(value), tuple((str(k), self.of(v, depth)) for k, v in items))
        if isinstance(value, _LISTS) or kind.__name__ == "deque":
            return (kind.__name__, len(value), tuple(self.of(each, depth) for each in _some(value)))
        if isinstance(value, type):
            return self._object(value, _settings(value), depth) if is_users(value) else _Same(value)
        if isinstance(value, types.FunctionType):
            return self._object(value, vars(value).items(), depth)
        contents = _contents_of(value, kind)
        if contents is not None:
            self._left -= len(contents) // 64 if isinstance(contents, bytes) else 0
            return (kind.__name__, _Same(value), contents)
        if isinstance(value, types.GeneratorType):
            frame = value.gi_frame
            return (
                "generator",
                _Same(value),
                self.of(dict(frame.f_locals) if frame else None, depth),
            )
        if isinstance(value, types.ModuleType) or kind is types.CellType or not is_users(kind):
            return _Same(value)
        members = _members(value)
        if kind not in self._kinds:
            self._kinds.add(kind)
            members += _settings(kind)
        return self._object(value, members, depth)

    def _object(self, value: Any, members: Iterable[tuple[str, Any]], depth: int) -> Any:
        return ("object", _Same(value), tuple((k, self.of(v, depth)) for k, v in _some(members)))

    def _of_module(self, module: Module, depth: int) -> Any:
        settings, kinds = [], set()
        for path, part in module.named_modules():
            kinds.add(type(part))
            settings += [
                (f"{path}.{name}".lstrip("."), self.of(each, depth))
                for name, each in list(vars(part).items())
                if name[0] != "_" and not isinstance(each, (Tensor, Module))
            ]
        for kind in sorted(filter(is_users, kinds), key=lambda each: each.__qualname__):
            settings += [(name, self.of(each, depth)) for name, each in _settings(kind)]
        return ("object", _Same(module), tuple(settings))


def _some(values: Iterable[Any]) -> list[Any]:
    """The first, and of lists the last, of many."""
    if isinstance(values, (list, tuple)) and len(values) > _ITEMS:
        return [*values[: _ITEMS // 2], *values[-_ITEMS // 2 :]]
    return list(itertools.islice(values, _ITEMS))


def _members(value: Any) -> list[tuple[str, Any]]:
    members = list(getattr(value, "__dict__", {}).items())
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                members.append((name, getattr(value, name)))
    return members


def _settings(kind: type) -> list[tuple[str, Any]]:
    """What a class holds besides functions and what Python puts there."""
    found = []
    for each in kind.__mro__:
        if is_users(each):
            found += [
                (name, value)
                for name, value in list(vars(each).items())
                if name[:2] != "__" and isinstance(value, (*PLAIN, *_LISTS, dict))
            ]
    return found


def _contents_of(value: Any, kind: type) -> Any:
    """What arrays hold, where files and iterators are; None for all else."""
    if kind is bytearray or kind.__name__ in ("array", "ndarray"):
        size = getattr(value, "nbytes", None)
        data = value if size is None and kind is bytearray else getattr(value, "tobytes", None)
        few = (len(value) if size is None else size) <= _BYTES
        return None if data is None or not few else bytes(data) if data is value else data()
    if isinstance(value, io.IOBase):
        try:
            return value.tell()
        except (OSError, ValueError):  # closed, or a stream without a position
            return None
    if kind.__module__ == "itertools":
        return repr(value)
    return operator.length_hint(value, -1) if hasattr(value, "__length_hint__") else None


def difference(a: Any, b: Any) -> str:
    """Where in an object, of which both are fingerprints, they differ: ".config.calls"."""
    if not (isinstance(a, tuple) and isinstance(b, tuple) and a[:2] == b[:2] and len(a) == 3):
        return ""
    if a[0] != "object":
        return ""
    for (name, x), (_, y) in zip(a[2], b[2]):
        if x != y:
            return f".{name}{difference(x, y)}"
    return ""
