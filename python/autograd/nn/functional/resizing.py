"""Images and sequences in another size, and read at the points of a grid."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Sequence
from typing import Any

from ..._arguments import bool_argument
from ..._capi import call, constants, lib, listed
from ...operands import ints_argument, must_be_tensors
from ...tensor import Tensor

__all__ = [
    "affine_grid",
    "grid_sample",
    "interpolate",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

_MODES = {
    "nearest": constants["AG_INTERPOLATION_NEAREST"],
    "nearest-exact": constants["AG_INTERPOLATION_NEAREST_EXACT"],
    "area": constants["AG_INTERPOLATION_AREA"],
    "linear": constants["AG_INTERPOLATION_LINEAR"],
    "bilinear": constants["AG_INTERPOLATION_LINEAR"],
    "trilinear": constants["AG_INTERPOLATION_LINEAR"],
    "bicubic": constants["AG_INTERPOLATION_CUBIC"],
}
_ALIGNED = {
    constants["AG_INTERPOLATION_LINEAR"]: constants["AG_INTERPOLATION_LINEAR_ALIGNED"],
    constants["AG_INTERPOLATION_CUBIC"]: constants["AG_INTERPOLATION_CUBIC_ALIGNED"],
}
_SAMPLE_MODES = {
    "bilinear": constants["AG_SAMPLE_LINEAR"],
    "nearest": constants["AG_SAMPLE_NEAREST"],
    "bicubic": constants["AG_SAMPLE_CUBIC"],
}
_SAMPLE_PADDING = {
    mode: constants[f"AG_SAMPLE_{mode.upper()}"] for mode in ("zeros", "border", "reflection")
}
# The number of spatial dims of the modes that have one.
_DIMS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def _per_dim(name: str, value: Any, dims: int, input: Tensor) -> list[Any]:
    """A value for each spatial dim."""
    if not isinstance(value, (tuple, list)):
        return [value] * dims
    if len(value) != dims:
        raise ValueError(
            f"Input and {name} must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {list(input.shape[2:])} and {name} of {list(value)}. Please provide input tensor in (N, C, d1, d2, "
            f"...,dK) format and {name} in (s1, s2, ...,sK) format."
        )
    return list(value)


def _check_mode(input: Tensor, mode: str) -> None:
    must_be_tensors("interpolate", input=input)
    rank = input.ndim
    if mode not in _MODES or not 3 <= rank <= 5:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {rank}D) for the modes: nearest | linear | "
            f"bilinear | bicubic | trilinear | area | nearest-exact (got {mode})"
        )
    dims = _DIMS.get(mode, rank - 2)
    if dims != rank - 2:
        raise NotImplementedError(f"Got {rank}D input, but {mode} mode needs {dims + 2}D input")


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Returns input [N, C, ...] with other sizes of its 1 to 3 spatial dims: size, or the old ones times scale_factor.

    mode is "nearest", "nearest-exact", "linear" (3-d input), "bilinear", "bicubic" (4-d), "trilinear" (5-d) or "area".
    With align_corners the corner elements keep their values. recompute_scale_factor takes the quotient of the sizes
    in place of scale_factor. antialias is not supported.
    """
    if not isinstance(mode, str) or mode not in _MODES:
        _check_mode(input, str(mode))
    code = _MODES[mode]
    if code not in _ALIGNED and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    must_be_tensors("interpolate", input=input)
    dims = input.ndim - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if antialias:
        raise NotImplementedError("interpolate: antialias is not supported")
    scales = None
    if size is not None:
        sizes = _per_dim("output size", size, dims, input)
    else:
        factors = _per_dim("scale_factor", scale_factor, dims, input)
        if any(isinstance(factor, Tensor) for factor in factors):
            raise TypeError("interpolate(): argument 'scale_factor' must be float, not Tensor")
        sizes = [math.floor(float(n) * f) for n, f in zip(input.shape[2:], factors)]
        if not recompute_scale_factor and mode != "area":
            scales = struct.pack(f"{len(factors)}d", *(max(f, 0) for f in factors))
    _check_mode(input, mode)
    if align_corners:
        code = _ALIGNED[code]
    return call(lib.ag_interpolate, input, *listed(sizes), scales, code)


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The older name of :func:`interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """:func:`interpolate` in mode "nearest"."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """:func:`interpolate` in mode "bilinear", with aligned corners."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def _corners(name: str, align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=3,
        )
        return False
    return bool_argument(name, "align_corners", align_corners)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Returns images [N, C, H, W] at the points of grid [N, h, w, 2], or volumes at those of [N, d, h, w, 3].

    The coordinates of a point, the last dim's first, go from -1 to 1 over the image: over the centres of its corner
    elements with align_corners, else over its edges. mode is "bilinear" (of volumes trilinear), "nearest" or, for
    images, "bicubic". padding_mode says what lies outside: "zeros", the "border", or the image mirrored ("reflection").
    Raises ValueError for other modes, RuntimeError for sizes and dtypes that do not fit.
    """
    if not isinstance(mode, str) or mode not in _SAMPLE_MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if not isinstance(padding_mode, str) or padding_mode not in _SAMPLE_PADDING:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            f"but got: '{padding_mode}'"
        )
    return call(
        lib.ag_grid_sample,
        input,
        grid,
        _SAMPLE_MODES[mode],
        _SAMPLE_PADDING[padding_mode],
        _corners("grid_sample", align_corners),
    )


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Returns the grid for :func:`grid_sample` that affine maps make of the points of images.

    theta is [N, 2, 3] for images of size [N, C, H, W], the grid [N, H, W, 2]; for volumes they are [N, 3, 4] and
    [N, D, H, W, 3]. Raises ValueError for other sizes.
    """
    must_be_tensors("affine_grid", theta=theta)
    return call(
        lib.ag_affine_grid,
        theta,
        *ints_argument("affine_grid", "size", size),
        _corners("affine_grid", align_corners),
    )
