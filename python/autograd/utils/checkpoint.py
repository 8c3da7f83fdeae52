"""Computing values again in backward instead of keeping them: memory for time."""

from __future__ import annotations

import contextlib
import threading
import warnings
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Callable

from .._capi import lib
from ..autograd.function import Function
from ..autograd.graph import saved_tensors_hooks
from ..grad_mode import enable_grad, is_grad_enabled
from ..random import default_generator
from ..tensor import Tensor

__all__ = [
    "CheckpointError",
    "checkpoint",
    "checkpoint_sequential",
    "noop_context_fn",
    "set_checkpoint_early_stop",
]

_CHECKS = ("default", "none")


class CheckpointError(RuntimeError):
    """A function computed other values when it ran again."""


def noop_context_fn() -> tuple[Any, Any]:
    """Contexts for the first run and for the second that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class _Holder:
    """Stands in the graph for a saved value, and holds it when it has been computed again."""

    __slots__ = ("__weakref__", "backward", "value")

    def __init__(self) -> None:
        self.backward: int | None = None
        self.value: Tensor | None = None


class _EnoughComputed(Exception):
    """All values that were asked for are there: the rest of the function need not run."""


def _description(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.dtype


class _Frame:
    """One call of checkpoint(): what it takes to run the function again."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        preserve_rng_state: bool,
        context: Any,
        check: bool,
        early_stop: bool,
    ) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.random = default_generator._get() if preserve_rng_state else None
        self.context, self.check, self.early_stop = context, check, early_stop
        self.holders: list[weakref.ref[_Holder]] = []
        self.descriptions: list[tuple[Any, ...]] = []
        self.versions = [each._version if _counts(each) else None for each in self._tensors()]

    def _tensors(self) -> list[Tensor]:
        return [each for each in (*self.args, *self.kwargs.values()) if isinstance(each, Tensor)]

    def pack(self, tensor: Tensor) -> _Holder:
        """Keeps a holder, and of the tensor only what it looks like."""
        holder = _Holder()
        self.holders.append(weakref.ref(holder))
        self.descriptions.append(_description(tensor))
        return holder

    def unpack(self, holder: _Holder) -> Tensor:
        """The value, for which the function runs again in the first place that asks during a backward."""
        current = lib.ag_current_backward()
        if holder.value is None or holder.backward != current:
            self._run_again(current)
        if holder.value is None:
            raise CheckpointError(
                "checkpoint: the function saved fewer values when it ran again: "
                f"{len(self.holders)} the first time. It must do the same both times"
            )
        return holder.value

    def _run_again(self, current: int) -> None:
        for tensor, version in zip(self._tensors(), self.versions):
            if version is not None and tensor._version != version:
                raise RuntimeError(
                    "checkpoint: one of the variables needed for gradient computation has been modified by an "
                    "inplace operation: an argument of the function, which has to run again. clone() it first"
                )
        count = 0

        def keep(tensor: Tensor) -> list[Tensor]:
            nonlocal count
            position, count = count, count + 1
            if position >= len(self.holders):
                raise CheckpointError(
                    "checkpoint: the function saved more values when it ran again than the "
                    f"{len(self.holders)} of the first time. It must do the same both times"
                )
            if self.check and self.descriptions[position] != _description(tensor):
                before, now = self.descriptions[position], _description(tensor)
                raise CheckpointError(
                    "checkpoint: Recomputed values for the following tensors have different metadata than during "
                    f"the forward pass. tensor at position {position}: saved metadata: {before}, recomputed "
                    f"metadata: {now}"
                )
            holder = self.holders[position]()
            value = tensor.detach()
            if holder is not None:
                holder.value, holder.backward = value, current
            if self.early_stop and count == len(self.holders):
                raise _EnoughComputed
            boxes.append([value])
            return boxes[-1]

        # For gradients that the function takes itself; nothing else differentiates the second run.
        boxes: list[list[Tensor]] = []
        try:
            with contextlib.suppress(_EnoughComputed), _random_numbers_from(self.random):
                with self.context, enable_grad(), saved_tensors_hooks(keep, lambda box: box[0]):
                    self.function(*self.args, **self.kwargs)
        finally:
            for box in boxes:
                box.clear()


