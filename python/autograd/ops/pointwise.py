"""Pointwise operations: one element in, one element out, broadcast."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._arguments import int_argument
from .._capi import call, lib
from ..binding import binary, method, op, public_names, unary
from ..binding import function_only as function
from ..dtypes import bool_
from ..operands import (
    in_place,
    must_be_tensors,
    number_argument,
    tensor_argument,
    two_results,
)
from ..tensor import NO_TENSOR, Tensor

neg = unary("neg", "-x")
abs = unary("abs", "|x|")
sign = unary("sign", "-1, 0 or 1, the sign of x")
floor = unary("floor", "the largest whole number <= x")
ceil = unary("ceil", "the smallest whole number >= x")
trunc = unary("trunc", "x without its fraction")
round = unary("round", "the nearest whole number, of two the even one")
frac = unary("frac", "the fraction of x, x - trunc(x)")
square = unary("square", "x^2")
sqrt = unary("sqrt", "the square root of x")
rsqrt = unary("rsqrt", "1 / sqrt(x)")
reciprocal = unary("reciprocal", "1 / x")
exp = unary("exp", "e^x")
exp2 = unary("exp2", "2^x")
expm1 = unary("expm1", "e^x - 1, exact for small x")
log = unary("log", "the natural logarithm of x")
log2 = unary("log2", "the logarithm of x to base 2")
log10 = unary("log10", "the logarithm of x to base 10")
log1p = unary("log1p", "log(1 + x), exact for small x")
sin = unary("sin", "the sine of x")
cos = unary("cos", "the cosine of x")
tan = unary("tan", "the tangent of x")
asin = unary("asin", "the angle in [-pi/2, pi/2] whose sine is x")
acos = unary("acos", "the angle in [0, pi] whose cosine is x")
atan = unary("atan", "the angle in (-pi/2, pi/2) whose tangent is x")
sinh = unary("sinh", "(e^x - e^-x) / 2")
cosh = unary("cosh", "(e^x + e^-x) / 2")
tanh = unary("tanh", "(e^x - e^-x) / (e^x + e^-x)")
asinh = unary("asinh", "log(x + sqrt(x^2 + 1))")
acosh = unary("acosh", "log(x + sqrt(x^2 - 1))")
atanh = unary("atanh", "log((1 + x) / (1 - x)) / 2")
i0 = unary("i0", "the modified Bessel function of the first kind of order 0 of x")
sinc = unary("sinc", "sin(pi x) / (pi x), 1 at 0")
sigmoid = unary("sigmoid", "1 / (1 + e^-x)")
erf = unary("erf", "the error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x")
erfc = unary("erfc", "1 - erf(x), exact for large x")
erfinv = unary("erfinv", "the y with erf(y) = x")
lgamma = unary("lgamma", "log |gamma(x)|")
digamma = unary("digamma", "the derivative of log gamma(x)")
deg2rad = unary("deg2rad", "x pi / 180")
rad2deg = unary("rad2deg", "180 x / pi")
bitwise_not = unary("bitwise_not", "~x, for bool not x")
isnan = unary("isnan", "whether x is NaN")
isinf = unary("isinf", "whether x is infinite")
isposinf = unary("isposinf", "whether x is +infinity")
isneginf = unary("isneginf", "whether x is -infinity")
isfinite = unary("isfinite", "whether x is neither infinite nor NaN")
signbit = unary("signbit", "whether x has a minus sign, as -0.0 has")
logical_not = unary("logical_not", "whether x is 0")

_plain_add = binary("add", "input + other", "add", numbers="two")
_plain_sub = binary("sub", "input - other", "sub", numbers="two")
mul = binary("mul", "input * other", "mul", numbers="two")
_plain_div = binary("div", "input / other", "truediv", numbers="two")
pow = binary("pow", "input ^ exponent", "pow", second="exponent")
float_power = binary("float_power", "input ^ exponent in float64", second="exponent")
ldexp = binary("ldexp", "input 2^other", numbers="none")
remainder = binary("remainder", "input - floor(input / other) other", "mod")
fmod = binary("fmod", "input - trunc(input / other) other", numbers="second")
floor_divide = binary("floor_divide", "floor(input / other)", "floordiv", numbers="two")
xlogy = binary("xlogy", "input log(other), 0 where input is 0")
igamma = binary(
    "igamma", "the share of the gamma distribution of shape input below other", numbers="none"
)
igammac = binary(
    "igammac", "the share of the gamma distribution of shape input above other", numbers="none"
)
gamma_number_slope = binary(
    "gamma_number_slope",
    "how a number other of the gamma distribution moves with its shape input, the share kept",
)
copysign = binary("copysign", "|input| with the sign of other", numbers="second")
bitwise_and = binary("bitwise_and", "input & other", "and")
bitwise_or = binary("bitwise_or", "input | other", "or")
bitwise_xor = binary("bitwise_xor", "input ^ other, bit by bit", "xor")
bitwise_left_shift = binary("bitwise_left_shift", "input << other", "lshift")
bitwise_right_shift = binary("bitwise_right_shift", "input >> other", "rshift")
eq = binary("eq", "input == other", "eq", numbers="second")
ne = binary("ne", "input != other", "ne", numbers="second")
lt = binary("lt", "input < other", "lt", numbers="second")
le = binary("le", "input <= other", "le", numbers="second")
gt = binary("gt", "input > other", "gt", numbers="second")
ge = binary("ge", "input >= other", "ge", numbers="second")

# Of two tensors: numbers are refused.
maximum = binary("maximum", "the larger of input and other", numbers="none")
minimum = binary("minimum", "the smaller of input and other", numbers="none")
fmax = binary(
    "fmax", "the larger of input and other, the other one where one is NaN", numbers="none"
)
fmin = binary(
    "fmin", "the smaller of input and other, the other one where one is NaN", numbers="none"
)
atan2 = binary("atan2", "the angle of the point (other, input)", numbers="none")
hypot = binary("hypot", "sqrt(input^2 + other^2)", numbers="none")
logaddexp = binary("logaddexp", "log(e^input + e^other)", numbers="none")
logaddexp2 = binary("logaddexp2", "log2(2^input + 2^other)", numbers="none")
nextafter = binary("nextafter", "the float next to input in the direction of other", numbers="none")
gcd = binary("gcd", "the greatest common divisor of input and other", numbers="none")
lcm = binary("lcm", "the least common multiple of input and other", numbers="none")
logical_and = binary("logical_and", "whether neither input nor other is 0", numbers="none")
logical_or = binary("logical_or", "whether input or other is not 0", numbers="none")
logical_xor = binary(
    "logical_xor", "whether one of input and other is 0 and one is not", numbers="none"
)
heaviside = binary(
    "heaviside",
    "0, values or 1 where input is below, at or above 0",
    numbers="none",
    second="values",
)

_plain_add_, _plain_sub_, _plain_div_ = Tensor.add_, Tensor.sub_, Tensor.div_
_plain_round, _plain_round_ = round, Tensor.round_
method(neg, "__neg__")
method(abs, "__abs__")


# ---- arithmetic


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


@function
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Returns other - alpha * input, elementwise and broadcast."""
    return _plain_sub(
        tensor_argument("rsub", "other", other), input if alpha == 1 else input * alpha
    )


