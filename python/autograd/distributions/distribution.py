"""What all distributions have: shapes, drawing, checks of parameters and values."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from .. import creation
from .._capi import lib
from ..grad_mode import enable_grad, no_grad
from ..ops import broadcast_tensors
from ..tensor import Size, Tensor

__all__ = ["Distribution", "LocationScale"]


class Distribution:
    """The base of all distributions.

    ``batch_shape``: the shape of the parameters, one distribution for each element; ``event_shape``: the shape of one
    draw. With ``validate_args`` (the default) parameters and the values given to ``log_prob`` are checked, and a
    wrong one is a ValueError; while a compiled function is captured they are not, since that reads elements.
    """

    has_rsample: ClassVar[bool] = False
    # Names of parameters that are the same for the whole batch.
    _for_all: ClassVar[tuple[str, ...]] = ()
    _validates: ClassVar[bool] = True

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        event_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validates = validate_args  # type: ignore[misc]
        for name, (condition, holds) in self._conditions().items():
            self._check(f"parameter {name}", getattr(self, name), condition, holds)

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check parameters and values unless they are told otherwise. ValueError for no bool."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args expects True or False, not {value!r}")
        Distribution._validates = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw of one distribution."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        raise NotImplementedError(f"{type(self).__name__} has no mode")

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise NotImplementedError(f"{type(self).__name__} has no variance")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        """The distribution with its parameters expanded to batch_shape. RuntimeError if they do not broadcast."""
        other = copy.copy(self)
        shape, dims = tuple(batch_shape), len(self._batch_shape)
        for name, value in self.__dict__.items():
            if name in self._for_all:
                continue
            if isinstance(value, Tensor):
                setattr(other, name, value.expand(*shape, *value.shape[dims:]))
            elif isinstance(value, Distribution):
                setattr(other, name, value.expand((*shape, *value.batch_shape[dims:])))
        other._batch_shape = Size(shape)
        return other

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws of shape sample_shape + batch_shape + event_shape, without gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws as a function of the parameters, so that gradients flow through them."""
        raise NotImplementedError(
            f"{type(self).__name__} has no rsample(): its draws are no function of its parameters. "
            "Use sample() and log_prob()"
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density or probability of value, of the shape without event_shape."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob()")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a draw up to value."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf()")

    def icdf(self, value: Tensor) -> Tensor:
        """The number below which a draw lies with probability value."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf()")

    def entropy(self) -> Tensor:
        """The expected value of -log_prob, of batch_shape."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy()")

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution, along a new first dim."""
        raise NotImplementedError(f"{type(self).__name__} has no enumerate_support()")

    # ---- for the distributions ----

    # Per parameter what has to hold, in words and as a function of the tensor.
    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {}

    # The same for values, None if all are fine.
    def _support(self) -> tuple[str, Any] | None:
        return None

    def _check(self, what: str, value: Any, condition: str, holds: Any) -> None:
        if not self._validates or lib.ag_compiled_is_capturing():
            return
        if not isinstance(value, Tensor):
            raise ValueError(f"{type(self).__name__}: {what} must be a tensor")
        with no_grad():
            if not creation.hold_everywhere(holds(value)):
                raise ValueError(
                    f"Expected {what} (Tensor of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to be {condition}, but found invalid values:\n{value}"
                )

    def _validate_sample(self, value: Tensor) -> None:
        """ValueError unless value broadcasts to the shapes and lies in the support."""
        if not self._validates or lib.ag_compiled_is_capturing():
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        event = self._event_shape
        sizes = tuple(value.shape)
        if len(sizes) < len(event) or sizes[len(sizes) - len(event) :] != tuple(event):
            raise ValueError(
                f"The right-most size of value must match event_shape: {sizes} vs {tuple(event)}."
            )
        expected = tuple(self._batch_shape + event)
        for i, j in zip(reversed(sizes), reversed(expected)):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{sizes} vs {expected}."
                )
        support = self._support()
        if support:
            self._check("value argument", value, *support)

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> tuple[int, ...]:
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def __repr__(self) -> str:
        shown = [
            f"{name}: {value if value.numel() == 1 else tuple(value.shape)}"
            for name in self._conditions()
            if isinstance(value := self.__dict__.get(name), Tensor)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def parameters(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape. ValueError for anything else."""
    for value in values:
        if not isinstance(value, (Tensor, int, float)):
            raise ValueError(
                "Input arguments must all be instances of Number or Tensor, not "
                f"{type(value).__name__}"
            )
    like = next((value for value in values if isinstance(value, Tensor)), None)
    dtype = like.dtype if like is not None and like.is_floating_point() else None
    tensors = [
        value if isinstance(value, Tensor) else creation.tensor(float(value), dtype=dtype)
        for value in values
    ]
    return tuple(broadcast_tensors(*tensors))


class computed(cached_property):  # noqa: N801 - stands beside @property
    """A property that is computed once, always with gradients: the first who asks may be sample()."""

    def __init__(self, function: Any) -> None:
        def with_gradient(distribution: Any) -> Any:
            with enable_grad():
                return function(distribution)

        super().__init__(with_gradient)
        self.__doc__ = function.__doc__


POSITIVE = ("greater than 0", lambda x: x > 0)
REAL = ("a real number, not NaN", lambda x: x == x)


class LocationScale(Distribution):
    """The base of those whose draws are loc + scale * e, e of a distribution around 0 with one mode there."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = parameters(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {"loc": REAL, "scale": POSITIVE}

    def _support(self) -> tuple[str, Any]:
        return REAL

    @property
    def mean(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc
