"""Distributions of counts: Poisson, binomial, geometric, negative binomial, multinomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..creation import full_like, ones_like, rand, tensor, zeros
from ..dtypes import finfo
from ..grad_mode import no_grad
from ..nn.functional import binary_cross_entropy_with_logits, logsigmoid
from ..ops import binomial, lgamma, poisson, where, xlogy
from ..ranges import arange
from ..tensor import Tensor
from .chances import WHOLE, Chances
from .distribution import POSITIVE, Distribution, parameters
from .gamma import Gamma
from .kinds import Kinds

__all__ = ["Binomial", "Geometric", "Multinomial", "NegativeBinomial", "Poisson"]


class Poisson(Distribution):
    """Events in a unit of time: log p(k) = k log(rate) - rate - log(k!)."""

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = parameters(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"rate": ("at least 0", lambda x: x >= 0)}

    def _support(self) -> tuple[str, Any]:
        return WHOLE

    @property
    def mean(self) -> Tensor:
        """rate."""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """The largest whole number up to rate."""
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        """rate."""
        return self.rate

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of the dtype of rate, without gradient."""
        with no_grad():
            return poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of value."""
        self._validate_sample(value)
        return xlogy(value, self.rate) - self.rate - lgamma(value + 1)


class _Trials(Chances):
    """The base of those with a number of trials beside their probability, of its dtype."""

    total_count: Tensor

    def __init__(self, total_count: Any, probs: Any, logits: Any, validate_args: Any) -> None:
        super().__init__(probs, logits, validate_args, total_count=total_count)
        self.total_count = self.total_count.to(getattr(self, self._given).dtype)


class Binomial(_Trials):
    """Successes in total_count trials, each of probability probs (or log-odds logits).

    log p(k) = log(n! / (k! (n - k)!)) + k log(probs) + (n - k) log(1 - probs).
    """

    def __init__(
        self,
        total_count: Any = 1,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(total_count, probs, logits, validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"total_count": WHOLE, **super()._conditions()}

    def _support(self) -> tuple[str, Any]:
        return (
            "a whole number from 0 to total_count",
            lambda x: WHOLE[1](x).logical_and(x <= self.total_count),
        )

    @property
    def mean(self) -> Tensor:
        """total_count probs."""
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        """The largest whole number up to (total_count + 1) probs, at most total_count."""
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self) -> Tensor:
        """total_count probs (1 - probs)."""
        return self.mean * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of the dtype of probs, without gradient."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of value."""
        self._validate_sample(value)
        n, logits = self.total_count, self.logits
        choices = lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1)
        # n log(1 - probs), which does not overflow for large logits.
        failures = n * (logits.clamp(min=0) + (-logits.abs()).exp().log1p())
        return choices + value * logits - failures

    def entropy(self) -> Tensor:
        """The sum over all values. NotImplementedError for different total_count."""
        logarithms = self.log_prob(self.enumerate_support(False))
        return -(logarithms.exp() * logarithms).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 to total_count along a new first dim. NotImplementedError for different total_count."""
        most = int(self.total_count.max().item())
        if self.total_count.min().item() != most:
            raise NotImplementedError(
                "Inhomogeneous total count not supported by `enumerate_support`."
            )
        values = arange(1 + most, dtype=self.total_count.dtype)
        values = values.reshape(-1, *(1,) * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values


class Geometric(Chances):
    """Failures before the first success, each trial of probability probs (or log-odds logits).

    log p(k) = k log(1 - probs) + log(probs).
    """

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        if self._given == "probs":
            self._check("parameter probs", self.probs, *POSITIVE)

    def _support(self) -> tuple[str, Any]:
        return WHOLE

    @property
    def mean(self) -> Tensor:
        """1 / probs - 1."""
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        """0."""
        return full_like(self.probs, 0)

    @property
    def variance(self) -> Tensor:
        """(1 - probs) / probs^2."""
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of the dtype of probs, without gradient."""
        shape, dtype = self._extended_shape(sample_shape), self.probs.dtype
        with no_grad():
            u = rand(shape, dtype=dtype).clamp(min=finfo(dtype).tiny)
            return (u.log() / (-self.probs).log1p().expand(shape)).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of value."""
        self._validate_sample(value)
        return xlogy(value, 1 - self.probs) + self.probs.log()

    def entropy(self) -> Tensor:
        """The entropy of one trial, divided by probs."""
        trial = binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return trial / self.probs


class NegativeBinomial(_Trials):
    """Successes before total_count failures, each trial of probability probs (or log-odds logits) of success.

    log p(k) = log(Gamma(n + k) / (k! Gamma(n))) + n log(1 - probs) + k log(probs), n = total_count >= 0.
    """

    def __init__(
        self,
        total_count: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(total_count, probs, logits, validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"total_count": ("at least 0", lambda x: x >= 0), **super()._conditions()}

    def _support(self) -> tuple[str, Any]:
        return WHOLE

    @property
    def mean(self) -> Tensor:
        """total_count exp(logits)."""
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        """The largest whole number up to (total_count - 1) exp(logits), at least 0."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """mean / (1 - probs)."""
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Poisson draws whose rates are drawn from a gamma distribution."""
        with no_grad():
            rates = Gamma(self.total_count, (-self.logits).exp(), False).sample(sample_shape)
            return poisson(rates)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of value."""
        self._validate_sample(value)
        n = self.total_count
        chances = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        ways = lgamma(n + value) - lgamma(1 + value) - lgamma(n)
        return chances + where(n + value == 0, 0.0, ways)


class Multinomial(Kinds):
    """How often each of n kinds is drawn in total_count draws, by the probabilities probs, [..., n], or logits."""

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)

    def _support(self) -> tuple[str, Any]:
        return (
            f"whole numbers with a sum up to {self.total_count}",
            lambda x: WHOLE[1](x).all(-1).logical_and(x.sum(-1) <= self.total_count),
        )

    @property
    def mean(self) -> Tensor:
        """total_count probs."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        """total_count probs (1 - probs)."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of the dtype of probs, without gradient."""
        kinds = self._categorical.sample((self.total_count, *sample_shape))
        kinds = kinds.movedim(0, -1)
        counts = zeros(self._extended_shape(sample_shape), dtype=self.probs.dtype)
        return counts.scatter_add_(-1, kinds, ones_like(kinds, dtype=counts.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of value."""
        self._validate_sample(value)
        never = (value == 0).logical_and(self.logits == -float("inf"))
        terms = value * where(never, 0.0, self.logits)
        return lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1) + terms.sum(-1)

    def entropy(self) -> Tensor:
        """The expected value of -log_prob, summed over the counts of each kind."""
        n = self.total_count
        kinds = Binomial(n, probs=self.probs)
        counts = kinds.enumerate_support(False)[1:]
        outcomes = (kinds.log_prob(counts).exp() * lgamma(counts + 1)).sum((0, -1))
        fixed = lgamma(tensor(n + 1.0, dtype=self.probs.dtype))
        return n * self._categorical.entropy() - fixed + outcomes
