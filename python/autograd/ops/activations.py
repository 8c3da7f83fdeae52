"""Activations: all are ``autograd.nn.functional.<name>``, those that PyTorch has there also ``autograd.<name>``."""

from __future__ import annotations

from .._capi import call, lib
from ..binding import function_only as function
from ..binding import method, public_names, unary
from ..operands import in_place
from ..tensor import Tensor

_plain_relu = unary("relu", "max(x, 0)")


@function
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns max(x, 0), elementwise."""
    return in_place(lib.ag_relu_, input) if inplace else _plain_relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Returns x where x > 0, else negative_slope * x, elementwise."""
    if inplace:
        return in_place(lib.ag_leaky_relu_, input, negative_slope)
    return call(lib.ag_leaky_relu, input, negative_slope)


@function
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Returns x where x > 0, else weight * x; weight has one element, or one per channel (dim 1) of input."""
    return call(lib.ag_prelu, input, weight)


method(prelu)


@function
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Returns x where x > 0, else slope * x: slopes drawn from [lower, upper) in training, else their mean."""
    if inplace:
        return in_place(lib.ag_rrelu_, input, lower, upper, training)
    return call(lib.ag_rrelu, input, lower, upper, training)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Returns x where x > 0, else alpha (e^x - 1), elementwise."""
    return in_place(lib.ag_elu_, input, alpha) if inplace else call(lib.ag_elu, input, alpha)


@function
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns scale x where x > 0, else scale alpha (e^x - 1), with the constants that keep mean and variance."""
    return in_place(lib.ag_selu_, input) if inplace else call(lib.ag_selu, input)


@function
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Returns x where x > 0, else alpha (e^(x / alpha) - 1), elementwise. Raises RuntimeError for alpha 0."""
    return in_place(lib.ag_celu_, input, alpha) if inplace else call(lib.ag_celu, input, alpha)


def gelu_tanh(input: Tensor) -> Tensor:
    """Returns gelu(input, approximate='tanh')."""
    return call(lib.ag_gelu_tanh, input)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Returns x P(N < x) for a normal number N; approximate='tanh': x (1 + tanh(0.798 (x + 0.0447 x^3))) / 2."""
    if not isinstance(approximate, str):
        kind = type(approximate).__name__
        raise TypeError(f"gelu(): argument 'approximate' must be str, not {kind}")
    if approximate == "none":
        return call(lib.ag_gelu, input)
    if approximate == "tanh":
        return gelu_tanh(input)
    raise RuntimeError(
        f"gelu: approximate argument must be either none or tanh, but found {approximate!r}"
    )


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns x sigmoid(x), elementwise."""
    return in_place(lib.ag_silu_, input) if inplace else call(lib.ag_silu, input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns x tanh(log(1 + e^x)), elementwise."""
    return in_place(lib.ag_mish_, input) if inplace else call(lib.ag_mish, input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Returns log(1 + e^(beta x)) / beta, elementwise; x itself where beta x > threshold."""
    return call(lib.ag_softplus, input, beta, threshold)


def softsign(input: Tensor) -> Tensor:
    """Returns x / (1 + |x|), elementwise."""
    return call(lib.ag_softsign, input)


def logsigmoid(input: Tensor) -> Tensor:
    """Returns log(sigmoid(x)), elementwise."""
    return call(lib.ag_logsigmoid, input)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Returns x limited to [min_val, max_val], elementwise. Raises ValueError for min_val > max_val."""
    if inplace:
        return in_place(lib.ag_hardtanh_, input, min_val, max_val)
    return call(lib.ag_hardtanh, input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns min(max(x, 0), 6), elementwise."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns min(max(x + 3, 0), 6) / 6, elementwise."""
    return in_place(lib.ag_hardsigmoid_, input) if inplace else call(lib.ag_hardsigmoid, input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Returns x min(max(x + 3, 0), 6) / 6, elementwise."""
    return in_place(lib.ag_hardswish_, input) if inplace else call(lib.ag_hardswish, input)


def tanhshrink(input: Tensor) -> Tensor:
    """Returns x - tanh(x), elementwise."""
    return call(lib.ag_tanhshrink, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Returns x moved towards 0 by lambd, or 0 where that is further than it is. lambd >= 0."""
    return call(lib.ag_softshrink, input, lambd)


@function
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Returns 0 where |x| <= lambd, else x, elementwise."""
    return call(lib.ag_hardshrink, input, lambd)


method(hardshrink)


@function
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Returns x where x > threshold, else value, elementwise."""
    if inplace:
        return in_place(lib.ag_threshold_, input, threshold, value)
    return call(lib.ag_threshold, input, threshold, value)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Returns a sigmoid(b), where a and b are the halves of input along dim, whose size must be even."""
    return call(lib.ag_glu, input, dim)


# ---- in place, as functions


@function
def relu_(input: Tensor) -> Tensor:
    """Replaces the elements by max(x, 0) and returns the tensor itself."""
    return in_place(lib.ag_relu_, input)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """As leaky_relu(), in place."""
    return in_place(lib.ag_leaky_relu_, input, negative_slope)


@function
def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """As rrelu(), in place."""
    return in_place(lib.ag_rrelu_, input, lower, upper, training)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """As elu(), in place."""
    return in_place(lib.ag_elu_, input, alpha)


@function
def selu_(input: Tensor) -> Tensor:
    """As selu(), in place."""
    return in_place(lib.ag_selu_, input)


@function
def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """As celu(), in place."""
    return in_place(lib.ag_celu_, input, alpha)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """As hardtanh(), in place."""
    return in_place(lib.ag_hardtanh_, input, min_val, max_val)


@function
def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """As threshold(), in place."""
    return in_place(lib.ag_threshold_, input, threshold, value)


__all__ = public_names(globals())
