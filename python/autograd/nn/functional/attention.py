"""Scaled dot product attention, and attention with many heads."""

from __future__ import annotations

import math

from ..._capi import ArgumentError, argument_error, lib, not_null, raise_last_error
from ...creation import zeros
from ...dtypes import bool_
from ...dtypes import dtype as DType
from ...operands import must_be_tensors
from ...ops.joining import cat
from ...ops.pointwise import where
from ...ops.probabilities import softmax
from ...ops.products import matmul
from ...tensor import NO_TENSOR, Tensor
from .affine import linear
from .padding import pad
from .regularization import dropout

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

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


def _check_dims(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
) -> bool:
    """True for a batch; AssertionError unless all tensors have the dims that query asks for."""
    function = "multi_head_attention_forward"
    must_be_tensors(function, query=query, key=key, value=value)
    if key_padding_mask is not None:
        must_be_tensors(function, key_padding_mask=key_padding_mask)
    if attn_mask is not None:
        must_be_tensors(function, attn_mask=attn_mask)
    ndim = query.ndim
    if ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {ndim}-D query tensor"
        )
    which = "batched (3-D)" if ndim == 3 else "unbatched (2-D)"
    if key.ndim != ndim or value.ndim != ndim:
        raise AssertionError(
            f"For {which} `query`, expected `key` and `value` to be {ndim}-D "
            f"but found {key.ndim}-D and {value.ndim}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.ndim != ndim - 1:
        raise AssertionError(
            f"For {which} `query`, expected `key_padding_mask` to be `None` or {ndim - 1}-D "
            f"but found {key_padding_mask.ndim}-D tensor instead"
        )
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise AssertionError(
            f"For {which} `query`, expected `attn_mask` to be `None`, 2-D or 3-D "
            f"but found {attn_mask.ndim}-D tensor instead"
        )
    return ndim == 3


def additive_mask(mask: Tensor | None, name: str, dtype: DType) -> Tensor | None:
    """A mask that is added to scores: -inf where a bool mask is True; a float mask as it is."""
    if mask is None:
        return None
    if mask.dtype is not bool_ and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if mask.dtype is not bool_:
        return mask
    return where(mask, float("-inf"), zeros((), dtype=dtype))


def _project(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value times their parts of one weight; equal tensors are multiplied together."""
    width = query.shape[-1]
    if key is value and query is key:
        return linear(query, weight, bias).split(width, -1)
    if key is value:
        parts = weight.split([width, 2 * width])
        biases = (None, None) if bias is None else bias.split([width, 2 * width])
        q = linear(query, parts[0], biases[0])
        return (q, *linear(key, parts[1], biases[1]).split(width, -1))
    parts = weight.split(width)
    biases = (None, None, None) if bias is None else bias.split(width)
    return tuple(map(linear, (query, key, value), parts, biases))


def _check_mask_shape(mask: Tensor | None, rows: int, length: int, source: int) -> None:
    if mask is None:
        return
    wanted = (length, source) if mask.ndim == 2 else (rows, length, source)
    if tuple(mask.shape) != wanted:
        raise RuntimeError(
            f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {wanted}."
        )


def _extended(mask: Tensor | None) -> Tensor | None:
    """A mask with one more key, which it does not hide."""
    return None if mask is None else pad(mask, (0, 1))


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Returns the output of multi-head attention, and its weights if need_weights.

    query is [L, N, E], key [S, N, kdim], value [S, N, vdim], or each without N. Masks hide keys where they are True, or
    are added to the scores: attn_mask [L, S] or [N * num_heads, L, S], key_padding_mask [N, S]. is_causal promises that
    attn_mask is the causal one. Weights are [N, L, S], or [N, num_heads, L, S] unless average_attn_weights. Raises
    AssertionError or RuntimeError where sizes do not fit.
    """
    is_batched = _check_dims(query, key, value, key_padding_mask, attn_mask)
    if not is_batched:
        query, key, value = _batch_of_one(query, key, value)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    source = key.shape[0]
    padding = additive_mask(key_padding_mask, "key_padding_mask", query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and padding is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = additive_mask(attn_mask, "attn_mask", query.dtype)
        is_causal = is_causal and padding is None
    if width != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}"
        )
    head = width // num_heads
    if head * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = map(linear, (query, key, value), weights, biases)  # type: ignore[arg-type]
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias)  # type: ignore[arg-type]
    _check_mask_shape(attn_mask, batch * num_heads, length, source)
    if (bias_k is None) != (bias_v is None):
        raise AssertionError("bias_k and bias_v must be given together")
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise AssertionError("bias cannot be added to static key or value.")
        k = cat([k, bias_k.expand(1, batch, width)])
        v = cat([v, bias_v.expand(1, batch, width)])
        attn_mask, padding = _extended(attn_mask), _extended(padding)

    def by_heads(x: Tensor, static: Tensor | None = None) -> Tensor:
        """[rows, N, E] as [N, heads, rows, E / heads]."""
        if static is not None:
            if static.shape[0] != batch * num_heads or static.shape[2] != head:
                raise AssertionError(
                    f"expecting static key and value of sizes ({batch * num_heads}, S, {head}), "
                    f"but got {tuple(static.shape)}"
                )
            return static.reshape(batch, num_heads, static.shape[1], head)
        return x.reshape(x.shape[0], batch, num_heads, head).permute(1, 2, 0, 3)

    q, k, v = by_heads(q), by_heads(k, static_k), by_heads(v, static_v)
    if add_zero_attn:
        nothing = zeros(batch, num_heads, 1, head, dtype=k.dtype)
        k, v = cat([k, nothing], 2), cat([v, nothing], 2)
        attn_mask, padding = _extended(attn_mask), _extended(padding)
    source = k.shape[2]
    if attn_mask is not None and attn_mask.ndim == 3:
        attn_mask = attn_mask.reshape(batch, num_heads, length, source)
    if padding is not None:
        if tuple(padding.shape) != (batch, source):
            raise AssertionError(
                f"expecting key_padding_mask shape of {(batch, source)}, but got {tuple(padding.shape)}"
            )
        padding = padding.reshape(batch, 1, 1, source)
        attn_mask = padding if attn_mask is None else attn_mask + padding
    if not training:
        dropout_p = 0.0
    weights = None
    if need_weights:
        scores = matmul(q * math.sqrt(1.0 / head), k.transpose(-2, -1))
        weights = softmax(scores if attn_mask is None else scores + attn_mask, -1)
        if dropout_p > 0.0:
            weights = dropout(weights, dropout_p)
        output = matmul(weights, v)
        weights = weights.mean(1) if average_attn_weights else weights
    else:
        output = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal)
    output = output.permute(2, 0, 1, 3).reshape(length, batch, width)
    output = linear(output, out_proj_weight, out_proj_bias)
    if is_batched:
        return output, weights
    return output.squeeze(1), None if weights is None else weights.squeeze(0)


def _batch_of_one(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The tensors with a batch dim; equal ones stay equal."""
    q = query.unsqueeze(1)
    k = q if key is query else key.unsqueeze(1)
    return q, k, k if value is key else value.unsqueeze(1)
