"""Pooling layers, and windows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from .._arguments import each_dim
from ..operands import number_argument
from ..tensor import Tensor
from . import functional
from .module import Module

Ints = Union[int, Sequence[int]]
Sizes = Union[int, None, Sequence[Union[int, None]]]


class _MaxPool(Module):
    """The maximum of each window, and, if return_indices, its position in the flattened spatial dims.

    stride is kernel_size unless given. Padding never wins, NaN does. With ceil_mode, windows may begin inside and end
    outside.
    """

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def _pool(self, function: Any, input: Tensor) -> Any:
        return function(
            *(input, self.kernel_size, self.stride, self.padding, self.dilation),
            *(self.ceil_mode, self.return_indices),
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    __doc__ = f"For sequences [N, C, L] or [C, L]: {_MaxPool.__doc__}"

    def forward(self, input: Tensor) -> Any:
        """The maxima."""
        return self._pool(functional.max_pool1d, input)


class MaxPool2d(_MaxPool):
    __doc__ = f"For images [N, C, H, W] or [C, H, W]: {_MaxPool.__doc__}"

    def forward(self, input: Tensor) -> Any:
        """The maxima."""
        return self._pool(functional.max_pool2d, input)


class MaxPool3d(_MaxPool):
    __doc__ = f"For volumes [N, C, D, H, W] or [C, D, H, W]: {_MaxPool.__doc__}"

    def forward(self, input: Tensor) -> Any:
        """The maxima."""
        return self._pool(functional.max_pool3d, input)


class _MaxUnpool(Module):
    """The inverse of MaxPool: zeros but for the elements of input, which lie at their positions of old.

    stride is kernel_size unless given; forward's output_size tells sizes apart that have the same number of windows.
    """

    _dims: int

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0) -> None:
        super().__init__()
        self.kernel_size = each_dim(kernel_size, self._dims)
        self.stride = each_dim(kernel_size if stride is None else stride, self._dims)
        self.padding = each_dim(padding, self._dims)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """The elements of input at their positions of old."""
        function = getattr(functional, f"max_unpool{self._dims}d")
        return function(*(input, indices, self.kernel_size, self.stride, self.padding, output_size))

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    __doc__ = f"For sequences [N, C, L] or [C, L]: {_MaxUnpool.__doc__}"
    _dims = 1


class MaxUnpool2d(_MaxUnpool):
    __doc__ = f"For images [N, C, H, W] or [C, H, W]: {_MaxUnpool.__doc__}"
    _dims = 2


class MaxUnpool3d(_MaxUnpool):
    __doc__ = f"For volumes [N, C, D, H, W] or [C, D, H, W]: {_MaxUnpool.__doc__}"
    _dims = 3


class _LPPool(Module):
    """(sum x^p)^(1/p) of each window, p being norm_type; see functional.lp_pool2d."""

    _dims: int

    def __init__(
        self,
        norm_type: float,
        kernel_size: Ints,
        stride: Ints | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        p = float(number_argument("LPPool", "norm_type", self.norm_type))
        function = getattr(functional, f"lp_pool{self._dims}d")
        return function(*(input, p, self.kernel_size, self.stride, self.ceil_mode))

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    __doc__ = f"For sequences [N, C, L] or [C, L]: {_LPPool.__doc__}"
    _dims = 1


class LPPool2d(_LPPool):
    __doc__ = f"For images [N, C, H, W] or [C, H, W]: {_LPPool.__doc__}"
    _dims = 2


class LPPool3d(_LPPool):
    __doc__ = f"For volumes [N, C, D, H, W] or [C, D, H, W]: {_LPPool.__doc__}"
    _dims = 3


class AvgPool1d(Module):
    """The mean of each window of sequences [N, C, L] or [C, L]; padding counts if count_include_pad."""

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = each_dim(kernel_size, 1)
        self.stride = each_dim(kernel_size if stride is None else stride, 1)
        self.padding = each_dim(padding, 1)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return functional.avg_pool1d(
            *(input, self.kernel_size, self.stride, self.padding),
            *(self.ceil_mode, self.count_include_pad),
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    """The mean of each window: its sum over divisor_override, else over its number of elements.

    stride is kernel_size unless given. Padding counts if count_include_pad. With ceil_mode, windows may begin inside
    and end outside.
    """

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def _pool(self, function: Any, input: Tensor) -> Tensor:
        return function(
            *(input, self.kernel_size, self.stride, self.padding),
            *(self.ceil_mode, self.count_include_pad, self.divisor_override),
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    __doc__ = f"For images [N, C, H, W] or [C, H, W]: {_AvgPool.__doc__}"

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self._pool(functional.avg_pool2d, input)


class AvgPool3d(_AvgPool):
    __doc__ = f"For volumes [N, C, D, H, W] or [C, D, H, W]: {_AvgPool.__doc__}"

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self._pool(functional.avg_pool3d, input)


class _AdaptivePool(Module):
    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveAvgPool(_AdaptivePool):
    def __init__(self, output_size: Sizes) -> None:
        super().__init__(output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means of windows of sequences such that the output has output_size windows."""

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return functional.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means of windows of images such that the output has output_size; None keeps a size."""

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return functional.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means of windows of volumes such that the output has output_size; None keeps a size."""

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return functional.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool1d(_AdaptivePool):
    """Maxima of windows of sequences such that the output has output_size windows."""

    def forward(self, input: Tensor) -> Any:
        """The maxima, and their positions if return_indices."""
        return functional.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptivePool):
    """Maxima of windows of images such that the output has output_size; None keeps a size."""

    def forward(self, input: Tensor) -> Any:
        """The maxima, and their positions if return_indices."""
        return functional.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptivePool):
    """Maxima of windows of volumes such that the output has output_size; None keeps a size."""

    def forward(self, input: Tensor) -> Any:
        """The maxima, and their positions if return_indices."""
        return functional.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class Unfold(Module):
    """The windows of images [N, C, H, W] or [C, H, W] as columns [N, C kernel, windows]."""

    def __init__(
        self, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """The columns."""
        return functional.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Adds columns [N, C kernel, windows] up to images [N, C, output_size]: Unfold transposed."""

    def __init__(
        self,
        output_size: Ints,
        kernel_size: Ints,
        dilation: Ints = 1,
        padding: Ints = 0,
        stride: Ints = 1,
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """The images."""
        return functional.fold(
            *(input, self.output_size, self.kernel_size),
            *(self.dilation, self.padding, self.stride),
        )

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