def _counts(tensor: Tensor) -> bool:
    return not tensor.is_inference()


class _EarlyStop(threading.local):
    chosen: bool | None = None


_early_stop = _EarlyStop()


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Within it enable takes the place of what calls of checkpoint() say by early_stop."""
    before = _early_stop.chosen
    _early_stop.chosen = enable
    try:
        yield
    finally:
        _early_stop.chosen = before


@contextlib.contextmanager
def _random_numbers_from(state: tuple[int, int] | None) -> Iterator[None]:
    """Random numbers as they came from a state; afterwards the stream goes on as if nothing had happened."""
    if state is None:
        yield
        return
    before = default_generator._get()
    default_generator._set(*state)
    try:
        yield
    finally:
        default_generator._set(*before)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), whose intermediate values are not kept but computed again in backward.

    The second run draws the same random numbers, unless preserve_rng_state is False, and has to do the same as the
    first: CheckpointError, a RuntimeError, says if it saves other values. It ends when all values are there, unless
    early_stop is False. context_fn gives two context managers, for the first run and for the second. With
    use_reentrant=True backward runs inside of backward, as in older versions of PyTorch: then only ``backward()``
    works, not ``autograd.grad``, and keyword arguments are refused.

    Raises ValueError for options that don't go together.
    """
    if determinism_check not in _CHECKS:
        raise ValueError(
            f"determinism_check should be one of {list(_CHECKS)}, but got {determinism_check!r}"
        )
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        return _Reentrant.apply(function, preserve_rng_state, *args)
    first, second = context_fn()
    if not is_grad_enabled():
        with first:
            return function(*args, **kwargs)
    frame = _Frame(
        function,
        args,
        kwargs,
        preserve_rng_state,
        second,
        determinism_check == "default",
        early_stop if _early_stop.chosen is None else _early_stop.chosen,
    )
    with saved_tensors_hooks(frame.pack, frame.unpack), first:
        result = function(*args, **kwargs)
    if frame.random == default_generator._get():
        frame.random = None  # it drew nothing
    return result


class _Reentrant(Function):
    """A function whose backward runs it again and then a backward of its own."""

    @staticmethod
    def forward(ctx: Any, function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        if not any(isinstance(each, Tensor) and each.requires_grad for each in args):
            warnings.warn(
                "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=4
            )
        ctx.function = function
        ctx.random = default_generator._get() if preserve_rng_state else None
        ctx.others = [None if isinstance(each, Tensor) else each for each in args]
        ctx.places = [i for i, each in enumerate(args) if isinstance(each, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        result = function(*args)
        if ctx.random == default_generator._get():
            ctx.random = None  # it drew nothing
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        arguments = list(ctx.others)
        for place, tensor in zip(ctx.places, ctx.saved_tensors):
            fresh = tensor.detach()
            fresh.requires_grad = tensor.requires_grad
            arguments[place] = fresh
        with enable_grad(), _random_numbers_from(ctx.random):
            outputs = ctx.function(*arguments)
        found = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [
            (output, grad)
            for output, grad in zip(found, grads)
            if isinstance(output, Tensor) and output.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        from ..autograd import backward

        backward([output for output, _ in pairs], [grad for _, grad in pairs])
        return (
            None,
            None,
            *[each.grad if isinstance(each, Tensor) else None for each in arguments],
        )


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """input passed through functions, a Sequential or a list, in segments of which all but the last are checkpointed.

    Raises ValueError for less than one segment or more segments than functions.
    """
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if not 1 <= segments <= max(1, len(steps)):
        raise ValueError(
            f"checkpoint_sequential: there are {len(steps)} functions, which cannot be {segments} segments"
        )
    size = max(1, len(steps) // segments)
    end = 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        input = checkpoint(
            _in_a_row(steps[start:end]),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve_rng_state,
        )
    return _in_a_row(steps[end:])(input)


def _in_a_row(steps: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return run
