"""Copies with the elements at other places: flips, rolls, repetitions, triangles, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._arguments import int_argument
from .._capi import call, constants, lib, listed
from ..binding import function_only as function
from ..binding import method, op, public_names
from ..operands import Dims, dim_argument, dims_argument, in_place, must_be_tensors, operand
from ..tensor import Tensor


def _numbers(name: str, argument: str, first: Any, more: tuple[Any, ...]) -> tuple[bytes, Any]:
    """Numbers given one by one or as one sequence, as the library takes them."""
    if more:
        return listed((first, *more))
    if first is None:
        raise TypeError(f'{name}() missing 1 required positional arguments: "{argument}"')
    return listed(first if isinstance(first, (tuple, list)) else (first,))


@op
def flip(input: Tensor, dims: Any = None, *more: int) -> Tensor:
    """Returns a copy with the order along dims reversed."""
    return call(lib.ag_flip, input, *_numbers("flip", "dims", dims, more))


@op
def fliplr(input: Tensor) -> Tensor:
    """Returns a copy with the order along dim 1 reversed."""
    return call(lib.ag_fliplr, input)


@op
def flipud(input: Tensor) -> Tensor:
    """Returns a copy with the order along dim 0 reversed."""
    return call(lib.ag_flipud, input)


@op
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Returns the tensor after k quarter turns from dims[0] towards dims[1]."""
    return call(lib.ag_rot90, input, k, *listed(dims))


@op
def roll(input: Tensor, shifts: Any, dims: Dims = None) -> Tensor:
    """Returns a copy moved along dims; what leaves at one end enters at the other.

    Without dims the flattened elements are moved.
    """
    if shifts is None:
        raise TypeError("roll(): argument 'shifts' must be tuple of ints, not NoneType")
    return call(lib.ag_roll, input, *dims_argument(shifts), *dims_argument(dims))


@method
def repeat(self: Tensor, repeats: Any = None, *more: int) -> Tensor:
    """Returns the tensor repeats[d] times along dim d; more repeats than dims add dims in front."""
    return call(lib.ag_repeat, self, *_numbers("repeat", "repeats", repeats, more))


@op
def tile(input: Tensor, dims: Any = None, *more: int) -> Tensor:
    """Returns the tensor several times along its dims; missing numbers, for the first dims, are 1."""
    return call(lib.ag_tile, input, *_numbers("tile", "dims", dims, more))


@op
def repeat_interleave(
    input: Tensor,
    repeats: Any = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Returns each element of dim (or of the flattened tensor) several times in a row.

    repeats is a number, or a tensor with one number per element. repeat_interleave(repeats) gives the positions.
    """
    if repeats is None:
        must_be_tensors("repeat_interleave", repeats=input)
        repeats, dim = input, 0
        if input.ndim != 1:
            raise RuntimeError(
                f"repeat_interleave only accept 1D vector as repeat, got sizes {tuple(input.shape)}"
            )
        input = call(lib.ag_arange, 0.0, float(input.shape[0]), 1.0, constants["AG_INT64"])
    if not isinstance(repeats, Tensor):
        repeats = int_argument("repeat_interleave", "repeats", repeats)
    size = -1 if output_size is None else output_size
    return call(
        lib.ag_repeat_interleave,
        input,
        operand(repeats),
        *dim_argument("repeat_interleave", dim),
        size,
    )


@op
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Returns the last two dims on and below a diagonal, and 0 elsewhere."""
    return call(lib.ag_tril, input, diagonal)


@op
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Returns the last two dims on and above a diagonal, and 0 elsewhere."""
    return call(lib.ag_triu, input, diagonal)


@method
def tril_(self: Tensor, diagonal: int = 0) -> Tensor:
    """Sets the elements above a diagonal to 0 and returns the tensor itself."""
    return in_place(lib.ag_copy_, self, tril(self, diagonal))


@method
def triu_(self: Tensor, diagonal: int = 0) -> Tensor:
    """Sets the elements below a diagonal to 0 and returns the tensor itself."""
    return in_place(lib.ag_copy_, self, triu(self, diagonal))


@op
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Returns a vector as a diagonal of a matrix of zeros, or a copy of a matrix's diagonal."""
    return call(lib.ag_diag, input, diagonal)


@op
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Returns zeros with the last dim as the diagonals over dim1 and dim2."""
    return call(lib.ag_diag_embed, input, offset, dim1, dim2)


@op
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Returns a matrix of zeros with the flattened tensor as a diagonal."""
    return call(lib.ag_diagflat, input, offset)


@function
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Returns the rows of r elements of a vector, in its order."""
    return call(lib.ag_combinations, input, r, with_replacement)


@function
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Returns [..., C r r, H, W] as [..., C, H r, W r]: channels become pixels."""
    return call(lib.ag_pixel_shuffle, input, upscale_factor)


@function
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Returns x [N, C, ...] with its channels in another order: the first of each group, the second of each and so on.

    Raises RuntimeError unless there are more than 2 dims and groups divides C.
    """
    return call(lib.ag_channel_shuffle, input, groups)


@function
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Returns [..., C, H r, W r] as [..., C r r, H, W]: pixels become channels."""
    return call(lib.ag_pixel_unshuffle, input, downscale_factor)


__all__ = public_names(globals())
