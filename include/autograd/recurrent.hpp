// Recurrent layers and cells, with PyTorch's order of weights and gates.
#pragma once
#include <tuple>
#include <utility>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

enum class RecurrentKind { kLstm, kGru, kTanh, kRelu };

struct RecurrentOptions {
  bool has_biases = true;
  int64_t num_layers = 1;
  double dropout = 0;  ///< between layers, in training
  bool training = false;
  bool bidirectional = false;
  bool batch_first = false;  ///< input and output are [N, L, ...] instead of [L, N, ...]
};

/// A stack of recurrent layers over a sequence. input [L, N, in]; h0 [layers * directions, N, out],
/// undefined for zeros. params: per layer and direction w_ih [gates * H, in], w_hh [gates * H,
/// out], then b_ih, b_hh [gates * H] if has_biases. Returns the outputs [L, N, directions * out] of
/// the last layer and the last states, of h0's sizes. Error (runtime) where sizes do not fit.
std::pair<Tensor, Tensor> gru(const Tensor& input, const Tensor& h0,
                              const std::vector<Tensor>& params, const RecurrentOptions& options);
std::pair<Tensor, Tensor> rnn_tanh(const Tensor& input, const Tensor& h0,
                                   const std::vector<Tensor>& params,
                                   const RecurrentOptions& options);
std::pair<Tensor, Tensor> rnn_relu(const Tensor& input, const Tensor& h0,
                                   const std::vector<Tensor>& params,
                                   const RecurrentOptions& options);
/// The same with cell states c0 [layers * directions, N, H]. Weights w_hr [out, H] at the end of
/// each direction's params project the outputs; they are there if h0 or w_hh say out != H.
std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& input, const Tensor& h0, const Tensor& c0,
                                        const std::vector<Tensor>& params,
                                        const RecurrentOptions& options);

/// One step. input [N, in] or [in], h [N, H] or [H] (undefined for zeros); biases may be undefined.
Tensor gru_cell(const Tensor& input, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                const Tensor& b_ih = Tensor(), const Tensor& b_hh = Tensor());
Tensor rnn_tanh_cell(const Tensor& input, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih = Tensor(), const Tensor& b_hh = Tensor());
Tensor rnn_relu_cell(const Tensor& input, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih = Tensor(), const Tensor& b_hh = Tensor());
/// The new h and c.
std::pair<Tensor, Tensor> lstm_cell(const Tensor& input, const Tensor& h, const Tensor& c,
                                    const Tensor& w_ih, const Tensor& w_hh,
                                    const Tensor& b_ih = Tensor(), const Tensor& b_hh = Tensor());

}  // namespace autograd
