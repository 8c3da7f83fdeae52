"""Affine maps."""

from __future__ import annotations

from ..._capi import call, lib
from ...tensor import NO_TENSOR, Tensor

__all__ = ["linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns x W^T + b, for input [..., in], weight [out, in] and bias [out]."""
    return call(lib.ag_linear, input, weight, NO_TENSOR if bias is None else bias)
