"""Layers that learn the size of their input from the first one they see."""

from __future__ import annotations

from typing import Any

from .._capi import lib
from ..operands import must_be_tensors
from ..tensor import Size, Tensor
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .layers import Linear
from .module import Module
from .normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from .parameter import Parameter

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
    "UninitializedParameter",
]

_FIRST = "Call the module with a batch to initialize its parameters before you use them."


class UninitializedParameter(Parameter):
    """A parameter whose sizes are not known yet. It becomes a Parameter, and stays the same object.

    Raises RuntimeError when its shape is asked for, ValueError for its number of elements.
    """

    @property
    def shape(self) -> Size:
        """Not known yet."""
        raise RuntimeError(f"Can't access the shape of an uninitialized parameter. {_FIRST}")

    def numel(self) -> int:
        """Not known yet."""
        raise ValueError(f"Attempted to use an uninitialized parameter in numel(). {_FIRST}")

    def materialize(self, value: Tensor) -> None:
        """Becomes a Parameter that holds value, in this parameter's dtype."""
        dtype = self.dtype
        self.__class__ = Parameter
        self.data = value.detach().to(dtype)

    def __repr__(self) -> str:
        return "<UninitializedParameter>"


class LazyModule(Module):
    """What all lazy layers share: they become a layer of cls_to_become when they know the size of their input.

    That is when they are first called, or when the state of such a layer is loaded. Their arguments are that layer's
    without the first. Raises RuntimeError where the first call is one that is being compiled.
    """

    cls_to_become: type
    _size_name: str
    _spatial: int  # dims of an input besides the batch and the channels

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, *args, **kwargs)  # the same checks and members, of size 0
        self._arguments = args, kwargs
        for name, parameter in list(self._parameters.items()):
            if parameter is not None:
                self.register_parameter(name, UninitializedParameter(parameter.detach()))

    def has_uninitialized_params(self) -> bool:
        """Returns True; the layer that it becomes does not have this method."""
        return True

    def _size_of(self, input: Tensor) -> int:
        """The size that is not known yet, read from an input."""
        must_be_tensors(type(self).__name__, input=input)
        dim = input.ndim - 1 - self._spatial
        if dim < 0:
            raise RuntimeError(
                f"{type(self).__name__} expects {self._spatial + 1} dims and a batch, got {tuple(input.shape)}"
            )
        return input.shape[dim]

    def _size_in_state(self, weight: Tensor) -> int:
        """The same, read from the weight of an initialized layer, or from its running mean."""
        return weight.shape[0]

    def initialize_parameters(self, size: int) -> None:
        """Becomes the layer for inputs of that size: parameters and buffers get their start, the class changes."""
        if lib.ag_compiled_is_capturing():
            raise RuntimeError(
                f"compile: {type(self).__name__} has not seen an input yet. {_FIRST}"
            )
        args, kwargs = self._arguments
        layer = self.cls_to_become(size, *args, **kwargs)
        for name, parameter in layer._parameters.items():
            own = self._parameters[name]
            if isinstance(own, UninitializedParameter):
                own.materialize(parameter)
        for name, buffer in layer._buffers.items():
            own = self._buffers[name]
            if own is not None:
                self.register_buffer(name, buffer.to(own.dtype))
        setattr(self, self._size_name, size)
        del self._arguments
        self.__class__ = self.cls_to_become

    def forward(self, input: Tensor, *more: Any) -> Tensor:
        """What the layer that this one becomes makes of its first input."""
        self.initialize_parameters(self._size_of(input))
        return self.forward(input, *more)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any
    ) -> None:
        weight = state_dict.get(prefix + "weight", state_dict.get(prefix + "running_mean"))
        size = self._size_in_state(weight) if isinstance(weight, Tensor) and weight.ndim else 0
        if size > 0:  # 0 in the state of a layer that has not seen an input either
            self.initialize_parameters(size)
            self._load_from_state_dict(state_dict, prefix, *arguments)
        else:
            super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _load_one(self, name: str, key: str, target: Tensor, source: Any, assign: bool) -> str:
        return ""  # neither this layer nor the one whose state it is has numbers yet


class LazyLinear(LazyModule, Linear):
    """Linear(in_features, out_features, ...) whose in_features is the last size of its first input."""

    cls_to_become = Linear
    _size_name = "in_features"
    _spatial = 0

    def _size_in_state(self, weight: Tensor) -> int:
        return weight.shape[1]


class _LazyConv(LazyModule):
    _size_name = "in_channels"
    groups: int

    def _size_in_state(self, weight: Tensor) -> int:
        return weight.shape[1] * self.groups


class _LazyTransposedConv(LazyModule):
    _size_name = "in_channels"


class _LazyNorm(LazyModule):
    _size_name = "num_features"

    def _size_of(self, input: Tensor) -> int:
        self._check_input_dim(input)
        return super()._size_of(input)


class _LazyInstanceNorm(_LazyNorm):
    def __init__(
        self,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(eps, momentum, affine, track_running_stats, **options)


class _LazyBatchNorm(_LazyNorm):
    def _size_of(self, input: Tensor) -> int:
        self._check_input_dim(input)
        return input.shape[1]


class LazyConv1d(_LazyConv, Conv1d):
    """Conv1d whose in_channels is that of its first input."""

    cls_to_become = Conv1d
    _spatial = 1


class LazyConv2d(_LazyConv, Conv2d):
    """Conv2d whose in_channels is that of its first input."""

    cls_to_become = Conv2d
    _spatial = 2


class LazyConv3d(_LazyConv, Conv3d):
    """Conv3d whose in_channels is that of its first input."""

    cls_to_become = Conv3d
    _spatial = 3


class LazyConvTranspose1d(_LazyTransposedConv, ConvTranspose1d):
    """ConvTranspose1d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose1d
    _spatial = 1


class LazyConvTranspose2d(_LazyTransposedConv, ConvTranspose2d):
    """ConvTranspose2d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose2d
    _spatial = 2


class LazyConvTranspose3d(_LazyTransposedConv, ConvTranspose3d):
    """ConvTranspose3d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose3d
    _spatial = 3


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """BatchNorm1d whose num_features is the second size of its first input."""

    cls_to_become = BatchNorm1d
    _spatial = 1


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """BatchNorm2d whose num_features is the second size of its first input."""

    cls_to_become = BatchNorm2d
    _spatial = 2


class LazyBatchNorm3d(_LazyBatchNorm, BatchNorm3d):
    """BatchNorm3d whose num_features is the second size of its first input."""

    cls_to_become = BatchNorm3d
    _spatial = 3


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """InstanceNorm1d whose num_features is the number of channels of its first input; affine by default."""

    cls_to_become = InstanceNorm1d
    _spatial = 1


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """InstanceNorm2d whose num_features is the number of channels of its first input; affine by default."""

    cls_to_become = InstanceNorm2d
    _spatial = 2


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """InstanceNorm3d whose num_features is the number of channels of its first input; affine by default."""

    cls_to_become = InstanceNorm3d
    _spatial = 3
