"""The names of tensors: of parameters and buffers from their modules, of others from variables."""

from __future__ import annotations

import ctypes
import gc
import inspect
import itertools
import sys
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

from ..operands import handles
from ..tensor import Tensor

# Variables of one function that are looked at; a notebook may hold many.
_MOST_VARIABLES = 10_000
# Elements of a list, tuple or dict that are looked at.
_MOST_PARTS = 100


def is_module(value: Any) -> bool:
    """True for an nn.Module, which can say the names of its parameters and buffers."""
    return hasattr(type(value), "named_parameters") and hasattr(type(value), "named_buffers")


def _is_own_module(value: Any) -> bool:
    """False for what other packages call a module: a variable may hold anything."""
    return is_module(value) and all(isinstance(t, Tensor) for t in value.parameters())


def names_of_several(modules: Iterable[Any], frame: FrameType | None) -> dict[int, str]:
    """By id: the variables that hold modules with parameters, or their types; {} for one, which needs no name."""
    holding = {id(m): m for m in modules if any(True for _ in m.parameters())}
    inside = {id(part) for m in holding.values() for part in m.modules() if part is not m}
    found: dict[int, str] = {}
    if len(holding.keys() - inside) < 2:
        return found
    variables = frame.f_locals if frame is not None else {}
    held = {id(value): name for name, value in reversed(list(variables.items())[:_MOST_VARIABLES])}
    for key, module in holding.items():
        name = first = held.get(key) or module._get_name()
        count = 1
        while name in found.values():
            count += 1
            name = f"{first}_{count}"
        found[key] = name
    return found


class Names:
    """Tensors with names. The first name that a tensor is given stays."""

    def __init__(self, function: str, params: Any | None = None) -> None:
        self._function = function
        self._tensors: dict[int, tuple[str, Tensor]] = {}
        self._buffers: dict[int, tuple[str, Tensor]] = {}
        if params is not None:
            self._add_given(params)

    def _add_given(self, params: Any) -> None:
        if is_module(params):
            self.add_module("", params)
            return
        pairs: Any = params.items() if isinstance(params, Mapping) else params
        if isinstance(params, (str, Tensor)) or not isinstance(pairs, Iterable):
            raise self._error(params)
        for pair in pairs:
            if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
                raise self._error(params)
            name, value = pair
            if is_module(value):
                self.add_module(str(name), value)
            elif isinstance(value, Tensor):
                self.add(str(name), value)
            else:
                raise TypeError(
                    f"{self._function}(): argument 'params' names {name!r}, which must be a Tensor or a Module, "
                    f"not {type(value).__name__}"
                )

    def _error(self, params: Any) -> TypeError:
        return TypeError(
            f"{self._function}(): argument 'params' must be a Module or a dict of tensors, or (name, tensor) pairs, "
            f"not {type(params).__name__}"
        )

    def add(self, name: str, tensor: Tensor) -> None:
        """Names a tensor, unless it has a name."""
        if id(tensor) not in self._buffers:
            self._tensors.setdefault(id(tensor), (name, tensor))

    def add_module(self, prefix: str, module: Any) -> None:
        """Names the parameters and buffers of a module: "encoder.layers.0.weight"."""
        for name, tensor in module.named_parameters(prefix):
            self.add(name, tensor)
        for name, tensor in module.named_buffers(prefix):
            if id(tensor) not in self._tensors:
                self._buffers.setdefault(id(tensor), (name, tensor))

    def add_modules(self, modules: Iterable[tuple[str, Any]]) -> None:
        """Names what several modules hold; the name of a module stands before only where there are several."""
        holding = [(n, m) for n, m in modules if any(True for _ in m.parameters())]
        inside = {id(part) for _, m in holding for part in m.modules() if part is not m}
        roots = {id(m): (n, m) for n, m in reversed(holding) if id(m) not in inside}
        # Modules that hold each other are all inside of one.
        chosen = list(roots.values())[::-1] or holding[:1]
        for name, module in chosen:
            self.add_module(name if len(chosen) > 1 else "", module)

    def add_variables(self, frame: FrameType | None) -> None:
        """Names tensors after the variables of a running function that hold them, or a module that does."""
        if frame is None:
            return
        variables = frame.f_locals
        found = list(variables.items())[:_MOST_VARIABLES]
        if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            # A copy that the frame keeps, and with it everything that the function deletes later.
            variables.clear()
        self.add_held(found)

    def add_held(self, variables: Iterable[tuple[str, Any]]) -> None:
        """Names tensors after what holds them: a variable, a module, a list, tuple or dict."""
        found = [(name, value) for name, value in variables if not name.startswith("_")]
        self.add_modules((name, value) for name, value in found if _is_own_module(value))
        for name, value in found:
            if isinstance(value, Tensor):
                self.add(name, value)
        for name, value in found:
            for key, part in _parts(value):
                self.add(f"{name}[{key}]", part)

    def add_living(self) -> None:
        """Adds all tensors that live somewhere, without names: the data of past calls may be among them."""
        address = ctypes._SimpleCData.value.__get__  # type: ignore[attr-defined]
        for each in gc.get_objects():
            if type(each) is Tensor and address(each):
                self.add("", each)

    def native(self) -> tuple[Any, Any, int, int]:
        """Handles, names, their number and how many buffers are at their end, as the C functions take them."""
        pairs = [*self._tensors.values(), *self._buffers.values()]
        array = handles(self._function, "params", [tensor for _, tensor in pairs])
        return array, texts(name for name, _ in pairs), len(pairs), len(self._buffers)


def _parts(value: Any) -> Iterable[tuple[str, Tensor]]:
    """The tensors in a list, tuple or dict, with what stands in the brackets."""
    if type(value) in (list, tuple):
        pairs: Iterable[tuple[Any, Any]] = enumerate(value[:_MOST_PARTS])
    elif type(value) is dict:
        pairs = itertools.islice(value.items(), _MOST_PARTS)
    else:
        return
    for key, part in pairs:
        if isinstance(part, Tensor) and type(key) in (int, str):
            yield repr(key), part


def texts(values: Iterable[str]) -> Any:
    """A native array of texts. A NUL, which would end one, becomes a blank."""
    encoded = [value.encode("utf-8", "replace").replace(b"\0", b" ") for value in values]
    return (ctypes.c_char_p * len(encoded))(*encoded)
