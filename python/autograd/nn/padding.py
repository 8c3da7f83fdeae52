"""Padding layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from .._arguments import each_dim
from ..operands import must_be_tensors
from ..tensor import Tensor
from . import functional
from .module import Module

Pads = Union[int, Sequence[int]]


class _Pad(Module):
    """Adds elements around the last dims; an int pads all sides, a sequence lists pairs from the last dim on."""

    dims = 1
    mode = "constant"

    def __init__(self, padding: Pads) -> None:
        super().__init__()
        self.padding = each_dim(padding, 2 * self.dims)

    def forward(self, input: Tensor) -> Tensor:
        """The padded input."""
        return functional.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Adds elements of one value around the last dims."""

    def __init__(self, padding: Pads, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The padded input."""
        return functional.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    """Adds zeros around the last dims."""

    def __init__(self, padding: Pads) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """Pads the last dim with a value."""

    dims = 1


class ConstantPad2d(_ConstantPad):
    """Pads the last 2 dims with a value."""

    dims = 2


class ConstantPad3d(_ConstantPad):
    """Pads the last 3 dims with a value."""

    dims = 3


class ZeroPad1d(_ZeroPad):
    """Pads the last dim with zeros."""

    dims = 1


class ZeroPad2d(_ZeroPad):
    """Pads the last 2 dims with zeros."""

    dims = 2


class ZeroPad3d(_ZeroPad):
    """Pads the last 3 dims with zeros."""

    dims = 3


class ReflectionPad1d(_Pad):
    """Pads the last dim with what lies inside of the edge, mirrored."""

    dims = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Pads the last 2 dims with what lies inside of the edge, mirrored."""

    dims = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Pads the last 3 dims with what lies inside of the edge, mirrored."""

    dims = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Pads the last dim with the edge."""

    dims = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Pads the last 2 dims with the edge."""

    dims = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Pads the last 3 dims with the edge."""

    dims = 3
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """The padded input."""
        must_be_tensors(type(self).__name__, input=input)
        if input.ndim not in (self.dims + 1, self.dims + 2):
            raise ValueError(
                f"expected {self.dims + 1}D or {self.dims + 2}D input (got {input.ndim}D input)"
            )
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Pads the last dim with what lies at the other end."""

    dims = 1


class CircularPad2d(_CircularPad):
    """Pads the last 2 dims with what lies at the other end."""

    dims = 2


class CircularPad3d(_CircularPad):
    """Pads the last 3 dims with what lies at the other end."""

    dims = 3
