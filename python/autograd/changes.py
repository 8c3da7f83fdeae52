"""What compiled functions have to know of: changes outside of them, and Python code within captured calls."""

from __future__ import annotations

import threading
from typing import Any

# How often something changed that a function may depend on besides its arguments: modes, settings and hooks.
count = 0

# Which modules are in another mode than they were made in: the same number again if all are back.
modes = 0

# The calls that are being captured, one a thread; see compiled.py.
captures: list[Any] = []


def note() -> None:
    """Counts a change: compiled functions check at their next call that they still do the same."""
    global count
    count += 1


def toggle(module: Any) -> None:
    """Counts a change between training and evaluation, which the next one takes back."""
    global modes
    modes ^= hash((id(module), "training"))


def capture() -> Any:
    """The captured call of this thread, or None."""
    thread = threading.get_ident()
    for each in captures:
        if each.thread == thread:
            return each
    return None


def refuse(what: str) -> None:
    """Says that a captured call does something that cannot be repeated without Python; raises RuntimeError."""
    running = capture()
    if running is not None:
        running.refuse(what)


def watch(functions: Any) -> None:
    """Hooks of the user's are about to run: a captured call looks at what their Python code changes."""
    running = capture()
    if running is not None:
        for each in functions:
            running.watch(each)


def place_of(function: Any) -> str:
    """ "log (train.py:12)": a function of the user's and where it stands."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name
