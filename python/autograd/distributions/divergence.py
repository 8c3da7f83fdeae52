"""The Kullback-Leibler divergence of two distributions."""

from __future__ import annotations

from typing import Any, Callable

from ..creation import hold_everywhere
from ..nn.functional import logsigmoid
from ..ops import digamma, lgamma, where
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical
from .continuous import Exponential, Laplace, Uniform
from .counts import Binomial, Geometric, Poisson
from .distribution import Distribution
from .gamma import Beta, Dirichlet, Gamma, InverseGamma
from .independent import Independent, sum_rightmost
from .multivariate_normal import MultivariateNormal, half_log_det, squared_distance
from .normal import LogNormal, Normal
from .one_hot import OneHotCategorical
from .tails import EULER, Cauchy, Gumbel, HalfCauchy, HalfNormal, Pareto, Weibull
from .transformed import TransformedDistribution

__all__ = ["kl_divergence", "register_kl"]

_FORMULAS: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Decorator for a function of two distributions that returns the divergence of those types.

    Raises TypeError for types that are no distributions.
    """
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected a subclass of Distribution but got {kind!r}")

    def register(function: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
        _FORMULAS[type_p, type_q] = function
        return function

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The expected value of log p(x) - log q(x) for draws x of p, of batch_shape.

    Raises NotImplementedError for a pair of types without a formula; register_kl adds one.
    """
    for kind_p in type(p).__mro__:
        for kind_q in type(q).__mro__:
            formula = _FORMULAS.get((kind_p, kind_q))
            if formula is not None:
                return formula(p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    distance = ((p.loc - q.loc) / q.scale).square()
    return 0.5 * (ratio + distance - 1 - ratio.log())


# One function of the draws of both: the divergence of what they are made of.
@register_kl(HalfCauchy, HalfCauchy)
@register_kl(HalfNormal, HalfNormal)
@register_kl(InverseGamma, InverseGamma)
@register_kl(LogNormal, LogNormal)
def _of_bases(p: Any, q: Any) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (p.logits - q.logits)
    return one + logsigmoid(-p.logits) - logsigmoid(-q.logits)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if not hold_everywhere(p.total_count >= q.total_count):
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count")
    one = p.probs * (p.logits - q.logits)
    divergence = p.total_count * (one + (-p.probs).log1p() - (-q.probs).log1p())
    return where(p.total_count > q.total_count, float("inf"), divergence)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = where((q.probs == 0).expand(terms.shape), float("inf"), terms)
    return where((p.probs == 0).expand(terms.shape), 0.0, terms).sum(-1)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low).logical_or(q.high < p.high), float("inf"), result)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    total = ((p.scale + q.scale).square() + (p.loc - q.loc).square()).log()
    return total - (4 * p.scale * q.scale).log()


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc) / q.scale
    moved = (lgamma(1 + ratio) - distance).exp()
    return distance - ratio.log() + ratio * EULER + moved - (1 + EULER)


@register_kl(Weibull, Weibull)
def _weibull(p: Weibull, q: Weibull) -> Tensor:
    ratio = q.concentration / p.concentration
    scales = q.concentration * (p.scale / q.scale).log()
    moved = (scales + lgamma(1 + ratio)).exp()
    return (ratio - 1) * EULER - scales - ratio.log() + moved - 1


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    scales, ratio = p.scale / q.scale, q.alpha / p.alpha
    divergence = q.alpha * scales.log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, float("inf"), divergence)


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    rates = q.concentration * (p.rate / q.rate).log()
    shapes = lgamma(q.concentration) - lgamma(p.concentration)
    moved = (p.concentration - q.concentration) * digamma(p.concentration)
    return rates + shapes + moved + (q.rate - p.rate) * (p.concentration / p.rate)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    sums = lgamma(total) - lgamma(b.sum(-1))
    parts = (lgamma(a) - lgamma(b)).sum(-1)
    return sums - parts + ((a - b) * (digamma(a) - digamma(total).unsqueeze(-1))).sum(-1)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be computed"
        )
    determinants = half_log_det(q.scale_tril) - half_log_det(p.scale_tril)
    columns = p.scale_tril.mT
    trace = squared_distance(q.scale_tril.unsqueeze(-3), columns).sum(-1)
    distance = squared_distance(q.scale_tril, q.loc - p.loc)
    return determinants + 0.5 * (trace + distance - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "KL(p || q) of Independent distributions needs equal reinterpreted_batch_ndims, got "
            f"{p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims}"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError(
            "KL(p || q) of TransformedDistributions needs equal transforms and event shapes"
        )
    return kl_divergence(p.base_dist, q.base_dist)
