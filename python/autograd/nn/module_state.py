"""state_dict() and load_state_dict() of modules."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .._capi import lib
from ..grad_mode import no_grad
from ..hooks import RemovableHandle
from ..tensor import Tensor
from .members import BUFFER, MODULE, PARAMETER
from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module

__all__ = ["IncompatibleKeys", "ModuleState"]

Hook = Callable[..., Any]
_EXTRA_STATE = "_extra_state"
_detach = lib.ag_detach


class IncompatibleKeys(NamedTuple):
    """The keys that load_state_dict() could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )

    __str__ = __repr__


class StateDict(OrderedDict[str, Any]):
    """What state_dict() returns: values by dotted name, with ``_metadata``, the versions of the modules."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (list(self.items()), getattr(self, "_metadata", None)))


def _restored(items: list[tuple[str, Any]], metadata: Any) -> StateDict:
    state = StateDict(items)
    if metadata is not None:
        state._metadata = metadata  # type: ignore[attr-defined]
    return state


class ModuleState:
    """The part of Module that gives its state and takes it back."""

    _non_persistent_buffers_set: set[str]

    # ---- out ----

    def get_extra_state(self) -> Any:
        """What else belongs into state_dict(); a subclass that defines it defines set_extra_state() as well."""
        raise RuntimeError(
            f"Module [{type(self).__name__}] has no extra state: define get_extra_state() and set_extra_state()"
        )

    def set_extra_state(self, state: Any) -> None:
        """Takes back what get_extra_state() gave."""
        raise RuntimeError(
            f"Module [{type(self).__name__}] has no extra state: define get_extra_state() and set_extra_state()"
        )

    def _has(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(ModuleState, method)

    def _local_state(self) -> list[tuple[str, Tensor]]:
        """This module's own parameters and persistent buffers."""
        own = self._own  # type: ignore[attr-defined]
        hidden = self._non_persistent_buffers_set
        return own(PARAMETER) + [item for item in own(BUFFER) if item[0] not in hidden]

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Puts this module's own state, not that of its children, into destination."""
        for name, value in self._local_state():
            destination[prefix + name] = value if keep_vars else _detach(value)
        if self._has("get_extra_state"):
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """All parameters and persistent buffers by dotted name, in an OrderedDict or in destination.

        The tensors share the module's memory; they are detached unless keep_vars.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead: "
                "state_dict(destination=..., prefix=..., keep_vars=...)",
                FutureWarning,
                stacklevel=2,
            )
            given = (*args, *(destination, prefix, keep_vars)[len(args) :])
            destination, prefix, keep_vars = given[:3]
        if destination is None:
            destination = StateDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}  # type: ignore[attr-defined]
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._own(MODULE):  # type: ignore[attr-defined]
            module.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, local_metadata)
            if result is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = result
        return destination

    # ---- in ----

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Copies this module's own state, not that of its children, from state_dict; notes what does not fit."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        assign = local_metadata.get("assign_to_params_buffers", False)
        local_state = dict(self._local_state())
        for name, target in local_state.items():
            key = prefix + name
            if key in state_dict:
                fault = self._load_one(name, key, target, state_dict[key], assign)
                if fault:
                    error_msgs.append(fault)
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA_STATE
        if self._has("set_extra_state"):
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            kinds = self._kinds  # type: ignore[attr-defined]
            for key in state_dict:
                if not key.startswith(prefix) or key == extra:
                    continue
                first, dot, _ = key[len(prefix) :].partition(".")
                if kinds.get(first) != MODULE if dot else first not in local_state:
                    unexpected_keys.append(key)

    def _load_one(self, name: str, key: str, target: Tensor, source: Any, assign: bool) -> str:
        """Copies or assigns one value; returns what is wrong with it, "" if nothing is."""
        if not isinstance(source, Tensor):
            return (
                f'While copying the parameter named "{key}", expected Tensor or Tensor-like object from '
                f"checkpoint but received {type(source)}"
            )
        if target.ndim == 0 and source.shape == (1,):
            source = source[0]
        if source.shape != target.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {source.shape} from checkpoint, "
                f"the shape in current model is {target.shape}."
            )
        try:
            with no_grad():
                if not assign:
                    target.copy_(source)
                    return ""
                if isinstance(target, Parameter):
                    if not isinstance(source, Parameter):
                        source = Parameter(source, requires_grad=target.requires_grad)
                    else:
                        source.requires_grad_(target.requires_grad)
                setattr(self, name, source)
                return ""
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are {target.size()} '
                f"and whose dimensions in the checkpoint are {source.size()}, an exception occurred : {error.args}."
            )

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copies the values of a state_dict() into parameters and buffers; returns the keys that did not match.

        assign: the tensors of state_dict become the parameters and buffers instead of being copied. Raises
        RuntimeError with all problems if sizes differ or, when strict, if keys are missing or unexpected.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing_keys: list[str] = []
        unexpected_keys: list[str] = []
        error_msgs: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        # A copy, because hooks may change it.
        state = StateDict(state_dict)
        if metadata is not None:
            state._metadata = metadata  # type: ignore[attr-defined]

        def load(module: Any, local: dict[str, Any], prefix: str = "") -> None:
            local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local_metadata = {**local_metadata, "assign_to_params_buffers": True}
            module._load_from_state_dict(
                local, prefix, local_metadata, True, missing_keys, unexpected_keys, error_msgs
            )
            for name, child in module._own(MODULE):
                below = f"{prefix}{name}."
                load(child, {k: v for k, v in local.items() if k.startswith(below)}, below)
            incompatible = IncompatibleKeys(missing_keys, unexpected_keys)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, incompatible) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return "
                        "new values, if incompatible_keys need to be modified, it should be done inplace."
                    )

        load(self, state)
        if strict:
            if unexpected_keys:
                error_msgs.insert(
                    0, f"Unexpected key(s) in state_dict: {_quoted(unexpected_keys)}. "
                )
            if missing_keys:
                error_msgs.insert(0, f"Missing key(s) in state_dict: {_quoted(missing_keys)}. ")
        if error_msgs:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                + "\n\t".join(error_msgs)
            )
        return IncompatibleKeys(missing_keys, unexpected_keys)

    # ---- hooks ----

    _state_dict_hooks: OrderedDict[int, Hook]
    _state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_post_hooks: OrderedDict[int, Hook]

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Runs hook(module, prefix, keep_vars) before state_dict() reads this module."""
        return _add(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Runs hook(module, state_dict, prefix, local_metadata) after this module's state is in; it returns None."""
        hook._from_public_api = True  # type: ignore[attr-defined]
        return _add(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Hook) -> RemovableHandle:
        """As register_state_dict_post_hook, but a result that is not None replaces the state_dict of the root."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered "
                "via register_state_dict_post_hook"
            )
        return _add(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Runs hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        before this module is loaded."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Hook, with_module: bool = False
    ) -> RemovableHandle:
        bound = _WithModule(hook, self if with_module else None)
        return _add(self._load_state_dict_pre_hooks, bound)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Runs hook(module, incompatible_keys) after this module and those below it are loaded.

        The hook may change the lists of keys in place: what is left in them is an error if strict.
        """
        return _add(self._load_state_dict_post_hooks, hook)


class _WithModule:
    """A hook that gets its module as first argument; the module is not kept alive by its own hook."""

    def __init__(self, hook: Hook, module: Module | None) -> None:
        import weakref

        self.hook = hook
        self.module = None if module is None else weakref.ref(module)

    def __call__(self, *args: Any) -> Any:
        if self.module is None:
            return self.hook(*args)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args)

    def __getstate__(self) -> tuple[Any, Any]:
        return self.hook, None if self.module is None else self.module()

    def __setstate__(self, state: tuple[Any, Any]) -> None:
        self.__init__(*state)  # type: ignore[misc]


def _add(hooks: OrderedDict[int, Hook], hook: Hook) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
