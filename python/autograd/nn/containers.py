"""Sequential: modules one after the other."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

from .module import Module


class Sequential(Module):
    """Calls its modules one after the other, each with the result of the one before.

    Made from modules, or from one OrderedDict of names and modules.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], dict) else enumerate(args)
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """The result of the last module."""
        for module in self._chain:
            input = module(input)
        return input

    # The modules as a tuple, so that forward() need not look for them among the attributes.
    _chain: tuple[Module, ...] = ()

    def _find_chain(self) -> None:
        chain = tuple(value for value in self.__dict__.values() if isinstance(value, Module))
        object.__setattr__(self, "_chain", chain)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._find_chain()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._find_chain()

    def _name(self, index: int) -> str:
        names = [name for name, value in self.__dict__.items() if isinstance(value, Module)]
        position = operator.index(index)
        if not -len(names) <= position < len(names):
            raise IndexError(f"index {position} is out of range")
        return names[position]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            named: dict[str, Module] = {
                n: v for n, v in self.__dict__.items() if isinstance(v, Module)
            }
            return type(self)(dict(list(named.items())[index]))
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        kept: list[Module] = list(self._chain)
        names = [name for name, value in self.__dict__.items() if isinstance(value, Module)]
        del kept[index]
        for name in names:
            super().__delattr__(name)
        for position, module in enumerate(kept):
            object.__setattr__(self, str(position), module)
        self._find_chain()

    def __len__(self) -> int:
        return len(self._chain)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._chain)

    def append(self, module: Module) -> Sequential:
        """Adds a module at the end and returns this container."""
        self.add_module(str(len(self)), module)
        return self
