"""Windows for signals: weights that fade out at both ends."""

from __future__ import annotations

import math
from typing import Any, Callable

from .._arguments import bool_argument, int_argument
from ..binding import function_only as function
from ..binding import public_names
from ..creation import tensor
from ..dtypes import dtype as DType
from ..dtypes import get_default_dtype
from ..operands import number_argument
from ..tensor import Tensor


def _window(
    name: str,
    length: int,
    periodic: bool,
    weight: Callable[[float], float],
    dtype: DType | None,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    """weight(x) for x from 0 to 1 over the window; a periodic one lacks the last of length + 1 points."""
    length = int_argument(name, "window_length", length)
    bool_argument(name, "periodic", periodic)
    dtype = get_default_dtype() if dtype is None else dtype
    if not isinstance(dtype, DType):
        raise TypeError(
            f"{name}(): argument 'dtype' must be autograd.dtype, not {type(dtype).__name__}"
        )
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    steps = length if periodic else length - 1
    values = [weight(i / steps) for i in range(length)] if length > 1 else [1.0] * length
    return tensor(values, dtype=dtype, device=device, requires_grad=requires_grad)


@function
def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns (1 - cos(2 pi x)) / 2 for x from 0 to 1; a periodic window lacks the last of window_length + 1 points."""

    def weight(x: float) -> float:
        return 0.5 - 0.5 * math.cos(2 * math.pi * x)

    return _window("hann_window", window_length, periodic, weight, dtype, device, requires_grad)


@function
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns alpha - beta cos(2 pi x) for x from 0 to 1; periodic as in hann_window()."""
    a = number_argument("hamming_window", "alpha", alpha)
    b = number_argument("hamming_window", "beta", beta)

    def weight(x: float) -> float:
        return a - b * math.cos(2 * math.pi * x)

    return _window("hamming_window", window_length, periodic, weight, dtype, device, requires_grad)


@function
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns 1 - |2 x - 1| for x from 0 to 1; periodic as in hann_window()."""

    def weight(x: float) -> float:
        return 1 - abs(2 * x - 1)

    return _window("bartlett_window", window_length, periodic, weight, dtype, device, requires_grad)


@function
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns 0.42 - 0.5 cos(2 pi x) + 0.08 cos(4 pi x) for x from 0 to 1; periodic as in hann_window()."""

    def weight(x: float) -> float:
        return 0.42 - 0.5 * math.cos(2 * math.pi * x) + 0.08 * math.cos(4 * math.pi * x)

    return _window("blackman_window", window_length, periodic, weight, dtype, device, requires_grad)


def _bessel(x: float) -> float:
    """The modified Bessel function of order 0, by its power series: all terms are positive."""
    total = term = 1.0
    k = 0
    while term > total * 1e-17:
        k += 1
        term *= (x / (2 * k)) ** 2
        total += term
    return total


@function
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns I0(beta sqrt(1 - (2 x - 1)^2)) / I0(beta) for x from 0 to 1; periodic as in hann_window()."""
    beta = number_argument("kaiser_window", "beta", beta)

    def weight(x: float) -> float:
        return _bessel(beta * math.sqrt(max(0.0, 1 - (2 * x - 1) ** 2))) / _bessel(beta)

    return _window("kaiser_window", window_length, periodic, weight, dtype, device, requires_grad)


__all__ = public_names(globals())
