"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ... import ops
from ...operands import must_be_tensors
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Returns all elements of the parameters, one parameter after the other, as a vector; with gradient."""
    parts = []
    for parameter in parameters:
        must_be_tensors("parameters_to_vector", parameters=parameter)
        parts.append(parameter.reshape(-1))
    return ops.cat(parts)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Makes the parameters views of a vector, in the order of parameters_to_vector().

    Raises TypeError if vec is no tensor, RuntimeError if it has too few elements.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        must_be_tensors("vector_to_parameters", parameters=parameter)
        end = start + parameter.numel()
        parameter.data = vec[start:end].view(parameter.shape).detach()
        start = end
