"""load_plan: plans from a file, run without the function that they were made of."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._capi import call, check, lib, raise_last_error, text
from .captured import NO_PLAN, Handle
from .graph import Graph
from .operands import handles, room_for
from .structures import flatten, from_text, most_leaves, unflatten
from .tensor import Tensor

_MOST_RESULTS = 64
_MOST_PARTS = 1024
_MOST_OPTIONS = 16


class _Part:
    """The plans for one structure of arguments."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        label = text(lib.ag_compiled_label, handle)
        #: Of arguments and results; None if the file does not say.
        self.arguments: Any = None
        self.results: Any = None
        if label:
            self.arguments, self.results = from_text(label)

    def run(self, tensors: Sequence[Tensor]) -> Any:
        """The results; NO_PLAN if there is none that fits."""
        array = handles("plan", "inputs", tensors)
        room = room_for(_MOST_RESULTS)
        count = lib.ag_compiled_run(self.handle, array, len(tensors), room, _MOST_RESULTS)
        if count == NO_PLAN:
            return NO_PLAN
        if count < 0:
            raise_last_error()
        results = tuple(room[i] for i in range(count))
        if self.results is None:
            return results[0] if count == 1 else results
        if most_leaves(self.results) > count:
            raise ValueError("not a plan that can be used: it has fewer results than it says")
        return unflatten(self.results, results)

    def misfit(self, tensors: Sequence[Tensor]) -> str:
        array = handles("plan", "inputs", tensors)
        return text(lib.ag_compiled_misfit, self.handle, array, len(tensors))

    def options(self, step: int) -> list[float] | None:
        numbers = (ctypes.c_double * _MOST_OPTIONS)()
        count = lib.ag_compiled_options(self.handle, step, numbers, _MOST_OPTIONS)
        return None if count < 0 else numbers[:count]


class LoadedPlan:
    """Plans from a file: called like the function that they were made of, they run without it."""

    def __init__(self, path: str | Path, max_bytes: int = 1 << 32) -> None:
        found = (Handle * _MOST_PARTS)()
        count = lib.ag_compiled_load_all(str(path).encode(), max_bytes, found, _MOST_PARTS)
        if count < 0:
            raise_last_error()
        owned = [found[i] for i in range(count)]
        self._parts = [_Part(handle) for handle in owned]
        #: The tensors that the plans read and change, by name; those without a name under their number.
        self.tensors: dict[str, Tensor] = {}
        for i in range(lib.ag_compiled_num_tensors(owned[0])):
            name = text(lib.ag_compiled_tensor_name, owned[0], i) or str(i)
            self.tensors[name] = call(lib.ag_compiled_tensor, owned[0], i)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result. Arguments as it was called with, or only the tensors among them, in order.

        Raises RuntimeError if no plan fits.
        """
        tensors: list[Tensor] = []
        structure = flatten((args, kwargs), tensors)
        same = [part for part in self._parts if part.arguments == structure]
        only_tensors = not kwargs and all(isinstance(each, Tensor) for each in args)
        parts = same or (self._parts if only_tensors else [])
        for part in parts:
            result = part.run(tensors)
            if result is not NO_PLAN:
                return result
        if not parts:
            raise RuntimeError(
                f"no plan of the file fits: it has plans for {len(self._parts)} structures of arguments, none of them "
                "that of this call"
            )
        reasons = "; ".join(dict.fromkeys(part.misfit(tensors) for part in parts))
        raise RuntimeError(f"no plan of the file fits: {reasons or 'a capture is going on'}")

    def options(self, step: int = 0) -> list[float]:
        """The options of an optimizer's step, in the order of its arguments: the learning rate is the first."""
        for part in self._parts:
            options = part.options(step)
            if options is not None:
                return options
        raise_last_error()
        raise AssertionError

    def set_options(self, numbers: Sequence[float], step: int = 0) -> None:
        """Sets the options of an optimizer's step, all of them, in all plans that have a step of that number."""
        array = (ctypes.c_double * len(numbers))(*numbers)
        having = [part for part in self._parts if part.options(step) is not None]
        for part in having or self._parts[:1]:
            check(lib.ag_compiled_set_options(part.handle, step, array, len(numbers)))

    def graph(self, plan: int = 0) -> Graph:
        """The graph of a plan. Raises IndexError if there is none."""
        number = plan
        for part in self._parts:
            count = lib.ag_compiled_num_plans(part.handle)
            if 0 <= number < count:
                return Graph(
                    call(
                        lib.ag_compiled_graph, part.handle, number, False, None, None, 0, 0, None, 0
                    )
                )
            number -= count
        raise IndexError(f"the file has no plan {plan}")


def load_plan(path: str | Path, *, max_bytes: int = 1 << 32) -> LoadedPlan:
    """Returns the plans in a file that ``save()`` of a compiled function wrote, for predictions and further training.

    Nothing in the file is trusted: raises ValueError if it is damaged, no file of plans, one that no compiled function
    could have written, or if the results of its operations take more than max_bytes. Raises RuntimeError if it cannot
    be read.
    """
    return LoadedPlan(path, max_bytes)
