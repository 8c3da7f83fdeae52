"""load_plan: plans from a file, run without the function that they were made of."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._capi import call, check, lib, raise_last_error, text
from .captured import NO_PLAN
from .graph import Graph
from .operands import handles, room_for
from .tensor import Tensor

_MOST_RESULTS = 64


class LoadedPlan:
    """Plans from a file: called with tensors, they run without the function that they were made of."""

    def __init__(self, path: str | Path, max_bytes: int = 1 << 32) -> None:
        self._handle = call(lib.ag_compiled_load, str(path).encode(), max_bytes)
        #: The tensors that the plans read and change, by name; those without a name under their number.
        self.tensors: dict[str, Tensor] = {}
        for i in range(lib.ag_compiled_num_tensors(self._handle)):
            name = text(lib.ag_compiled_tensor_name, self._handle, i) or str(i)
            self.tensors[name] = call(lib.ag_compiled_tensor, self._handle, i)

    def __call__(self, *inputs: Tensor) -> Any:
        """The result, or a tuple of the results. Raises RuntimeError if no plan fits the inputs."""
        array = handles("plan", "inputs", inputs)
        room = room_for(_MOST_RESULTS)
        count = lib.ag_compiled_run(self._handle, array, len(inputs), room, _MOST_RESULTS)
        if count == NO_PLAN:
            reason = text(lib.ag_compiled_misfit, self._handle, array, len(inputs))
            raise RuntimeError(f"no plan of the file fits: {reason or 'a capture is going on'}")
        if count < 0:
            raise_last_error()
        results = tuple(room[i] for i in range(count))
        return results[0] if count == 1 else results

    def options(self, step: int = 0) -> list[float]:
        """The options of an optimizer's step, in the order of its arguments: the learning rate is the first."""
        numbers = (ctypes.c_double * 16)()
        count = lib.ag_compiled_options(self._handle, step, numbers, 16)
        if count < 0:
            raise_last_error()
        return numbers[:count]

    def set_options(self, numbers: Sequence[float], step: int = 0) -> None:
        """Sets the options of an optimizer's step, all of them."""
        array = (ctypes.c_double * len(numbers))(*numbers)
        check(lib.ag_compiled_set_options(self._handle, step, array, len(numbers)))

    def graph(self, plan: int = 0) -> Graph:
        """The graph of a plan. Raises IndexError if there is none."""
        return Graph(call(lib.ag_compiled_graph, self._handle, plan, False))


def load_plan(path: str | Path, *, max_bytes: int = 1 << 32) -> LoadedPlan:
    """Returns the plans in a file that ``save()`` of a compiled function wrote, for predictions and further training.

    Nothing in the file is trusted: raises ValueError if it is damaged, no file of plans, one that no compiled function
    could have written, or if the results of its operations take more than max_bytes. Raises RuntimeError if it cannot
    be read.
    """
    return LoadedPlan(path, max_bytes)
