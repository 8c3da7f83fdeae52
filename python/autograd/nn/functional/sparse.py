"""Rows of tables by number, and classes as rows of 0 and 1."""

from __future__ import annotations

from ..._arguments import bool_argument, int_argument
from ..._capi import ArgumentError, argument_error, call, lib, not_null, raise_last_error
from ...grad_mode import no_grad
from ...operands import in_place, must_be_tensors
from ...tensor import Tensor

__all__ = ["embedding", "one_hot"]

_embedding = lib.ag_embedding


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


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Returns int64 rows [..., num_classes] with 1 at the class and 0 elsewhere; -1: largest class + 1 of them."""
    return call(lib.ag_one_hot, tensor, num_classes)
