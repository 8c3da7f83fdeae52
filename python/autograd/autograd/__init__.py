"""Gradients as functions: backward, grad, and the checks against finite differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

from .._capi import lib, not_null, raise_last_error
from ..finite_differences import GradcheckError, gradcheck, gradgradcheck
from ..grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from ..operands import handles, room_for
from ..tensor import Tensor
from . import forward_ad, function, functional, graph
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .explain import GradExplanation, NonfiniteExplanation, explain_grad, explain_nonfinite
from .function import Function

__all__ = [
    "Function",
    "GradExplanation",
    "GradcheckError",
    "NonfiniteExplanation",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "explain_grad",
    "explain_nonfinite",
    "forward_ad",
    "functional",
    "function",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "set_detect_anomaly",
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
    inputs: Tensors | dict[str, Tensor] | None = None,
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
        chosen = _array(
            "backward", "inputs", list(inputs.values()) if isinstance(inputs, dict) else inputs
        )
        if len(chosen) == 0:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    retain = create_graph if retain_graph is None else retain_graph
    count = 0 if chosen is None else len(chosen)
    if lib.ag_backward(
        roots, gradients, len(roots), chosen, count, bool(retain), bool(create_graph)
    ):
        raise_last_error()


def _checked_batches(roots: Any, gradients: Any) -> list[Tensor]:
    """The gradients of a batch of vectors, which have one dim more than their outputs."""
    vectors = [] if gradients is None else list(gradients.owners)
    for i, output in enumerate(roots.owners):
        vector = vectors[i] if i < len(vectors) else None
        if vector is None or vector.shape[1:] != output.shape or vector.dim() == 0:
            shape = None if vector is None else tuple(vector.shape[1:])
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of {shape} and output[{i}] has a "
                f"shape of {tuple(output.shape)}."
            )
    return vectors


def _batched(
    roots: Any, wanted: Any, gradients: Any, options: tuple[bool, bool, bool]
) -> list[Tensor | None]:
    """The gradients of all vectors of a batch in one backward pass."""
    from ..func.mapping import Level

    vectors = _checked_batches(roots, gradients)
    with Level(vectors[0].shape[0]) as level:
        examples = handles("grad", "grad_outputs", [level.example(v) for v in vectors])
        found = _run(roots, wanted, examples, options)
        return [None if g is None else level.all(g) for g in found]


def _run(
    roots: Any, wanted: Any, gradients: Any, options: tuple[bool, bool, bool]
) -> list[Tensor | None]:
    """options: retain_graph, create_graph, allow_unused."""
    out = room_for(len(wanted))
    if lib.ag_grad(roots, gradients, len(roots), wanted, len(wanted), *options, out):
        raise_last_error()
    return [gradient if not_null(gradient) else None for gradient in out]


def grad(
    outputs: Tensors,
    inputs: Tensors | dict[str, Tensor],
    grad_outputs: OptionalTensors = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Returns the gradients of sum_i <grad_outputs[i], outputs[i]> with respect to inputs; nothing is accumulated.

    They are a tuple, or a dict if inputs is one. The graph is freed unless retain_graph (default: create_graph, which
    records the gradients for higher orders). With is_grads_batched dim 0 of each grad_output counts vectors, and dim
    0 of each gradient too: one vmapped backward pass for all of them. only_inputs is accepted for PyTorch's sake.

    An input that the outputs don't depend on raises RuntimeError, unless allow_unused (then its gradient is None) or
    materialize_grads (then it is zeros).
    """
    names = list(inputs) if isinstance(inputs, dict) else None
    if isinstance(inputs, dict):
        inputs = list(inputs.values())
    roots, wanted = _array("grad", "outputs", outputs), _array("grad", "inputs", inputs)
    gradients = _gradients("grad", "grad_outputs", grad_outputs, len(roots))
    if len(wanted) == 0:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    retain = create_graph if retain_graph is None else retain_graph
    options = (bool(retain), bool(create_graph), bool(allow_unused or materialize_grads))
    run = _batched if is_grads_batched else _run
    results = run(roots, wanted, gradients, options)
    if materialize_grads:
        for i, (result, source) in enumerate(zip(results, wanted.owners)):
            if result is None:
                results[i] = _zeros(source)
    return tuple(results) if names is None else dict(zip(names, results))


def _zeros(source: Tensor) -> Tensor:
    """Zeros of the sizes and dtype of source."""
    from ..creation import zeros_like

    return zeros_like(source)
