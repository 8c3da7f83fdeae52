"""Mixtures of distributions of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..grad_mode import no_grad
from ..tensor import Tensor
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """Draws of one of n distributions, chosen by mixture_distribution: p(x) = sum of w_k p_k(x).

    component_distribution has the n distributions along its last batch dim. ValueError unless the first is a
    Categorical of n kinds and the batches broadcast.
    """

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        mixture, component = mixture_distribution, component_distribution
        if not isinstance(mixture, Categorical):
            raise ValueError(
                "The Mixture distribution needs to be an instance of autograd.distributions.Categorical"
            )
        if not isinstance(component, Distribution):
            raise ValueError(
                "The Component distribution need to be an instance of autograd.distributions.Distribution"
            )
        batch = component.batch_shape[:-1]
        for given, wanted in zip(reversed(mixture.batch_shape), reversed(batch)):
            if given not in (1, wanted) and wanted != 1:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({tuple(mixture.batch_shape)}) is not compatible with "
                    f"`component_distribution.batch_shape[:-1]` ({tuple(batch)})"
                )
        kinds = mixture.param_shape[-1]
        if not component.batch_shape or kinds != component.batch_shape[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({kinds}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({tuple(component.batch_shape)})"
            )
        self._mixture, self._component = mixture, component
        super().__init__(batch, component.event_shape, validate_args)

    @property
    def mixture_distribution(self) -> Categorical:
        """Which of the distributions is drawn from."""
        return self._mixture

    @property
    def component_distribution(self) -> Distribution:
        """The distributions, along the last batch dim."""
        return self._component

    def _support(self) -> tuple[str, Any] | None:
        support = self._component._support()
        return support and (support[0], lambda x: support[1](self._repeated(x)))

    # The weights, with a dim of 1 for each dim of a draw.
    def _weights(self) -> Tensor:
        probs = self._mixture.probs
        return probs.reshape(*probs.shape, *(1,) * len(self.event_shape))

    # A draw before each of the distributions.
    def _repeated(self, value: Tensor) -> Tensor:
        return value.unsqueeze(-1 - len(self.event_shape))

    # The sum over the distributions of numbers of the shape of a draw.
    def _mixed(self, values: Tensor) -> Tensor:
        return (self._weights() * values).sum(-1 - len(self.event_shape))

    @property
    def mean(self) -> Tensor:
        """The weighted mean."""
        return self._mixed(self._component.mean)

    @property
    def variance(self) -> Tensor:
        """The mean of the variances + the variance of the means."""
        distance = self._component.mean - self._repeated(self.mean)
        return self._mixed(self._component.variance) + self._mixed(distance.square())

    def cdf(self, value: Tensor) -> Tensor:
        """The weighted sum."""
        return (self._component.cdf(self._repeated(value)) * self._mixture.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log of the weighted sum of densities."""
        self._validate_sample(value)
        parts = self._component.log_prob(self._repeated(value))
        return (parts + self._mixture.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws without gradient: one of each distribution, of which one is taken."""
        with no_grad():
            draws = self._component.sample(sample_shape)
            events = len(self.event_shape)
            kinds = self._mixture.expand(self._batch_shape).sample(sample_shape)
            kinds = kinds.reshape(*kinds.shape, *(1,) * (events + 1))
            at = -1 - events
            shape = list(draws.shape)
            shape[at] = 1
            return draws.gather(at % draws.dim(), kinds.expand(shape)).squeeze(at)
