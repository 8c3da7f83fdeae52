"""Softmax and its logarithm."""

from __future__ import annotations

from .._capi import call, lib
from ..binding import by_numpys_names, op, public_names
from ..dtypes import dtype as _dtype
from ..operands import as_dtype
from ..tensor import Tensor


def _softmax_dim(name: str, dim: int | None) -> int:
    if dim is None:
        raise TypeError(
            f'{name}() missing 1 required positional arguments: "dim", the dim whose elements add up to 1'
        )
    return dim


@op
@by_numpys_names
def softmax(input: Tensor, dim: int | None = None, dtype: _dtype | None = None) -> Tensor:
    """Returns e^x / sum e^x along dim, computed from input converted to dtype if one is given."""
    input = input if dtype is None else as_dtype(input, dtype)
    return call(lib.ag_softmax, input, _softmax_dim("softmax", dim))


@op
@by_numpys_names
def log_softmax(input: Tensor, dim: int | None = None, dtype: _dtype | None = None) -> Tensor:
    """Returns x - log sum e^x along dim, computed from input converted to dtype if one is given."""
    input = input if dtype is None else as_dtype(input, dtype)
    return call(lib.ag_log_softmax, input, _softmax_dim("log_softmax", dim))


__all__ = public_names(globals())
