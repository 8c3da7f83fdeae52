"""Rows of tables by number, and classes as rows of 0 and 1."""

from __future__ import annotations

from ..._arguments import bool_argument, int_argument
from ..._capi import (
    ArgumentError,
    argument_error,
    call,
    constants,
    lib,
    not_null,
    raise_last_error,
)
from ...grad_mode import no_grad
from ...operands import in_place, must_be_tensors
from ...tensor import NO_TENSOR, Tensor

__all__ = ["embedding", "embedding_bag", "one_hot"]

_embedding = lib.ag_embedding
_BAG_MODES = {mode: constants[f"AG_BAG_{mode.upper()}"] for mode in ("sum", "mean", "max")}


def _padding(padding_idx: int, weight: Tensor) -> int:
    """The number of the padding row of weight."""
    must_be_tensors("embedding", weight=weight)
    padding_idx, rows = int_argument("embedding", "padding_idx", padding_idx), weight.size(0)
    if not -rows <= padding_idx < rows:
        raise AssertionError(
            f"Padding_idx must be within num_embeddings, got {padding_idx} for {rows} rows"
        )
    return padding_idx + rows if padding_idx < 0 else padding_idx


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Returns the rows of weight [n, d] whose numbers stand in input (int32, int64): input.shape + [d].

    Row padding_idx gets no gradient. With max_norm, rows that are used are first scaled down, in place, to that norm.
    scale_grad_by_freq divides a row's gradient by how often it was used. sparse is ignored: gradients are dense.
    Raises IndexError for a number that is no row.
    """
    padding = -1 if padding_idx is None else _padding(padding_idx, weight)
    if sparse is not False:
        bool_argument("embedding", "sparse", sparse)
    if max_norm is not None:
        with no_grad():
            in_place(lib.ag_embedding_renorm_, weight.detach(), input, max_norm, norm_type)
    try:
        result = _embedding(weight, input, padding, scale_grad_by_freq)
    except ArgumentError as error:
        raise argument_error(_embedding, (weight, input, padding, 0), error) from None
    if not_null(result):
        return result
    raise_last_error()


def _bag_padding(padding_idx: int, weight: Tensor) -> int:
    """The number of the row that bags leave out."""
    padding_idx, rows = int_argument("embedding_bag", "padding_idx", padding_idx), weight.size(0)
    if not -rows <= padding_idx < rows:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}"
        )
    return padding_idx + rows if padding_idx < 0 else padding_idx


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Returns the sum, mean or maximum of the rows of weight [n, d] that each bag of numbers picks, [bags, d].

    A bag is a row of a 2-d input, or, of a 1-d one, the numbers from offsets[i] up to the next offset, or to the end;
    with include_last_offset the last offset is the end of the last bag. An empty bag gives 0. per_sample_weights, of
    the sizes of input, multiplies the rows of sums. Numbers equal to padding_idx are left out. max_norm, norm_type
    and scale_grad_by_freq are those of :func:`embedding`; sparse is ignored.
    Raises ValueError for sizes and modes that do not fit, RuntimeError for a number that is no row.
    """
    must_be_tensors("embedding_bag", input=input, weight=weight)
    if input.ndim == 2 and offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
            f"sequences. However, found offsets of type {type(offsets)}"
        )
    if not isinstance(mode, str) or mode not in _BAG_MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    bool_argument("embedding_bag", "scale_grad_by_freq", scale_grad_by_freq)
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    padding = -1
    if padding_idx is not None and weight.ndim == 2:
        padding = _bag_padding(padding_idx, weight)
    if max_norm is not None:
        with no_grad():
            in_place(lib.ag_embedding_renorm_, weight.detach(), input, max_norm, norm_type)
    try:
        return call(
            lib.ag_embedding_bag,
            weight,
            input,
            NO_TENSOR if offsets is None else offsets,
            _BAG_MODES[mode],
            NO_TENSOR if per_sample_weights is None else per_sample_weights,
            padding,
            scale_grad_by_freq,
            include_last_offset,
        )
    except IndexError as error:
        raise RuntimeError(f"embedding_bag(): {error}") from None


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Returns int64 rows [..., num_classes] with 1 at the class and 0 elsewhere; -1: largest class + 1 of them."""
    return call(lib.ag_one_hot, tensor, num_classes)
