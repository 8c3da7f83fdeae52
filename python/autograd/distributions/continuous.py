"""Uniform, exponential and Laplace distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..creation import empty, rand
from ..ops import log1p, where
from ..tensor import Tensor
from .distribution import POSITIVE, REAL, Distribution, LocationScale, parameters

__all__ = ["Exponential", "Laplace", "Uniform"]


class Uniform(Distribution):
    """The uniform distribution over low <= x < high."""

    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = parameters(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        self._check("parameter low", self.low, "below high", lambda low: low < self.high)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"low": REAL, "high": REAL}

    def _support(self) -> tuple[str, Any]:
        return "from low to high", lambda x: (x >= self.low).logical_and(x <= self.high)

    @property
    def mean(self) -> Tensor:
        """(low + high) / 2."""
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        """NaN: all values are equally likely."""
        return self.high * float("nan")

    @property
    def variance(self) -> Tensor:
        """(high - low)^2 / 12."""
        return (self.high - self.low).square() / 12

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """low + u (high - low), u uniform over [0, 1)."""
        u = rand(self._extended_shape(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """-log(high - low), -inf outside."""
        self._validate_sample(value)
        inside = (value >= self.low).logical_and(value < self.high)
        return where(inside, -(self.high - self.low).log(), -float("inf"))

    def cdf(self, value: Tensor) -> Tensor:
        """(value - low) / (high - low), between 0 and 1."""
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """low + value (high - low)."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """log(high - low)."""
        return (self.high - self.low).log()


class Exponential(Distribution):
    """The exponential distribution: log p(x) = log(rate) - rate x for x >= 0."""

    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = parameters(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"rate": POSITIVE}

    def _support(self) -> tuple[str, Any]:
        return "at least 0", lambda x: x >= 0

    @property
    def mean(self) -> Tensor:
        """1 / rate."""
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        """0."""
        return self.rate.detach() * 0

    @property
    def stddev(self) -> Tensor:
        """1 / rate."""
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        """1 / rate^2."""
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """A draw of rate 1, divided by rate."""
        return empty(self._extended_shape(sample_shape), dtype=self.rate.dtype).exponential_() / (
            self.rate
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """log(rate) - rate value."""
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """1 - exp(-rate value)."""
        self._validate_sample(value)
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """-log(1 - value) / rate."""
        return -log1p(-value) / self.rate

    def entropy(self) -> Tensor:
        """1 - log(rate)."""
        return 1 - self.rate.log()


class Laplace(LocationScale):
    """The Laplace distribution: log p(x) = -|x - loc| / scale - log(2 scale)."""

    @property
    def variance(self) -> Tensor:
        """2 scale^2."""
        return 2 * self.scale.square()

    @property
    def stddev(self) -> Tensor:
        """sqrt(2) scale."""
        return 2**0.5 * self.scale

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """loc - scale sign(u) log(1 - 2 |u|), u uniform over (-1/2, 1/2)."""
        shape = self._extended_shape(sample_shape)
        # Half of a draw above 0 keeps the logarithm finite; rand() can be 0 but not 1.
        u = (1 - rand(shape, dtype=self.loc.dtype)) / 2
        sign = rand(shape, dtype=self.loc.dtype).sub_(0.5).sign_()
        return self.loc + self.scale * sign * (2 * u).log()

    def log_prob(self, value: Tensor) -> Tensor:
        """-|value - loc| / scale - log(2 scale)."""
        self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """1/2 - sign(d) expm1(-|d| / scale) / 2, d = value - loc."""
        self._validate_sample(value)
        d = value - self.loc
        return 0.5 - 0.5 * d.sign() * (-d.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """loc - scale sign(value - 1/2) log(1 - 2 |value - 1/2|)."""
        term = value - 0.5
        return self.loc - self.scale * term.sign() * log1p(-2 * term.abs())

    def entropy(self) -> Tensor:
        """1 + log(2 scale)."""
        return 1 + (2 * self.scale).log()
