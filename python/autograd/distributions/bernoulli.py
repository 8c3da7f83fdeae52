"""The Bernoulli distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..creation import tensor
from ..grad_mode import no_grad
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops import broadcast_tensors, where
from ..tensor import Tensor
from .chances import Chances

__all__ = ["Bernoulli"]


class Bernoulli(Chances):
    """1 with the probability probs, else 0. Made from probs, or from logits = log(probs / (1 - probs))."""

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)

    def _support(self) -> tuple[str, Any]:
        return "0 or 1", lambda x: (x == 0).logical_or(x == 1)

    @property
    def mean(self) -> Tensor:
        """probs."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """1 where probs > 1/2, NaN where it is 1/2."""
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return where(self.probs == 0.5, float("nan"), mode)

    @property
    def variance(self) -> Tensor:
        """probs (1 - probs)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of 0 and 1, of the dtype of probs."""
        with no_grad():
            return self.probs.expand(self._extended_shape(sample_shape)).bernoulli()

    def log_prob(self, value: Tensor) -> Tensor:
        """value log(probs) + (1 - value) log(1 - probs)."""
        self._validate_sample(value)
        logits, value = broadcast_tensors(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        """-probs log(probs) - (1 - probs) log(1 - probs)."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 and 1 along a new first dim."""
        values = tensor([0.0, 1.0], dtype=self.probs.dtype)
        values = values.reshape(2, *(1,) * len(self.batch_shape))
        return values.expand(2, *self.batch_shape) if expand else values
