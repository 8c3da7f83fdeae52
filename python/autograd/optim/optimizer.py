"""Optimizer: parameter groups, their state, hooks, and what is kept of them in a state dict."""

from __future__ import annotations

import ctypes
import functools
import operator
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from itertools import chain
from typing import Any, Callable, Union

from .. import changes
from .. import tensor as _tensor
from .._capi import lib, raise_last_error
from ..hooks import RemovableHandle
from ..tensor import Tensor

Params = Union[Iterable[Tensor], Iterable[dict[str, Any]], Iterable[tuple[str, Tensor]]]
Hooks = "OrderedDict[int, Callable[..., Any]]"

_global_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_global_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()

_HOOKS = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def must_be_dict(what: str, value: Any) -> None:
    """Raises TypeError for what is no mapping."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must be dict, not {type(value).__name__}")


class _Required:
    """Marks an option that each group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def _register(hooks: Any, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls hook(optimizer, args, kwargs) before each step of any optimizer; returns a handle that removes it."""
    return _register(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls hook(optimizer, args, kwargs) after each step of any optimizer; returns a handle that removes it."""
    return _register(_global_post_hooks, hook)


def _refuse_hooks(optimizer: Optimizer) -> None:
    """A captured step with hooks is none that can be repeated natively."""
    hooks = (
        optimizer._optimizer_step_pre_hooks,
        _global_pre_hooks,
        optimizer._optimizer_step_post_hooks,
        _global_post_hooks,
    )
    hook = next(iter(chain.from_iterable(each.values() for each in hooks)))
    changes.refuse(
        f"{type(optimizer).__name__} has a step hook, {changes.place_of(hook)}, which is Python code"
    )


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step() that calls the hooks around the given one."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        before, after = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
        if not (before or after or _global_pre_hooks or _global_post_hooks):
            return step(self, *args, **kwargs)
        if changes.captures:
            _refuse_hooks(self)
        for hook in list(chain(_global_pre_hooks.values(), before.values())):
            # As in PyTorch, hooks see the optimizer as the first of the arguments.
            changed = hook(self, (self, *args), kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                )
            args, kwargs = changed[0][1:], changed[1]
        result = step(self, *args, **kwargs)
        for hook in list(chain(after.values(), _global_post_hooks.values())):
            hook(self, (self, *args), kwargs)
        return result

    hooked.hooked = True  # type: ignore[attr-defined]
    return hooked


def _must_be_optimized(param: Any) -> None:
    """Raises TypeError for what is no Tensor."""
    if not isinstance(param, Tensor):
        raise TypeError(
            f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}"
        )


class Handles:
    """The handles of tensors as a native array, made anew only when the tensors change."""

    __slots__ = ("array", "changes", "count", "tensors")

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = list(tensors)
        for tensor in self.tensors:
            _must_be_optimized(tensor)
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

    params: tensors, (name, tensor) pairs, or dicts with "params" and options that differ from the defaults.
    """

    _optimizer_step_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_step_post_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._prepare()
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            hint = "; pass its parameters()" if hasattr(params, "parameters") else ""
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {type(params).__name__}{hint}"
            )
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _prepare(self) -> None:
        """Sets what is not part of a pickled optimizer."""
        for name in _HOOKS:
            if name not in self.__dict__:
                setattr(self, name, OrderedDict())
        self._handles: dict[int, Handles] = {}
        cls = type(self)
        if not getattr(cls.step, "hooked", False):
            cls.step = _with_hooks(cls.step)  # type: ignore[method-assign]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters with its options; those not given are the defaults.

        Raises TypeError for what is not a tensor, ValueError for non-leaves, for parameters that another group has,
        and where only some parameters have names.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in "
                "sets will change between runs. Please use a list instead."
            )
        entries = [params] if isinstance(params, Tensor) else list(params)
        names = [entry[0] for entry in entries if isinstance(entry, tuple)]
        params = [entry[1] if isinstance(entry, tuple) else entry for entry in entries]
        if names and len(names) != len(params):
            raise ValueError(
                "all optimizer params should be with/without names. Some param names are missing"
            )
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for param in params:
            _must_be_optimized(param)
            if not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, value in self.defaults.items():
            if value is required and name not in param_group:
                raise ValueError(
                    f"parameter group didn't specify a value of required optimization parameter {name}"
                )
            param_group.setdefault(name, value)
        self._check_against_other_groups(param_group)
        self.param_groups.append(param_group)

    def _check_against_other_groups(self, group: dict[str, Any]) -> None:
        own = set(map(id, group["params"]))
        if len(own) != len(group["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error",
                stacklevel=4,
            )
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                kind = "with names" if "param_names" in group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {kind} to the optimizer"
                )
        others = chain.from_iterable(other["params"] for other in self.param_groups)
        if not own.isdisjoint(map(id, others)):
            raise ValueError("some parameters appear in more than one parameter group")

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

    # ---- hooks ----

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(optimizer, args, kwargs) before each step; it may return new (args, kwargs)."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(optimizer, args, kwargs) after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Calls hook(optimizer) before state_dict(); ahead of the other hooks if prepend."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Calls hook(optimizer, state_dict) after state_dict(); it may return another one."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Calls hook(optimizer, state_dict) before load_state_dict(); it may return another one."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Calls hook(optimizer) after load_state_dict()."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # ---- state ----

    def state_dict(self) -> dict[str, Any]:
        """The state of all parameters, numbered in order, and the options of all groups."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        start = 0
        for group in self.param_groups:
            for position, param in enumerate(group["params"], start):
                numbers.setdefault(id(param), position)
            start += len(group["params"])
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [numbers[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: values
            for key, values in self.state.items()
        }
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the state and options of a state_dict(); tensors are copied.

        Raises ValueError if the groups or their numbers of parameters differ.
        """
        must_be_dict("state_dict", state_dict)
        state_dict = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
            must_be_dict("state_dict", state_dict)
        must_be_dict("state_dict['state']", state_dict["state"])
        saved = deepcopy(state_dict["param_groups"])
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
            other["params"] = group["params"]
            if "param_names" in group:
                other.setdefault("param_names", group["param_names"])
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, values in state_dict["state"].items():
            if key in params:
                must_be_dict(f"the state of parameter {key}", values)
                state[params[key]] = _copied(params[key], values)
            else:
                state[key] = values
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def _copied(param: Tensor, value: Any, name: Any = None) -> Any:
    """A copy of a value of the state of param; tensors but the number of the step get its dtype."""
    if isinstance(value, Tensor):
        value = value.detach().clone()
        return value.to(param.dtype) if param.is_floating_point() and name != "step" else value
    if isinstance(value, dict):
        return {key: _copied(param, each, key) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_copied(param, each) for each in value)
    return value
