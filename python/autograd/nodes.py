"""The recorded operations behind tensors: what ``tensor.grad_fn`` is, and how one walks over a graph."""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from typing import Any, Callable, Optional
from weakref import WeakValueDictionary

from ._capi import (
    as_method,
    get_address,
    handle_exists,
    hide_buffer,
    lib,
    raise_last_error,
    run,
    set_address,
    set_handle_class,
    text,
)
from .hooks import RemovableHandle, attach_node_hooks, lent
from .tensor import NO_TENSOR, Tensor, adopt

__all__ = ["AccumulateGrad", "Node", "node_of"]

Gradients = tuple[Optional[Tensor], ...]


class _Handle(ctypes.c_void_p):
    """Owns one reference to a native node."""

    __del__ = as_method(lib.ag_node_free)


hide_buffer(_Handle)
set_handle_class("ag_node", _Handle)


class Node:
    """A recorded operation: it knows its name and whose gradients its own are made of.

    As long as somebody holds a node it is the same object, and the graph behind it stays.
    """

    __slots__ = ("__weakref__", "_handle", "_hooks", "_prehooks", "metadata")

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._hooks: OrderedDict[int, Any] | None = None
        self._prehooks: OrderedDict[int, Any] | None = None
        self.metadata: dict[Any, Any] = {}

    def name(self) -> str:
        """The name in PyTorch's style: ``AddBackward0``."""
        return text(lib.ag_node_name, self._handle)

    @property
    def next_functions(self) -> tuple[tuple[Node | AccumulateGrad | None, int], ...]:
        """By input: the node that made it and the number of its output; ``(None, 0)`` where no gradient goes."""
        return tuple(_next(self._handle, i) for i in range(lib.ag_node_num_inputs(self._handle)))

    def register_hook(
        self, fn: Callable[[Gradients, Gradients], Gradients | None]
    ) -> RemovableHandle:
        """Calls fn(grad_inputs, grad_outputs) each time the gradient of this operation has been computed.

        A tuple that it returns takes the place of grad_inputs. Returns a handle whose remove() takes the hook away.
        """
        if self._hooks is None:
            self._hooks = OrderedDict()
            attach_node_hooks(self._handle, self._hooks, after=True)
        return _add(self._hooks, fn)

    def register_prehook(self, fn: Callable[[Gradients], Gradients | None]) -> RemovableHandle:
        """Calls fn(grad_outputs) each time before the gradient of this operation is computed.

        A tuple that it returns takes the place of grad_outputs. Returns a handle whose remove() takes the hook away.
        """
        if self._prehooks is None:
            self._prehooks = OrderedDict()
            attach_node_hooks(self._handle, self._prehooks, after=False)
        return _add(self._prehooks, fn)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


class FunctionNode(Node):
    """The call of an autograd.Function. Attributes that a Node has not are those of the call's ctx."""

    __slots__ = ("_context",)

    def __init__(self, handle: Any, context: Any) -> None:
        super().__init__(handle)
        self._context = context

    def __getattr__(self, name: str) -> Any:
        # Not found here: what the user has put on ctx.
        return getattr(object.__getattribute__(self, "_context"), name)


class AccumulateGrad:
    """The end of a path: what adds to the ``.grad`` of a leaf, the variable."""

    __slots__ = ("__weakref__", "metadata", "variable")

    next_functions: tuple[Any, ...] = ()

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable
        self.metadata: dict[Any, Any] = {}

    def name(self) -> str:
        """``torch::autograd::AccumulateGrad`` without the namespaces."""
        return "AccumulateGrad"

    def register_prehook(self, fn: Callable[[Gradients], Gradients | None]) -> RemovableHandle:
        """Calls fn((grad,)) before the gradient is added; a tuple that it returns takes its place."""

        def hook(grad: Tensor) -> Tensor | None:
            result = fn((grad,))
            return result[0] if isinstance(result, tuple) else result

        return self.variable.register_hook(hook)

    def register_hook(self, fn: Callable[[Gradients, Gradients], None]) -> RemovableHandle:
        """Calls fn((), (grad,)) after a gradient has been added."""
        return self.variable.register_post_accumulate_grad_hook(lambda leaf: fn((), (leaf.grad,)))

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"


def _add(hooks: OrderedDict[int, Any], fn: Any) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = fn
    return handle


# Nodes that Python holds, by address, which is theirs for as long: they own a reference.
_nodes: WeakValueDictionary[int, Node] = WeakValueDictionary()
# The ends of paths, by the number of the leaf.
_ends: WeakValueDictionary[int, AccumulateGrad] = WeakValueDictionary()


def _node(handle: Any) -> Node:
    address: Any = get_address(handle)
    known = _nodes.get(address)
    if known is None:
        ticket = lib.ag_node_context(handle)
        rule = None if ticket is None else lent(ticket)
        context = getattr(rule, "__self__", None)
        known = Node(handle) if context is None else FunctionNode(handle, context)
        _nodes[address] = known
    return known


def node_of(tensor: Tensor) -> Node | None:
    """The operation that recorded tensor, None for a leaf."""
    handle = lib.ag_tensor_node(tensor)
    return _node(handle) if handle_exists(handle) else None


def end_of(leaf: Tensor) -> AccumulateGrad:
    """What adds to the gradient of a leaf; the same object as long as somebody holds it."""
    number = lib.ag_tensor_id(leaf)
    known = _ends.get(number)
    if known is None:
        known = _ends[number] = AccumulateGrad(leaf)
    return known


_NO_NODE = _Handle()


def is_reached(node: Node | AccumulateGrad) -> bool:
    """True if the backward that runs on this thread computes the gradients of a node's outputs, or of a leaf."""
    if isinstance(node, AccumulateGrad):
        return lib.ag_current_backward_reaches(_NO_NODE, node.variable) == 1
    return lib.ag_current_backward_reaches(node._handle, NO_TENSOR) == 1


def _next(handle: Any, i: int) -> tuple[Node | AccumulateGrad | None, int]:
    node, leaf, index = _Handle(), ctypes.c_void_p(), ctypes.c_int64()
    run(lib.ag_node_next, handle, i, ctypes.byref(node), ctypes.byref(index), ctypes.byref(leaf))
    if handle_exists(node):
        return _node(node), index.value
    return (end_of(adopt(leaf.value)), 0) if leaf.value else (None, 0)


def saved_by(address: int, n: int) -> tuple[Tensor | None, ...]:
    """The n values that a function has saved, given the address of its node, which must be alive."""
    borrowed = _Handle(address)
    node = lib.ag_node_retain(borrowed)
    set_address(borrowed, None)
    out = (ctypes.c_void_p * n)()
    if lib.ag_node_saved(node, out, n) < 0:
        raise_last_error()
    return tuple(None if entry is None else adopt(entry) for entry in out)
