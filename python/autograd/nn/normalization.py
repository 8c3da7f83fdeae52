"""Layers that normalize: by channels, by groups of channels, by samples."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from .._capi import lib, not_null, pack, raise_last_error
from ..creation import empty, ones, tensor, zeros
from ..dtypes import dtype as DType
from ..dtypes import int64
from ..grad_mode import no_grad
from ..operands import must_be_tensors
from ..tensor import NO_TENSOR, Tensor
from . import functional
from .module import Module
from .parameter import Parameter

_layer_norm = lib.ag_layer_norm


def _start(layer: Any) -> None:
    """weight = 1, bias = 0, where there are any."""
    with no_grad():
        if layer.weight is not None:
            layer.weight.fill_(1)
        if getattr(layer, "bias", None) is not None:
            layer.bias.zero_()


class _Channels(Module):
    """What batch norm and instance norm share: scale, shift and running statistics, all [num_features]."""

    _version = 2
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        options = {"dtype": dtype, "device": device}
        self.register_parameter(
            "weight", Parameter(empty(num_features, **options)) if affine else None
        )
        self.register_parameter(
            "bias", Parameter(empty(num_features, **options)) if affine and bias else None
        )
        tracks = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **options) if tracks else None)
        self.register_buffer("running_var", ones(num_features, **options) if tracks else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64) if tracks else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Sets the running mean to 0, the variance to 1 and the number of batches to 0."""
        if self.track_running_stats:
            self.running_mean.zero_()  # type: ignore[union-attr]
            self.running_var.fill_(1)  # type: ignore[union-attr]
            self.num_batches_tracked.zero_()  # type: ignore[union-attr]

    def reset_parameters(self) -> None:
        """Sets weight to 1, bias to 0, and the running statistics to their start."""
        self.reset_running_stats()
        _start(self)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        # States of version 1, and those that don't say theirs, need not have the number of batches.
        if self.num_batches_tracked is not None and (local_metadata.get("version") or 1) < 2:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Channels):
    _dims: tuple[int, ...]

    def _check_input_dim(self, input: Tensor) -> None:
        if type(input) is not Tensor:
            must_be_tensors(type(self).__name__, input=input)
        if input.ndim not in self._dims:
            expected = " or ".join(f"{n}D" for n in self._dims)
            raise ValueError(f"expected {expected} input (got {input.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """The input with each channel normalized; in training by its own statistics, which are tracked."""
        self._check_input_dim(input)
        mean, var = self.running_mean, self.running_var
        if self.training:
            if not self.track_running_stats:
                mean = var = None
            elif self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
                if self.momentum is None:
                    return self._forward_and_average(input)
        training = self.training or (mean is None and var is None)
        factor = 0.0 if self.momentum is None else self.momentum
        return functional.batch_norm(
            input, mean, var, self.weight, self.bias, training, factor, self.eps
        )

    def _forward_and_average(self, input: Tensor) -> Tensor:
        """The input normalized by its own statistics; the running ones become the average of all batches.

        The share of this batch, 1 / num_batches_tracked, stays a tensor, so that the step can be captured.
        """
        mean, var = self.running_mean.clone(), self.running_var.clone()
        result = functional.batch_norm(
            input, mean, var, self.weight, self.bias, True, 1.0, self.eps
        )
        share = self.num_batches_tracked.to(mean.dtype).reciprocal()
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(var, share)
        return result


class BatchNorm1d(_BatchNorm):
    """Normalizes each channel of x [N, C] or [N, C, L] over all else: (x - mean) / sqrt(var + eps) * weight + bias.

    In training the statistics are those of the input, and running averages of them are kept (with momentum, or of all
    batches alike if that is None), which are used in evaluation. Raises ValueError for other numbers of dims.
    """

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """As BatchNorm1d, for x [N, C, H, W]."""

    _dims = (4,)


class BatchNorm3d(_BatchNorm):
    """As BatchNorm1d, for x [N, C, D, H, W]."""

    _dims = (5,)


class _InstanceNorm(_Channels):
    _spatial: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-05,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def _check_input_dim(self, input: Tensor) -> None:
        if type(input) is not Tensor:
            must_be_tensors(type(self).__name__, input=input)
        low = self._spatial + 1
        if input.ndim not in (low, low + 1):
            raise ValueError(f"expected {low}D or {low + 1}D input (got {input.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """The input with each channel of each sample normalized."""
        self._check_input_dim(input)
        dim = input.ndim - self._spatial - 1
        if input.size(dim) != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={dim} to match num_features ({self.num_features}), but got: "
                    f"{input.size(dim)}."
                )
            warnings.warn(
                f"input's size at dim={dim} does not match num_features. You can silence this warning by not "
                "passing in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        if dim == 0:
            return self._normalized(input.unsqueeze(0)).squeeze(0)
        return self._normalized(input)

    def _normalized(self, input: Tensor) -> Tensor:
        return functional.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )


class InstanceNorm1d(_InstanceNorm):
    """Normalizes each channel of each sample of x [N, C, L] or [C, L]: (x - mean) / sqrt(var + eps) * weight + bias.

    Scale and shift only if affine; running statistics only if track_running_stats. Raises ValueError for other numbers
    of dims.
    """

    _spatial = 1


class InstanceNorm2d(_InstanceNorm):
    """As InstanceNorm1d, for x [N, C, H, W] or [C, H, W]."""

    _spatial = 2


class InstanceNorm3d(_InstanceNorm):
    """As InstanceNorm1d, for x [N, C, D, H, W] or [C, D, H, W]."""

    _spatial = 3


class GroupNorm(Module):
    """Normalizes each of num_groups groups of channels of each sample of x [N, C, ...].

    (x - mean) / sqrt(var + eps) * weight + bias, weight and bias [num_channels]. Raises ValueError if num_groups does
    not divide num_channels.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-05,
        affine: bool = True,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.affine = affine
        options = {"dtype": dtype, "device": device}
        self.register_parameter(
            "weight", Parameter(empty(num_channels, **options)) if affine else None
        )
        self.register_parameter(
            "bias", Parameter(empty(num_channels, **options)) if affine and bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets weight to 1 and bias to 0."""
        _start(self)

    def forward(self, input: Tensor) -> Tensor:
        """The input with each group of channels normalized."""
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(normalized_shape, Integral):
        return (normalized_shape,)
    return tuple(normalized_shape)


class LayerNorm(Module):
    """Normalizes over the last dims, whose sizes are normalized_shape: (x - mean) / sqrt(var + eps) * weight + bias.

    weight and bias have the sizes normalized_shape; there are none if not elementwise_affine.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        sizes, options = self.normalized_shape, {"dtype": dtype, "device": device}
        affine = elementwise_affine
        self.register_parameter("weight", Parameter(empty(sizes, **options)) if affine else None)
        self.register_parameter(
            "bias", Parameter(empty(sizes, **options)) if affine and bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets weight to 1 and bias to 0."""
        _start(self)

    def forward(self, input: Tensor) -> Tensor:
        """The input with its last dims normalized."""
        weight, bias = self.weight, self.bias
        shape, ndim = pack(self.normalized_shape)
        try:
            result = _layer_norm(
                input,
                shape,
                ndim,
                NO_TENSOR if weight is None else weight,
                NO_TENSOR if bias is None else bias,
                self.eps,
            )
        except Exception:  # names the argument that is wrong
            return functional.layer_norm(input, self.normalized_shape, weight, bias, self.eps)
        if not_null(result):
            return result
        raise_last_error()

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / sqrt(mean x^2 + eps) * weight over the last dims, whose sizes are normalized_shape.

    eps None stands for the machine epsilon of the input's dtype.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = empty(self.normalized_shape, dtype=dtype, device=device)
        self.register_parameter("weight", Parameter(weight) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets weight to 1."""
        _start(self)

    def forward(self, x: Tensor) -> Tensor:
        """The input with its last dims normalized."""
        return functional.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LocalResponseNorm(Module):
    """Each element by the squares of the channels around it; see :func:`functional.local_response_norm`."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """The normalized elements."""
        return functional.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
