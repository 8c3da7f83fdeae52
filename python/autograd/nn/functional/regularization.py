"""Dropout: of elements, and of whole channels."""

from __future__ import annotations

import warnings
from typing import Any

from ..._arguments import bool_argument, kind_of
from ..._capi import ArgumentError, argument_error, call, lib, not_null, raise_last_error
from ...operands import must_be_tensors
from ...tensor import Tensor

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

_dropout = lib.ag_dropout


def _check(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        kind = ValueError if p == p else RuntimeError
        raise kind(f"dropout probability has to be between 0 and 1, but got {p}")


def _as_it_is(name: str, input: Tensor, training: bool) -> Tensor:
    """The input, with which nothing is done."""
    bool_argument(name, "training", training)
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {kind_of(input)}")
    return input


def _finish(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return input.copy_(result) if inplace else result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Returns the elements with each zeroed with probability p and the others multiplied by 1 / (1 - p).

    Returns the input itself if not training. Raises ValueError unless 0 <= p <= 1.
    """
    _check(p)
    if training is False or p == 0:
        return _as_it_is("dropout", input, training)
    try:
        result = _dropout(input, p, training)
    except ArgumentError as error:
        raise argument_error(_dropout, (input, p, training), error) from None
    if not_null(result):
        return input.copy_(result) if inplace else result
    raise_last_error()


def _whole(native: Any, input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    _check(p)
    if training is False or p == 0:
        return _as_it_is("dropout", input, training)
    return _finish(input, call(native, input, p, training), inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Returns x [N, C, L] or [C, L] with whole channels zeroed with probability p, the others times 1 / (1 - p).

    Raises ValueError unless 0 <= p <= 1, RuntimeError for another number of dims.
    """
    _check(p)
    must_be_tensors("dropout", input=input)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input, sizes {list(input.shape)}. "
            "Note that dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, a "
            "channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    if input.ndim == 3:
        return _whole(lib.ag_feature_dropout, input, p, training, inplace)
    return _finish(
        input,
        _whole(lib.ag_feature_dropout, input.unsqueeze(0), p, training, False).squeeze(0),
        inplace,
    )


def _warn(name: str, dims: int, input: Tensor) -> None:
    warnings.warn(
        f"{name}: Received a {input.ndim}-D input to {name}, which is deprecated and will result in an error in a "
        "future release. To retain the behavior and silence this warning, please use dropout instead. Note that "
        f"{name} exists to provide channel-wise dropout on inputs with {dims} spatial dimensions, a channel "
        f"dimension, and an optional batch dimension (i.e. {dims + 1}D or {dims + 2}D inputs).",
        stacklevel=3,
    )


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Returns x [N, C, H, W] with whole channels zeroed with probability p, the others times 1 / (1 - p).

    An input [N, C, L] is taken as dropout1d takes it. Raises ValueError unless 0 <= p <= 1.
    """
    _check(p)
    must_be_tensors("dropout", input=input)
    if input.ndim not in (3, 4):
        _warn("dropout2d", 2, input)
    return _whole(lib.ag_feature_dropout, input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Returns x [N, C, D, H, W] (N may lack) with whole channels zeroed with probability p, the rest times 1 / (1 - p).

    Raises ValueError unless 0 <= p <= 1.
    """
    _check(p)
    must_be_tensors("dropout", input=input)
    if input.ndim not in (4, 5):
        _warn("dropout3d", 3, input)
    if input.ndim == 5:
        return _whole(lib.ag_feature_dropout, input, p, training, inplace)
    return _finish(
        input,
        _whole(lib.ag_feature_dropout, input.unsqueeze(0), p, training, False).squeeze(0),
        inplace,
    )


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Returns the elements with each set, with probability p, to the limit of SELU at -inf, then all scaled and
    shifted so that mean 0 and variance 1 are kept. Raises ValueError unless 0 <= p <= 1."""
    return _whole(lib.ag_alpha_dropout, input, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Returns alpha_dropout() of whole channels of x [N, C, ...]. Raises ValueError unless 0 <= p <= 1."""
    return _whole(lib.ag_feature_alpha_dropout, input, p, training, inplace)
