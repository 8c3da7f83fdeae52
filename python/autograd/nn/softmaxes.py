"""Softmin and Softmax2d."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional
from .module import Module


class Softmin(Module):
    """e^-x / sum e^-x along dim."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """e^-x / sum e^-x along dim."""
        return functional.softmin(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax2d(Module):
    """Softmax over the channels of x [N, C, H, W] or [C, H, W]. Raises ValueError for other numbers of dims."""

    def forward(self, input: Tensor) -> Tensor:
        """e^x / sum e^x over the channels."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return functional.softmax(input, -3, _stacklevel=5)
