"""What the distributions of yes and no have in common: a probability or its log-odds."""

from __future__ import annotations

from typing import Any

from ..dtypes import finfo
from ..tensor import Size, Tensor
from .distribution import REAL, Distribution, computed, parameters

__all__ = ["Chances"]

_PROBABILITY = ("between 0 and 1", lambda x: (x >= 0).logical_and(x <= 1))
WHOLE = ("a whole number, at least 0", lambda x: (x >= 0).logical_and(x == x.floor()))


def clamped(probabilities: Tensor) -> Tensor:
    """The probabilities kept apart from 0 and 1 by the smallest step, so that their logarithms are finite."""
    eps = finfo(probabilities.dtype).eps
    return probabilities.clamp(eps, 1 - eps)


def one_of(probs: Any, logits: Any) -> tuple[str, Any]:
    """The name and the value of the one that is given. ValueError for none or both."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return ("logits", logits) if probs is None else ("probs", probs)


class Chances(Distribution):
    """The base of those made from probs, or from logits = log(probs / (1 - probs)), and of other parameters."""

    def __init__(
        self, probs: Any, logits: Any, validate_args: bool | None = None, **others: Any
    ) -> None:
        self._given, given = one_of(probs, logits)
        given, *values = parameters(given, *others.values())
        for name, value in ((self._given, given), *zip(others, values)):
            setattr(self, name, value)
        super().__init__(given.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"logits": REAL} if self._given == "logits" else {"probs": _PROBABILITY}

    @computed
    def logits(self) -> Tensor:
        """log(probs / (1 - probs))."""
        p = clamped(self.probs)
        return p.log() - (-p).log1p()

    @computed
    def probs(self) -> Tensor:
        """sigmoid(logits)."""
        return self.logits.sigmoid()

    @property
    def param_shape(self) -> Size:
        """The shape of probs."""
        return getattr(self, self._given).shape
