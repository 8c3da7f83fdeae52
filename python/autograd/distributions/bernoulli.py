"""The Bernoulli distribution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..creation import tensor
from ..dtypes import finfo
from ..grad_mode import no_grad
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops import broadcast_tensors, where
from ..tensor import Tensor
from .distribution import REAL, Distribution, parameters

__all__ = ["Bernoulli"]

_PROBABILITY = ("between 0 and 1", lambda x: (x >= 0).logical_and(x <= 1))


def clamped(probabilities: Tensor) -> Tensor:
    """The probabilities kept apart from 0 and 1 by the smallest step, so that their logarithms are finite."""
    eps = finfo(probabilities.dtype).eps
    return probabilities.clamp(eps, 1 - eps)


class Bernoulli(Distribution):
    """1 with the probability probs, else 0. Made from probs, or from logits = log(probs / (1 - probs))."""

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        self._given = "logits" if probs is None else "probs"
        (given,) = parameters(logits if probs is None else probs)
        setattr(self, self._given, given)
        super().__init__(given.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"logits": REAL} if self._given == "logits" else {"probs": _PROBABILITY}

    def _support(self) -> tuple[str, Any]:
        return "0 or 1", lambda x: (x == 0).logical_or(x == 1)

    @cached_property
    def logits(self) -> Tensor:
        """log(probs / (1 - probs))."""
        p = clamped(self.probs)
        return p.log() - (-p).log1p()

    @cached_property
    def probs(self) -> Tensor:
        """sigmoid(logits)."""
        return self.logits.sigmoid()

    @property
    def param_shape(self) -> Any:
        """The shape of probs."""
        return getattr(self, self._given).shape

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
