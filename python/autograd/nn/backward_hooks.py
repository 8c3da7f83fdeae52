"""The backward hooks of one call of a module."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Callable

from ..creation import zeros, zeros_like
from ..grad_mode import is_grad_enabled
from ..hooks import record_function
from ..tensor import Tensor

Hook = Callable[..., Any]
Gradients = tuple[Any, ...]


def _packed(places: list[int], values: Sequence[Any], size: int) -> Gradients:
    packed = [None] * size
    for place, value in zip(places, values):
        packed[place] = value
    return tuple(packed)


def _changed(hook: str, what: str, returned: Any, size: int) -> Gradients:
    """The gradients that a hook returned."""
    changed = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    if len(changed) != size:
        raise RuntimeError(
            f"{hook} returned an invalid number of {what}, got {len(changed)}, but expected {size}"
        )
    for one in changed:
        if one is not None and not isinstance(one, Tensor):
            raise TypeError(f"{hook}: expected Tensor, but hook returned '{type(one).__name__}'")
    return changed


class BackwardHooks:
    """Puts a function that changes nothing around the inputs and around the outputs of a module.

    The gradient rule of the outer one sees the gradients of all outputs, that of the inner one those of all inputs.
    """

    def __init__(self, module: Any, hooks: list[Hook], pre_hooks: list[Hook]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs: Gradients | None = None
        self.input_places: list[int] | None = None
        self.n_inputs = 0

    @staticmethod
    def _watch(values: tuple[Any, ...], rule: Any) -> tuple[tuple[Any, ...], list[int] | None]:
        """The values, tensors with the rule in their history; and the places of the tensors, None without history."""
        places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        tensors = [values[i] for i in places]
        if not is_grad_enabled() or not any(tensor.requires_grad for tensor in tensors):
            return values, None
        watched = list(values)

        def with_zeros(grads: Sequence[Any], node: int) -> Sequence[Any]:
            # Where no gradient flowed out of the module, zeros flow on, which the hooks see at its inputs.
            return [zeros_like(t) if g is None else g for g, t in zip(rule(grads), shapes)]

        shapes = [tensor.detach() for tensor in tensors]
        for place, tensor in zip(places, record_function(tensors, tensors, with_zeros)):
            # The gradient of a tensor that needs none is none.
            watched[place] = tensor if values[place].requires_grad else values[place]
        kind = type(values)
        return (tuple(watched) if kind is tuple else kind(*watched)), places

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """args with the inner function around the tensors."""
        self.n_inputs = len(args)
        args, self.input_places = self._watch(args, self._inputs_rule)
        self.sizes = [args[i].shape for i in self.input_places or ()]
        return args

    def watch_outputs(self, result: Any) -> Any:
        """result with the outer function around the tensors."""
        values = result if isinstance(result, tuple) else (result,)
        places: list[int] = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        size = len(values)
        watched, _ = self._watch(values, lambda grads: self._outputs_rule(grads, places, size))
        return watched if isinstance(result, tuple) else watched[0]

    def _inputs_rule(self, grads: Sequence[Any]) -> Sequence[Any]:
        if self.grad_outputs is None:
            # The gradient came to the inputs without passing the outputs, as in a second backward.
            return grads
        if any(grad is None for grad in grads):
            grads = [zeros(each) if grad is None else grad for grad, each in zip(grads, self.sizes)]
        places: list[int] = self.input_places  # type: ignore[assignment]
        found = _packed(places, grads, self.n_inputs)
        for hook in self.hooks:
            changed = hook(self.module, found, self.grad_outputs)
            if changed is None:
                continue
            found = _changed("Backward hook", "grad_input", changed, len(found))
        self.grad_outputs = None
        return [found[i] for i in places]

    def _outputs_rule(self, grads: Sequence[Any], places: list[int], size: int) -> Sequence[Any]:
        found = _packed(places, grads, size)
        for hook in self.pre_hooks:
            changed = hook(self.module, found)
            if changed is None:
                continue
            found = _changed("Backward pre hook", "grad_output", changed, size)
        self.grad_outputs = found
        if self.input_places is None:
            self._run_without_inputs(found)
        return [found[i] for i in places]

    def _run_without_inputs(self, grad_outputs: Gradients) -> None:
        """No input requires grad: the hooks see the gradients of the outputs only."""
        if not self.hooks:
            return
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since no "
            "inputs require gradients.",
            stacklevel=2,
        )
        for hook in self.hooks:
            result = hook(self.module, (None,) * self.n_inputs, grad_outputs)
            if result is not None and any(each is not None for each in result):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or "
                    "None for all gradients."
                )
        self.grad_outputs = None
