"""Pointwise operations: one element in, one element out, broadcast."""

from __future__ import annotations

from typing import Any

from .._capi import call, lib
from ..binding import binary, method, op, public_names, unary
from ..binding import function_only as function
from ..operands import in_place, tensor_argument
from ..tensor import NO_TENSOR, Tensor

neg = unary("neg", "-x")
abs = unary("abs", "|x|")
sign = unary("sign", "-1, 0 or 1, the sign of x")
exp = unary("exp", "e^x")
log = unary("log", "the natural logarithm of x")
sqrt = unary("sqrt", "the square root of x")
tanh = unary("tanh", "(e^x - e^-x) / (e^x + e^-x)")
sigmoid = unary("sigmoid", "1 / (1 + e^-x)")
relu = unary("relu", "max(x, 0)")

_plain_add = binary("add", "input + other", "add")
_plain_sub = binary("sub", "input - other", "sub")
mul = binary("mul", "input * other", "mul")
div = binary("div", "input / other", "truediv")
pow = binary("pow", "input ^ other", "pow")
maximum = binary("maximum", "the larger of input and other")
minimum = binary("minimum", "the smaller of input and other")
eq = binary("eq", "input == other", "eq")
ne = binary("ne", "input != other", "ne")
lt = binary("lt", "input < other", "lt")
le = binary("le", "input <= other", "le")
gt = binary("gt", "input > other", "gt")
ge = binary("ge", "input >= other", "ge")

_plain_add_, _plain_sub_ = Tensor.add_, Tensor.sub_
method(neg, "__neg__")
method(abs, "__abs__")


def _scaled(function: str, other: Any, alpha: Any) -> Tensor:
    return tensor_argument(function, "other", other) * alpha


@op
def add(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Returns input + alpha * other, elementwise and broadcast."""
    return _plain_add(input, other if alpha == 1 else _scaled("add", other, alpha))


@op
def sub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Returns input - alpha * other, elementwise and broadcast."""
    return _plain_sub(input, other if alpha == 1 else _scaled("sub", other, alpha))


@method
def add_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Adds alpha * other to the elements and returns the tensor itself."""
    return _plain_add_(self, other if alpha == 1 else _scaled("add_", other, alpha))


@method
def sub_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Subtracts alpha * other from the elements and returns the tensor itself."""
    return _plain_sub_(self, other if alpha == 1 else _scaled("sub_", other, alpha))


@op
def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Returns x where x > 0, else negative_slope * x, elementwise."""
    return call(lib.ag_leaky_relu, input, negative_slope)


def _bound(function: str, argument: str, value: Any) -> Tensor:
    return NO_TENSOR if value is None else tensor_argument(function, argument, value)


@op
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Returns the elements limited to [min, max]; either bound may be left out, not both."""
    return call(lib.ag_clamp, input, _bound("clamp", "min", min), _bound("clamp", "max", max))


@method
def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limits the elements to [min, max] and returns the tensor itself."""
    return in_place(lib.ag_clamp_, self, _bound("clamp_", "min", min), _bound("clamp_", "max", max))


@function
def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """Returns the elements of input where condition (bool) holds and those of other elsewhere, broadcast."""
    left, right = tensor_argument("where", "input", input), tensor_argument("where", "other", other)
    return call(lib.ag_where, condition, left, right)


@op
def square(input: Tensor) -> Tensor:
    """Returns x^2, elementwise."""
    return input * input


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """Returns the elements of this tensor where condition holds and those of other elsewhere."""
    return where(condition, self, other)


method(_where_method, "where")

# ---- other names of the same ops -------------------------------------------------------------------------

absolute, negative = op(abs, "absolute"), op(neg, "negative")
subtract, multiply = op(sub, "subtract"), op(mul, "multiply")
divide = true_divide = op(div, "divide")
method(div, "true_divide")
clip = op(clamp, "clip")
method(Tensor.clamp_, "clip_")
not_equal, greater, greater_equal = op(ne, "not_equal"), op(gt, "greater"), op(ge, "greater_equal")
less, less_equal = op(lt, "less"), op(le, "less_equal")

__all__ = public_names(globals())
