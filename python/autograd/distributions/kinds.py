"""What distributions of vectors have in common that are made from a categorical one."""

from __future__ import annotations

from typing import Any

from ..tensor import Size, Tensor
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["Kinds"]


class Kinds(Distribution):
    """The base of distributions of vectors of n numbers that are made from a categorical one."""

    def __init__(self, probs: Any, logits: Any, validate_args: bool | None) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities of the kinds, [..., n]."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """log(probs)."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """The shape of probs."""
        return self._categorical.param_shape
