"""Scaled dot product attention."""

from __future__ import annotations

from ..._capi import ArgumentError, argument_error, lib, not_null, raise_last_error
from ...tensor import NO_TENSOR, Tensor

__all__ = ["scaled_dot_product_attention"]

_attention = lib.ag_scaled_dot_product_attention
_NO_SCALE = float("nan")


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Returns softmax(query key^T * scale + attn_mask) value.

    query is [..., L, E], key [..., S, E], value [..., S, Ev]; leading dims broadcast. attn_mask broadcasts to
    [..., L, S] and is bool, where False hides a key, or of query's dtype and added. is_causal lets query i see keys
    0 to i. scale is 1/sqrt(E) unless given. dropout_p applies always; pass 0 in evaluation. enable_gqa: the heads
    (dim -3) of key and value divide those of query, which share them. A query that sees no key gives zeros. Raises
    RuntimeError where sizes or dtypes do not fit, or if both attn_mask and is_causal are given.
    """
    arguments = (
        query,
        key,
        value,
        NO_TENSOR if attn_mask is None else attn_mask,
        dropout_p,
        is_causal,
        _NO_SCALE if scale is None else scale,
        enable_gqa,
    )
    try:
        result = _attention(*arguments)
    except ArgumentError as error:
        raise argument_error(_attention, arguments, error) from None
    if not_null(result):
        return result
    raise_last_error()
