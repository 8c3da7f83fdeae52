"""The operations on tensors. Every public function here is ``autograd.<name>`` and ``Tensor.<name>``."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple, Union

from ._capi import (
    ZERO,
    ArgumentError,
    argument_error,
    call,
    lib,
    not_null,
    raise_last_error,
    run,
)
from .binding import binary, method, op, public_names, unary
from .binding import function_only as function
from .dtypes import dtype as _dtype
from .operands import tensor_argument
from .tensor import NO_TENSOR, Tensor, adopt, pack, tensor_classes

_matmul, _sum, _mean = lib.ag_matmul, lib.ag_sum, lib.ag_mean

Dims = Union[None, int, Sequence[int]]


def in_place(native: Any, tensor: Tensor, *arguments: Any) -> Tensor:
    """The tensor itself, after native has changed it; raises what went wrong."""
    run(native, tensor, *arguments)
    return tensor


# ---- pointwise -------------------------------------------------------------------------------------------

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

# ---- products --------------------------------------------------------------------------------------------


@op
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Returns the matrix product as PyTorch defines it: of vectors, matrices, and batches that broadcast."""
    return call(lib.ag_matmul, input, other)


@op
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the product of two matrices, [m, k] x [k, n] -> [m, n]."""
    return call(lib.ag_mm, input, mat2)


@op
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Returns the products of two batches of matrices, [B, m, k] x [B, k, n] -> [B, m, n]."""
    return call(lib.ag_bmm, input, mat2)


@op
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """Returns beta * input + alpha * (mat1 x mat2); input broadcasts to [m, n]."""
    return call(lib.ag_addmm, input, mat1, mat2, beta, alpha)


def _matmul_operator(self: Tensor, other: Any) -> Tensor:
    if type(other) not in tensor_classes:
        return NotImplemented
    result = _matmul(self, other)
    if not_null(result):
        return result
    raise_last_error()


method(_matmul_operator, "__matmul__")

# ---- reductions ------------------------------------------------------------------------------------------


class max_result(NamedTuple):
    """The values and positions that max() or min() found along a dim."""

    values: Tensor
    indices: Tensor


def dims_argument(dim: Dims) -> tuple[Any, Any]:
    """dim as the library takes it: an array and its length."""
    if dim is None:
        return None, ZERO
    return pack(dim if isinstance(dim, (tuple, list)) else (dim,))  # type: ignore[arg-type]


def _code(dtype: _dtype | None) -> int:
    if dtype is None:
        return -1
    if not isinstance(dtype, _dtype):
        raise TypeError(f"argument 'dtype' must be autograd.dtype, not {type(dtype).__name__}")
    return dtype.code


@op
def sum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Returns the sum of all elements or over dims. Integers and bool are summed as int64."""
    dims, n = (None, ZERO) if dim is None else dims_argument(dim)
    code = -1 if dtype is None else _code(dtype)
    try:
        result = _sum(input, dims, n, keepdim, code)
    except ArgumentError as error:
        raise argument_error(_sum, (input, dims, n, keepdim, code), error) from None
    if not_null(result):
        return result
    raise_last_error()


@op
def mean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Returns the mean of all elements or over dims; only floats have one."""
    dims, n = (None, ZERO) if dim is None else dims_argument(dim)
    code = -1 if dtype is None else _code(dtype)
    try:
        result = _mean(input, dims, n, keepdim, code)
    except ArgumentError as error:
        raise argument_error(_mean, (input, dims, n, keepdim, code), error) from None
    if not_null(result):
        return result
    raise_last_error()


@op
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Returns the variance of all elements or over dims, with divisor max(0, N - correction).

    correction is 1 unless given; unbiased=False means correction=0.
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    dims, n = dims_argument(dim)
    return call(lib.ag_var, input, dims, n, correction, keepdim)


@op
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Returns the standard deviation, the square root of var()."""
    return sqrt(var(input, dim, unbiased, keepdim, correction=correction))


@op
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns the maximum of all elements or over dims; ties share the gradient evenly."""
    dims, n = dims_argument(dim)
    return call(lib.ag_amax, input, dims, n, keepdim)


@op
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns the minimum of all elements or over dims; ties share the gradient evenly."""
    dims, n = dims_argument(dim)
    return call(lib.ag_amin, input, dims, n, keepdim)


def _along(native: Any, input: Tensor, dim: int, keepdim: bool) -> max_result:
    out = (ctypes.c_void_p * 2)()
    run(
        native,
        input,
        dim,
        keepdim,
        ctypes.byref(out),
        ctypes.byref(out, ctypes.sizeof(ctypes.c_void_p)),
    )
    return max_result(adopt(out[0]), adopt(out[1]))


@op
def max(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Any:
    """Returns the maximum of all elements, or (values, indices) along dim, or maximum(input, other)."""
    if isinstance(dim, Tensor) or other is not None:
        return maximum(input, dim if other is None else other)
    return call(lib.ag_max, input) if dim is None else _along(lib.ag_max_dim, input, dim, keepdim)


@op
def min(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None
) -> Any:
    """Returns the minimum of all elements, or (values, indices) along dim, or minimum(input, other)."""
    if isinstance(dim, Tensor) or other is not None:
        return minimum(input, dim if other is None else other)
    return call(lib.ag_min, input) if dim is None else _along(lib.ag_min_dim, input, dim, keepdim)


@op
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns the int64 position of the first maximum, along dim or in the flattened tensor."""
    dims, n = dims_argument(dim)
    return call(lib.ag_argmax, input, dims, n, keepdim)


@op
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Returns the int64 position of the first minimum, along dim or in the flattened tensor."""
    dims, n = dims_argument(dim)
    return call(lib.ag_argmin, input, dims, n, keepdim)


@op
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns True where some element, of all or over dims, is not zero."""
    return sum(ne(input, 0), dim, keepdim) != 0


@op
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Returns True where no element, of all or over dims, is zero."""
    return sum(eq(input, 0), dim, keepdim) == 0


@op
def equal(input: Tensor, other: Tensor) -> bool:
    """Returns True if both tensors have the same sizes and elements."""
    return input.shape == other.shape and bool(all(eq(input, other)))


@op
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Returns True if |input - other| <= atol + rtol * |other| or input == other everywhere."""
    input, other = input.detach(), other.detach()
    near = le(abs(sub(input, other)), add(mul(abs(other), rtol), atol)) + eq(input, other)
    if equal_nan:
        near = near + mul(ne(input, input), ne(other, other))
    return bool(all(near))


# ---- softmax ---------------------------------------------------------------------------------------------


def _softmax_dim(name: str, dim: int | None) -> int:
    if dim is None:
        raise TypeError(
            f"{name}(): argument 'dim' is missing: the dim whose elements add up to 1, mostly -1"
        )
    return dim


@op
def softmax(input: Tensor, dim: int | None = None, dtype: _dtype | None = None) -> Tensor:
    """Returns e^x / sum e^x along dim, computed from input converted to dtype if one is given."""
    input = input if dtype is None else input.to(dtype)
    return call(lib.ag_softmax, input, _softmax_dim("softmax", dim))


@op
def log_softmax(input: Tensor, dim: int | None = None, dtype: _dtype | None = None) -> Tensor:
    """Returns x - log sum e^x along dim, computed from input converted to dtype if one is given."""
    input = input if dtype is None else input.to(dtype)
    return call(lib.ag_log_softmax, input, _softmax_dim("log_softmax", dim))


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
