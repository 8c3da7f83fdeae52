"""The names of tensors: of parameters and buffers from their modules, of others from variables."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any

from .._capi import call, lib, run
from ..nn.members import BUFFER, MODULE, PARAMETER
from ..operands import handles
from .looks import Looks, ModuleLook

__all__ = ["Names", "texts"]


class Names(Looks):
    """Tensors with names, made of what was looked at."""

    def native(self) -> tuple[Any, Any, int, int]:
        """Handles, names, their number and how many buffers are at their end, as the C functions take them."""
        by_id = {id(tensor): tensor for tensor in self.tensors}
        ids, *rest = self._name(_Naming(self._modules))
        return handles(self._function, "params", [by_id[each] for each in ids]), *rest

    def graph(self, recording: Any) -> Any:
        """The native graph of a recording that has noted the tensors and called the modules that were looked at."""
        called = self._called
        parents = (ctypes.c_int64 * len(called))()
        lib.ag_recording_parents(recording, parents, len(called))
        naming = _Naming(self._modules)
        roots = [each for each, parent in zip(called, parents) if parent < 0]
        titles = naming.titles(
            roots, [each for modules, _, _ in self._variables for each in modules]
        )
        run(
            lib.ag_recording_name_modules,
            recording,
            texts(naming.names_within(called, parents, titles)),
            texts(self._modules[each][0] for each in called),
            len(called),
        )
        by_type = [(titles.get(each) or self._modules[each][0], each) for each in roots]
        ids, *rest = self._name(naming, by_type)
        numbers = {each: number for number, each in enumerate(self._noted_first + self._noted)}
        noted = (ctypes.c_int64 * len(ids))(*[numbers[each] for each in ids])
        return call(lib.ag_recording_graph, recording, noted, *rest)

    def _name(
        self, naming: _Naming, called: Iterable[tuple[str, int]] = ()
    ) -> tuple[list[int], Any, int, int]:
        for name, kind, each in self._given:
            naming.add(name, kind, each)
        naming.add_modules(called)
        for modules, tensors, parts in self._variables:
            naming.add_modules(_shown(modules))
            for name, each in _shown(tensors):
                naming.add(name, PARAMETER, each)
            for name, key, each in parts:
                if not name.startswith("_"):
                    naming.add(f"{name}[{key!r}]", PARAMETER, each)
        names = {**naming.tensors, **naming.buffers}
        return [*names], texts(names.values()), len(names), len(naming.buffers)


class _Naming:
    """Names by the ids of tensors. The first name that a tensor is given stays."""

    def __init__(self, modules: dict[int, ModuleLook]) -> None:
        self._modules = modules
        self._paths: dict[int, dict[int, str]] = {}
        self.tensors: dict[int, str] = {}
        self.buffers: dict[int, str] = {}

    def add(self, name: str, kind: str, tensor: int) -> None:
        """Names a tensor; all but buffers count as parameters."""
        if tensor not in self.tensors and tensor not in self.buffers:
            (self.buffers if kind == BUFFER else self.tensors)[tensor] = name

    def add_module(self, name: str, module: int) -> None:
        """Names the parameters and buffers of a module: "encoder.layers.0.weight"."""
        for wanted in (PARAMETER, BUFFER):
            for part, path in self.paths(module).items():
                for member, kind, each in self._modules[part][1]:
                    if kind == wanted:
                        self.add(".".join(filter(None, (name, path, member))), kind, each)

    def add_modules(self, modules: Iterable[tuple[str, int]]) -> None:
        """Names what several modules hold; the name of a module stands before only where there are several."""
        holding = [(name, each) for name, each in modules if self._holds_parameters(each)]
        inside = self._inside(each for _, each in holding)
        outer = {each: (name, each) for name, each in reversed(holding) if each not in inside}
        # Modules that hold each other are all inside of one.
        chosen = list(outer.values())[::-1] or holding[:1]
        for name, each in chosen:
            self.add_module(name if len(chosen) > 1 else "", each)

    def titles(self, modules: Iterable[int], variables: list[tuple[str, int]]) -> dict[int, str]:
        """The variables that hold modules with parameters, or their types; {} for one, which needs no name."""
        holding = dict.fromkeys(each for each in modules if self._holds_parameters(each))
        found: dict[int, str] = {}
        if len(holding.keys() - self._inside(holding)) < 2:
            return found
        held = {each: name for name, each in reversed(variables)}
        for each in holding:
            name = first = held.get(each) or self._modules[each][0]
            count = 1
            while name in found.values():
                count += 1
                name = f"{first}_{count}"
            found[each] = name
        return found

    def names_within(
        self, called: Sequence[int], parents: Sequence[int], titles: dict[int, str]
    ) -> list[str]:
        """The name of each call's module within the module that called it; where no module did, its title or ""."""
        return [
            titles.get(each, "")
            if parent < 0
            else self.paths(called[parent]).get(each) or self._modules[each][0]
            for each, parent in zip(called, parents)
        ]

    def paths(self, module: int) -> dict[int, str]:
        """By id: the dotted names of the modules within a module, which itself is ""."""
        known = self._paths.get(module)
        if known is None:
            known = self._paths[module] = {}
            self._collect(module, "", known)
        return known

    def _collect(self, module: int, path: str, paths: dict[int, str]) -> None:
        paths[module] = path
        for name, kind, part in self._modules[module][1]:
            if kind == MODULE and part not in paths:
                self._collect(part, f"{path}.{name}" if path else name, paths)

    def _holds_parameters(self, module: int) -> bool:
        return any(
            kind == PARAMETER
            for part in self.paths(module)
            for _, kind, _ in self._modules[part][1]
        )

    def _inside(self, modules: Iterable[int]) -> set[int]:
        return {part for each in modules for part in self.paths(each) if part != each}


def _shown(variables: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(name, each) for name, each in variables if not name.startswith("_")]


def texts(values: Iterable[str]) -> Any:
    """A native array of texts. A NUL, which would end one, becomes a blank."""
    encoded = [value.encode("utf-8", "replace").replace(b"\0", b" ") for value in values]
    return (ctypes.c_char_p * len(encoded))(*encoded)
