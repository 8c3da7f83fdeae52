"""Convolution layers and their transposed maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Union

from .._arguments import each_dim
from .._capi import lib, not_null, raise_last_error
from ..creation import empty
from ..dtypes import dtype as DType
from ..grad_mode import no_grad
from ..tensor import NO_TENSOR, Tensor
from . import functional
from .functional.convolution import _padding, spatial
from .module import Module
from .parameter import Parameter

Ints = Union[int, Sequence[int]]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """What all convolution layers share: parameters, their start, and how they are shown."""

    weight: Parameter
    bias: Parameter | None
    _dims = 0
    _transposed = False

    def _set_up(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: str | Ints,
        dilation: Ints,
        output_padding: Ints,
        groups: int,
        bias: bool,
        padding_mode: str,
        dtype: DType | None,
        device: Any,
    ) -> None:
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {groups}")
        if in_channels % groups:
            raise ValueError(
                f"in_channels must be divisible by groups, got {in_channels} and {groups}"
            )
        if out_channels % groups:
            raise ValueError(
                f"out_channels must be divisible by groups, got {out_channels} and {groups}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = each_dim(kernel_size, self._dims)
        self.stride = each_dim(stride, self._dims)
        self.dilation = each_dim(dilation, self._dims)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
                )
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {', '.join(map(repr, _PADDING_MODES))}, but got {padding_mode!r}"
            )
        self.padding = padding if isinstance(padding, str) else each_dim(padding, self._dims)
        self.output_padding = each_dim(output_padding, self._dims)
        self.groups = groups
        self.padding_mode = padding_mode
        first, second = out_channels, in_channels
        if self._transposed:
            first, second = in_channels, out_channels
        self.weight = Parameter(
            empty(first, second // groups, *self.kernel_size, dtype=dtype, device=device)
        )
        self.register_parameter(
            "bias", Parameter(empty(out_channels, dtype=dtype, device=device)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew, uniform in [-1/sqrt(n), 1/sqrt(n)) with n = weight[0].numel()."""
        fan_in = math.prod(self.weight.shape[1:])
        if fan_in == 0:
            return
        bound = 1 / math.sqrt(fan_in)
        with no_grad():
            self.weight.uniform_(-bound, bound)
            if self.bias is not None:
                self.bias.uniform_(-bound, bound)

    def extra_repr(self) -> str:
        none = (0,) * self._dims
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != none:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self._dims:
            text += f", dilation={self.dilation}"
        if self.output_padding != none:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _ForwardConv(_Conv):
    _name: str
    _native: Any
    _known: Any = None  # the attributes that _packed was made of

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "_dims" in cls.__dict__:
            cls._name = f"conv{cls._dims}d"
            cls._native = getattr(lib, f"ag_{cls._name}")

    def __getstate__(self) -> dict[str, Any]:
        # What was packed for native calls holds addresses, which mean nothing to a copy.
        state = super().__getstate__()
        for name in ("_known", "_packed"):
            state.pop(name, None)
        return state

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: str | Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self._set_up(
            *(in_channels, out_channels, kernel_size, stride, padding, dilation),
            *(0, groups, bias, padding_mode, dtype, device),
        )

    def _edges(self) -> tuple[int, ...]:
        """The padding before and behind each dim, the last dim first, as functional.pad takes it."""
        edges: list[int] = []
        for d in reversed(range(self._dims)):
            if self.padding == "valid":
                edges += (0, 0)
            elif self.padding == "same":
                total = self.dilation[d] * (self.kernel_size[d] - 1)
                edges += (total // 2, total - total // 2)
            else:
                edges += (self.padding[d], self.padding[d])  # type: ignore[arg-type]
        return tuple(edges)

    def _arguments(self) -> tuple[Any, ...]:
        padding = self.padding if self.padding_mode == "zeros" else 0
        return (
            *spatial(self._name, "stride", self.stride),
            *_padding(self._name, padding),
            *spatial(self._name, "dilation", self.dilation),
            self.groups,
        )

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of the input with weight, plus bias."""
        # The arguments as the library takes them are kept until an attribute changes.
        now = (self.stride, self.padding, self.dilation, self.groups)
        if now != self._known:
            self._known, self._packed = now, self._arguments()
        if self.padding_mode != "zeros":
            input = functional.pad(input, self._edges(), mode=self.padding_mode)  # type: ignore
        bias = self.bias
        try:
            result = self._native(
                input, self.weight, NO_TENSOR if bias is None else bias, *self._packed
            )
        except Exception:
            # Names the argument that is wrong.
            return getattr(functional, self._name)(
                input, self.weight, bias, self.stride, self.padding, self.dilation, self.groups
            )
        if not_null(result):
            return result
        raise_last_error()


class Conv1d(_ForwardConv):
    """The convolution of sequences [N, in_channels, L] or [in_channels, L] with weight, plus bias.

    weight [out_channels, in_channels / groups, kernel_size] and bias [out_channels] start uniform in
    [-1/sqrt(n), 1/sqrt(n)), where n is the number of inputs of an output. The options are those of functional.conv1d;
    padding_mode is 'zeros', 'reflect', 'replicate' or 'circular'.
    """

    _dims = 1


class Conv2d(_ForwardConv):
    """As Conv1d for images [N, in_channels, H, W] or [in_channels, H, W]."""

    _dims = 2


class Conv3d(_ForwardConv):
    """As Conv1d for volumes [N, in_channels, D, H, W] or [in_channels, D, H, W]."""

    _dims = 3


class _TransposedConv(_Conv):
    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}, got {padding_mode!r}'
            )
        self._set_up(
            *(in_channels, out_channels, kernel_size, stride, padding, dilation),
            *(output_padding, groups, bias, padding_mode, dtype, device),
        )

    def _extra(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The output_padding with which the output gets its size."""
        if output_size is None:
            return self.output_padding
        dims = self._dims
        wanted = list(output_size)
        if len(wanted) == input.dim():
            wanted = wanted[-dims:]
        if len(wanted) != dims:
            raise ValueError(
                f"{type(self).__name__}: for {input.dim()}D input, output_size must have {dims} or "
                f"{input.dim()} elements (got {len(output_size)})"
            )
        extra = []
        for d in range(dims):
            least = (
                (input.shape[d - dims] - 1) * self.stride[d]
                - 2 * self.padding[d]  # type: ignore[operator]
                + self.dilation[d] * (self.kernel_size[d] - 1)
                + 1
            )
            most = least + self.stride[d] - 1
            if not least <= wanted[d] <= most:
                raise ValueError(
                    f"requested an output size of {tuple(wanted)}, but valid sizes of dim {d} range from {least} "
                    f"to {most} (for an input of {tuple(input.shape[-dims:])})"
                )
            extra.append(wanted[d] - least)
        return tuple(extra)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution of the input with weight, plus bias; output_size chooses among the sizes."""
        return getattr(functional, f"conv_transpose{self._dims}d")(
            *(input, self.weight, self.bias, self.stride, self.padding),
            *(self._extra(input, output_size), self.groups, self.dilation),
        )


class ConvTranspose1d(_TransposedConv):
    """The transposed map of a Conv1d from out_channels to in_channels: sequences grow by the stride.

    weight [in_channels, out_channels / groups, kernel_size] and bias [out_channels] start uniform in
    [-1/sqrt(n), 1/sqrt(n)) with n = weight[0].numel(). The options are those of functional.conv_transpose1d.
    """

    _dims = 1


class ConvTranspose2d(_TransposedConv):
    """As ConvTranspose1d for images."""

    _dims = 2


class ConvTranspose3d(_TransposedConv):
    """As ConvTranspose1d for volumes."""

    _dims = 3
