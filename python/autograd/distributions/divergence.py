"""The Kullback-Leibler divergence of two distributions."""

from __future__ import annotations

from typing import Any, Callable

from ..ops import where
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical
from .continuous import Exponential, Laplace, Uniform
from .distribution import Distribution
from .independent import Independent, sum_rightmost
from .multivariate_normal import MultivariateNormal, half_log_det, squared_distance
from .normal import LogNormal, Normal

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


@register_kl(LogNormal, LogNormal)
def _log_normal(p: LogNormal, q: LogNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (p.logits - q.logits)
    return one + _log_not(p.logits) - _log_not(q.logits)


# log(1 - sigmoid(x)) = -softplus(x).
def _log_not(logits: Tensor) -> Tensor:
    return -logits.clamp(min=0) - (-logits.abs()).exp().log1p()


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
