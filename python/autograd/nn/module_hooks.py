"""The hooks of a module: what runs before and after its forward and backward."""

from __future__ import annotations

import operator
import warnings
import weakref
from collections import OrderedDict
from typing import Any, Callable

from .. import changes
from ..hooks import RemovableHandle
from ..tensor import Tensor

__all__ = [
    "ModuleHooks",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]

Hook = Callable[..., Any]

# Hooks of all modules.
_forward_hooks: OrderedDict[int, Hook] = OrderedDict()
_forward_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
_backward_hooks: OrderedDict[int, Hook] = OrderedDict()
_backward_pre_hooks: OrderedDict[int, Hook] = OrderedDict()

# The dicts of hooks of a module that a call has to look at; flags are kept by the same ids.
_CALL_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_FLAGS = (
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks_with_kwargs",
)
_STATE_HOOKS = (
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Forward(property):
    """``module(x)`` is ``module.forward(x)``: found and called without a Python frame of its own.

    Read from the class it can be called, too: ``Module.__call__(module, x)``.
    """

    def __init__(self) -> None:
        self.read_with(operator.attrgetter("forward"))

    def read_with(self, getter: Callable[[Any], Callable[..., Any]]) -> None:
        """Finds forward by another getter from now on.

        The class stays as it is: what the interpreter has learnt of it would be lost with any other __call__.
        """
        super().__init__(getter, None, None, "Calls forward().")

    def __call__(self, module: Any, *args: Any, **kwargs: Any) -> Any:
        return self.fget(module)(*args, **kwargs)


class _Calls:
    """What ``Module.__call__`` is: the fast one while no module has a hook, else the one that runs hooks."""

    # The dicts that have hooks, by their ids; one that dies with its module is forgotten.
    hooked: dict[int, weakref.ref[OrderedDict[int, Hook]]] = {}
    module_class: Any = None
    # Without hooks and with; in a list, because what a class holds may be read as another thing than it is.
    forms: list[Any] = []

    @classmethod
    def add(cls, hooks: OrderedDict[int, Hook]) -> None:
        key = id(hooks)
        if key not in cls.hooked:
            cls.hooked[key] = weakref.ref(hooks, lambda _, forget=cls.forget: forget(key))
        cls.choose()

    @classmethod
    def forget(cls, key: int) -> None:
        cls.hooked.pop(key, None)
        cls.choose()

    @classmethod
    def choose(cls) -> None:
        # Once more after a change: another thread, or the end of a module, may have come in between.
        while cls.module_class.__dict__["__call__"] is not (wanted := cls.forms[bool(cls.hooked)]):
            cls.module_class.__call__ = wanted


def follow_hooks(module_class: Any) -> None:
    """Switches ``module_class.__call__``, a Forward, to what runs hooks as long as there are any."""
    _Calls.module_class = module_class
    _Calls.forms[:] = module_class.__dict__["__call__"], module_class._call_with_hooks


def find_calls(getter: Callable[[Any], Callable[..., Any]], with_hooks: Any) -> None:
    """Has the getter find what ``module(x)`` calls as long as no module has a hook, and with_hooks be called else."""
    _Calls.forms[0].read_with(getter)
    _Calls.forms[1] = with_hooks


class _CallHookHandle(RemovableHandle):
    def remove(self) -> None:
        super().remove()
        hooks = self.hooks_dict_ref()
        if not hooks and hooks is not None:
            _Calls.forget(id(hooks))


def _register(
    hooks: OrderedDict[int, Hook], hook: Hook, flags: list[OrderedDict[int, bool]], prepend: bool
) -> RemovableHandle:
    handle = _CallHookHandle(hooks, options=flags)
    hooks[handle.id] = hook
    for each in flags:
        each[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    _Calls.add(hooks)
    return handle


def register_module_forward_hook(hook: Hook) -> RemovableHandle:
    """Runs hook(module, args, output) after the forward of every module; a result that is not None replaces output."""
    return _register(_forward_hooks, hook, [], False)


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Runs hook(module, args) before the forward of every module; a result that is not None replaces args."""
    return _register(_forward_pre_hooks, hook, [], False)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Runs hook(module, grad_input, grad_output) after the backward of every module."""
    return _register(_backward_hooks, hook, [], False)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Runs hook(module, grad_output) before the backward of every module."""
    return _register(_backward_pre_hooks, hook, [], False)


class ModuleHooks:
    """The part of Module that registers hooks."""

    _forward_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_hooks: OrderedDict[int, Hook]
    _backward_pre_hooks: OrderedDict[int, Hook]

    @staticmethod
    def _init_hooks(attributes: dict[str, Any]) -> None:
        for name in (*_CALL_HOOKS, *_FLAGS, *_STATE_HOOKS):
            attributes[name] = OrderedDict()

    def _call_with_hooks(self: Any, *args: Any, **kwargs: Any) -> Any:
        """``module(x)`` while some module has a hook."""
        if not (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or _forward_hooks
            or _forward_pre_hooks
            or _backward_hooks
            or _backward_pre_hooks
        ):
            return self.forward(*args, **kwargs)
        return _HookedCall(self, args, kwargs).run()

    def _restore_hooks(self) -> None:
        """After a copy or a pickle: the hooks that came along count as registered."""
        attributes = self.__dict__
        for name in (*_CALL_HOOKS, *_FLAGS, *_STATE_HOOKS):
            attributes.setdefault(name, OrderedDict())
        for name in _CALL_HOOKS:
            if attributes[name]:
                _Calls.add(attributes[name])

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Runs hook(module, args, output) after each forward; a result that is not None replaces the output.

        with_kwargs: hook(module, args, kwargs, output). prepend: before the hooks that are there. always_call: also
        when forward raises.
        """
        flags = []
        if with_kwargs:
            flags.append(self._forward_hooks_with_kwargs)
        if always_call:
            flags.append(self._forward_hooks_always_called)
        return _register(self._forward_hooks, hook, flags, prepend)

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Runs hook(module, args) before each forward; a result that is not None replaces args.

        with_kwargs: hook(module, args, kwargs), which returns None or a tuple of new args and kwargs.
        """
        flags = [self._forward_pre_hooks_with_kwargs] if with_kwargs else []
        return _register(self._forward_pre_hooks, hook, flags, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Runs hook(module, grad_input, grad_output) when the gradients of the module's inputs are there.

        A result that is not None, a tensor or a tuple, replaces grad_input.
        """
        return _register(self._backward_hooks, hook, [], prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Runs hook(module, grad_output) before the backward; a result that is not None replaces grad_output."""
        return _register(self._backward_pre_hooks, hook, [], prepend)


# ---- a call with hooks -----------------------------------------------------------------------------------


class _HookedCall:
    """One call of a module with hooks."""

    def __init__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module, self.args, self.kwargs = module, args, kwargs
        self.result: Any = None
        self.ran: set[int] = set()

    def run(self) -> Any:
        if changes.captures:
            mine = [getattr(self.module, name) for name in _CALL_HOOKS]
            everywhere = [_forward_hooks, _forward_pre_hooks, _backward_hooks, _backward_pre_hooks]
            for hooks in mine + everywhere:
                changes.watch(hooks.values())
        try:
            return self._run()
        except Exception:
            self._run_always_called()
            raise

    def _run(self) -> Any:
        module = self.module
        backward = None
        if (
            module._backward_hooks
            or _backward_hooks
            or module._backward_pre_hooks
            or _backward_pre_hooks
        ):
            from .backward_hooks import BackwardHooks

            backward = BackwardHooks(
                module,
                [*_backward_hooks.values(), *module._backward_hooks.values()],
                [*_backward_pre_hooks.values(), *module._backward_pre_hooks.values()],
            )
        self._run_pre_hooks()
        if backward is not None:
            self.args = backward.watch_inputs(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for number, hook in (*_forward_hooks.items(), *module._forward_hooks.items()):
            self.ran.add(number)
            changed = self._run_hook(number, hook)
            if changed is not None:
                self.result = changed
        if backward is not None:
            if not isinstance(self.result, (Tensor, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
                    f"but received {type(self.result)}",
                    stacklevel=4,
                )
            self.result = backward.watch_outputs(self.result)
        return self.result

    def _run_hook(self, number: int, hook: Hook) -> Any:
        if number in self.module._forward_hooks_with_kwargs:
            return hook(self.module, self.args, self.kwargs, self.result)
        return hook(self.module, self.args, self.result)

    def _run_pre_hooks(self) -> None:
        module = self.module
        for number, hook in (*_forward_pre_hooks.items(), *module._forward_pre_hooks.items()):
            if number in module._forward_pre_hooks_with_kwargs:
                changed = hook(module, self.args, self.kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                self.args, self.kwargs = changed
            else:
                changed = hook(module, self.args)
                if changed is not None:
                    self.args = changed if isinstance(changed, tuple) else (changed,)

    def _run_always_called(self) -> None:
        """After an exception: the hooks that asked for it and have not run yet."""
        for number, hook in list(self.module._forward_hooks.items()):
            if number not in self.module._forward_hooks_always_called or number in self.ran:
                continue
            try:
                changed = self._run_hook(number, hook)
                if changed is not None:
                    self.result = changed
            except Exception as error:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was silenced as "
                    f"another error was raised in forward: {error}",
                    stacklevel=5,
                )
