"""What kind of numbers tensors hold, and what two kinds become together."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from .._capi import lib
from ..binding import function_only as function
from ..binding import op, public_names
from ..operands import operand
from ..tensor import Tensor


@op
def is_floating_point(input: Tensor) -> bool:
    """Returns True if the elements are floats."""
    return input.dtype.is_floating_point


@op
def is_signed(input: Tensor) -> bool:
    """Returns True if the elements are floats or signed integers."""
    return input.dtype.is_signed


@op
def is_complex(input: Tensor) -> bool:
    """Returns False: there are no complex numbers."""
    return input.dtype.is_complex


@op
def is_nonzero(input: Tensor) -> bool:
    """Returns True if the one element is not zero. Raises RuntimeError unless there is exactly one."""
    return bool(input)


@op
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Returns True if both have the same sizes."""
    return input.shape == other.shape


# ---- types that meet -------------------------------------------------------------------------------------


def _checked(name: str, kind: Any) -> dtypes.dtype:
    try:
        return dtypes.dtype_meant(kind)
    except TypeError:
        raise TypeError(f"{name}() expected a dtype, not {type(kind).__name__}") from None


@function
def promote_types(type1: dtypes.dtype, type2: dtypes.dtype) -> dtypes.dtype:
    """Returns the smallest dtype that both convert to without a change of kind: bool < integers < floats."""
    first, second = _checked("promote_types", type1), _checked("promote_types", type2)
    return dtypes.by_code[lib.ag_promote_types(first.code, second.code)]


@function
def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """Returns the dtype of the sum of two tensors or numbers.

    Tensors with dims count before 0-d ones of the same kind, and those before Python numbers.
    """
    both = operand(tensor1), operand(tensor2)
    for value, given in zip(both, (tensor1, tensor2)):
        if value is None:
            raise TypeError(
                f"result_type() expected tensors or numbers, not {type(given).__name__}"
            )
    return dtypes.by_code[lib.ag_result_type(*both)]


@function
def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """Returns True if results of one dtype may go to tensors of another: no float to an integer, none to bool."""
    source, target = _checked("can_cast", from_), _checked("can_cast", to)
    if target is dtypes.bool_:
        return source is dtypes.bool_
    return target.is_floating_point or not source.is_floating_point


__all__ = public_names(globals())
