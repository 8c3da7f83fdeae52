"""Pooling over windows, and the windows of images as columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Union

from ..._arguments import int_argument
from ..._capi import ZERO, call, lib, pack
from ...creation import zeros
from ...dtypes import int64
from ...operands import must_be_sequence, must_be_tensors, number_argument, two_results
from ...ops.activations import relu
from ...ops.pointwise import sign as sign_of
from ...ops.reductions import mean
from ...tensor import Tensor
from .convolution import spatial

Ints = Union[int, Sequence[int]]
Sizes = Union[int, None, Sequence[Union[int, None]]]

_NO_STRIDE = (None, ZERO)
_FIRST = {1: "sequences [N, C, L] or [C, L]", 2: "images [N, C, H, W] or [C, H, W]"}
_FIRST[3] = "volumes [N, C, D, H, W] or [C, D, H, W]"


def _stride(name: str, stride: Ints | None) -> tuple[Any, Any]:
    return _NO_STRIDE if stride is None else spatial(name, "stride", stride)


def _named(function: Any, name: str, doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _max_pool(dims: int, native: Any, native_pair: Any) -> tuple[Any, Any]:
    name = f"max_pool{dims}d"

    def with_indices(
        input: Tensor,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple[Tensor, Tensor]:
        return two_results(
            native_pair,
            input,
            *spatial(name, "kernel_size", kernel_size),
            *_stride(name, stride),
            *spatial(name, "padding", padding),
            *spatial(name, "dilation", dilation),
            ceil_mode,
        )

    def function(
        input: Tensor,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        if return_indices:
            return with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
        return call(
            native,
            input,
            *spatial(name, "kernel_size", kernel_size),
            *_stride(name, stride),
            *spatial(name, "padding", padding),
            *spatial(name, "dilation", dilation),
            ceil_mode,
        )

    doc = f"""Returns the maximum of each window of {_FIRST[dims]}, and its position.

    stride is kernel_size unless given. Padding never wins, NaN does; a position is that in the flattened spatial
    dims. With ceil_mode, windows may begin inside and end outside. Raises RuntimeError for empty or negative sizes.
    """
    return (
        _named(function, name, doc.replace(", and its position", "; with return_indices also its position")),
        _named(with_indices, f"{name}_with_indices", doc),
    )  # fmt: skip


def _avg_pool(dims: int, native: Any) -> Any:
    name = f"avg_pool{dims}d"

    def function(
        input: Tensor,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        return call(
            native,
            input,
            *spatial(name, "kernel_size", kernel_size),
            *_stride(name, stride),
            *spatial(name, "padding", padding),
            ceil_mode,
            count_include_pad,
            None if divisor_override is None else pack((divisor_override,))[0],
        )

    doc = f"""Returns the mean of each window of {_FIRST[dims]}.

    stride is kernel_size unless given. The sum is divided by the number of elements of the window, of those inside
    if count_include_pad is False, or by divisor_override. With ceil_mode, windows may begin inside and end outside.
    """
    return _named(function, name, doc)


def _output_size(name: str, dims: int, input: Any, size: Sizes) -> tuple[Any, Any]:
    if isinstance(size, (tuple, list)) and None in size and dims > 1:
        if isinstance(input, Tensor):
            if len(size) >= input.dim():
                raise ValueError(
                    f"Input dimension should be at least {len(size) + 1}, got {list(input.shape)}"
                )
            kept = input.shape[input.dim() - len(size) :]
            size = [k if s is None else s for s, k in zip(size, kept)]
    elif hasattr(type(size), "__index__") and not isinstance(size, bool):
        size = (size,) * dims  # type: ignore[assignment]
    elif size is None and dims > 1 and isinstance(input, Tensor):
        size = tuple(input.shape[-dims:])
    return spatial(name, "output_size", size)


def _adaptive_avg_pool(dims: int, native: Any) -> Any:
    name = f"adaptive_avg_pool{dims}d"

    def function(input: Tensor, output_size: Sizes) -> Tensor:
        if dims == 2 and type(output_size) is int and output_size == 1:
            if lib.ag_tensor_ndim(input) not in (3, 4):
                return mean(input, (-1, -2), True)  # as in PyTorch, of any rank
        return call(native, input, *_output_size(name, dims, input, output_size))

    doc = f"""Returns means of windows of {_FIRST[dims]} such that the spatial sizes become output_size.

    Window i of a dim covers floor(i in / out) to ceil((i + 1) in / out). None keeps a size.
    """
    return _named(function, name, doc)


def _adaptive_max_pool(dims: int, native: Any, native_pair: Any) -> tuple[Any, Any]:
    name = f"adaptive_max_pool{dims}d"

    def with_indices(
        input: Tensor, output_size: Sizes, return_indices: bool = False
    ) -> tuple[Tensor, Tensor]:
        return two_results(native_pair, input, *_output_size(name, dims, input, output_size))

    def function(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
        if return_indices:
            return with_indices(input, output_size)
        return call(native, input, *_output_size(name, dims, input, output_size))

    doc = f"""Returns maxima of windows of {_FIRST[dims]} such that the spatial sizes become output_size.

    Window i of a dim covers floor(i in / out) to ceil((i + 1) in / out). None keeps a size. Positions in the
    flattened spatial dims come along where they are asked for.
    """
    return _named(function, name, doc), _named(with_indices, f"{name}_with_indices", doc)


max_pool1d, max_pool1d_with_indices = _max_pool(
    1, lib.ag_max_pool1d, lib.ag_max_pool1d_with_indices
)
max_pool2d, max_pool2d_with_indices = _max_pool(
    2, lib.ag_max_pool2d, lib.ag_max_pool2d_with_indices
)
max_pool3d, max_pool3d_with_indices = _max_pool(
    3, lib.ag_max_pool3d, lib.ag_max_pool3d_with_indices
)
avg_pool1d = _avg_pool(1, lib.ag_avg_pool1d)
avg_pool2d = _avg_pool(2, lib.ag_avg_pool2d)
avg_pool3d = _avg_pool(3, lib.ag_avg_pool3d)
adaptive_avg_pool1d = _adaptive_avg_pool(1, lib.ag_adaptive_avg_pool1d)
adaptive_avg_pool2d = _adaptive_avg_pool(2, lib.ag_adaptive_avg_pool2d)
adaptive_avg_pool3d = _adaptive_avg_pool(3, lib.ag_adaptive_avg_pool3d)
adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max_pool(
    1, lib.ag_adaptive_max_pool1d, lib.ag_adaptive_max_pool1d_with_indices
)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max_pool(
    2, lib.ag_adaptive_max_pool2d, lib.ag_adaptive_max_pool2d_with_indices
)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max_pool(
    3, lib.ag_adaptive_max_pool3d, lib.ag_adaptive_max_pool3d_with_indices
)


def _lp_pool(dims: int, avg_pool: Any, max_pool: Any) -> Any:
    name = f"lp_pool{dims}d"

    def function(
        input: Tensor,
        norm_type: float,
        kernel_size: Ints,
        stride: Ints | None = None,
        ceil_mode: bool = False,
    ) -> Tensor:
        must_be_tensors(name, input=input)
        p = number_argument(name, "norm_type", norm_type)
        if abs(p) == math.inf:
            sign = math.copysign(1, p)
            found = max_pool(input.abs() * sign, kernel_size, stride, 0, 1, ceil_mode)
            return found * sign
        means = avg_pool(input**p, kernel_size, stride, 0, ceil_mode)
        sums = (
            sign_of(means)
            * relu(means.abs())
            * math.prod(_each(name, "kernel_size", kernel_size, dims))
        )
        return sums ** (1.0 / p)

    doc = f"""Returns (sum x^p)^(1/p) of each window of {_FIRST[dims]}, p being norm_type.

    stride is kernel_size unless given. With ceil_mode, windows may end outside: their mean then counts for all of
    kernel_size. With p = inf or -inf it is the largest or the smallest |x|. There is no absolute value in the sum.
    """
    return _named(function, name, doc)


def _each(name: str, argument: str, value: Any, dims: int) -> list[int]:
    """An int, or one int per dim, as a list."""
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, dims):
            raise RuntimeError(f"{name}: {argument} must be an int or {dims} ints, got {value}")
        return [int_argument(name, argument, n) for n in value] * (dims // len(value))
    return [int_argument(name, argument, value)] * dims


lp_pool1d = _lp_pool(1, avg_pool1d, max_pool1d)
lp_pool2d = _lp_pool(2, avg_pool2d, max_pool2d)
lp_pool3d = _lp_pool(3, avg_pool3d, max_pool3d)


def _unpooled_sizes(
    name: str, dims: int, input: Tensor, lists: list[list[int]], output_size: Any
) -> list[int]:
    """The spatial sizes before pooling: those that the windows cover, or the given ones that are near enough."""
    usual = [
        (n - 1) * stride + kernel - 2 * padding
        for n, kernel, stride, padding in zip(input.shape[input.ndim - dims :], *lists)
    ]
    sizes = usual
    if output_size is not None:
        must_be_sequence(name, "output_size", output_size)
        sizes = list(output_size[2:] if len(output_size) == dims + 2 else output_size)
        if len(sizes) != dims:
            raise ValueError(
                f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a length of "
                f"'{len(output_size)}'"
            )
        for d, (size, n, stride) in enumerate(zip(sizes, usual, lists[1])):
            if not n - stride < size < n + stride:
                raise ValueError(
                    f'invalid output_size "{sizes}" (dim {d} must be between {n - stride} and {n + stride})'
                )
    for d, size in enumerate(sizes):
        if size < 0:
            raise ValueError(
                "max_unpooling: output_size must contain non-negative spatial dimensions, but got "
                f"output_size[{d}]={size}"
            )
    return sizes


def _max_unpool(dims: int) -> Any:
    name = f"max_unpool{dims}d"

    def function(
        input: Tensor,
        indices: Tensor,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor:
        must_be_tensors(name, input=input, indices=indices)
        if input.ndim not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"{name}: expected input of {_FIRST[dims]}, got sizes {list(input.shape)}"
            )
        if indices.dtype is not int64:
            raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
        if indices.shape != input.shape:
            raise RuntimeError(
                f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got "
                f"indices tensor with shape: {list(indices.shape)}"
            )
        if 0 in input.shape[1:]:
            raise RuntimeError(
                f"{name}: expected input with non-zero size for non-batch dimensions, got sizes {list(input.shape)}"
            )
        kernel = _each(name, "kernel_size", kernel_size, dims)
        strides = kernel if stride is None else _each(name, "stride", stride, dims)
        lists = [kernel, strides, _each(name, "padding", padding, dims)]
        sizes = _unpooled_sizes(name, dims, input, lists, output_size)
        first = input.shape[: input.ndim - dims]
        planes = zeros(*first, math.prod(sizes), dtype=input.dtype)
        filled = planes.scatter(-1, indices.flatten(-dims), input.flatten(-dims))
        return filled.reshape(*first, *sizes)

    doc = f"""Returns {_FIRST[dims]} of zeros but for the elements of input, which lie at their positions of old.

    indices are the positions in the flattened spatial dims that max_pool{dims}d gave. output_size tells sizes apart
    that have the same number of windows. Raises ValueError for one that has another number of them.
    """
    return _named(function, name, doc)


max_unpool1d = _max_unpool(1)
max_unpool2d = _max_unpool(2)
max_unpool3d = _max_unpool(3)


def _two(name: str, argument: str, value: Ints) -> tuple[Any, Any]:
    """An int or two, as the library takes them."""
    two = spatial(name, argument, value)
    if isinstance(value, (tuple, list)) and len(value) != 2:
        raise RuntimeError(
            f"{name}: It is expected {argument} equals to 2, but got size {len(value)}: {value}"
        )
    return two


def unfold(
    input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
) -> Tensor:
    """Returns the windows of images [N, C, H, W] or [C, H, W] as columns [N, C kernel, windows]."""
    return call(
        lib.ag_im2col,
        input,
        *_two("unfold", "kernel_size", kernel_size),
        *_two("unfold", "dilation", dilation),
        *_two("unfold", "padding", padding),
        *_two("unfold", "stride", stride),
    )


def fold(
    input: Tensor,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Tensor:
    """Returns images [N, C, output_size] to which columns [N, C kernel, windows] are added; unfold transposed."""
    return call(
        lib.ag_col2im,
        input,
        *_two("fold", "output_size", output_size),
        *_two("fold", "kernel_size", kernel_size),
        *_two("fold", "dilation", dilation),
        *_two("fold", "padding", padding),
        *_two("fold", "stride", stride),
    )


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "fold",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "unfold",
]
