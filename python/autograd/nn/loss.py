"""Losses as modules."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional
from .functional.losses import reduction_code
from .module import Module


class CrossEntropyLoss(Module):
    """Softmax cross entropy of logits; see :func:`functional.cross_entropy`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        reduction_code(reduction)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of logits and class indices or probabilities."""
        return functional.cross_entropy(input, target, reduction=self.reduction)


class MSELoss(Module):
    """(input - target)^2, reduced; see :func:`functional.mse_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        reduction_code(reduction)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of input against target."""
        return functional.mse_loss(input, target, reduction=self.reduction)
