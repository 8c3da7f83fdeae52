"""Convolutions and their transposed maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from ..._capi import ArgumentError, argument_error, lib, not_null, pack, raise_last_error
from ...tensor import NO_TENSOR, Tensor

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]

Ints = Union[int, Sequence[int]]

_packed: dict[int, tuple[Any, Any]] = {}
_SAME = (None, -1)


def spatial(function: str, argument: str, value: Any) -> tuple[Any, Any]:
    """An int, or one int per spatial dim, as the library takes them; TypeError for anything else."""
    if type(value) is int:
        found = _packed.get(value)
        if found is None:
            if len(_packed) > 1000:
                _packed.clear()
            found = _packed[value] = pack((value,))
        return found
    if isinstance(value, (tuple, list)):
        try:
            return pack(value)
        except TypeError:
            kinds = [type(v).__name__ for v in value if not hasattr(type(v), "__index__")]
            if not kinds:
                raise
            raise TypeError(
                f"{function}(): argument '{argument}' must be tuple of ints, but found element of type {kinds[0]}"
            ) from None
    if hasattr(type(value), "__index__"):
        return pack((value,))
    raise TypeError(
        f"{function}(): argument '{argument}' must be tuple of ints, not {type(value).__name__}"
    )


def _padding(function: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, str):
        return spatial(function, "padding", value)
    if value == "same":
        return _SAME
    if value == "valid":
        return spatial(function, "padding", 0)
    raise RuntimeError(f"Invalid padding string: '{value}'")


def _run(native: Any, *arguments: Any) -> Tensor:
    try:
        result = native(*arguments)
    except ArgumentError as error:
        raise argument_error(native, arguments, error) from None
    if not_null(result):
        return result
    raise_last_error()


def _conv(dims: int, native: Any, spatial_names: str) -> Any:
    name = f"conv{dims}d"

    def function(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Ints = 1,
        padding: str | Ints = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> Tensor:
        return _run(
            native,
            input,
            weight,
            NO_TENSOR if bias is None else bias,
            *spatial(name, "stride", stride),
            *_padding(name, padding),
            *spatial(name, "dilation", dilation),
            groups,
        )

    function.__doc__ = f"""Returns the convolution (cross-correlation) over {spatial_names}, plus bias.

    input is [N, C, ...] or [C, ...] with {dims} spatial dim(s), weight [O, C / groups, ...], bias [O]. A spatial size
    becomes (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1. padding may be 'valid' (none) or 'same' (the
    sizes stay; stride must be 1). Raises RuntimeError where sizes or dtypes do not fit.
    """
    return _named(function, name)


def _conv_transpose(dims: int, native: Any, spatial_names: str) -> Any:
    name = f"conv_transpose{dims}d"

    def function(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        dilation: Ints = 1,
    ) -> Tensor:
        return _run(
            native,
            input,
            weight,
            NO_TENSOR if bias is None else bias,
            *spatial(name, "stride", stride),
            *spatial(name, "padding", padding),
            *spatial(name, "output_padding", output_padding),
            groups,
            *spatial(name, "dilation", dilation),
        )

    function.__doc__ = f"""Returns the transposed convolution over {spatial_names}, plus bias.

    It is the gradient of a convolution with the same weight [C, O / groups, ...] for its input: input [N, C, ...] or
    [C, ...] with {dims} spatial dim(s), and a size becomes (in - 1) stride - 2 padding + dilation (kernel - 1) +
    output_padding + 1. Raises RuntimeError where sizes or dtypes do not fit.
    """
    return _named(function, name)


def _named(function: Any, name: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.public = True
    return function


conv1d = _conv(1, lib.ag_conv1d, "sequences")
conv2d = _conv(2, lib.ag_conv2d, "images")
conv3d = _conv(3, lib.ag_conv3d, "volumes")
conv_transpose1d = _conv_transpose(1, lib.ag_conv_transpose1d, "sequences")
conv_transpose2d = _conv_transpose(2, lib.ag_conv_transpose2d, "images")
conv_transpose3d = _conv_transpose(3, lib.ag_conv_transpose3d, "volumes")
