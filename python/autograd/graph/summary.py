"""summary: what a model consists of and costs, from one call of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..creation import zeros
from ..grad_mode import no_grad
from ..tensor import Tensor
from .recording import record

__all__ = ["summary"]


def summary(model: Any, input: Any, **kwargs: Any) -> str:
    """One row a module: output shape, parameters, work; the totals below. Calls the model once, without gradients.

    input: a tensor, the shape of a float32 tensor of zeros, or a tuple of arguments; kwargs go to the model. The model
    stays in the mode that it is in, and its random numbers advance.
    """
    if isinstance(input, Tensor):
        arguments: tuple[Any, ...] = (input,)
    elif isinstance(input, Mapping):
        arguments, kwargs = (), {**input, **kwargs}
    elif isinstance(input, Sequence) and input and all(type(size) is int for size in input):
        arguments = (zeros(*input),)
    elif isinstance(input, Sequence) and not isinstance(input, str):
        arguments = tuple(input)
    else:
        raise TypeError(
            "summary(): argument 'input' must be a Tensor, a shape, a tuple of arguments or a dict of keyword "
            f"arguments, not {type(input).__name__}"
        )
    with no_grad(), record(model if hasattr(model, "named_parameters") else None) as graph:
        model(*arguments, **kwargs)
    return graph.summary()
