"""Python code in the backward pass: hooks on gradients, functions with gradients of their own, and handles."""

from __future__ import annotations

import ctypes
import itertools
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Callable, Optional

from ._capi import DELETER, HOOK, RULE, get_address, keep_exception, lib, run, set_address
from .tensor import Tensor, adopt

__all__ = ["RemovableHandle"]

Hook = Callable[[Tensor], Optional[Tensor]]
Rule = Callable[[list[Optional[Tensor]]], Sequence[Optional[Tensor]]]


class RemovableHandle:
    """Removes a hook: by :meth:`remove`, or at the end of a ``with`` block.

    The handle does not keep alive what the hook is registered on.
    """

    _next_id = itertools.count()

    def __init__(self, hooks: OrderedDict[int, Any], *, options: Any = None) -> None:
        # options: a further dict, or a list of dicts, by the same ids, kept in step with the hooks.
        self.hooks_dict_ref = weakref.ref(hooks)
        self.id = next(RemovableHandle._next_id)
        more = options if isinstance(options, (list, tuple)) else [options]
        self.extra_dict_ref = tuple(weakref.ref(each) for each in more if each is not None)

    def remove(self) -> None:
        """Removes the hook, if it is still registered."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            entries = reference()
            if entries is not None:
                entries.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.hooks_dict_ref(), self.id, [each() for each in self.extra_dict_ref])

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        hooks, self.id, more = state
        # Handles of hooks that are gone refer to nothing.
        gone: OrderedDict[int, Any] = OrderedDict()
        self.hooks_dict_ref = weakref.ref(gone if hooks is None else hooks)
        self.extra_dict_ref = tuple(weakref.ref(each) for each in more if each is not None)
        RemovableHandle._next_id = itertools.count(max(next(RemovableHandle._next_id), self.id + 1))

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()


# ---- what the library calls ------------------------------------------------------------------------------

# Python objects that the library refers to, by the number it was given as context.
_lent: dict[int, Any] = {}
_ticket = itertools.count(1)


@DELETER
def _give_back(ticket: int) -> None:
    _lent.pop(ticket, None)


def _lend(thing: Any) -> int:
    ticket = next(_ticket)
    _lent[ticket] = thing
    return ticket


def _reference(address: int | None) -> Tensor | None:
    """A Tensor of its own for a handle that is only borrowed."""
    if address is None:
        return None
    borrowed = adopt(address)
    try:
        return lib.ag_tensor_retain(borrowed)
    finally:
        set_address(borrowed, None)


def _hand_over(tensor: Tensor) -> int:
    """The address of a reference that the library takes over."""
    another = lib.ag_tensor_retain(tensor)
    address = get_address(another)
    set_address(another, None)
    return address  # type: ignore[return-value]


@HOOK
def _run_hooks(ticket: int, address: int, replacement: Any) -> int:
    try:
        grad: Any = _reference(address)
        first = grad
        for hook in list(_lent[ticket].values()):
            result = hook(grad)
            if result is None:
                continue
            if not isinstance(result, Tensor):
                raise TypeError(f"expected Tensor, but hook returned '{type(result).__name__}'")
            grad = result
        if grad is not first:
            replacement[0] = _hand_over(grad)
        return 0
    except BaseException as error:
        return keep_exception(error)


@RULE
def _run_rule(ticket: int, grads: Any, n_outputs: int, out: Any, n_inputs: int) -> int:
    try:
        results = _lent[ticket]([_reference(grads[i]) for i in range(n_outputs)])
        for i, result in enumerate(results):
            if i < n_inputs and result is not None:
                out[i] = _hand_over(result)
        return 0
    except BaseException as error:
        return keep_exception(error)


# ---- hooks of tensors ------------------------------------------------------------------------------------


def register_hook(self: Tensor, hook: Hook) -> RemovableHandle:
    """Calls hook(grad) whenever the gradient of this tensor, summed over all its uses, has been computed.

    A tensor that the hook returns takes the gradient's place; it has the same sizes and type. The hook must not change
    its argument in place. Raises RuntimeError if this tensor does not require grad. Returns a handle whose remove()
    takes the hook away.
    """
    hooks = self.__dict__.get("_backward_hooks")
    # Hooks belong to a value: after a change in place the tensor is another one.
    made_by = (self._version, self.is_leaf)
    if hooks is None or (not self.is_leaf and self.__dict__["_hooks_made_by"] != made_by):
        hooks = OrderedDict()
        attach_hooks(self, hooks)
        self.__dict__.update(_backward_hooks=hooks, _hooks_made_by=made_by)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def attach_hooks(tensor: Tensor, hooks: OrderedDict[int, Hook]) -> None:
    """Lets the library call the hooks, present and future ones, for the gradient of tensor."""
    ticket = _lend(hooks)
    try:
        run(lib.ag_tensor_register_hook, tensor, _run_hooks, ticket, _give_back)
    except BaseException:
        _lent.pop(ticket, None)
        raise


Tensor.register_hook = register_hook  # type: ignore[method-assign]


def record_function(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], rule: Rule
) -> list[Tensor]:
    """The values of outputs with a history that says: computed from inputs by a function whose gradient is rule.

    rule gets the gradients of the outputs, None where none flowed, and returns those of the inputs.
    """
    ticket = _lend(rule)
    sources = (ctypes.c_void_p * len(inputs))(*inputs)
    values = (ctypes.c_void_p * len(outputs))(*outputs)
    results = (ctypes.c_void_p * len(outputs))()
    try:
        run(
            lib.ag_record_function,
            sources,
            len(inputs),
            values,
            len(outputs),
            _run_rule,
            ticket,
            _give_back,
            results,
        )
    except BaseException:
        _lent.pop(ticket, None)
        raise
    return [adopt(address) for address in results]
