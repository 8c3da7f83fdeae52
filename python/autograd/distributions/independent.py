"""Dims of a batch as dims of one draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensor import Tensor
from .distribution import Distribution

__all__ = ["Independent", "sum_rightmost"]


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last dims."""
    return value.sum(tuple(range(-dims, 0))) if dims else value


class Independent(Distribution):
    """A distribution whose last batch dims count as dims of one draw: log_prob sums over them."""

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        ndim = len(base_distribution.batch_shape)
        if reinterpreted_batch_ndims > ndim:
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {ndim}"
            )
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        kept = ndim - reinterpreted_batch_ndims
        sizes = base_distribution.batch_shape + base_distribution.event_shape
        super().__init__(sizes[:kept], sizes[kept:], validate_args=validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base distribution has rsample()."""
        return self.base_dist.has_rsample

    @property
    def mean(self) -> Tensor:
        """The base distribution's."""
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        """The base distribution's."""
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        """The base distribution's."""
        return self.base_dist.variance

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The base distribution's draws."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The base distribution's draws, with gradient."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum of the base distribution's over the reinterpreted dims."""
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        """The sum of the base distribution's over the reinterpreted dims."""
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Any:
        """NotImplementedError if dims are reinterpreted."""
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        return self.base_dist.enumerate_support(expand)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
