"""Python code in the backward pass: hooks on gradients, functions with gradients of their own, and handles."""

from __future__ import annotations

import ctypes
import itertools
import struct
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Callable, Optional

from . import changes
from ._capi import (
    DELETER,
    HOOK,
    LEAF_HOOK,
    NODE_HOOK,
    RULE,
    as_method,
    call,
    constants,
    fast,
    get_address,
    hide_buffer,
    keep_exception,
    lasting,
    lib,
    raise_last_error,
    run,
    set_address,
    set_handle_class,
)
from .tensor import Tensor, adopt

__all__ = ["RemovableHandle"]

Hook = Callable[[Tensor], Optional[Tensor]]
# Gets the gradients of the outputs and the address of the node, and returns the gradients of the inputs.
Rule = Callable[[list[Optional[Tensor]], int], Sequence[Optional[Tensor]]]


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
        changes.note()

    def remove(self) -> None:
        """Removes the hook, if it is still registered."""
        changes.note()
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
_new_ticket = _ticket.__next__
if not getattr(sys, "_is_gil_enabled", lambda: True)():
    _counting = threading.Lock()  # a count is no single step there

    def _new_ticket() -> int:
        with _counting:
            return next(_ticket)


# Callbacks find it as a default of theirs: when Python ends, the globals of modules are gone before tensors are.
take_back = _lent.pop


@lasting
@DELETER
def _give_back(ticket: int, take_back: Any = take_back) -> None:
    take_back(ticket, None)


def lend(thing: Any) -> int:
    """The number by which the library knows a Python object, until it gives it back."""
    ticket = _new_ticket()
    _lent[ticket] = thing
    return ticket


def lent(ticket: int) -> Any:
    """The object that has been lent under a number."""
    return _lent[ticket]


give_back = _give_back


def reference(address: int | None) -> Tensor | None:
    """A Tensor of its own for a handle that is only borrowed."""
    if address is None:
        return None
    borrowed = adopt(address)
    try:
        return lib.ag_tensor_retain(borrowed)
    finally:
        set_address(borrowed, None)


def hand_over(tensor: Tensor) -> int:
    """The address of a reference that the library takes over."""
    another = lib.ag_tensor_retain(tensor)
    address = get_address(another)
    set_address(another, None)
    return address  # type: ignore[return-value]


@lasting
@HOOK
def _run_hooks(ticket: int, address: int, replacement: Any) -> int:
    try:
        grad: Any = reference(address)
        first = grad
        if changes.captures:
            changes.watch(_lent[ticket].values())
        for hook in list(_lent[ticket].values()):
            result = hook(grad)
            if result is None:
                continue
            if not isinstance(result, Tensor):
                raise TypeError(f"expected Tensor, but hook returned '{type(result).__name__}'")
            grad = result
        if grad is not first:
            replacement[0] = hand_over(grad)
        return 0
    except BaseException as error:
        return keep_exception(error)


@lasting
@LEAF_HOOK
def _run_leaf_hooks(ticket: int, address: int) -> int:
    try:
        entry = _lent[ticket]
        # The hooks see the object that they were registered on, if it is still there.
        leaf = entry.leaf()
        if leaf is None:
            leaf = reference(address)
        if changes.captures:
            changes.watch(entry.hooks.values())
        for hook in list(entry.hooks.values()):
            hook(leaf)
        return 0
    except BaseException as error:
        return keep_exception(error)


@lasting
@NODE_HOOK
def _run_node_hooks(
    ticket: int, inputs: Any, n_inputs: int, outputs: Any, n_outputs: int, out: Any
) -> int:
    try:
        hooks, after = _lent[ticket]
        seen = tuple(reference(outputs[i]) for i in range(n_outputs))
        first = changing = tuple(reference(inputs[i]) for i in range(n_inputs)) if after else seen
        if changes.captures:
            changes.watch(hooks.values())
        for hook in list(hooks.values()):
            result = hook(changing, seen) if after else hook(changing)
            if result is not None:
                changing = _checked_results(result, changing)
        for i, (new, old) in enumerate(zip(changing, first)):
            if new is not old:
                out[i] = hand_over(new)
        return 0
    except BaseException as error:
        return keep_exception(error)


