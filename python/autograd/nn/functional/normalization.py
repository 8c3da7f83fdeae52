"""Normalization: by the statistics of rows, channels or groups of channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

from ..._arguments import int_argument
from ..._capi import call, lib, pack
from ...operands import must_be_sequence, must_be_tensors, number_argument
from ...tensor import NO_TENSOR, Tensor
from .padding import pad
from .pooling import avg_pool2d

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "rms_norm",
]

_NAN = float("nan")


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """Returns (x - mean) / sqrt(var + eps) * weight + bias over the last dims, whose sizes are normalized_shape.

    Raises RuntimeError if normalized_shape is empty or not the end of the input's, or weight or bias have another.
    """
    must_be_sequence("layer_norm", "normalized_shape", normalized_shape)
    shape, ndim = pack(normalized_shape)
    return call(
        lib.ag_layer_norm,
        input,
        shape,
        ndim,
        NO_TENSOR if weight is None else weight,
        NO_TENSOR if bias is None else bias,
        eps,
    )


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Returns x / sqrt(mean x^2 + eps) * weight over the last dims; eps is the dtype's machine epsilon unless given.

    Raises RuntimeError if normalized_shape is empty or not the end of the input's, or weight has another.
    """
    must_be_sequence("rms_norm", "normalized_shape", normalized_shape)
    shape, ndim = pack(normalized_shape)
    if eps is None:
        eps = _NAN
    elif isinstance(eps, float) and eps != eps:
        eps = -inf  # makes NaN of all numbers; what C takes NaN for is the dtype's eps
    return call(
        lib.ag_rms_norm,
        input,
        shape,
        ndim,
        NO_TENSOR if weight is None else weight,
        eps,
    )


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """Returns x [N, C, ...] with each of num_groups groups of channels of each sample normalized; weight, bias [C].

    Raises RuntimeError for less than 2 dims, if num_groups does not divide C, or for weights of other sizes;
    ValueError if each group has one element only.
    """
    must_be_tensors("group_norm", input=input)
    shape = input.shape
    if len(shape) < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {len(shape)}, sizes {list(shape)}"
        )
    if num_groups == 0:
        raise ZeroDivisionError("group_norm: num_groups must not be 0")
    _check_more_than_one((shape[0] * shape[1] // num_groups, num_groups, *shape[2:]))
    return call(
        lib.ag_group_norm,
        input,
        num_groups,
        NO_TENSOR if weight is None else weight,
        NO_TENSOR if bias is None else bias,
        eps,
    )


def _check_more_than_one(shape: Sequence[int]) -> None:
    if len(shape) > 1 and shape[0] * prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {list(shape)}"
        )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """Returns x [N, C, ...] with each channel normalized: (x - mean) / sqrt(var + eps) * weight + bias.

    If training, mean and var are those of the input, and the running ones, if given, become
    (1 - momentum) * running + momentum * the input's, in place; else the running ones are used and must be given.
    Raises RuntimeError for weights or statistics of other sizes than [C], ValueError for one value per channel.
    """
    if training:
        must_be_tensors("batch_norm", input=input)
        if isinstance(eps, (int, float)) and eps <= 0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
        _check_more_than_one(input.shape)
        if (running_mean is None) != (running_var is None):
            raise ValueError(
                "running_mean and running_var must either both be None or neither be None"
            )
    return call(
        lib.ag_batch_norm,
        input,
        NO_TENSOR if running_mean is None else running_mean,
        NO_TENSOR if running_var is None else running_var,
        NO_TENSOR if weight is None else weight,
        NO_TENSOR if bias is None else bias,
        training,
        momentum,
        eps,
    )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """Returns x [N, C, ...] with each channel of each sample normalized.

    Running statistics are those of batch_norm, averaged over the samples; they are used unless use_input_stats.
    """
    must_be_tensors("instance_norm", input=input)
    if use_input_stats and prod(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {list(input.shape)}"
        )
    return call(
        lib.ag_instance_norm,
        input,
        NO_TENSOR if running_mean is None else running_mean,
        NO_TENSOR if running_var is None else running_var,
        NO_TENSOR if weight is None else weight,
        NO_TENSOR if bias is None else bias,
        use_input_stats,
        momentum,
        eps,
    )


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Returns x [N, C, ...] / (k + alpha mean x^2)^beta, the mean being one over the `size` channels around each.

    Channels beyond the first and the last count as 0. Raises ValueError for fewer than 3 dims.
    """
    must_be_tensors("local_response_norm", input=input)
    size = int_argument("local_response_norm", "size", size)
    alpha, beta, k = (
        number_argument("local_response_norm", name, value)
        for name, value in (("alpha", alpha), ("beta", beta), ("k", k))
    )
    if input.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)"
        )
    if input.numel() == 0:
        return input
    squares = (input * input).flatten(2).unsqueeze(1)
    around = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = avg_pool2d(around, (size, 1), stride=1).reshape(input.shape)
    return input / (means * alpha + k) ** beta
