"""Losses."""

from __future__ import annotations

from ..._capi import ArgumentError, argument_error, constants, lib, not_null, raise_last_error
from ...tensor import Tensor

__all__ = ["cross_entropy", "mse_loss"]

_REDUCTIONS = {name: constants[f"AG_REDUCTION_{name.upper()}"] for name in ("none", "mean", "sum")}


def reduction_code(reduction: str) -> int:
    """The ag_reduction value of 'none', 'mean' or 'sum'; ValueError for anything else."""
    code = _REDUCTIONS.get(reduction)
    if code is None:
        raise ValueError(
            f"{reduction} is not a valid value for reduction: use 'none', 'mean' or 'sum'"
        )
    return code


def cross_entropy(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Returns the softmax cross entropy of logits, -log softmax(input)[target], reduced; stable for any logits.

    input is [N, C], [C] or [N, C, d1, ...]; target holds class indices (int64, the sizes without C) or
    probabilities (the sizes of input).
    """
    native = lib.ag_cross_entropy
    code = _REDUCTIONS.get(reduction)
    if code is None:
        code = reduction_code(reduction)
    try:
        result = native(input, target, code)
    except ArgumentError as error:
        raise argument_error(native, (input, target, code), error) from None
    if not_null(result):
        return result
    raise_last_error()


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Returns (input - target)^2, reduced."""
    native = lib.ag_mse_loss
    try:
        result = native(input, target, reduction_code(reduction))
    except ArgumentError as error:
        raise argument_error(native, (input, target), error) from None
    if not_null(result):
        return result
    raise_last_error()
