"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

from ..creation import empty
from ..dtypes import dtype as DType
from ..grad_mode import no_grad
from ..operands import must_be_tensors
from ..tensor import Tensor
from . import functional, init
from .layers import Linear
from .module import Module
from .parameter import Parameter


class NonDynamicallyQuantizableLinear(Linear):
    """Linear, under the name that PyTorch prints for the output projection."""


class MultiheadAttention(Module):
    """Attention in num_heads subspaces: softmax(q k^T / sqrt(E / heads) + mask) v of each, side by side, times W_o.

    q, k and v are query, key and value times the parts of in_proj_weight [3 E, E] (or, where kdim or vdim differ from
    embed_dim, times q_proj_weight, k_proj_weight and v_proj_weight), plus in_proj_bias [3 E]. Projections start uniform
    in +-sqrt(6 / (rows + columns)), biases at 0.
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, "
                f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.dropout, self.batch_first = dropout, batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        options = {"device": device, "dtype": dtype}

        def add(name: str, wanted: bool, *sizes: int) -> None:
            self.register_parameter(name, Parameter(empty(*sizes, **options)) if wanted else None)

        same = self._qkv_same_embed_dim
        if same:
            add("in_proj_weight", True, 3 * embed_dim, embed_dim)
        add("q_proj_weight", not same, embed_dim, embed_dim)
        add("k_proj_weight", not same, embed_dim, self.kdim)
        add("v_proj_weight", not same, embed_dim, self.vdim)
        if not same:
            add("in_proj_weight", False)
        add("in_proj_bias", bias, 3 * embed_dim)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **options)
        add("bias_k", add_bias_kv, 1, 1, embed_dim)
        add("bias_v", add_bias_kv, 1, 1, embed_dim)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (
            self.in_proj_weight,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
        ):
            if weight is not None:
                init.xavier_uniform_(weight)
        with no_grad():
            if self.in_proj_bias is not None:
                self.in_proj_bias.zero_()
                self.out_proj.bias.zero_()  # type: ignore[union-attr]
            for extra in (self.bias_k, self.bias_v):
                if extra is not None:
                    init.xavier_normal_(extra)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The output, of query's sizes, and the attention weights, None unless need_weights.

        query is [L, N, E], key [S, N, kdim], value [S, N, vdim] ([N, L, E] and so on if batch_first), or each without
        N. Masks hide keys where they are True, or are added to the scores: attn_mask [L, S] or [N * num_heads, L, S],
        key_padding_mask [N, S]. is_causal promises that attn_mask is the causal one. Without need_weights the fused
        attention is used.
        """
        if self.batch_first:
            must_be_tensors("MultiheadAttention", query=query, key=key, value=value)
        swap = self.batch_first and query.ndim == 3
        if swap:
            q = query.transpose(0, 1)
            k = q if key is query else key.transpose(0, 1)
            value = k if value is key else value.transpose(0, 1)
            query, key = q, k
        output, weights = functional.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return output.transpose(0, 1) if swap else output, weights
