// Stacks of recurrent layers, and single cells: checks, weights and directions around
// recurrent_layer.
#include "autograd/recurrent.hpp"

#include "autograd/ops.hpp"
#include "core/text.hpp"
#include "ops/recurrent_layer.hpp"

namespace autograd {
namespace detail {
namespace {

const char* name_of_kind(RecurrentKind kind) {
  constexpr const char* names[] = {"lstm", "gru", "rnn_tanh", "rnn_relu"};
  return names[static_cast<int>(kind)];
}

int64_t gates_of(RecurrentKind kind) {
  return kind == RecurrentKind::kLstm ? 4 : kind == RecurrentKind::kGru ? 3 : 1;
}

/// The weights of one direction of one layer.
struct Weights {
  Tensor w_ih, w_hh, b_ih, b_hh, w_hr;
};

void check_weight(const char* op, const char* name, const Tensor& t, const Shape& wanted,
                  DType dtype) {
  if (t.sizes() != wanted)
    fail(ErrorCode::kRuntime, op, ": ", name, " must have sizes ", wanted, ", got ", t.sizes());
  if (t.dtype() != dtype)
    fail(ErrorCode::kRuntime, op, ": expected m1 and m2 to have the same dtype, but ", name,
         " has ", name_of(t.dtype()), " and input ", name_of(dtype));
}

int64_t hidden_of(RecurrentKind kind, const Tensor& w_ih) {
  const int64_t gates = gates_of(kind);
  if (w_ih.dim() != 2 || w_ih.sizes()[0] % gates != 0)
    fail(ErrorCode::kRuntime, name_of_kind(kind), ": w_ih must have sizes [", gates,
         " * hidden_size, input_size], got ", w_ih.sizes());
  return w_ih.sizes()[0] / gates;
}

void check_weights(RecurrentKind kind, const Weights& w, int64_t in, DType dtype) {
  const char* op = name_of_kind(kind);
  const int64_t h = hidden_of(kind, w.w_ih), rows = gates_of(kind) * h;
  const int64_t out = w.w_hr && w.w_hr.dim() == 2 ? w.w_hr.sizes()[0] : h;
  check_weight(op, "w_ih", w.w_ih, {rows, in}, dtype);
  check_weight(op, "w_hh", w.w_hh, {rows, out}, dtype);
  if (w.b_ih) check_weight(op, "b_ih", w.b_ih, {rows}, dtype);
  if (w.b_hh) check_weight(op, "b_hh", w.b_hh, {rows}, dtype);
  if (w.w_hr) check_weight(op, "w_hr", w.w_hr, {out, h}, dtype);
}

// The input's part of the gates; where the state's bias just adds, it is added here.
Tensor input_part(RecurrentKind kind, const Tensor& x, const Weights& w) {
  Tensor bias = w.b_ih;
  if (w.b_hh && kind != RecurrentKind::kGru) bias = bias ? add(bias, w.b_hh) : w.b_hh;
  return linear(x, w.w_ih, bias);
}

Tensor state_bias(RecurrentKind kind, const Weights& w) {
  return kind == RecurrentKind::kGru ? w.b_hh : Tensor();
}

std::vector<Weights> split_params(const char* op, RecurrentKind kind,
                                  const std::vector<Tensor>& params,
                                  const RecurrentOptions& options) {
  const size_t biases = options.has_biases ? 2 : 0;
  // Beyond what can be meant; the product below must not overflow.
  if (options.num_layers <= 0 || options.num_layers > (1 << 20))
    fail(ErrorCode::kRuntime, op, ": num_layers must be greater than zero, got ",
         options.num_layers);
  const size_t count = static_cast<size_t>(options.num_layers) * (options.bidirectional ? 2 : 1);
  const bool projects = kind == RecurrentKind::kLstm && params.size() == count * (3 + biases);
  const size_t each = 2 + biases + (projects ? 1 : 0);
  if (params.size() != count * each)
    fail(ErrorCode::kRuntime, op, ": expected ", count * each, " weights for ", options.num_layers,
         " layers, got ", params.size());
  std::vector<Weights> all;
  for (size_t i = 0; i < count; ++i) {
    const Tensor* p = &params[i * each];
    Weights w{p[0], p[1], Tensor(), Tensor(), Tensor()};
    if (biases) {
      w.b_ih = p[2];
      w.b_hh = p[3];
    }
    if (projects) w.w_hr = p[2 + biases];
    all.push_back(w);
  }
  return all;
}

Tensor initial_state(const char* op, const char* what, const Tensor& state, int64_t index,
                     int64_t count, int64_t rows, int64_t width, DType dtype) {
  if (!state) return zeros({rows, width}, dtype);
  const Shape wanted{count, rows, width};
  if (state.sizes() != wanted)
    fail(ErrorCode::kRuntime, op, ": Expected ", what, " size (", count, ", ", rows, ", ", width,
         "), got ", state.sizes());
  if (state.dtype() != dtype)
    fail(ErrorCode::kRuntime, op, ": expected ", what, " and input to have the same dtype");
  return select(state, 0, index);
}

struct StackResult {
  Tensor y, h, c;
};

StackResult run_stack(RecurrentKind kind, const Tensor& input, const Tensor& h0, const Tensor& c0,
                      const std::vector<Tensor>& params, const RecurrentOptions& options) {
  const char* op = name_of_kind(kind);
  if (input.dim() != 3)
    fail(ErrorCode::kRuntime, op, ": input must have 3 dimensions, got ", input.dim(),
         " and sizes ", input.sizes());
  if (!is_floating(input.dtype()))
    fail(ErrorCode::kRuntime, op, ": expected a floating point input, got dtype ",
         name_of(input.dtype()));
  if (!(options.dropout >= 0 && options.dropout <= 1))
    fail(ErrorCode::kRuntime, op, ": dropout probability has to be between 0 and 1, but got ",
         options.dropout);
  const std::vector<Weights> weights = split_params(op, kind, params, options);
  Tensor x = options.batch_first ? transpose(input, 0, 1) : input;
  const int64_t rows = x.size(1), count = static_cast<int64_t>(weights.size());
  if (x.size(0) == 0)
    fail(ErrorCode::kRuntime, op, ": Expected sequence length to be larger than 0 in RNN, got ",
         input.sizes());
  std::vector<Tensor> last_h, last_c;
  for (int64_t i = 0; i < count;) {
    std::vector<Tensor> directions;
    for (int d = 0; d < (options.bidirectional ? 2 : 1); ++d, ++i) {
      const Weights& w = weights[static_cast<size_t>(i)];
      check_weights(kind, w, x.size(2), x.dtype());
      const int64_t h = hidden_of(kind, w.w_ih), out = w.w_hr ? w.w_hr.size(0) : h;
      const bool is_lstm = kind == RecurrentKind::kLstm;
      const Tensor start =
          initial_state(op, is_lstm ? "hidden[0]" : "hidden", h0, i, count, rows, out, x.dtype());
      const Tensor cell =
          is_lstm ? initial_state(op, "hidden[1]", c0, i, count, rows, h, x.dtype()) : Tensor();
      const LayerResult result = recurrent_layer(kind, input_part(kind, x, w), start, cell, w.w_hh,
                                                 state_bias(kind, w), w.w_hr, d == 1);
      directions.push_back(result.y);
      last_h.push_back(select(result.y, 0, d == 1 ? 0 : x.size(0) - 1));
      last_c.push_back(result.c);
    }
    x = directions.size() == 1 ? directions[0] : cat(directions, 2);
    if (options.training && options.dropout > 0 && i < count) x = dropout(x, options.dropout);
  }
  StackResult all{options.batch_first ? transpose(x, 0, 1) : x, stack(last_h, 0), Tensor()};
  if (kind == RecurrentKind::kLstm) all.c = stack(last_c, 0);
  return all;
}

// ---- cells

void check_cell_state(const char* op, int number, const Tensor& input, const Tensor& state,
                      int64_t h) {
  if (state.dim() != input.dim() || (state.dim() == 2 && state.sizes()[0] != input.sizes()[0]))
    fail(ErrorCode::kRuntime, op, ": Input batch size ", input.dim() == 2 ? input.sizes()[0] : 1,
         " doesn't match hidden", number, " batch size ", state.dim() == 2 ? state.sizes()[0] : 1,
         "; got input ", input.sizes(), " and hidden ", state.sizes());
  if (state.size(-1) != h)
    fail(ErrorCode::kRuntime, op, ": hidden", number, " has inconsistent hidden_size: got ",
         state.size(-1), ", expected ", h, "; got hidden ", state.sizes());
}

LayerResult run_cell(RecurrentKind kind, const Tensor& input, const Tensor& h, const Tensor& c,
                     const Weights& w) {
  const std::string op = std::string(name_of_kind(kind)) + "_cell";
  if (input.dim() != 1 && input.dim() != 2)
    fail(ErrorCode::kRuntime, op, ": Expected input to be 1D or 2D, got ", input.dim(),
         "D instead; got sizes ", input.sizes());
  const int64_t size = hidden_of(kind, w.w_ih);
  if (input.size(-1) != w.w_ih.size(1))
    fail(ErrorCode::kRuntime, op, ": input has inconsistent input_size: got ", input.size(-1),
         " expected ", w.w_ih.size(1), "; got input ", input.sizes());
  check_weights(kind, w, input.size(-1), input.dtype());
  const bool is_row = input.dim() == 1;
  const int64_t rows = is_row ? 1 : input.sizes()[0];
  const auto state = [&](const Tensor& t, int number) {
    if (!t) return zeros({rows, size}, input.dtype());
    check_cell_state(op.c_str(), number, input, t, size);
    return is_row ? unsqueeze(t, 0) : t;
  };
  const Tensor before = state(h, 0), cell = kind == RecurrentKind::kLstm ? state(c, 1) : Tensor();
  const Tensor x = reshape(input, {1, rows, input.size(-1)});
  LayerResult all = recurrent_layer(kind, input_part(kind, x, w), before, cell, w.w_hh,
                                    state_bias(kind, w), Tensor(), false);
  all.y = reshape(all.y, is_row ? Shape{size} : Shape{rows, size});
  if (is_row && all.c) all.c = reshape(all.c, {size});
  return all;
}

}  // namespace
}  // namespace detail

using detail::run_cell;
using detail::run_stack;

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& input, const Tensor& h0, const Tensor& c0,
                                        const std::vector<Tensor>& params,
                                        const RecurrentOptions& options) {
  const auto all = run_stack(RecurrentKind::kLstm, input, h0, c0, params, options);
  return {all.y, all.h, all.c};
}

