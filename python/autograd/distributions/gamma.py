"""The gamma distribution and those made of its numbers: chi-squared, inverse gamma, Dirichlet, beta, Student's t."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..creation import full_like, randn
from ..dtypes import finfo
from ..nn.functional import one_hot
from ..ops import digamma, igamma, lgamma, log1p, stack, standard_gamma, where, xlogy
from ..tensor import Tensor
from .distribution import POSITIVE, REAL, Distribution, parameters

__all__ = ["Beta", "Chi2", "Dirichlet", "Gamma", "InverseGamma", "StudentT"]

_AT_LEAST_0 = ("at least 0", lambda x: x >= 0)


class Gamma(Distribution):
    """The gamma distribution: log p(x) = c log(r) + (c - 1) log(x) - r x - log Gamma(c).

    c is concentration > 0 and r is rate > 0.
    """

    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = parameters(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"concentration": POSITIVE, "rate": POSITIVE}

    def _support(self) -> tuple[str, Any]:
        return _AT_LEAST_0

    @property
    def mean(self) -> Tensor:
        """concentration / rate."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """(concentration - 1) / rate, at least 0."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """concentration / rate^2."""
        return self.concentration / self.rate.square()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws whose gradient is implicit: how they move where their probabilities are kept; never 0."""
        shape = self._extended_shape(sample_shape)
        draws = standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        return _apart_from_zero(draws)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        c, r = self.concentration, self.rate
        return xlogy(c, r) + xlogy(c - 1, value) - r * value - lgamma(c)

    def cdf(self, value: Tensor) -> Tensor:
        """igamma(concentration, rate value)."""
        self._validate_sample(value)
        return igamma(self.concentration, self.rate * value)

    def entropy(self) -> Tensor:
        """c - log(r) + log Gamma(c) + (1 - c) digamma(c)."""
        c = self.concentration
        return c - self.rate.log() + lgamma(c) + (1 - c) * digamma(c)


# A draw may be smaller than all numbers of its dtype; its gradient stays what it is.
def _apart_from_zero(draws: Tensor) -> Tensor:
    smallest = finfo(draws.dtype).tiny
    return draws + (draws.detach().clamp(min=smallest) - draws.detach())


class Chi2(Gamma):
    """The distribution of the sum of df squares of standard normal numbers: gamma of df / 2 and rate 1/2."""

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * parameters(df)[0], 0.5, validate_args)

    @property
    def df(self) -> Tensor:
        """Degrees of freedom."""
        return self.concentration * 2


class InverseGamma(Distribution):
    """The distribution of 1 / x for x of the gamma distribution of concentration c and rate r."""

    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.base_dist = Gamma(concentration, rate, validate_args)
        super().__init__(self.base_dist.batch_shape, validate_args=validate_args)

    def _support(self) -> tuple[str, Any]:
        return POSITIVE

    @property
    def concentration(self) -> Tensor:
        """c."""
        return self.base_dist.concentration

    @property
    def rate(self) -> Tensor:
        """r."""
        return self.base_dist.rate

    @property
    def mean(self) -> Tensor:
        """r / (c - 1), infinite for c <= 1."""
        c = self.concentration
        return where(c > 1, self.rate / (c - 1), math.inf)

    @property
    def mode(self) -> Tensor:
        """r / (c + 1)."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        """r^2 / ((c - 1)^2 (c - 2)), infinite for c <= 2."""
        c = self.concentration
        return where(c > 2, self.rate.square() / ((c - 1).square() * (c - 2)), math.inf)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """1 / a draw of the gamma distribution."""
        return self.base_dist.rsample(sample_shape).reciprocal()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        inverse = value.reciprocal()
        return self.base_dist.log_prob(inverse) + 2 * inverse.log()

    def entropy(self) -> Tensor:
        """c + log(r) + log Gamma(c) - (1 + c) digamma(c)."""
        c = self.concentration
        return c + self.rate.log() + lgamma(c) - (1 + c) * digamma(c)


class Dirichlet(Distribution):
    """The Dirichlet distribution over vectors of shares with the sum 1; concentration is [..., n], above 0.

    log p(x) = sum of (c - 1) log(x) + log Gamma(sum of c) - sum of log Gamma(c).
    """

    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"concentration": POSITIVE}

    def _support(self) -> tuple[str, Any]:
        return (
            "at least 0, with a sum of 1 along the last dim",
            lambda x: (x >= 0).all(-1).logical_and((x.sum(-1) - 1).abs() < 1e-6),
        )

    @property
    def _total(self) -> Tensor:
        return self.concentration.sum(-1, keepdim=True)

    @property
    def mean(self) -> Tensor:
        """concentration / its sum."""
        return self.concentration / self._total

    @property
    def mode(self) -> Tensor:
        """(concentration - 1) / its sum; 1 at the largest where all concentrations are below 1."""
        c = self.concentration
        above = (c - 1).clamp(min=0)
        mode = above / above.sum(-1, keepdim=True)
        corner = one_hot(mode.argmax(-1), c.shape[-1]).to(c.dtype)
        return where((c < 1).all(-1, keepdim=True), corner, mode)

    @property
    def variance(self) -> Tensor:
        """m (1 - m) / (sum + 1), with m the mean."""
        c, total = self.concentration, self._total
        return c * (total - c) / (total.square() * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers of gamma distributions, divided by their sum."""
        draws = _apart_from_zero(
            standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        )
        return draws / draws.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        c = self.concentration
        return xlogy(c - 1, value).sum(-1) + lgamma(c.sum(-1)) - lgamma(c).sum(-1)

    def entropy(self) -> Tensor:
        """log B(c) - (n - sum) digamma(sum) - sum of (c - 1) digamma(c), with B the multivariate beta function."""
        c, total, n = self.concentration, self.concentration.sum(-1), self.concentration.shape[-1]
        logarithm = lgamma(c).sum(-1) - lgamma(total)
        return logarithm - (n - total) * digamma(total) - ((c - 1) * digamma(c)).sum(-1)


