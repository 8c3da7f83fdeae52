"""The categorical distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..creation import full
from ..dtypes import finfo
from ..grad_mode import no_grad
from ..ops import broadcast_tensors, multinomial
from ..ranges import arange
from ..tensor import Size, Tensor
from .chances import clamped, one_of
from .distribution import REAL, Distribution, computed

__all__ = ["Categorical"]


class Categorical(Distribution):
    """One of the numbers 0 to n - 1, with the probabilities along the last dim of probs, [..., n].

    Made from probs, which need not sum to 1, or from logits, logarithms of probabilities up to a constant.
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._given, given = one_of(probs, logits)
        if given.dim() < 1:
            raise ValueError(f"`{self._given}` parameter must be at least one-dimensional.")
        if probs is None:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        else:
            self.probs = given / given.sum(-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        if self._given == "logits":
            return {"logits": REAL}
        return {"probs": ("at least 0, with a sum of 1", lambda x: x >= 0)}

    def _support(self) -> tuple[str, Any]:
        last = self._num_events - 1
        return (
            f"an integer from 0 to {last}",
            lambda x: (x >= 0).logical_and(x <= last).logical_and(x == x.floor()),
        )

    @computed
    def logits(self) -> Tensor:
        """log(probs)."""
        return clamped(self.probs).log()

    @computed
    def probs(self) -> Tensor:
        """softmax(logits) along the last dim."""
        return self.logits.softmax(-1)

    @property
    def param_shape(self) -> Size:
        """The shape of probs."""
        return getattr(self, self._given).shape

    @property
    def mean(self) -> Tensor:
        """NaN: the numbers stand for kinds."""
        return full(self.batch_shape, float("nan"), dtype=self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        """NaN: the numbers stand for kinds."""
        return self.mean

    @property
    def mode(self) -> Tensor:
        """The most likely number."""
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape, int64."""
        shape = self._extended_shape(sample_shape)
        draws = 1
        for size in sample_shape:
            draws *= size
        with no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            if draws == 0 or rows.shape[0] == 0:
                return full(shape, 0, dtype=dtypes.int64)
            return multinomial(rows, draws, True).T.reshape(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log(probs) at the number value."""
        self._validate_sample(value)
        value, rows = value.long().unsqueeze(-1), self.logits
        shape = broadcast_tensors(value[..., 0], rows[..., 0])[0].shape
        value, rows = value.expand(*shape, 1), rows.expand(*shape, self._num_events)
        return rows.gather(-1, value).squeeze(-1)

    def entropy(self) -> Tensor:
        """-sum of probs log(probs)."""
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 to n - 1 along a new first dim."""
        values = arange(self._num_events).reshape(-1, *(1,) * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values
