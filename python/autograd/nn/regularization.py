"""Dropout as modules: active in training, the identity in evaluation."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional
from .module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zeroes each element with probability p and multiplies the others by 1 / (1 - p)."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with elements dropped; in evaluation the input itself."""
        return functional.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Zeroes whole channels of x [N, C, L] or [C, L] with probability p."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped; in evaluation the input itself."""
        return functional.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Zeroes whole channels of x [N, C, H, W] with probability p."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped; in evaluation the input itself."""
        return functional.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Zeroes whole channels of x [N, C, D, H, W] or [C, D, H, W] with probability p."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped; in evaluation the input itself."""
        return functional.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1, for layers behind a SELU."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with elements dropped; in evaluation the input itself."""
        return functional.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels of x [N, C, ...]."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped; in evaluation the input itself."""
        return functional.feature_alpha_dropout(input, self.p, self.training, self.inplace)
