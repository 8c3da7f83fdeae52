"""Distributions told by their tails: Cauchy, Gumbel, half-normal, half-Cauchy, Pareto, Weibull."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..creation import empty, full_like
from ..ops import lgamma, log1p, where
from ..tensor import Tensor
from .distribution import POSITIVE, Distribution, LocationScale, parameters
from .normal import Normal

__all__ = ["Cauchy", "Gumbel", "HalfCauchy", "HalfNormal", "Pareto", "Weibull"]

EULER = 0.57721566490153286060


class Cauchy(LocationScale):
    """The Cauchy distribution: log p(x) = -log(pi scale (1 + ((x - loc) / scale)^2)). It has no mean."""

    @property
    def mean(self) -> Tensor:
        """NaN."""
        return full_like(self.loc, math.nan)

    @property
    def variance(self) -> Tensor:
        """Infinity."""
        return full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """loc + scale e, e of the distribution of loc 0 and scale 1."""
        shape = self._extended_shape(sample_shape)
        return self.loc + empty(shape, dtype=self.loc.dtype).cauchy_() * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        distance = ((value - self.loc) / self.scale).square()
        return -math.log(math.pi) - self.scale.log() - log1p(distance)

    def cdf(self, value: Tensor) -> Tensor:
        """1/2 + atan((value - loc) / scale) / pi."""
        self._validate_sample(value)
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """loc + scale tan(pi (value - 1/2))."""
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        """log(4 pi scale)."""
        return math.log(4 * math.pi) + self.scale.log()


class Gumbel(LocationScale):
    """The Gumbel distribution: log p(x) = y - e^y - log(scale), y = (loc - x) / scale."""

    @property
    def mean(self) -> Tensor:
        """loc + scale times Euler's constant."""
        return self.loc + self.scale * EULER

    @property
    def stddev(self) -> Tensor:
        """pi scale / sqrt(6)."""
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Tensor:
        """pi^2 scale^2 / 6."""
        return self.stddev.square()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """loc - scale log(e), e drawn from the exponential distribution of rate 1."""
        shape = self._extended_shape(sample_shape)
        return self.loc - self.scale * empty(shape, dtype=self.loc.dtype).exponential_().log()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """exp(-exp((loc - value) / scale))."""
        self._validate_sample(value)
        return (-((self.loc - value) / self.scale).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """loc - scale log(-log(value))."""
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Tensor:
        """log(scale) + 1 + Euler's constant."""
        return self.scale.log() + (1 + EULER)


class _Half(Distribution):
    """The base of distributions of |x| for x of one that is symmetric around 0."""

    has_rsample = True
    base_dist: LocationScale

    def __init__(self, base_dist: LocationScale, validate_args: bool | None) -> None:
        self.base_dist = base_dist
        super().__init__(base_dist.batch_shape, validate_args=validate_args)

    def _support(self) -> tuple[str, Any]:
        return "at least 0", lambda x: x >= 0

    @property
    def scale(self) -> Tensor:
        """The scale of x."""
        return self.base_dist.scale

    @property
    def mode(self) -> Tensor:
        """0."""
        return full_like(self.scale, 0)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """|x|."""
        return self.base_dist.rsample(sample_shape).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        """log 2 more than that of x; -inf below 0."""
        self._validate_sample(value)
        return where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """2 F(value) - 1, with F the function of x."""
        self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """That of x at (1 + value) / 2."""
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """log 2 less than that of x."""
        return self.base_dist.entropy() - math.log(2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__().partition('(')[2]}"


class HalfNormal(_Half):
    """The distribution of |x| for a normal x of mean 0 and standard deviation scale."""

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(0.0, scale, validate_args), validate_args)

    @property
    def mean(self) -> Tensor:
        """scale sqrt(2 / pi)."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        """scale^2 (1 - 2 / pi)."""
        return self.scale.square() * (1 - 2 / math.pi)


class HalfCauchy(_Half):
    """The distribution of |x| for x of the Cauchy distribution around 0. It has no finite mean."""

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Cauchy(0.0, scale, validate_args), validate_args)

    @property
    def mean(self) -> Tensor:
        """Infinity."""
        return full_like(self.scale, math.inf)

    @property
    def variance(self) -> Tensor:
        """Infinity."""
        return self.base_dist.variance


class _Powers(Distribution):
    """The base of those whose draws are made of exponential numbers."""

    has_rsample = True

    def _exponential(self, sample_shape: Sequence[int], like: Tensor) -> Tensor:
        return empty(self._extended_shape(sample_shape), dtype=like.dtype).exponential_()


class Pareto(_Powers):
    """The Pareto distribution: log p(x) = log(alpha) + alpha log(scale) - (alpha + 1) log(x) for x >= scale."""

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = parameters(scale, alpha)
        super().__init__(self.scale.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"alpha": POSITIVE, "scale": POSITIVE}

    def _support(self) -> tuple[str, Any]:
        return "at least scale", lambda x: x >= self.scale

    @property
    def mean(self) -> Tensor:
        """alpha scale / (alpha - 1), infinite for alpha <= 1."""
        alpha = self.alpha.clamp(min=1)
        return alpha * self.scale / (alpha - 1)

    @property
    def mode(self) -> Tensor:
        """scale."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """scale^2 alpha / ((alpha - 1)^2 (alpha - 2)), infinite for alpha <= 2."""
        alpha = self.alpha.clamp(min=2)
        return self.scale.square() * alpha / ((alpha - 1).square() * (alpha - 2))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """scale exp(e / alpha), e exponential."""
        return self.scale * (self._exponential(sample_shape, self.scale) / self.alpha).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * value.log()

    def cdf(self, value: Tensor) -> Tensor:
        """1 - (scale / value)^alpha."""
        self._validate_sample(value)
        return 1 - (self.scale / value) ** self.alpha

    def icdf(self, value: Tensor) -> Tensor:
        """scale (1 - value)^(-1 / alpha)."""
        return self.scale * (1 - value) ** (-1 / self.alpha)

    def entropy(self) -> Tensor:
        """log(scale / alpha) + 1 + 1 / alpha."""
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class Weibull(_Powers):
    """The Weibull distribution: scale e^(1 / concentration) for exponential numbers e."""

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = parameters(scale, concentration)
        super().__init__(self.scale.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"scale": POSITIVE, "concentration": POSITIVE}

    def _support(self) -> tuple[str, Any]:
        return POSITIVE

    @property
    def mean(self) -> Tensor:
        """scale Gamma(1 + 1 / concentration)."""
        return self.scale * self._moment(1)

    @property
    def mode(self) -> Tensor:
        """scale ((c - 1) / c)^(1 / c) for a concentration c > 1."""
        inverse = self.concentration.reciprocal()
        return self.scale * ((self.concentration - 1) / self.concentration) ** inverse

    @property
    def variance(self) -> Tensor:
        """scale^2 (Gamma(1 + 2 / c) - Gamma(1 + 1 / c)^2) for a concentration c."""
        return self.scale.square() * (self._moment(2) - self._moment(1).square())

    # Gamma(1 + n / concentration).
    def _moment(self, n: int) -> Tensor:
        return lgamma(1 + n * self.concentration.reciprocal()).exp()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """scale e^(1 / concentration), e exponential."""
        draws = self._exponential(sample_shape, self.scale)
        return self.scale * draws ** self.concentration.reciprocal()

    def log_prob(self, value: Tensor) -> Tensor:
        """log(c / scale) + (c - 1) log(y) - y^c, for a concentration c and y = value / scale."""
        self._validate_sample(value)
        y, c = value / self.scale, self.concentration
        return (c / self.scale).log() + (c - 1) * y.log() - y**c

    def cdf(self, value: Tensor) -> Tensor:
        """1 - exp(-(value / scale)^concentration)."""
        self._validate_sample(value)
        return -(-((value / self.scale) ** self.concentration)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """scale (-log(1 - value))^(1 / concentration)."""
        return self.scale * (-(-value).log1p()) ** self.concentration.reciprocal()

    def entropy(self) -> Tensor:
        """(1 - 1 / concentration) times Euler's constant + log(scale / concentration) + 1."""
        inverse = self.concentration.reciprocal()
        return EULER * (1 - inverse) + (self.scale * inverse).log() + 1
