"""What modules and variables hold at one moment: what names of tensors are made of."""

from __future__ import annotations

import ctypes
import gc
import inspect
import itertools
import operator
import struct
import sys
from collections.abc import Iterable, Mapping
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any, Union

from .._capi import fast, lib, run
from ..nn.members import BUFFER, MODULE, PARAMETER
from ..nn.module import Module
from ..operands import _MOST_LISTED, handles
from ..tensor import Tensor, tensor_classes

__all__ = ["OTHERS", "Looks", "forget_variables", "is_module", "variables_of"]

# As in capi/python_recording.cpp. Variables of one function that are looked at; a notebook may hold many.
_MOST_VARIABLES = 10_000
# Elements of a list, tuple or dict that are looked at.
_MOST_PARTS = 100
_second = operator.itemgetter(1)
_named_parameters, _named_buffers = Module.named_parameters, Module.named_buffers
_named_modules = Module.named_modules
_OPTIMIZED = inspect.CO_OPTIMIZED
# To the dict in a frame: its own, that of a variable, and those of an argument in two calls.
_KNOWN_REFERENCES = 4
_CONTAINERS = {list, tuple, dict}
# Variables of most other classes hold neither tensors nor modules.
OTHERS = {int, float, str, bool, type(None), type, ModuleType, FunctionType, BuiltinFunctionType}
# What a row is about that the library has seen.
_CALLED, _MODULE, _MEMBER, _VARIABLE_MODULE, _VARIABLE, _PART = range(6)


# What a module holds: its type's name, and names, kinds and ids.
ModuleLook = tuple[str, list[tuple[str, str, int]]]
# What variables hold: names and ids of modules and tensors, and tensors in lists, tuples and dicts, with what stands in
# the brackets: "outputs[2]".
VariablesLook = tuple[
    list[tuple[str, int]], list[tuple[str, int]], list[tuple[str, Union[int, str], int]]
]


