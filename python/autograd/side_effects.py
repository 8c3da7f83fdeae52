"""What captured Python code does besides its tensors that can be seen from outside: it prints, logs, opens files."""

from __future__ import annotations

import builtins
import functools
import linecache
import logging
import sys
import threading
from pathlib import Path
from typing import Any

from . import changes
from ._capi import PACKAGE

_WATCHED = [
    (builtins, "print", "print()"),
    (builtins, "open", "open()"),
    (builtins, "input", "input()"),
    (logging.Logger, "handle", "logging"),
]


def _place() -> str:
    """The line of the user's that is running: "train.py:12: print(x)"."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if PACKAGE not in Path(file).parents and file != logging.__file__:
            text = linecache.getline(file, frame.f_lineno).strip()
            return f"{file}:{frame.f_lineno}: {text}"
        frame = frame.f_back
    return ""


class _Stream:
    """Stands in for sys.stdout: says when something is written to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> Any:
        _note("sys.stdout.write()")
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _note(what: str) -> None:
    captured = changes.capture()
    if captured is not None:
        captured.acts(what, _place())


def _noted(function: Any, what: str) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        _note(what)
        return function(*args, **kwargs)

    return call


class Watch:
    """A context in which these are noted by the captured call of the thread: changes.capture().acts(what, place)."""

    _lock = threading.Lock()
    _depth = 0
    _before: list[tuple[Any, str, Any, Any]] = []

    def __enter__(self) -> None:
        cls = type(self)
        with cls._lock:
            cls._depth += 1
            if cls._depth > 1:
                return
            watched = [(of, name, _noted(getattr(of, name), what)) for of, name, what in _WATCHED]
            if sys.stdout is not None:
                watched.append((sys, "stdout", _Stream(sys.stdout)))
            cls._before = [(of, name, getattr(of, name), mine) for of, name, mine in watched]
            for of, name, mine in watched:
                setattr(of, name, mine)

    def __exit__(self, *_: object) -> None:
        cls = type(self)
        with cls._lock:
            cls._depth -= 1
            if cls._depth:
                return
            for of, name, before, mine in cls._before:
                if getattr(of, name) is mine:  # whoever has put something else there keeps it
                    setattr(of, name, before)
            cls._before = []
