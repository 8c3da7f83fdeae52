"""Windows for signals: weights that fade out at both ends."""

from __future__ import annotations

from typing import Any

from .._arguments import bool_argument, int_argument
from .._capi import call, lib
from ..binding import function_only as function
from ..binding import public_names
from ..creation import _code, _finish
from ..dtypes import dtype as DType
from ..operands import number_argument
from ..tensor import Tensor


def _window(
    name: str,
    native: Any,
    length: int,
    periodic: bool,
    numbers: tuple[Any, ...],
    dtype: DType | None,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    """native(length, periodic, *numbers, dtype) where these are a window's; x in the formulas goes from 0 to 1."""
    if type(length) is not int:
        length = int_argument(name, "window_length", length)
    if type(periodic) is not bool:
        bool_argument(name, "periodic", periodic)
    result = call(native, length, periodic, *numbers, _code(dtype))
    return _finish(result, requires_grad, device) if requires_grad or device else result


@function
def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns (1 - cos(2 pi x)) / 2 for x from 0 to 1; a periodic window lacks the last of window_length + 1 points."""
    return _window(
        "hann_window",
        lib.ag_cosine_window,
        window_length,
        periodic,
        (0.5, 0.5, 0.0),
        dtype,
        device,
        requires_grad,
    )


@function
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns alpha - beta cos(2 pi x) for x from 0 to 1; periodic as in hann_window()."""
    if type(alpha) is not float:
        alpha = number_argument("hamming_window", "alpha", alpha)
    if type(beta) is not float:
        beta = number_argument("hamming_window", "beta", beta)
    return _window(
        "hamming_window",
        lib.ag_cosine_window,
        window_length,
        periodic,
        (alpha, beta, 0.0),
        dtype,
        device,
        requires_grad,
    )


@function
def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns 1 - |2 x - 1| for x from 0 to 1; periodic as in hann_window()."""
    return _window(
        "bartlett_window",
        lib.ag_bartlett_window,
        window_length,
        periodic,
        (),
        dtype,
        device,
        requires_grad,
    )


@function
def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns 0.42 - 0.5 cos(2 pi x) + 0.08 cos(4 pi x) for x from 0 to 1; periodic as in hann_window()."""
    return _window(
        "blackman_window",
        lib.ag_cosine_window,
        window_length,
        periodic,
        (0.42, 0.5, 0.08),
        dtype,
        device,
        requires_grad,
    )


@function
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns I0(beta sqrt(1 - (2 x - 1)^2)) / I0(beta) for x from 0 to 1; periodic as in hann_window()."""
    if type(beta) is not float:
        beta = number_argument("kaiser_window", "beta", beta)
    return _window(
        "kaiser_window",
        lib.ag_kaiser_window,
        window_length,
        periodic,
        (beta,),
        dtype,
        device,
        requires_grad,
    )


__all__ = public_names(globals())
