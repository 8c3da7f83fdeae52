"""Linear, Bilinear, Flatten, Identity."""

from __future__ import annotations

import math
from typing import Any

from .._capi import lib, not_null, raise_last_error
from ..creation import empty
from ..dtypes import dtype as DType
from ..grad_mode import no_grad
from ..ops import shaping
from ..tensor import NO_TENSOR, Tensor
from . import functional
from .module import Module
from .parameter import Parameter

_linear = lib.ag_linear


class Linear(Module):
    """y = x W^T + b, for x [..., in_features] and y [..., out_features].

    weight [out_features, in_features] and bias [out_features] start uniform in
    [-1/sqrt(in_features), 1/sqrt(in_features)).
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter(
            "bias", Parameter(empty(out_features, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
        with no_grad():
            self.weight.uniform_(-bound, bound)
            if self.bias is not None:
                self.bias.uniform_(-bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """x W^T + b."""
        bias = self.bias
        try:
            result = _linear(input, self.weight, NO_TENSOR if bias is None else bias)
        except Exception:
            return functional.linear(input, self.weight, bias)  # names the argument that is wrong
        if not_null(result):
            return result
        raise_last_error()

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y[..., k] = x1^T W[k] x2 + b[k], for x1 [..., in1_features] and x2 [..., in2_features].

    weight [out_features, in1_features, in2_features] and bias [out_features] start uniform in
    [-1/sqrt(in1_features), 1/sqrt(in1_features)).
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        self.weight = Parameter(
            empty(out_features, in1_features, in2_features, dtype=dtype, device=device)
        )
        self.register_parameter(
            "bias", Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew. Raises ValueError if in1_features is 0."""
        if not self.in1_features:
            raise ValueError("in1_features must be > 0, but got 0")
        bound = 1 / math.sqrt(self.in1_features)
        with no_grad():
            self.weight.uniform_(-bound, bound)
            if self.bias is not None:
                self.bias.uniform_(-bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """x1^T W x2 + b."""
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Module):
    """Makes the dims from start_dim to end_dim one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The input with fewer dims."""
        return shaping.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Makes one dim several, whose product it is."""

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        if not hasattr(type(dim), "__index__"):
            raise TypeError(
                f"Unflatten: dim must be int, not {type(dim).__name__}: dims have no names"
            )
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                f"unflattened_size must be a tuple of ints, but found type {type(unflattened_size).__name__}"
            )
        for i, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(size).__name__} at pos {i}"
                )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """The input with more dims."""
        return shaping.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Identity(Module):
    """Returns its input; takes and ignores any arguments when it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input."""
        return input
