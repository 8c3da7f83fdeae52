"""Invertible functions of random numbers, and how they change densities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..creation import empty, zeros_like
from ..dtypes import finfo
from ..nn.functional import logsigmoid, softplus
from ..ops import broadcast_tensors
from ..tensor import Tensor
from .independent import sum_rightmost

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "ComposeTransform",
    "ExpTransform",
    "IndependentTransform",
    "PowerTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]


class Transform:
    """A function y = t(x) of random numbers with its inverse, t.inv(y), and log |dy/dx|.

    With cache_size=1 the last x is kept beside its y, so that the inverse of what has just been computed is exact and
    costs nothing. A transform of one's own has _call, _inverse and log_abs_det_jacobian.
    """

    bijective = False
    # How many of the last dims belong to one draw.
    event_dim = 0

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._last: tuple[Any, Any] = (None, None)

    @property
    def inv(self) -> Transform:
        """The inverse."""
        return _Inverse(self)

    @property
    def sign(self) -> int | Tensor:
        """1 for a function that grows, -1 for one that falls."""
        raise NotImplementedError(f"{type(self).__name__} neither grows nor falls everywhere")

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same function, which keeps cache_size pairs."""
        if self._cache_size == cache_size:
            return self
        raise NotImplementedError(f"{type(self).__name__}.with_cache is not implemented")

    def __call__(self, x: Tensor) -> Tensor:
        if self._cache_size == 0:
            return self._call(x)
        last_x, last_y = self._last
        if x is last_x:
            return last_y
        y = self._call(x)
        self._last = x, y
        return y

    def _inv_call(self, y: Tensor) -> Tensor:
        if self._cache_size == 0:
            return self._inverse(y)
        last_x, last_y = self._last
        if y is last_y:
            return last_x
        x = self._inverse(y)
        self._last = x, y
        return x

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no _call()")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no _inverse()")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |dy/dx| at x, where y is t(x); of the shape without the dims of one draw."""
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian()")

    def forward_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The shape of t(x) for x of a shape."""
        return shape

    def inverse_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The shape of x for t(x) of a shape."""
        return shape

    # What a transform is made of besides the cache; two of a kind that agree in it are equal.
    def _arguments(self) -> dict[str, Any]:
        return {}

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        assert isinstance(other, Transform)
        return all(
            mine is its
            or bool((mine == its).all() if isinstance(mine == its, Tensor) else mine == its)
            for mine, its in zip(self._arguments().values(), other._arguments().values())
        )

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self._arguments().items())
        return f"{type(self).__name__}({shown})"


class _Inverse(Transform):
    """The inverse of a transform; they share its cache."""

    def __init__(self, transform: Transform) -> None:
        super().__init__(transform._cache_size)
        self._transform = transform
        self.bijective, self.event_dim = transform.bijective, transform.event_dim

    @property
    def inv(self) -> Transform:
        """The transform itself."""
        return self._transform

    @property
    def sign(self) -> int | Tensor:
        """The transform's."""
        return self._transform.sign

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The inverse of one which keeps cache_size pairs."""
        return self._transform.with_cache(cache_size).inv

    def __call__(self, x: Tensor) -> Tensor:
        return self._transform._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._transform(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Minus the transform's at y."""
        return -self._transform.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The transform's inverse_shape."""
        return self._transform.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The transform's forward_shape."""
        return self._transform.forward_shape(shape)

    def _arguments(self) -> dict[str, Any]:
        return {"inverse of": self._transform}


