"""New tensors whose elements follow a rule: ranges, powers, identities, positions in triangles."""

from __future__ import annotations

from typing import Any

from . import dtypes
from ._capi import call, lib
from .binding import function_only as function
from .binding import public_names
from .creation import _code, _finish, full
from .dtypes import dtype as DType
from .operands import number_argument
from .tensor import Tensor

_EXACT = 1 << 52  # integers up to here are exact in float64 arithmetic


@function
def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns start, start + step, ... below end (above it for a negative step); int64 if all three are ints."""
    if end is None:
        start, end = 0, start
    elif start is None:
        start = 0
    start = number_argument("arange", "start", start)
    end = number_argument("arange", "end", end)
    step = number_argument("arange", "step", step)
    whole = all(isinstance(number, int) for number in (start, end, step))
    code = _code(dtype, dtypes.int64 if whole else None)
    if whole and step and max(abs(int(start)), abs(int(end))) > _EXACT:
        # Counted from 0: the library takes the ends as float64.
        steps = max(0, -((int(start) - int(end)) // int(step)))
        counted = call(lib.ag_arange, 0.0, float(steps), 1.0, dtypes.int64.code)
        return _finish(
            (counted * int(step) + int(start)).to(dtypes.by_code[code]), requires_grad, device
        )
    return _finish(
        call(lib.ag_arange, float(start), float(end), float(step), code), requires_grad, device
    )


def _end_of(function: str, argument: str, value: Any) -> float:
    """An end of a range as a number; RuntimeError for a tensor with dims."""
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            f"{function} only supports 0-dimensional start and end tensors, "
            f"but got {argument} with {value.ndim} dimension(s)."
        )
    return float(number_argument(function, argument, value))


@function
def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns `steps` evenly spaced numbers from start to end, both included."""
    start = _end_of("linspace", "start", start)
    end = _end_of("linspace", "end", end)
    return _finish(
        call(lib.ag_linspace, float(start), float(end), steps, _code(dtype)), requires_grad, device
    )


@function
def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns base^x for `steps` evenly spaced numbers x from start to end, both included."""
    wanted = dtypes.by_code[_code(dtype)]
    start, end = _end_of("logspace", "start", start), _end_of("logspace", "end", end)
    exponents = linspace(start, end, steps, dtype=dtypes.float64)
    powers = call(lib.ag_pow, full((), float(base), dtype=dtypes.float64), exponents)
    return _finish(powers.to(wanted), requires_grad, device)


@function
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Returns the powers 0 to N - 1 of a vector's elements as rows, the highest first unless increasing."""
    if x.ndim != 1:
        raise RuntimeError(f"x must be a one-dimensional tensor, got sizes {tuple(x.shape)}")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    exponents = arange(n) if increasing else arange(n - 1, -1, -1)
    return (
        x.unsqueeze(1) ** exponents
        if x.dtype is not dtypes.bool_
        else vander(x.long(), N, increasing)
    )


@function
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a matrix [n, m] (m = n unless given) with ones on the diagonal and zeros elsewhere."""
    return _finish(call(lib.ag_eye, n, n if m is None else m, _code(dtype)), requires_grad, device)


def _triangle_indices(native: Any, where: str) -> Any:
    name = native.__name__[3:]

    def make(
        row: int,
        col: int,
        offset: int = 0,
        *,
        dtype: DType | None = None,
        device: Any = None,
        layout: Any = None,
    ) -> Tensor:
        return _finish(call(native, row, col, offset, _code(dtype, dtypes.int64)), False, device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f"Returns rows and columns, [2, n], of a matrix's elements on and {where} a diagonal."
    )
    return function(make)


tril_indices = _triangle_indices(lib.ag_tril_indices, "below")
triu_indices = _triangle_indices(lib.ag_triu_indices, "above")


__all__ = [name for name in public_names(globals()) if name != "full"]
