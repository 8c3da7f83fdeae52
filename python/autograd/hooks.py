"""Handles that take registered hooks away again."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from typing import Any

__all__ = ["RemovableHandle"]


class RemovableHandle:
    """Removes a hook: by :meth:`remove`, or at the end of a ``with`` block.

    The handle does not keep alive what the hook is registered on.
    """

    _next_id = itertools.count()

    def __init__(self, hooks: OrderedDict[int, Any], *, options: Any = None) -> None:
        # options: a further dict, or a list of dicts, by the same ids, kept in step with the hooks.
        self.hooks_dict_ref = weakref.ref(hooks)
        self.id = next(RemovableHandle._next_id)
        more = options if isinstance(options, (list, tuple)) else [options]
        self.extra_dict_ref = tuple(weakref.ref(each) for each in more if each is not None)

    def remove(self) -> None:
        """Removes the hook, if it is still registered."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            entries = reference()
            if entries is not None:
                entries.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.hooks_dict_ref(), self.id, [each() for each in self.extra_dict_ref])

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        hooks, self.id, more = state
        # Handles of hooks that are gone refer to nothing.
        gone = OrderedDict()  # type: ignore[var-annotated]
        self.hooks_dict_ref = weakref.ref(gone if hooks is None else hooks)
        self.extra_dict_ref = tuple(weakref.ref(each) for each in more if each is not None)
        RemovableHandle._next_id = itertools.count(max(next(RemovableHandle._next_id), self.id + 1))

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()
