"""Clipping of gradients: one native call for all parameters."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable
from typing import Any, Union

from ..._capi import call, lib, run
from ...operands import handles
from ...tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]

Tensors = Union[Tensor, Iterable[Tensor]]


def _listed(function: str, parameters: Tensors) -> Any:
    return handles(
        function, "parameters", [parameters] if isinstance(parameters, Tensor) else parameters
    )


def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Returns the norm of the norms of the tensors, as if they were one vector; 0 for none. foreach is ignored.

    Raises RuntimeError if it is infinite or NaN and error_if_nonfinite.
    """
    array = _listed("get_total_norm", tensors)
    return call(lib.ag_total_norm, array, len(array), float(norm_type), bool(error_if_nonfinite))


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales all gradients by min(1, max_norm / (total_norm + 1e-6)), in place. foreach is ignored."""
    array = _listed("clip_grads_with_norm_", parameters)
    run(lib.ag_clip_grads_with_norm, array, len(array), float(max_norm), total_norm)


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales the gradients of all parameters so that their norm, as one vector, is at most max_norm.

    Returns the norm before. norm_type may be inf. Raises RuntimeError if the norm is infinite or NaN and
    error_if_nonfinite. foreach is ignored.
    """
    array = _listed("clip_grad_norm_", parameters)
    if len(array) == 0 and isinstance(parameters, types.GeneratorType):
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    return call(
        lib.ag_clip_grad_norm,
        array,
        len(array),
        float(max_norm),
        float(norm_type),
        bool(error_if_nonfinite),
    )


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limits all elements of the gradients to [-clip_value, clip_value], in place. foreach is ignored."""
    array = _listed("clip_grad_value_", parameters)
    run(lib.ag_clip_grad_value, array, len(array), float(clip_value))
