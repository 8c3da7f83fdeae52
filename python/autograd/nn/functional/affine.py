"""Affine and bilinear maps."""

from __future__ import annotations

from ..._capi import call, lib
from ...tensor import NO_TENSOR, Tensor

__all__ = ["bilinear", "linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns x W^T + b, for input [..., in], weight [out, in] and bias [out]."""
    return call(lib.ag_linear, input, weight, NO_TENSOR if bias is None else bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns x1^T W[k] x2 + b[k] for each k, for input1 [..., in1], input2 [..., in2], weight [out, in1, in2].

    Raises RuntimeError if the leading dims of the inputs differ or sizes do not fit the weight.
    """
    return call(lib.ag_bilinear, input1, input2, weight, NO_TENSOR if bias is None else bias)