class ComposeTransform(Transform):
    """One after the other: parts[0] first. An empty list is the identity."""

    def __init__(self, parts: list[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else parts
        self.bijective = all(part.bijective for part in parts)
        self.event_dim = max((part.event_dim for part in parts), default=0)

    @property
    def sign(self) -> int | Tensor:
        """The product of the signs."""
        return math.prod(part.sign for part in self.parts)  # type: ignore[type-var]

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same functions, which keep cache_size pairs."""
        return self if cache_size == self._cache_size else ComposeTransform(self.parts, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum over the parts."""
        if not self.parts:
            return zeros_like(x)
        total = None
        for i, part in enumerate(self.parts):
            after = y if i + 1 == len(self.parts) else part(x)
            change = sum_rightmost(
                part.log_abs_det_jacobian(x, after), self.event_dim - part.event_dim
            )
            total = change if total is None else total + change
            x = after
        assert total is not None
        return total

    def forward_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The shape behind all parts."""
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The shape before all parts."""
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def _arguments(self) -> dict[str, Any]:
        return {"parts": self.parts}


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform of whose batch the last reinterpreted_batch_ndims dims belong to one draw as well."""

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective
        self.event_dim = base_transform.event_dim + reinterpreted_batch_ndims

    @property
    def sign(self) -> int | Tensor:
        """The base transform's."""
        return self.base_transform.sign

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same function, which keeps cache_size pairs."""
        if cache_size == self._cache_size:
            return self
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum of the base transform's over the reinterpreted dims."""
        change = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(change, self.reinterpreted_batch_ndims)

    def _arguments(self) -> dict[str, Any]:
        return {"base": self.base_transform, "dims": self.reinterpreted_batch_ndims}


class _Simple(Transform):
    """The base of functions of single numbers without parameters."""

    bijective = True

    @property
    def sign(self) -> int | Tensor:
        """1."""
        return 1

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same function, which keeps cache_size pairs."""
        return self if cache_size == self._cache_size else type(self)(cache_size)


class ExpTransform(_Simple):
    """y = exp(x)."""

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """x."""
        return x


class SigmoidTransform(_Simple):
    """y = sigmoid(x), kept apart from 0 and 1."""

    def _call(self, x: Tensor) -> Tensor:
        return x.sigmoid().clamp(finfo(x.dtype).tiny, 1 - finfo(x.dtype).eps)

    def _inverse(self, y: Tensor) -> Tensor:
        y = y.clamp(finfo(y.dtype).tiny, 1 - finfo(y.dtype).eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """-softplus(-x) - softplus(x)."""
        return logsigmoid(x) + logsigmoid(-x)


class TanhTransform(_Simple):
    """y = tanh(x). Its inverse is infinite at 1 and -1: cache_size=1 keeps the x of what has been computed."""

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(1 - tanh(x)^2) = 2 (log 2 - x - softplus(-2 x))."""
        return 2 * (math.log(2) - x - softplus(-2 * x))


class SoftplusTransform(_Simple):
    """y = log(1 + exp(x))."""

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """-softplus(-x)."""
        return -softplus(-x)


class AbsTransform(Transform):
    """y = |x|; the inverse is the positive one of the two."""

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same function, which keeps cache_size pairs."""
        return self if cache_size == self._cache_size else AbsTransform(cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class SoftmaxTransform(Transform):
    """y = softmax(x) along the last dim; the inverse is log(y). Not invertible: it has no density."""

    event_dim = 1

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same function, which keeps cache_size pairs."""
        return self if cache_size == self._cache_size else SoftmaxTransform(cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class PowerTransform(Transform):
    """y = x^exponent for x > 0."""

    bijective = True

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent

    @property
    def sign(self) -> int | Tensor:
        """The sign of the exponent."""
        if isinstance(self.exponent, Tensor):
            return self.exponent.sign()
        return 1 if self.exponent > 0 else -1

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same function, which keeps cache_size pairs."""
        return self if cache_size == self._cache_size else PowerTransform(self.exponent, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |exponent y / x|."""
        return (self.exponent * y / x).abs().log()

    def _arguments(self) -> dict[str, Any]:
        return {"exponent": self.exponent}


class AffineTransform(Transform):
    """y = loc + scale x; numbers or tensors. event_dim of the last dims belong to one draw."""

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self.event_dim = loc, scale, event_dim

    @property
    def sign(self) -> int | Tensor:
        """The sign of scale."""
        if isinstance(self.scale, Tensor):
            return self.scale.sign()
        return 1 if self.scale > 0 else -1 if self.scale < 0 else 0

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same function, which keeps cache_size pairs."""
        if cache_size == self._cache_size:
            return self
        return AffineTransform(self.loc, self.scale, self.event_dim, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |scale|, summed over the dims of one draw."""
        if isinstance(self.scale, Tensor):
            size = self.scale.abs().log()
        else:
            size = zeros_like(x) + math.log(abs(self.scale))
        return sum_rightmost(broadcast_tensors(size, x)[0], self.event_dim)

    def _shape(self, shape: Sequence[int]) -> Sequence[int]:
        given = [v for v in (self.loc, self.scale) if isinstance(v, Tensor)]
        return broadcast_tensors(empty(shape), *given)[0].shape

    def forward_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The shape broadcast with loc and scale."""
        return self._shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Sequence[int]:
        """The shape broadcast with loc and scale."""
        return self._shape(shape)

    def _arguments(self) -> dict[str, Any]:
        return {"loc": self.loc, "scale": self.scale}
