// One direction of one recurrent layer over a whole sequence.
#pragma once
#include "autograd/recurrent.hpp"

namespace autograd::detail {

/// What the layer yields: outputs [L, N, out] and, for an LSTM, the last cell state [N, H].
struct LayerResult {
  Tensor y, c;
};

/// x [L, N, gates * H] is the part of the gates that comes from the input, biases of input (and,
/// but for a GRU, of the state) included. h0 [N, out], c0 [N, H] (LSTM), w_hh [gates * H, out],
/// b_hh [3 H] (GRU; may be undefined), w_hr [out, H] (LSTM with projection, else undefined).
/// reverse: the sequence is read from its end.
LayerResult recurrent_layer(RecurrentKind kind, const Tensor& x, const Tensor& h0, const Tensor& c0,
                            const Tensor& w_hh, const Tensor& b_hh, const Tensor& w_hr,
                            bool reverse);

/// The same in public ops, for second orders and for projections.
LayerResult composed_layer(RecurrentKind kind, const Tensor& x, const Tensor& h0, const Tensor& c0,
                           const Tensor& w_hh, const Tensor& b_hh, const Tensor& w_hr,
                           bool reverse);

}  // namespace autograd::detail
