"""Distributions of functions of random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..grad_mode import no_grad
from ..tensor import Tensor
from .distribution import Distribution
from .independent import Independent, sum_rightmost
from .transforms import Transform

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of t(x) for x of base_distribution, t one transform or a list of them, the first one first.

    log p(t(x)) = log p(x) - log |dt/dx|. ValueError for what is no transform.
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        parts = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(parts, (list, tuple)) or not all(
            isinstance(part, Transform) for part in parts
        ):
            raise ValueError(
                f"transforms must be a Transform or a list of Transforms, but was {transforms!r}"
            )
        self.transforms = list(parts)
        base, events = base_distribution, len(base_distribution.event_shape)
        shape: Sequence[int] = base.batch_shape + base.event_shape
        for part in self.transforms:
            events = max(events, part.event_dim)
            shape = part.forward_shape(tuple(shape))
        if len(shape) < events:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {events}, but got {tuple(shape)}"
            )
        own = len(base.event_shape)
        wanted = tuple(shape)[: len(shape) - own]
        if wanted != tuple(base.batch_shape):
            base = base.expand(wanted)
        # Dims of the base's batch of which a transform makes dims of one draw.
        if events > own:
            base = Independent(base, events - own)
        self.base_dist = base
        cut = len(shape) - events
        super().__init__(tuple(shape)[:cut], tuple(shape)[cut:], validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base distribution has rsample()."""
        return self.base_dist.has_rsample

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        """The distribution with its batch expanded to batch_shape."""
        return TransformedDistribution(self.base_dist.expand(batch_shape), self.transforms)

    def _through(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """A draw of the base distribution, transformed; without gradient."""
        with no_grad():
            return self._through(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """A draw of the base distribution, transformed."""
        return self._through(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The base distribution's at the inverse of value, less the logarithms of the slopes."""
        self._validate_sample(value)
        events, y = len(self.event_shape), value
        total: Any = 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            total = total - sum_rightmost(
                transform.log_abs_det_jacobian(x, y), events - transform.event_dim
            )
            y = x
        return total + sum_rightmost(
            self.base_dist.log_prob(y), events - len(self.base_dist.event_shape)
        )

    def _sign(self) -> Any:
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign

    def cdf(self, value: Tensor) -> Tensor:
        """The base distribution's at the inverse of value, or 1 less it for a function that falls."""
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        self.base_dist._validate_sample(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        """The transformed number below which the base distribution has the probability value."""
        return self._through(self.base_dist.icdf(self._turned(value)))

    # p, or 1 - p where the function falls.
    def _turned(self, p: Tensor) -> Tensor:
        sign = self._sign()
        return p if isinstance(sign, int) and sign == 1 else sign * (p - 0.5) + 0.5

    def __repr__(self) -> str:
        return f"TransformedDistribution({self.base_dist!r}, {self.transforms!r})"
