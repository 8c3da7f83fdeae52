"""Handles that remove a registered hook again."""

from __future__ import annotations

from itertools import count
from typing import Any, Callable
from weakref import ref

_numbers = count()


class RemovableHandle:
    """What registering a hook returns; ``remove()``, or leaving a ``with`` block, takes the hook away."""

    def __init__(self, hooks_dict: dict[int, Callable[..., Any]], *, extra_dict: Any = None) -> None:
        self.id = next(_numbers)
        self._hooks = ref(hooks_dict)
        extra = [] if extra_dict is None else extra_dict
        self._extra = [ref(each) for each in (extra if isinstance(extra, list) else [extra])]

    def remove(self) -> None:
        """Takes the hook away; does nothing the second time."""
        for hooks in (self._hooks(), *(each() for each in self._extra)):
            if hooks is not None:
                hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *failure: object) -> None:
        self.remove()