class Beta(Distribution):
    """The beta distribution over 0 <= x <= 1, the first share of a Dirichlet draw.

    log p(x) = (a - 1) log(x) + (b - 1) log(1 - x) - log B(a, b), with a concentration1 and b concentration0.
    """

    has_rsample = True

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool | None = None
    ) -> None:
        both = stack(parameters(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(both, validate_args)
        super().__init__(self._dirichlet.batch_shape, validate_args=validate_args)

    def _support(self) -> tuple[str, Any]:
        return "between 0 and 1", lambda x: (x >= 0).logical_and(x <= 1)

    @property
    def concentration1(self) -> Tensor:
        """a."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        """b."""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Tensor:
        """a / (a + b)."""
        return self._dirichlet.mean[..., 0]

    @property
    def mode(self) -> Tensor:
        """(a - 1) / (a + b - 2) for a, b > 1."""
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        """a b / ((a + b)^2 (a + b + 1))."""
        return self._dirichlet.variance[..., 0]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The first share of a Dirichlet draw."""
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at value."""
        self._validate_sample(value)
        return self._dirichlet.log_prob(stack((value, 1 - value), -1))

    def entropy(self) -> Tensor:
        """That of the Dirichlet distribution."""
        return self._dirichlet.entropy()


class StudentT(Distribution):
    """Student's t: loc + scale z / sqrt(s / df), with z a standard normal and s a chi-squared number."""

    has_rsample = True

    def __init__(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        self.df, self.loc, self.scale = parameters(df, loc, scale)
        self._chi2 = Chi2(self.df, validate_args)
        super().__init__(self.df.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"df": POSITIVE, "loc": REAL, "scale": POSITIVE}

    def _support(self) -> tuple[str, Any]:
        return REAL

    @property
    def mean(self) -> Tensor:
        """loc, NaN for df <= 1."""
        return where(self.df <= 1, math.nan, self.loc)

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """scale^2 df / (df - 2); infinite for df <= 2, NaN for df <= 1."""
        finite = self.scale.square() * self.df / (self.df - 2)
        infinite = where(self.df > 1, full_like(self.df, math.inf), math.nan)
        return where(self.df > 2, finite, infinite)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """A normal draw over the root of a chi-squared one."""
        normal = randn(self._extended_shape(sample_shape), dtype=self.df.dtype)
        return self.loc + self.scale * normal * (self._chi2.rsample(sample_shape) / self.df).rsqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        """-(df + 1) / 2 log(1 + y^2 / df) - log(scale sqrt(df) B(1/2, df / 2)), with y = (value - loc) / scale."""
        self._validate_sample(value)
        y = (value - self.loc) / self.scale
        return (
            -0.5 * (self.df + 1) * log1p(y.square() / self.df)
            - self.scale.log()
            - 0.5 * self.df.log()
            - self._log_beta()
        )

    def entropy(self) -> Tensor:
        """log(scale) + (df + 1) / 2 (digamma((df + 1) / 2) - digamma(df / 2)) + log(sqrt(df)) + log B(1/2, df / 2)."""
        half = 0.5 * (self.df + 1)
        difference = digamma(half) - digamma(0.5 * self.df)
        return self.scale.log() + half * difference + 0.5 * self.df.log() + self._log_beta()

    # log B(1/2, df / 2).
    def _log_beta(self) -> Tensor:
        return lgamma(0.5 * self.df) + 0.5 * math.log(math.pi) - lgamma(0.5 * (self.df + 1))
