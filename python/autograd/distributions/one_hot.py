"""Kinds as vectors with a single 1, and their continuous relatives (Gumbel-softmax)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..creation import empty, rand
from ..dtypes import finfo
from ..nn.functional import one_hot
from ..ops import lgamma
from ..ranges import eye
from ..tensor import Tensor
from .chances import Chances, clamped
from .distribution import POSITIVE, parameters
from .kinds import Kinds

__all__ = [
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
]


class OneHotCategorical(Kinds):
    """Vectors of n numbers, a single 1 and zeros; the probabilities of its places are probs, [..., n]."""

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs, logits, validate_args)

    def _support(self) -> tuple[str, Any]:
        return (
            "a single 1 and zeros along the last dim",
            lambda x: ((x == 0).logical_or(x == 1)).all(-1).logical_and(x.sum(-1) == 1),
        )

    @property
    def mean(self) -> Tensor:
        """probs."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """1 at the most likely place."""
        return one_hot(self.probs.argmax(-1), self.event_shape[0]).to(self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        """probs (1 - probs)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of the dtype of probs, without gradient."""
        kinds = self._categorical.sample(sample_shape)
        return one_hot(kinds, self.event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """log(probs) at the place of the 1."""
        self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        """-sum of probs log(probs)."""
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """The n vectors along a new first dim."""
        n = self.event_shape[0]
        values = eye(n, dtype=self.probs.dtype).reshape(n, *(1,) * len(self.batch_shape), n)
        return values.expand(n, *self.batch_shape, n) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """One-hot draws whose gradient is that of probs (Bengio, Leonard and Courville, 2013)."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """A one-hot draw + probs - probs, of which the last has no gradient."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class RelaxedBernoulli(Chances):
    """Numbers between 0 and 1 that come close to 0 and 1 as temperature goes to 0.

    sigmoid((logits + l) / temperature) with l of the logistic distribution (Maddison, Mnih and Teh, "The Concrete
    Distribution", 2017).
    """

    has_rsample = True
    _for_all = ("temperature",)

    def __init__(
        self,
        temperature: Tensor,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        (self.temperature,) = parameters(temperature)
        super().__init__(probs, logits, validate_args)

    def _support(self) -> tuple[str, Any]:
        return "between 0 and 1", lambda x: (x >= 0).logical_and(x <= 1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws with gradient to the probabilities and the temperature, apart from 0 and 1."""
        u = clamped(rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        odds = u.log() - (-u).log1p() + self.logits
        return clamped((odds / self.temperature).sigmoid())

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        value = clamped(value)
        odds = value.log() - (-value).log1p()
        difference = self.logits - odds * self.temperature
        inner = self.temperature.log() + difference - 2 * difference.exp().log1p()
        return inner - value.log() - (-value).log1p()


class RelaxedOneHotCategorical(Kinds):
    """Vectors of shares with the sum 1 that come close to one-hot vectors as temperature goes to 0.

    softmax((logits + g) / temperature) with g of the Gumbel distribution (Jang, Gu and Poole, "Categorical
    Reparameterization with Gumbel-Softmax", 2017).
    """

    has_rsample = True
    _for_all = ("temperature",)

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        (self.temperature,) = parameters(temperature)
        super().__init__(probs, logits, validate_args)
        self._check("parameter temperature", self.temperature, *POSITIVE)

    def _support(self) -> tuple[str, Any]:
        return (
            "at least 0, with a sum of 1 along the last dim",
            lambda x: (x >= 0).all(-1).logical_and((x.sum(-1) - 1).abs() < 1e-6),
        )

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws with gradient to the probabilities and the temperature."""
        shape = self._extended_shape(sample_shape)
        gumbel = -empty(shape, dtype=self.logits.dtype).exponential_().log()
        scores = (self.logits + gumbel) / self.temperature
        return scores.softmax(-1).clamp(min=finfo(scores.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        n, logarithm = self.event_shape[0], value.log()
        scores = (self.logits - logarithm * self.temperature).log_softmax(-1)
        ways = lgamma(self.temperature * 0 + n) + (n - 1) * self.temperature.log()
        return scores.sum(-1) + ways - logarithm.sum(-1)
