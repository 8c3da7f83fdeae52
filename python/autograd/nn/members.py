"""The members of a module of one kind, as the dict that PyTorch keeps them in."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

__all__ = ["BUFFER", "MODULE", "PARAMETER", "Members", "NotInitialized"]

PARAMETER, BUFFER, MODULE = "parameter", "buffer", "module"


class NotInitialized:
    """What a module has for a table of kinds as long as ``Module.__init__`` was not called."""

    def __get__(self, module: Any, owner: type) -> Any:
        raise AttributeError(
            f"Module.__init__() of this {owner.__name__} was not called: "
            f"call super().__init__() first in {owner.__name__}.__init__()"
        )


class Members(MutableMapping[str, Any]):
    """``module._parameters``, ``._buffers`` and ``._modules``: a live view of the members of one kind.

    Members are plain attributes, so that reading one costs nothing extra; the module's table of kinds says which
    attributes are members, and in which order they were registered.
    """

    __slots__ = ("_kind", "_module")

    def __init__(self, module: Any, kind: str) -> None:
        self._module, self._kind = module, kind

    def __getitem__(self, name: str) -> Any:
        attributes = self._module.__dict__
        if attributes["_kinds"].get(name) != self._kind:
            raise KeyError(name)
        return attributes[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._module._set_member(self._kind, name, value)

    def __delitem__(self, name: str) -> None:
        if self._module._kinds.get(name) != self._kind:
            raise KeyError(name)
        self._module._drop_member(name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, kind in self._module._kinds.items() if kind == self._kind])

    def __len__(self) -> int:
        return sum(kind == self._kind for kind in self._module._kinds.values())

    def __repr__(self) -> str:
        return repr(dict(self))
