"""Gradients as functions: backward, grad, and the checks against finite differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

from .._capi import lib, not_null, raise_last_error
from ..finite_differences import GradcheckError, gradcheck, gradgradcheck
from ..grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from ..operands import handles, room_for
from ..tensor import Tensor
from .explain import GradExplanation, explain_grad

__all__ = [
    "GradExplanation",
    "GradcheckError",
    "backward",
    "enable_grad",
    "explain_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]

Tensors = Union[Tensor, Sequence[Tensor]]
OptionalTensors = Union[None, Tensor, Sequence[Optional[Tensor]]]


def _listed(tensors: Any) -> list[Any]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _array(function: str, argument: str, tensors: Any) -> Any:
    if not isinstance(tensors, Tensor) and not hasattr(tensors, "__iter__"):
        raise TypeError(
            f"{function}(): argument '{argument}' must be Tensor or tuple of Tensors, not {_kind(tensors)}"
        )
    return handles(function, argument, _listed(tensors))


def _kind(value: Any) -> str:
    return type(value).__name__


def _gradients(function: str, argument: str, gradients: OptionalTensors, n: int) -> Any:
    """The native array of the outputs' gradients, None for 1 everywhere."""
    if gradients is None:
        return None
    if not isinstance(gradients, Tensor) and not hasattr(gradients, "__iter__"):
        raise TypeError(
            f"{function}(): gradients can be either Tensors or None, but got {_kind(gradients)}"
        )
    array = handles(function, argument, _listed(gradients), optional=True)
    if len(array) != n:
        raise RuntimeError(f"{function}(): got {n} tensors and {len(array)} gradients")
    return array


def backward(
    tensors: Tensors,
    grad_tensors: OptionalTensors = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Adds the gradients of sum_i <grad_tensors[i], tensors[i]> to the ``.grad`` of the leaves.

    grad_tensors may be left out, or hold None, where a tensor has one element. If inputs are given, only theirs
    are added to. The graph is freed unless retain_graph (default: create_graph).

    Raises RuntimeError if a tensor has no history, is not a scalar and has no gradient, or the graph was freed.
    """
    roots = _array("backward", "tensors", tensors)
    gradients = _gradients("backward", "grad_tensors", grad_tensors, len(roots))
    chosen = None
    if inputs is not None:
        chosen = _array("backward", "inputs", inputs)
        if len(chosen) == 0:
            raise RuntimeError("'inputs' argument to backward cannot be empty.")
    retain = create_graph if retain_graph is None else retain_graph
    count = 0 if chosen is None else len(chosen)
    if lib.ag_backward(
        roots, gradients, len(roots), chosen, count, bool(retain), bool(create_graph)
    ):
        raise_last_error()


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: OptionalTensors = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Returns the gradients of sum_i <grad_outputs[i], outputs[i]> with respect to inputs; nothing is accumulated.

    An input that the outputs don't depend on raises RuntimeError, unless allow_unused (then its gradient is None) or
    materialize_grads (then it is zeros).
    """
    roots, wanted = _array("grad", "outputs", outputs), _array("grad", "inputs", inputs)
    gradients = _gradients("grad", "grad_outputs", grad_outputs, len(roots))
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: False"
        )
    retain = create_graph if retain_graph is None else retain_graph
    n = len(wanted)
    out = room_for(n)
    status = lib.ag_grad(
        roots,
        gradients,
        len(roots),
        wanted,
        n,
        bool(retain),
        bool(create_graph),
        bool(allow_unused or materialize_grads),
        out,
    )
    if status:
        raise_last_error()
    results = [gradient if not_null(gradient) else None for gradient in out]
    if materialize_grads:
        for i, (result, source) in enumerate(zip(results, wanted.owners)):
            if result is None:
                results[i] = _zeros(source)
    return tuple(results)


def _zeros(source: Tensor) -> Tensor:
    """Zeros of the sizes and dtype of source."""
    from ..creation import zeros_like

    return zeros_like(source)
