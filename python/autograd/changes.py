"""How often something changed that a function may depend on besides its arguments: modes and settings of modules."""

from __future__ import annotations

count = 0


def note() -> None:
    """Counts a change: compiled functions check at their next call that they still do the same."""
    global count
    count += 1