def _checked_results(result: Any, seen: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(result, (tuple, Tensor)):
        raise TypeError(f"expected tuple, but hook returned '{type(result).__name__}'")
    results = result if isinstance(result, tuple) else (result,)
    if len(results) != len(seen):
        raise RuntimeError(
            f"hook has returned an incorrect number of values: got {len(results)}, but expected {len(seen)}"
        )
    for new, old in zip(results, seen):
        if new is None and old is not None:
            raise RuntimeError("can't replace a Tensor gradient with None in a hook")
        if new is not None and not isinstance(new, Tensor):
            raise TypeError(f"expected Tensor, but hook returned '{type(new).__name__}'")
    return results


@lasting
@RULE
def _run_rule(ticket: int, node: int, grads: Any, n_outputs: int, out: Any, n_inputs: int) -> int:
    try:
        results = _lent[ticket]([reference(grads[i]) for i in range(n_outputs)], node)
        for i, result in enumerate(results):
            if i < n_inputs and result is not None:
                out[i] = hand_over(result)
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
    ticket = lend(hooks)
    try:
        run(lib.ag_tensor_register_hook, tensor, _run_hooks, ticket, _give_back)
    except BaseException:
        _lent.pop(ticket, None)
        raise


Tensor.register_hook = register_hook  # type: ignore[method-assign]


class _LeafHooks:
    """The hooks of a leaf, and the leaf as Python knows it."""

    def __init__(self, leaf: Tensor) -> None:
        self.leaf = weakref.ref(leaf)
        self.hooks: OrderedDict[int, Callable[[Tensor], None]] = OrderedDict()


def register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], None]
) -> RemovableHandle:
    """Calls hook(tensor) after each backward() that has added to the ``.grad`` of this leaf.

    Raises RuntimeError if this tensor is no leaf or does not require grad. Returns a handle whose remove() takes the
    hook away.
    """
    entry = self.__dict__.get("_leaf_hooks")
    if entry is None:
        entry = _LeafHooks(self)
        attach_leaf_hooks(self, entry)
        self.__dict__["_leaf_hooks"] = entry
    handle = RemovableHandle(entry.hooks)
    entry.hooks[handle.id] = hook
    return handle


def attach_leaf_hooks(leaf: Tensor, entry: _LeafHooks) -> None:
    """Lets the library call the hooks, present and future ones, after it has added to the gradient of leaf."""
    _register(lib.ag_tensor_register_accumulation_hook, leaf, _run_leaf_hooks, entry)


def attach_node_hooks(node: Any, hooks: OrderedDict[int, Any], after: bool) -> None:
    """Lets the library call the hooks before, or after, it has computed the gradient of a node."""
    register = lib.ag_node_register_hook if after else lib.ag_node_register_prehook
    _register(register, node, _run_node_hooks, (hooks, after))


def _register(register: Any, owner: Any, callback: Any, thing: Any) -> None:
    ticket = lend(thing)
    try:
        run(register, owner, callback, ticket, _give_back)
    except BaseException:
        _lent.pop(ticket, None)
        raise


Tensor.register_post_accumulate_grad_hook = register_post_accumulate_grad_hook  # type: ignore[method-assign]


# ---- functions with gradients of their own ---------------------------------------------------------------

VALUE, DIRTY, CONSTANT = (
    constants["AG_OUTPUT_VALUE"],
    constants["AG_OUTPUT_DIRTY"],
    constants["AG_OUTPUT_CONSTANT"],
)


class NativeFunction(ctypes.c_void_p):
    """Owns what the library knows of a function: its name, and who computes and who forgets its gradients."""

    __del__ = as_method(lib.ag_function_free)


hide_buffer(NativeFunction)
set_handle_class("ag_function", NativeFunction)


def native_function(name: str, deleter: Any = _give_back) -> Any:
    """A function for record_call()."""
    return call(lib.ag_function_make, name.encode(), _run_rule, deleter)


def _addresses(tensors: Sequence[Tensor | None]) -> bytes:
    """A native array of the tensors' handles, NULL for None, for a call during which they live."""
    addresses = [0 if tensor is None else get_address(tensor) for tensor in tensors]
    return struct.pack(f"{len(addresses)}P", *addresses)


# A call of CPython's own kind takes lists of so many tensors as they are.
_MOST = 16 if fast else -1


def record_call(
    function: Any,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    rule: Rule,
    *,
    kinds: Sequence[int] | None = None,
    saved: Sequence[Tensor | None] = (),
    zeros: bool = False,
) -> list[Tensor]:
    """outputs with a history that says: computed from inputs by a native_function() whose gradient is rule.

    They are the same objects, or aliases where they can't be changed themselves. rule gets the gradients of the
    outputs, None (or zeros) where none flowed, and returns those of the inputs.
    """
    n, n_inputs, n_saved = len(outputs), len(inputs), len(saved)
    if n_inputs > _MOST or n > _MOST or n_saved > _MOST or any(each is None for each in saved):
        given, made, kept = _addresses(inputs), _addresses(outputs), _addresses(saved)
        out: Any = (ctypes.c_void_p * n)()
    else:
        given, made, kept, out = inputs, outputs, saved, [None] * n
    ticket = lend(rule)
    marks = None if kinds is None else (ctypes.c_int32 * n)(*kinds)
    if lib.ag_function_record_call(
        function, given, n_inputs, made, n, marks, kept, n_saved, zeros, ticket, out
    ):
        _lent.pop(ticket, None)
        raise_last_error()
    results = []
    for given, result in zip(outputs, out if type(out) is list else map(adopt, out)):
        results.append(given if get_address(given) == get_address(result) else result)
    return results


def record_function(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], rule: Rule, name: str = "function"
) -> list[Tensor]:
    """The values of outputs, as other tensors, with a history as record_call() gives it."""
    outputs = [call(lib.ag_detach, output) for output in outputs]
    return record_call(native_function(name), inputs, outputs, rule)
