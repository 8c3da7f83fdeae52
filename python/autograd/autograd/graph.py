"""The recorded graph: its nodes, and hooks on the values that gradients keep."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, NamedTuple

from .. import changes
from .._capi import DELETER, PACK, UNPACK, check, keep_exception, lasting, lib, run
from ..hooks import RemovableHandle, give_back, hand_over, lend, lent, reference, take_back
from ..nodes import AccumulateGrad, Node, end_of, is_reached, node_of
from ..tensor import Tensor

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """A place in the graph: output number output_nr of a node."""

    node: Node | AccumulateGrad
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of tensor is computed. Raises RuntimeError if it does not require grad."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    node = node_of(tensor)
    if node is None:
        return GradientEdge(end_of(tensor), 0)
    return GradientEdge(node, lib.ag_tensor_output_index(tensor))


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Says that tensors were changed in place by code that the library does not see."""
    for each in (tensor,) if isinstance(tensor, Tensor) else tensor:
        if not each.is_inference():
            check(lib.ag_tensor_bump_version(each))


# ---- hooks on saved values -------------------------------------------------------------------------------

PackHook = Callable[[Tensor], Any]
UnpackHook = Callable[[Any], Tensor]


@lasting
@PACK
def _pack(ticket: int, address: int, content: Any) -> int:
    try:
        pack, _ = lent(ticket)
        # What the library packs, as checkpoint() does, it does with operations alone.
        if changes.captures and not pack.__module__.startswith("autograd."):
            changes.refuse(
                f"saved_tensors_hooks() packs values with {changes.place_of(pack)}, which is Python code"
            )
        content[0] = lend(pack(reference(address)))
        return 0
    except BaseException as error:
        return keep_exception(error)


@lasting
@UNPACK
def _unpack(ticket: int, content: int, value: Any) -> int:
    try:
        _, unpack = lent(ticket)
        result = unpack(lent(content))
        if not isinstance(result, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(result).__name__}"
            )
        value[0] = hand_over(result)
        return 0
    except BaseException as error:
        return keep_exception(error)


@lasting
@DELETER
def _free_content(ticket: int | None, take_back: Any = take_back) -> None:
    take_back(ticket, None)


class _Disabled(threading.local):
    message: str | None = None


_disabled = _Disabled()


class saved_tensors_hooks:
    """While it is entered, values that this thread saves for gradients are kept in another form.

    pack_hook(tensor) says what to keep, unpack_hook(packed) gives the values back when a gradient needs them. Neither
    may change its argument in place. Where blocks are nested only the innermost pair is asked. To keep the tensor
    itself, pack ``tensor.detach()``: the tensor refers to the graph that would refer to it.
    """

    def __init__(self, pack_hook: PackHook, unpack_hook: UnpackHook) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _disabled.message is not None:
            raise RuntimeError(_disabled.message)
        ticket = lend((self.pack_hook, self.unpack_hook))
        run(lib.ag_saved_hooks_push, _pack, _unpack, _free_content, ticket, give_back)

    def __exit__(self, *exception: object) -> None:
        check(lib.ag_saved_hooks_pop())


class save_on_cpu(saved_tensors_hooks):
    """Saved values go to the CPU, where they already are: there is nothing to do, and nothing is copied."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: tensor.detach(), lambda tensor: tensor)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Within it entering saved_tensors_hooks raises RuntimeError(error_message)."""
    before = _disabled.message
    _disabled.message = error_message
    try:
        yield
    finally:
        _disabled.message = before


# ---- hooks on several tensors ----------------------------------------------------------------------------


class _Handles(RemovableHandle):
    """Removes several hooks."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __getstate__(self) -> tuple[Any, ...]:
        return self.handles

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.handles = state


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all"
) -> RemovableHandle:
    """Calls fn once a backward: with the list of all gradients (mode "all"), or with the first one ("any").

    With "all" it runs when the gradients of all tensors that the backward reaches are there, None for the others.
    Raises ValueError for another mode, RuntimeError if a tensor does not require grad.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    watch = _All(tensors, fn) if mode == "all" else _Any(fn)
    return _Handles([tensor.register_hook(watch.hook(i)) for i, tensor in enumerate(tensors)])


class _Any:
    """Calls fn for the first gradient of each backward."""

    def __init__(self, fn: Callable[[Tensor], None]) -> None:
        self.fn, self.seen, self.lock = fn, 0, threading.Lock()

    def hook(self, i: int) -> Callable[[Tensor], None]:
        return self._run

    def _run(self, grad: Tensor) -> None:
        with self.lock:
            current = lib.ag_current_backward()
            first, self.seen = current != self.seen, current
        if first:
            self.fn(grad)


class _All:
    """Calls fn with the gradients of all tensors that a backward reaches, when the last one is there."""

    # Passes that ended with an exception leave gradients behind; so many are waited for.
    _MOST = 16

    def __init__(self, tensors: Sequence[Tensor], fn: Callable[[Any], None]) -> None:
        self.fn, self.lock = fn, threading.Lock()
        self.edges = [get_gradient_edge(tensor) for tensor in tensors]
        self.found: dict[int, tuple[int, list[Tensor | None]]] = {}

    def hook(self, i: int) -> Callable[[Tensor], None]:
        def run_one(grad: Tensor) -> None:
            with self.lock:
                current = lib.ag_current_backward()
                expected, grads = self.found.get(current) or self._begin(current)
                grads[i] = grad
                complete = sum(each is not None for each in grads) == expected
                if complete:
                    del self.found[current]
            if complete:
                self.fn(grads)

        return run_one

    def _begin(self, current: int) -> tuple[int, list[Tensor | None]]:
        if len(self.found) == self._MOST:
            del self.found[next(iter(self.found))]
        expected = sum(is_reached(edge.node) for edge in self.edges)
        self.found[current] = entry = (expected, [None] * len(self.edges))
        return entry