class Looks:
    """Modules, variables and tensors as they are now, by their ids.

    To look takes a few microseconds, so that it can be done where every one counts, and the names can be made of it
    later, whatever the modules and variables hold by then. What was looked at has to live until all looks are taken;
    ``tensors`` sees to it for tensors, until note().
    """

    def __init__(self, function: str, params: Any | None = None) -> None:
        self._function = function
        self.tensors: list[Tensor] = []
        self._noted_first: list[int] = []
        self._noted: list[int] = []
        self._given: list[tuple[str, str, int]] = []  # name, kind and id
        self._called: list[int] = []
        self._modules: dict[int, ModuleLook] = {}
        self._variables: list[VariablesLook] = []
        if params is not None:
            self._look_at_given(params)

    def _look_at_given(self, params: Any) -> None:
        pairs: Any = params.items() if isinstance(params, Mapping) else params
        if is_module(params):
            pairs = [("", params)]
        elif isinstance(params, (str, Tensor)) or not isinstance(pairs, Iterable):
            raise self._error(params)
        for pair in pairs:
            if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
                raise self._error(params)
            name, value = pair
            if is_module(value):
                self._give(PARAMETER, value.named_parameters(str(name)))
                self._give(BUFFER, value.named_buffers(str(name)))
            elif isinstance(value, Tensor):
                self._give(PARAMETER, [(str(name), value)])
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

    def _give(self, kind: str, named: Iterable[tuple[str, Tensor]]) -> None:
        for name, tensor in named:
            self.tensors.append(tensor)
            self._given.append((name, kind, id(tensor)))

    def look_at_called(self, modules: list[Any]) -> None:
        """Looks at modules, in the order of their calls."""
        self._called = [*map(id, modules)]
        self._look_at_modules([*dict(zip(self._called, modules)).values()])

    def look_at_frame(self, frame: FrameType | None) -> None:
        """Looks at the variables of a running function."""
        if frame is not None:
            variables = variables_of(frame)
            self.look_at_variables(variables)
            forget_variables(frame, variables)

    def look_at_variables(self, variables: dict[str, Any]) -> None:
        """Looks at as many of them as names are worth it."""
        self.look_at(list(itertools.islice(variables.items(), _MOST_VARIABLES)))

    def look_at_left(self, modules: list[Any]) -> None:
        """Looks at modules that the library has left."""
        self._look_at_modules([each for each in modules if _is_own_module(each)])

    def take_seen(self, seen: list[Any]) -> None:
        """Takes over what the library has seen at the end of a recording."""
        *texts, rows = seen
        name = iter(texts).__next__
        called, noted, modules, members = [], [], {}, []
        holding, tensors, parts = [], [], []
        for kind, each in struct.iter_unpack("qq", rows):
            if kind == _CALLED:
                called.append(each)
            elif kind == _MODULE:
                members = []
                modules[each] = name(), members
            elif kind == _MEMBER:
                members.append((name(), name(), each))
                if members[-1][1] != MODULE:
                    noted.append(each)
            elif kind == _VARIABLE_MODULE:
                holding.append((name(), each))
            elif kind == _VARIABLE:
                tensors.append((name(), each))
                noted.append(each)
            else:
                parts.append((name(), name(), each))
                noted.append(each)
        self._called, self._noted_first = called, noted
        self._modules = {**self._modules, **modules}
        holding = [(name, each) for name, each in holding if each in self._modules]
        self._variables = [(holding, tensors, parts)]

    def look_at(self, variables: Iterable[tuple[str, Any]]) -> None:
        """Looks at variables and what they hold: modules, tensors, or a list, tuple or dict of tensors."""
        modules, tensors, parts = look = [], [], []
        for name, value in variables:
            kind = type(value)
            if kind in OTHERS:
                continue
            if kind in tensor_classes:
                self.tensors.append(value)
                tensors.append((name, id(value)))
            elif kind in _CONTAINERS:
                for key, part in _parts(value):
                    self.tensors.append(part)
                    parts.append((name, key, id(part)))
            elif _is_own_module(value):
                self._look_at_modules([value])
                modules.append((name, id(value)))
        self._variables.append(look)

    def look_at_living(self) -> None:
        """Looks at all tensors that live somewhere, without names: the data of past calls may be among them.

        Python does not tell of those that were there before a gc.freeze().
        """
        address = ctypes._SimpleCData.value.__get__  # type: ignore[attr-defined]
        self.look_at([("", t) for t in gc.get_objects() if type(t) is Tensor and address(t)])

    def _look_at_modules(self, waiting: list[Any]) -> None:
        """Looks at modules, and at those in them, which are put behind the others in the list."""
        modules, tensors = self._modules, self.tensors
        for module in waiting:
            key, own = id(module), type(module)
            if key in modules:
                continue
            members: list[tuple[str, str, int]] = []
            modules[key] = own.__name__, members
            if (
                own.named_parameters is _named_parameters
                and own.named_buffers is _named_buffers
                and own.named_modules is _named_modules
            ):
                attributes = module.__dict__
                kinds = attributes.get("_kinds")
                if not kinds:  # or Module.__init__ was not called
                    continue
                found = zip(kinds, kinds.values(), map(attributes.get, kinds))
            else:
                found = _named_by_itself(module)
            for name, kind, value in found:
                if value is not None:
                    (waiting if kind == MODULE else tensors).append(value)
                    members.append((name, kind, id(value)))

    def note(self, recording: Any) -> None:
        """Has a native recording note what the tensors are now. From then on none of them is kept."""
        tensors, self.tensors = self.tensors, []
        if fast and len(tensors) <= _MOST_LISTED:
            run(lib.ag_recording_note, recording, tensors, len(tensors))
        else:
            array = handles(self._function, "params", tensors)
            run(lib.ag_recording_note, recording, array, len(tensors))
        self._noted = [*map(id, tensors)]


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The variables of a running function, module or class, until forget_variables()."""
    found = frame.f_locals
    return found if type(found) is dict else dict(found)


def forget_variables(frame: FrameType, variables: dict[str, Any]) -> None:
    """Empties the copy of a function's variables that its frame keeps, and with it what the function deletes later.

    The function itself may have it, too, from locals(); then it stays.
    """
    if (
        sys.version_info < (3, 13)
        and frame.f_code.co_flags & _OPTIMIZED
        and sys.getrefcount(variables) <= _KNOWN_REFERENCES
    ):
        variables.clear()


def is_module(value: Any) -> bool:
    """True for an nn.Module, which can say the names of its parameters and buffers."""
    return hasattr(type(value), "named_parameters") and hasattr(type(value), "named_buffers")


def _is_own_module(value: Any) -> bool:
    """False for what other packages call a module: a variable may hold anything."""
    if isinstance(value, Module):
        return True
    return is_module(value) and all(isinstance(t, Tensor) for _, t in value.named_parameters())


def _named_by_itself(module: Any) -> list[tuple[str, str, Any]]:
    """What a module holds whose class has a say in it, or that is only like a module: names, kinds and values."""
    members = [(name, PARAMETER, tensor) for name, tensor in module.named_parameters()]
    members += [(name, BUFFER, tensor) for name, tensor in module.named_buffers()]
    members = [each for each in members if isinstance(each[2], Tensor)]
    below = module.named_modules() if hasattr(type(module), "named_modules") else ()
    return members + [(name, MODULE, part) for name, part in below if part is not module]


def _parts(value: Any) -> list[tuple[int | str, Tensor]]:
    """The tensors in a list, tuple or dict, with what stands in the brackets."""
    if type(value) is dict:
        pairs = list(itertools.islice(value.items(), _MOST_PARTS))
    else:
        pairs = list(enumerate(value[:_MOST_PARTS]))
    # Most hold none: found out without a step of the interpreter for each.
    if tensor_classes.isdisjoint(map(type, map(_second, pairs))):
        return []
    return [(key, t) for key, t in pairs if isinstance(t, Tensor) and type(key) in (int, str)]
