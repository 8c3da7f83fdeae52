"""Optimizer: parameter groups, their state, and native arrays of their handles."""

from __future__ import annotations

import ctypes
import operator
from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Callable, Union

from .. import tensor as _tensor
from .._capi import lib, raise_last_error
from ..tensor import Tensor

Params = Union[Iterable[Tensor], Iterable[dict[str, Any]]]


class Handles:
    """The handles of tensors as a native array, made anew only when the tensors change."""

    __slots__ = ("array", "changes", "count", "tensors")

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = list(tensors)
        self.changes = _tensor.handle_changes
        self.count = ctypes.c_int64(len(tensors))
        self.array = (ctypes.c_void_p * len(tensors))(*tensors)

    def fit(self, tensors: list[Tensor]) -> bool:
        """True if the array still holds the handles of exactly these tensors."""
        return (
            self.changes == _tensor.handle_changes
            and len(tensors) == len(self.tensors)
            and all(map(operator.is_, tensors, self.tensors))
        )


class Optimizer:
    """The base of all optimizers: updates parameters in place from their gradients.

    params: tensors, or dicts with "params" and options that differ from the defaults.
    """

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got Tensor"
            )
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._handles: dict[int, Handles] = {}
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters with its options; those not given are the defaults.

        Raises TypeError for what is not a tensor, ValueError for non-leaves and for parameters given twice.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections; a set has no order"
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {id(other) for each in self.param_groups for other in each["params"]}
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}"
                )
            if not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
            if id(param) in known:
                raise ValueError("some parameters appear in more than one parameter group")
        if len({id(param) for param in params}) != len(params):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        group["params"] = params
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.param_groups.append(group)

    def _group_handles(self, number: int) -> Handles:
        """The handles of a group's parameters."""
        params = self.param_groups[number]["params"]
        handles = self._handles.get(number)
        if handles is None or not handles.fit(params):
            handles = self._handles[number] = Handles(params)
        return handles

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Removes the gradients of all parameters, or fills them with 0 if set_to_none is False."""
        for number in range(len(self.param_groups)):
            handles = self._group_handles(number)
            if lib.ag_zero_grad(handles.array, handles.count, bool(set_to_none)):
                raise_last_error()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates all parameters once. closure, if given, computes the loss again, which is returned."""
        raise NotImplementedError

    # ---- state ----

    def state_dict(self) -> dict[str, Any]:
        """The state of all parameters, numbered in order, and the options of all groups."""
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                numbers.setdefault(id(param), len(numbers))
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [numbers[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {
            numbers[id(param)]: dict(values)
            for param, values in self.state.items()
            if id(param) in numbers
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the state and options of a state_dict(); tensors are copied.

        Raises ValueError if the groups or their numbers of parameters differ.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for group, other in zip(self.param_groups, saved):
            if len(group["params"]) != len(other["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
                )
        params: dict[Any, Tensor] = {}
        for group, other in zip(self.param_groups, saved):
            params.update(zip(other["params"], group["params"]))
            group.update(
                {name: deepcopy(value) for name, value in other.items() if name != "params"}
            )
        self.state = defaultdict(dict)
        for number, values in state_dict["state"].items():
            if number in params:
                self.state[params[number]] = {
                    name: self._copied(params[number], v) for name, v in values.items()
                }
        self._handles = {}

    @staticmethod
    def _copied(param: Tensor, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return deepcopy(value)
        value = value.detach().clone()
        return (
            value.to(param.dtype)
            if param.is_floating_point() and value.is_floating_point()
            else value
        )

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": dict(self.state),
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.state = defaultdict(dict, state["state"])
        self._handles = {}

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])