def div_floor(input: Any, other: Any) -> Tensor:
    """Returns floor(input / other), elementwise and broadcast; its gradients are zeros."""
    return call(
        lib.ag_div_floor,
        tensor_argument("div", "input", input),
        tensor_argument("div", "other", other),
    )


def div_trunc(input: Any, other: Any) -> Tensor:
    """Returns trunc(input / other), elementwise and broadcast; its gradients are zeros."""
    return call(
        lib.ag_div_trunc,
        tensor_argument("div", "input", input),
        tensor_argument("div", "other", other),
    )


def _rounding_error(mode: Any) -> Exception:
    if not isinstance(mode, str):
        return TypeError(f"div(): argument 'rounding_mode' must be str, not {type(mode).__name__}")
    return RuntimeError(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode}'"
    )


@op
def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Returns input / other, elementwise and broadcast; rounding_mode 'trunc' or 'floor' makes the quotients whole.

    Without rounding integers give floats. Raises RuntimeError where integers are rounded and divided by 0.
    """
    if rounding_mode is None:
        return _plain_div(input, other)
    if isinstance(rounding_mode, str) and rounding_mode == "floor":
        return div_floor(input, other)
    if isinstance(rounding_mode, str) and rounding_mode == "trunc":
        return div_trunc(input, other)
    raise _rounding_error(rounding_mode)


@method
def div_(self: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Divides the elements by other, as div() does, and returns the tensor itself."""
    if rounding_mode is None:
        return _plain_div_(self, other)
    if not isinstance(rounding_mode, str) or rounding_mode not in ("floor", "trunc"):
        raise _rounding_error(rounding_mode)
    native = lib.ag_div_floor_ if rounding_mode == "floor" else lib.ag_div_trunc_
    return in_place(native, self, tensor_argument("div_", "other", other))


