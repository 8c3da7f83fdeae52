"""Initial values of parameters. All functions work in place, record nothing and return their tensor."""

from __future__ import annotations

import math
import warnings

from .. import creation, ops, ranges
from .._arguments import text_argument
from ..dtypes import float64
from ..grad_mode import no_grad
from ..operands import must_be_tensors
from ..random import takes_generator
from ..tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_LINEAR = ["linear", *(f"conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)), "sigmoid"]
_GAINS = {**dict.fromkeys(_LINEAR, 1), "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Returns the factor by which initial values grow before a nonlinearity; param is leaky_relu's slope."""
    if nonlinearity == "leaky_relu":
        if param is None:
            param = 0.01
        elif isinstance(param, bool) or not isinstance(param, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + param**2))
    if not isinstance(nonlinearity, str) or nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


@takes_generator
@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform in [a, b)."""
    must_be_tensors("nn.init", tensor=tensor)
    return tensor.uniform_(a, b)


@takes_generator
@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal with mean and std."""
    must_be_tensors("nn.init", tensor=tensor)
    return tensor.normal_(mean, std)


def _cumulative(x: float) -> float:
    """The cumulative distribution of the standard normal."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


_MOST_ROUNDS = 5000  # draws of trunc_normal_


@takes_generator
@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """Normal with mean and std, drawn again as long as it lies outside [a, b]."""
    must_be_tensors("nn.init", tensor=tensor)
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=4,
        )
    if tensor.numel() == 0:
        return tensor
    likely = _cumulative((b - mean) / std) - _cumulative((a - mean) / std)
    if likely > 0.3:
        result = creation.empty_like(tensor).normal_(mean, std)
        for _ in range(_MOST_ROUNDS):
            outside = ops.maximum(result < a, result > b)
            if not outside.any():
                break
            result = ops.where(outside, creation.empty_like(tensor).normal_(mean, std), result)
        return tensor.copy_(ops.clamp(result, a, b))
    # Few normal numbers fall into [a, b]: uniform ones are kept with the density as probability.
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    result = creation.empty_like(tensor).uniform_(a, b)
    pending = creation.ones_like(tensor, dtype=creation.dtypes.bool_)
    candidates = result
    for _ in range(_MOST_ROUNDS):
        density = ((candidates - mean) / std) ** 2 * -0.5 - peak
        accepted = ops.log(creation.empty_like(tensor).uniform_(0, 1)) <= density
        result = ops.where(pending, candidates, result)
        pending = ops.where(accepted, creation.zeros_like(pending), pending)
        if not pending.any():
            break
        candidates = creation.empty_like(tensor).uniform_(a, b)
    # What is left, with a mean far away, lies at the end that is next to the mean.
    return tensor.copy_(ops.where(pending, candidates * 0 + max(a, min(mean, b)), result))


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """val everywhere."""
    must_be_tensors("nn.init", tensor=tensor)
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere."""
    must_be_tensors("nn.init", tensor=tensor)
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return tensor.copy_(ranges.eye(*tensor.shape, dtype=tensor.dtype))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weight [out, in / groups, ...] of a convolution that passes its input on, as far as channels go."""
    must_be_tensors("nn.init", tensor=tensor)
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    out, into, *kernel = tensor.shape
    if out % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    tensor.zero_()
    per_group = out // groups
    middle = tuple(size // 2 for size in kernel)
    for group in range(groups):
        for channel in range(min(per_group, into)):
            tensor[(group * per_group + channel, channel, *middle)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output of this weight depends on, and the other way round."""
    must_be_tensors("nn.init", tensor=tensor)
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    out, into, *kernel = tensor.shape
    field = math.prod(kernel)
    return into * field, out * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = text_argument("nn.init", "mode", mode).lower()
    modes = ["fan_in", "fan_out"]
    if mode not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode)]


def _xavier_std(tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


@takes_generator
def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform with variance gain^2 * 2 / (fan_in + fan_out)."""
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound)


@takes_generator
def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Normal with variance gain^2 * 2 / (fan_in + fan_out)."""
    return normal_(tensor, 0.0, _xavier_std(tensor, gain))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """The standard deviation; None, with a warning, for a tensor without elements."""
    must_be_tensors("nn.init", tensor=tensor)
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


@takes_generator
def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Uniform with variance gain^2 / fan; a is leaky_relu's slope."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    return uniform_(tensor, -math.sqrt(3.0) * std, math.sqrt(3.0) * std)


@takes_generator
def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Normal with variance gain^2 / fan; a is leaky_relu's slope."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std)


@takes_generator
@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1) -> Tensor:
    """A random matrix with orthonormal rows or columns, whichever are fewer, times gain; later dims count as one."""
    must_be_tensors("nn.init", tensor=tensor)
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    few, many = min(rows, columns), max(rows, columns)
    # Gram-Schmidt on normal vectors; each is projected twice, so that rounding does not add up.
    basis = creation.randn(few, many, dtype=float64)
    for i in range(few):
        row, before = basis[i], basis[:i]
        for _ in range(2 if i else 0):
            row.sub_((before.matmul(row)).matmul(before))
        row.div_((row * row).sum().sqrt())
    matrix = basis if rows <= columns else basis.t()
    return tensor.copy_(matrix.reshape(tensor.shape) * gain)


@takes_generator
@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    """A matrix of normal numbers of which a fraction of each column, sparsity, is 0."""
    must_be_tensors("nn.init", tensor=tensor)
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    mask = creation.ones(columns, rows, dtype=tensor.dtype)
    for column in range(columns):
        for row in creation.randperm(rows).tolist()[:zeros]:
            mask[column, row] = 0
    return tensor.normal_(0, std).mul_(mask.t())