std::pair<Tensor, Tensor> gru(const Tensor& input, const Tensor& h0,
                              const std::vector<Tensor>& params, const RecurrentOptions& options) {
  const auto all = run_stack(RecurrentKind::kGru, input, h0, Tensor(), params, options);
  return {all.y, all.h};
}

std::pair<Tensor, Tensor> rnn_tanh(const Tensor& input, const Tensor& h0,
                                   const std::vector<Tensor>& params,
                                   const RecurrentOptions& options) {
  const auto all = run_stack(RecurrentKind::kTanh, input, h0, Tensor(), params, options);
  return {all.y, all.h};
}

std::pair<Tensor, Tensor> rnn_relu(const Tensor& input, const Tensor& h0,
                                   const std::vector<Tensor>& params,
                                   const RecurrentOptions& options) {
  const auto all = run_stack(RecurrentKind::kRelu, input, h0, Tensor(), params, options);
  return {all.y, all.h};
}

std::pair<Tensor, Tensor> lstm_cell(const Tensor& input, const Tensor& h, const Tensor& c,
                                    const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                                    const Tensor& b_hh) {
  const auto all = run_cell(RecurrentKind::kLstm, input, h, c, {w_ih, w_hh, b_ih, b_hh, Tensor()});
  return {all.y, all.c};
}

Tensor gru_cell(const Tensor& input, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                const Tensor& b_ih, const Tensor& b_hh) {
  return run_cell(RecurrentKind::kGru, input, h, Tensor(), {w_ih, w_hh, b_ih, b_hh, Tensor()}).y;
}

Tensor rnn_tanh_cell(const Tensor& input, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih, const Tensor& b_hh) {
  return run_cell(RecurrentKind::kTanh, input, h, Tensor(), {w_ih, w_hh, b_ih, b_hh, Tensor()}).y;
}

Tensor rnn_relu_cell(const Tensor& input, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih, const Tensor& b_hh) {
  return run_cell(RecurrentKind::kRelu, input, h, Tensor(), {w_ih, w_hh, b_ih, b_hh, Tensor()}).y;
}

}  // namespace autograd
