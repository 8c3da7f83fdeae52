"""Functions that tell whether names still stand for the same objects, made as code: some nanoseconds a name."""

from __future__ import annotations

import functools
import types
from collections.abc import Sequence
from typing import Any, Callable

# How a value is read from a holder h, by a key k or without one, as Python text.
CELL, ITEM, GET, LENGTH = "h{0}.cell_contents", "h{0}[k{0}]", "h{0}.get(k{0})", "len(h{0})"

_MOST = 128  # reads of one function
_BUILTINS = {"len": len, "LookupError": LookupError, "ValueError": ValueError}


@functools.lru_cache(maxsize=64)
def _code(reads: tuple[str, ...]) -> types.CodeType:
    """The code of a function with three defaults for each read, h, k and v: whether h at k is v, for all of them."""
    arguments = ", ".join(f"h{i}, k{i}, v{i}" for i in range(len(reads)))
    same = " and ".join(f"{read.format(i)} is v{i}" for i, read in enumerate(reads))
    # Nested, because free-threaded interpreters may keep other functions, and so their defaults, for ever.
    text = f"""def made():
 def same({arguments}):
  try:
   return {same}
  except (LookupError, ValueError):
   return False
 return same"""
    scope: dict[str, Any] = {}
    exec(compile(text, "<same>", "exec"), scope)
    return scope["made"]().__code__


def same_objects(
    reads: Sequence[tuple[str, Any, Any]], values: Sequence[Any]
) -> Callable[[], bool]:
    """A function that returns whether each read, (CELL, ITEM, GET or LENGTH; holder; key), still gives the object in
    values, and not only an equal one. What cannot be read any more is not the same.
    """
    parts: list[Callable[[], bool]] = []
    for first in range(0, len(reads), _MOST):
        some = reads[first : first + _MOST]
        code = _code(tuple(read for read, _, _ in some))
        defaults = [
            each
            for (_, holder, key), value in zip(some, values[first:])
            for each in (holder, key, value)
        ]
        parts.append(types.FunctionType(code, {"__builtins__": _BUILTINS}, "same", tuple(defaults)))
    return parts[0] if len(parts) == 1 else lambda: all(part() for part in parts)