def _value(function: str, value: Any) -> float:
    return float(number_argument(function, "value", value))


@op
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Returns input + value * tensor1 * tensor2, elementwise and broadcast."""
    return call(lib.ag_addcmul, input, tensor1, tensor2, _value("addcmul", value))


@method
def addcmul_(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Adds value * tensor1 * tensor2 to the elements and returns the tensor itself."""
    return in_place(lib.ag_addcmul_, self, tensor1, tensor2, _value("addcmul_", value))


@op
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Returns input + value * tensor1 / tensor2, elementwise and broadcast."""
    return call(lib.ag_addcdiv, input, tensor1, tensor2, _value("addcdiv", value))


@method
def addcdiv_(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Adds value * tensor1 / tensor2 to the elements and returns the tensor itself."""
    return in_place(lib.ag_addcdiv_, self, tensor1, tensor2, _value("addcdiv_", value))


@op
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Returns input + weight * (end - input), elementwise and broadcast; weight is a Tensor or a number."""
    return call(lib.ag_lerp, input, end, tensor_argument("lerp", "weight", weight))


@method
def lerp_(self: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Moves the elements by weight * (end - self) and returns the tensor itself."""
    return in_place(lib.ag_lerp_, self, end, tensor_argument("lerp_", "weight", weight))


# ---- functions of one tensor that take numbers
_plain_round_decimals = lib.ag_round_decimals


@op
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Returns x rounded to decimals digits after the point, elementwise; halves go to the even neighbour."""
    if type(decimals) is int and decimals == 0:
        return _plain_round(input)
    return call(_plain_round_decimals, input, int_argument("round", "decimals", decimals))


@method
def round_(self: Tensor, *, decimals: int = 0) -> Tensor:
    """Rounds the elements as round() does and returns the tensor itself."""
    if type(decimals) is int and decimals == 0:
        return _plain_round_(self)
    return in_place(lib.ag_round_decimals_, self, int_argument("round_", "decimals", decimals))


def entr(input: Tensor) -> Tensor:
    """Returns -x log(x), elementwise; 0 at 0, -inf below."""
    return call(lib.ag_entr, input)


def i0e(input: Tensor) -> Tensor:
    """Returns i0(x) exp(-|x|), elementwise."""
    return call(lib.ag_i0e, input)


def i1(input: Tensor) -> Tensor:
    """Returns the modified Bessel function of the first kind of order 1 of x, elementwise."""
    return call(lib.ag_i1, input)


def i1e(input: Tensor) -> Tensor:
    """Returns i1(x) exp(-|x|), elementwise."""
    return call(lib.ag_i1e, input)


@function
def polygamma(n: int, input: Tensor) -> Tensor:
    """Returns the derivative of order n of digamma(x), elementwise. Raises RuntimeError for a negative n."""
    return call(lib.ag_polygamma, input, n)


def _polygamma_method(self: Tensor, n: int) -> Tensor:
    """Returns the derivative of order n of digamma(x), elementwise."""
    return call(lib.ag_polygamma, self, n)


@method
def polygamma_(self: Tensor, n: int) -> Tensor:
    """Replaces the elements by the derivative of order n of digamma(x) and returns the tensor itself."""
    return in_place(lib.ag_polygamma_, self, n)


method(_polygamma_method, "polygamma")


def _number(function: str, argument: str, value: Any) -> Tensor:
    if value is None:
        return NO_TENSOR
    return tensor_argument(function, argument, float(number_argument(function, argument, value)))


@method
def i0_(self: Tensor) -> Tensor:
    """Replaces the elements by i0(x) and returns the tensor itself; RuntimeError for integers."""
    must_be_tensors("i0_", self=self)
    if not self.dtype.is_floating_point:
        raise RuntimeError(f"i0_: the result can't be cast to {self.dtype}")
    return in_place(lib.ag_copy_, self, i0(self.clone()))


class frexp_result(NamedTuple):
    """What frexp returns."""

    mantissa: Tensor
    exponent: Tensor


@op
def frexp(input: Tensor) -> frexp_result:
    """Returns (mantissa, exponent), elementwise: x = mantissa 2^exponent with 0.5 <= |mantissa| < 1, exponent int32.

    Zeros, infinities and NaN are their own mantissas, with exponent 0. Raises RuntimeError for what is not made of
    floats.
    """
    return frexp_result(*two_results(lib.ag_frexp, input))


@op
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Returns log(x / (1 - x)), elementwise; with eps x is first limited to [eps, 1 - eps]."""
    return call(lib.ag_logit, input, _number("logit", "eps", eps))


