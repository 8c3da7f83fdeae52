"""Recurrent layers and cells as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._capi import call, lib
from ..binding import function_only, public_names
from ..operands import handles, must_be_sequence, must_be_tensors, three_results, two_results
from ..tensor import NO_TENSOR, Tensor


def _optional(tensor: Tensor | None) -> Any:
    return NO_TENSOR if tensor is None else tensor


def _pair(function: str, hx: Any) -> tuple[Any, Any]:
    if hx is None:
        return NO_TENSOR, NO_TENSOR
    must_be_sequence(function, "hx", hx, "Tensors")
    if len(hx) != 2:
        handles(function, "hx", hx)
        raise RuntimeError(f"{function} expects two hidden states, got {len(hx)}")
    return hx[0], hx[1]


def _weights(function: str, params: Any) -> Any:
    must_be_sequence(function, "params", params, "Tensors")
    return handles(function, "params", params)


@function_only
def lstm(
    input: Tensor,
    hx: Sequence[Tensor] | None,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns outputs, last hidden states and last cell states of a stack of LSTM layers.

    input is [L, N, in], or [N, L, in] if batch_first; hx holds h0 [layers * directions, N, H or P] and c0 [layers *
    directions, N, H], or is None for zeros. params lists, per layer and direction, w_ih, w_hh, then b_ih and b_hh if
    has_biases, then w_hr [P, H] if outputs are projected. Raises RuntimeError where sizes do not fit.
    """
    must_be_tensors("lstm", input=input)
    h0, c0 = _pair("lstm", hx)
    weights = _weights("lstm", params)
    settings = (has_biases, num_layers, dropout, train, bidirectional, batch_first)
    return three_results(lib.ag_lstm, input, h0, c0, weights, len(weights), *settings)


def _layer(native: Any, kind: str) -> Any:
    name = native.__name__[3:]

    def function(
        input: Tensor,
        hx: Tensor | None,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Tensor, Tensor]:
        weights = _weights(name, params)
        settings = (has_biases, num_layers, dropout, train, bidirectional, batch_first)
        return two_results(native, input, _optional(hx), weights, len(weights), *settings)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"Returns outputs and last hidden states of a stack of {kind} layers.\n\n"
        "input is [L, N, in], or [N, L, in] if batch_first; hx is [layers * directions, N, H], or None for\n"
        "zeros. params lists, per layer and direction, w_ih, w_hh, then b_ih and b_hh if has_biases. Raises\n"
        "RuntimeError where sizes do not fit."
    )
    return function_only(function)


gru = _layer(lib.ag_gru, "GRU")
rnn_tanh = _layer(lib.ag_rnn_tanh, "tanh RNN")
rnn_relu = _layer(lib.ag_rnn_relu, "ReLU RNN")


@function_only
def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor] | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the hidden and the cell state after one step of an LSTM.

    input is [N, in] or [in], hx holds h and c [N, H] or [H], or is None for zeros. Raises RuntimeError where sizes do
    not fit.
    """
    must_be_tensors("lstm_cell", input=input)
    h, c = _pair("lstm_cell", hx)
    biases = (_optional(b_ih), _optional(b_hh))
    return two_results(lib.ag_lstm_cell, input, h, c, w_ih, w_hh, *biases)


def _cell(native: Any, kind: str) -> Any:
    def function(
        input: Tensor,
        hx: Tensor | None,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Tensor:
        return call(native, input, _optional(hx), w_ih, w_hh, _optional(b_ih), _optional(b_hh))

    function.__name__ = function.__qualname__ = native.__name__[3:]
    function.__doc__ = (
        f"Returns the hidden state after one step of a {kind}.\n\n"
        "input is [N, in] or [in], hx [N, H] or [H], or None for zeros. Raises RuntimeError where sizes do not fit."
    )
    return function_only(function)


gru_cell = _cell(lib.ag_gru_cell, "GRU")
rnn_tanh_cell = _cell(lib.ag_rnn_tanh_cell, "tanh RNN")
rnn_relu_cell = _cell(lib.ag_rnn_relu_cell, "ReLU RNN")

__all__ = public_names(globals())