@method
def logit_(self: Tensor, eps: float | None = None) -> Tensor:
    """Replaces the elements by logit(x, eps) and returns the tensor itself."""
    return in_place(lib.ag_logit_, self, _number("logit_", "eps", eps))


@op
def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """Returns x with NaN replaced by nan (default 0) and infinities by posinf and neginf, elementwise.

    By default an infinity becomes the largest or least finite number of the dtype.
    """
    return call(
        lib.ag_nan_to_num,
        input,
        0.0 if nan is None else nan,
        _number("nan_to_num", "posinf", posinf),
        _number("nan_to_num", "neginf", neginf),
    )


@method
def nan_to_num_(
    self: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Replaces NaN and infinities as nan_to_num() does and returns the tensor itself."""
    return in_place(
        lib.ag_nan_to_num_,
        self,
        0.0 if nan is None else nan,
        _number("nan_to_num_", "posinf", posinf),
        _number("nan_to_num_", "neginf", neginf),
    )


@op
def positive(input: Tensor) -> Tensor:
    """Returns input itself; TypeError for bool."""
    if input.dtype is bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


method(positive, "__pos__")


def _invert(self: Tensor) -> Tensor:
    if self.dtype.is_floating_point:
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return bitwise_not(self)


method(_invert, "__invert__")


# ---- made of others


# ---- limits and choices


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


@op
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Returns the elements, but at least min."""
    return call(lib.ag_clamp, input, tensor_argument("clamp_min", "min", min), NO_TENSOR)


@op
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Returns the elements, but at most max."""
    return call(lib.ag_clamp, input, NO_TENSOR, tensor_argument("clamp_max", "max", max))


@method
def clamp_min_(self: Tensor, min: Any) -> Tensor:
    """Raises the elements to at least min and returns the tensor itself."""
    return in_place(lib.ag_clamp_, self, tensor_argument("clamp_min_", "min", min), NO_TENSOR)


@method
def clamp_max_(self: Tensor, max: Any) -> Tensor:
    """Lowers the elements to at most max and returns the tensor itself."""
    return in_place(lib.ag_clamp_, self, NO_TENSOR, tensor_argument("clamp_max_", "max", max))


@function
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Returns the elements of input where condition (bool) holds and those of other elsewhere, broadcast.

    With condition alone: its nonzero(as_tuple=True).
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    left, right = tensor_argument("where", "input", input), tensor_argument("where", "other", other)
    return call(lib.ag_where, condition, left, right)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """Returns the elements of this tensor where condition holds and those of other elsewhere."""
    return where(condition, self, other)


method(_where_method, "where")


@op
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Returns whether |input - other| <= atol + rtol |other|, elementwise and broadcast; dtypes must agree."""
    return call(lib.ag_isclose, input, other, rtol, atol, equal_nan)


@op
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Returns True if isclose() holds for all elements."""
    return isclose(input, other, rtol, atol, equal_nan).all().item()


# ---- other names of the same ops -------------------------------------------------------------------------


def _alias(name: str, original: str) -> Any:
    """The function under another name, in place as well."""
    if hasattr(Tensor, f"{original}_"):
        method(getattr(Tensor, f"{original}_"), f"{name}_")
    return op(globals()[original], name)


absolute, negative = _alias("absolute", "abs"), _alias("negative", "neg")
sgn = _alias("sgn", "sign")
subtract, multiply = _alias("subtract", "sub"), _alias("multiply", "mul")
divide, true_divide = _alias("divide", "div"), _alias("true_divide", "div")
clip, fix = _alias("clip", "clamp"), _alias("fix", "trunc")
arcsin, arccos, arctan = (
    _alias("arcsin", "asin"),
    _alias("arccos", "acos"),
    _alias("arctan", "atan"),
)
arcsinh, arccosh = _alias("arcsinh", "asinh"), _alias("arccosh", "acosh")
arctanh, arctan2 = _alias("arctanh", "atanh"), _alias("arctan2", "atan2")
not_equal, greater = _alias("not_equal", "ne"), _alias("greater", "gt")
greater_equal, less = _alias("greater_equal", "ge"), _alias("less", "lt")
less_equal = _alias("less_equal", "le")

__all__ = public_names(globals())
