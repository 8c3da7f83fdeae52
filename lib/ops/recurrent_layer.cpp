// LSTM, GRU and RNN layers: the loop over time runs in one op, with one matrix product per step;
// the weights' gradient is one product over all steps.
#include "ops/recurrent_layer.hpp"

#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/recurrent.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/product_rules.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

bool is_reversed(const Attrs& attrs) { return attrs.ints[0]; }
bool is_relu(const Attrs& attrs) { return attrs.ints[1]; }

/// A contiguous [steps, rows, width] tensor, read step by step in the layer's direction.
struct Sequence {
  Sequence(TensorBody& t, bool reverse)
      : data(t.data), steps(t.sizes[0]), reverse(reverse), bytes(0) {
    bytes = t.sizes[1] * t.sizes[2] * static_cast<int64_t>(size_of(t.dtype));
  }
  char* operator[](int64_t step) const {
    return data + (reverse ? steps - 1 - step : step) * bytes;
  }
  char* data;
  int64_t steps;
  bool reverse;
  int64_t bytes;
};

// True if there is nothing to loop over, however many steps there are; all outputs are then 0.
bool finish_empty(const Call& call, const TensorBody& y) {
  if (y.numel != 0) return false;
  for (int i = 0; i < call.n_outputs; ++i) {
    TensorBody& out = call.out(i);
    if (out.numel) std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  }
  return true;
}

struct Sizes {
  explicit Sizes(const TensorBody& y)
      : steps(y.sizes[0]),
        rows(y.sizes[1]),
        h(y.sizes[2]),
        dtype(y.dtype),
        state_bytes(static_cast<size_t>(rows * h) * size_of(dtype)) {}
  int64_t steps, rows, h;
  DType dtype;
  size_t state_bytes;
};

/// out [rows, n] (+)= a [rows, k] b; b is row-major [k, n].
void multiply(const Sizes& s, const void* a, int64_t k, const void* b, int64_t n, void* out,
              int64_t out_row, bool accumulate, const void* bias = nullptr) {
  cpu::GemmEpilogue epilogue;
  epilogue.accumulate = accumulate;
  epilogue.bias = bias;
  multiply_matrices(s.dtype, s.rows, n, k, {a, k, 1}, {b, n, 1}, out, out_row, epilogue);
}

/// w [n, k] as row-major [k, n], so that no step has to transpose it.
Tensor transposed(TensorBody& w) {
  const Tensor alias = make_alias(&w, {w.sizes[1], w.sizes[0]}, {w.strides[1], w.strides[0]}, 0);
  return dense(*body(alias));
}

void check_part(const Call& call, int i, const Shape& wanted) {
  const TensorBody& t = call.in(i);
  if (t.sizes != wanted || t.dtype != call.in(0).dtype)
    fail(ErrorCode::kRuntime, call.op.name, ": input ", i, " has sizes ", t.sizes, " and dtype ",
         name_of(t.dtype), ", expected ", wanted, " and ", name_of(call.in(0).dtype));
}

// dW = sum over steps of dgates^T h_before: h_before is the output of the step before, h0 at first.
void weight_gradient(const Sizes& s, const Call& call, const TensorBody& y, const void* h0,
                     const TensorBody& dgates, TensorBody& dw) {
  const int64_t n = dgates.sizes[2], rest = (s.steps - 1) * s.rows;
  const int64_t item = static_cast<int64_t>(size_of(s.dtype));
  const bool reverse = is_reversed(call.attrs);
  const int64_t state = s.rows * s.h * item, gates = s.rows * n * item;
  // Steps but the first pair with the outputs of the steps before them.
  const char* later = reverse ? dgates.data : dgates.data + gates;
  const char* earlier = reverse ? y.data + state : y.data;
  const char* first = reverse ? dgates.data + (s.steps - 1) * gates : dgates.data;
  multiply_matrices(s.dtype, n, s.h, rest, {later, 1, n}, {earlier, s.h, 1}, dw.data, s.h);
  cpu::GemmEpilogue add;
  add.accumulate = true;
  multiply_matrices(s.dtype, n, s.h, s.rows, {first, 1, n}, {h0, s.h, 1}, dw.data, s.h, add);
}

void add_into(const Sizes& s, char* to, const char* from) {
  const int64_t n = s.rows * s.h;
  if (s.dtype == DType::kFloat64) {
    for (int64_t i = 0; i < n; ++i)
      reinterpret_cast<double*>(to)[i] += reinterpret_cast<const double*>(from)[i];
  } else {
    for (int64_t i = 0; i < n; ++i)
      reinterpret_cast<float*>(to)[i] += reinterpret_cast<const float*>(from)[i];
  }
}

// ---- LSTM; inputs: x, h0, c0, w_hh. Outputs: y, last c, gates, all c.

void infer_lstm(const Call& call, OutputMetas& outputs) {
  const Shape& x = call.in(0).sizes;
  const int64_t steps = x[0], rows = x[1], h = x[2] / 4;
  check_part(call, 1, {rows, h});
  check_part(call, 2, {rows, h});
  check_part(call, 3, {4 * h, h});
  const DType dtype = call.in(0).dtype;
  outputs.add(dtype, {steps, rows, h});
  outputs.add(dtype, {rows, h});
  outputs.add(dtype, x);
  outputs.add(dtype, {steps, rows, h});
}

void forward_lstm(const Call& call) {
  if (finish_empty(call, call.out(0))) return;
  TensorBody &y = call.out(0), &cells = call.out(3);
  const Sizes s(y);
  const bool reverse = is_reversed(call.attrs);
  copy_into(call.out(2), call.in(0));
  const Sequence gates(call.out(2), reverse), c(cells, reverse), out(y, reverse);
  const Tensor h0 = dense(call.in(1)), c0 = dense(call.in(2)), w = transposed(call.in(3));
  const void *h = h0.data(), *cell = c0.data();
  for (int64_t t = 0; t < s.steps; ++t) {
    multiply(s, h, s.h, w.data(), 4 * s.h, gates[t], 4 * s.h, true);
    cpu::lstm_step(s.dtype, s.rows, s.h, gates[t], cell, c[t], out[t]);
    h = out[t];
    cell = c[t];
  }
  std::memcpy(call.out(1).data, cell, s.state_bytes);
}

// Inputs: gradients of y and of the last c (may be absent), h0, c0, w_hh, y, gates, all c.
// Outputs: gradients of x, h0, c0, w_hh.
void infer_lstm_backward(const Call& call, OutputMetas& outputs) {
  const DType dtype = call.in(2).dtype;
  for (int i : {6, 2, 3, 4}) outputs.add(dtype, call.in(i).sizes);
}

void forward_lstm_backward(const Call& call) {
  if (finish_empty(call, call.in(5))) return;
  const Sizes s(call.in(5));
  const bool reverse = is_reversed(call.attrs);
  const Tensor gy = dense(call.in(0)), h0 = dense(call.in(2)), c0 = dense(call.in(3)),
               w = dense(call.in(4));
  const Sequence g(*body(gy), reverse), gates(call.in(6), reverse), c(call.in(7), reverse),
      dgates(call.out(0), reverse);
  char *dh = call.out(1).data, *dc = call.out(2).data;
  if (call.has(1))
    copy_into(call.out(2), call.in(1));
  else
    std::memset(dc, 0, s.state_bytes);
  std::memset(dh, 0, s.state_bytes);
  for (int64_t t = s.steps - 1; t >= 0; --t) {
    add_into(s, dh, g[t]);
    cpu::lstm_step_backward(s.dtype, s.rows, s.h, gates[t],
                            t > 0 ? c[t - 1] : static_cast<char*>(c0.data()), c[t], dh, dc,
                            dgates[t]);
    multiply(s, dgates[t], 4 * s.h, w.data(), s.h, dh, s.h, false);
  }
  weight_gradient(s, call, call.in(5), h0.data(), call.out(0), call.out(3));
}

// ---- GRU; inputs: x, h0, w_hh, b_hh (may be absent). Outputs: y, r z n s_n of all steps.

void infer_gru(const Call& call, OutputMetas& outputs) {
  const Shape& x = call.in(0).sizes;
  const int64_t steps = x[0], rows = x[1], h = x[2] / 3;
  check_part(call, 1, {rows, h});
  check_part(call, 2, {3 * h, h});
  if (call.has(3)) check_part(call, 3, {3 * h});
  outputs.add(call.in(0).dtype, {steps, rows, h});
  outputs.add(call.in(0).dtype, {steps, rows, 4 * h});
}

void forward_gru(const Call& call) {
  if (finish_empty(call, call.out(0))) return;
  const Sizes s(call.out(0));
  const bool reverse = is_reversed(call.attrs);
  const Tensor x_rows = dense(call.in(0)), h0 = dense(call.in(1)), w = transposed(call.in(2));
  const Tensor bias = call.has(3) ? dense(call.in(3)) : Tensor();
  const Sequence x(*body(x_rows), reverse), gates(call.out(1), reverse), out(call.out(0), reverse);
  const void* h = h0.data();
  for (int64_t t = 0; t < s.steps; ++t) {
    multiply(s, h, s.h, w.data(), 3 * s.h, gates[t], 4 * s.h, false, bias ? bias.data() : nullptr);
    cpu::gru_step(s.dtype, s.rows, s.h, x[t], gates[t], h, out[t]);
    h = out[t];
  }
}

// Inputs: gradient of y, h0, w_hh, y, r z n s_n. Outputs: gradients of x, h0, w_hh and, step by
// step, of the parts that come from the state.
void infer_gru_backward(const Call& call, OutputMetas& outputs) {
  const Shape& y = call.in(3).sizes;
  const DType dtype = call.in(1).dtype;
  const Shape gates{y[0], y[1], 3 * y[2]};
  outputs.add(dtype, gates);
  outputs.add(dtype, call.in(1).sizes);
  outputs.add(dtype, call.in(2).sizes);
  outputs.add(dtype, gates);
}

void forward_gru_backward(const Call& call) {
  if (finish_empty(call, call.in(3))) return;
  const Sizes s(call.in(3));
  const bool reverse = is_reversed(call.attrs);
  const Tensor gy = dense(call.in(0)), h0 = dense(call.in(1)), w = dense(call.in(2));
  const Sequence g(*body(gy), reverse), y(call.in(3), reverse), gates(call.in(4), reverse),
      dx(call.out(0), reverse), ds(call.out(3), reverse);
  char* dh = call.out(1).data;
  std::memset(dh, 0, s.state_bytes);
  for (int64_t t = s.steps - 1; t >= 0; --t) {
    add_into(s, dh, g[t]);
    cpu::gru_step_backward(s.dtype, s.rows, s.h, gates[t],
                           t > 0 ? y[t - 1] : static_cast<char*>(h0.data()), dh, dx[t], ds[t], dh);
    multiply(s, ds[t], 3 * s.h, w.data(), s.h, dh, s.h, true);
  }
  weight_gradient(s, call, call.in(3), h0.data(), call.out(3), call.out(2));
}

// ---- RNN; inputs: x, h0, w_hh. Output: y.

void infer_rnn(const Call& call, OutputMetas& outputs) {
  const Shape& x = call.in(0).sizes;
  check_part(call, 1, {x[1], x[2]});
  check_part(call, 2, {x[2], x[2]});
  outputs.add(call.in(0).dtype, x);
}

void forward_rnn(const Call& call) {
  if (finish_empty(call, call.out(0))) return;
  const Sizes s(call.out());
  copy_into(call.out(), call.in(0));
  const Sequence out(call.out(), is_reversed(call.attrs));
  const Tensor h0 = dense(call.in(1)), w = transposed(call.in(2));
  const void* h = h0.data();
  for (int64_t t = 0; t < s.steps; ++t) {
    multiply(s, h, s.h, w.data(), s.h, out[t], s.h, true);
    cpu::rnn_step(s.dtype, is_relu(call.attrs), s.rows * s.h, out[t]);
    h = out[t];
  }
}

// Inputs: gradient of y, h0, w_hh, y. Outputs: gradients of x, h0, w_hh.
void infer_rnn_backward(const Call& call, OutputMetas& outputs) {
  for (int i : {3, 1, 2}) outputs.add(call.in(1).dtype, call.in(i).sizes);
}

void forward_rnn_backward(const Call& call) {
  if (finish_empty(call, call.in(3))) return;
  const Sizes s(call.in(3));
  const bool reverse = is_reversed(call.attrs);
  const Tensor gy = dense(call.in(0)), h0 = dense(call.in(1)), w = dense(call.in(2));
  const Sequence g(*body(gy), reverse), y(call.in(3), reverse), dx(call.out(0), reverse);
  char* dh = call.out(1).data;
  std::memset(dh, 0, s.state_bytes);
  for (int64_t t = s.steps - 1; t >= 0; --t) {
    add_into(s, dh, g[t]);
    cpu::rnn_step_backward(s.dtype, is_relu(call.attrs), s.rows * s.h, y[t], dh, dx[t]);
    multiply(s, dx[t], s.h, w.data(), s.h, dh, s.h, false);
  }
  weight_gradient(s, call, call.in(3), h0.data(), call.out(0), call.out(2));
}

// ---- records

// Input i is x, or gates, of a sequence: [steps, rows, parts * width].
void check_sequence(const Call& call, int i, int parts) {
  need_rank(call, i, 3);
  need_float(call, i);
  need(call, call.in(i).sizes[2] % parts == 0, "gates do not fit");
}

template <int kInputs, int kOutputs, int kParts>
void check_layer(const Call& call) {
  need_counts(call, kInputs, kInputs, kOutputs);
  check_sequence(call, 0, kParts);
}

// Of a backward pass: y [steps, rows, h] with its gradient, the first state, and the weight of
// `gates` parts. All of y's dtype and without gaps.
void check_layer_backward(const Call& call, int y, int h0, int w, int gates) {
  check_sequence(call, y, 1);
  const Shape& s = call.in(y).sizes;
  const Shape state{s[1], s[2]};
  need_sizes(call, 0, s);
  need_sizes(call, h0, state);
  need_sizes(call, w, {gates * s[2], s[2]});
  for (int i = 0; i < call.n_inputs; ++i) need_dtype_of(call, i, y);
  need_dense(call, y);
}

void check_lstm_backward(const Call& call) {
  need_counts(call, 8, 8, 4);
  check_layer_backward(call, 5, 2, 4, 4);
  const Shape& s = call.in(5).sizes;
  for (int i : {1, 3}) need_sizes(call, i, {s[1], s[2]});
  need_sizes(call, 6, {s[0], s[1], 4 * s[2]});
  need_sizes(call, 7, s);
  for (int i : {6, 7}) need_dense(call, i);
}

void check_gru_backward(const Call& call) {
  need_counts(call, 5, 5, 4);
  check_layer_backward(call, 3, 1, 2, 3);
  const Shape& s = call.in(3).sizes;
  need_sizes(call, 4, {s[0], s[1], 4 * s[2]});
  need_dense(call, 4);
}

void check_rnn_backward(const Call& call) {
  need_counts(call, 4, 4, 3);
  check_layer_backward(call, 3, 1, 2, 1);
}

constexpr Op op_lstm_backward = {.name = "lstm_layer_backward",
                                 .traits = kProduct,
                                 .infer = infer_lstm_backward,
                                 .forward = {forward_lstm_backward},
                                 .attrs = ";;reverse",
                                 .doc = "gradients of an LSTM layer",
                                 .optional_inputs = 1 << 1,
                                 .flops = recurrent_backward_flops<4>,
                                 .check = check_lstm_backward};
constexpr Op op_gru_backward = {.name = "gru_layer_backward",
                                .traits = kProduct,
                                .infer = infer_gru_backward,
                                .forward = {forward_gru_backward},
                                .attrs = ";;reverse",
                                .doc = "gradients of a GRU layer",
                                .flops = recurrent_backward_flops<2>,
                                .check = check_gru_backward};
constexpr Op op_rnn_backward = {.name = "rnn_layer_backward",
                                .traits = kProduct,
                                .infer = infer_rnn_backward,
                                .forward = {forward_rnn_backward},
                                .attrs = ";;reverse,relu",
                                .doc = "gradients of an RNN layer",
                                .flops = recurrent_backward_flops<2>,
                                .check = check_rnn_backward};

template <size_t n>
void run_backward(Backward& r, const Op& op, const Tensor (&inputs)[n], Tensor* grads,
                  int n_grads) {
  Vector<Arg> args;
  args.reserve(n);
  for (const Tensor& t : inputs) args.push_back(Arg(t));
  dispatch(op, args.data(), static_cast<int>(n), r.attrs(), grads, n_grads);
}

void set_all(Backward& r, const Tensor* grads, int n) {
  for (int i = 0; i < n; ++i)
    if (r.needs(i)) r.set(i, grads[i]);
}

void backward_lstm(Backward& r) {
  if (wants_composite(r))
    return differentiate_composite(r, [&](const std::vector<Tensor>& x) {
      const LayerResult all = composed_layer(RecurrentKind::kLstm, x[0], x[1], x[2], x[3], Tensor(),
                                             Tensor(), is_reversed(r.attrs()));
      return std::vector<Tensor>{all.y, all.c};
    });
  const Tensor inputs[] = {r.grad(0),   r.has_grad(1) ? r.grad(1) : Tensor(),
                           r.input(1),  r.input(2),
                           r.input(3),  r.output(0),
                           r.output(2), r.output(3)};
  Tensor grads[4];
  run_backward(r, op_lstm_backward, inputs, grads, 4);
  set_all(r, grads, 4);
}

void backward_gru(Backward& r) {
  if (wants_composite(r))
    return differentiate_composite(r, [&](const std::vector<Tensor>& x) {
      return std::vector<Tensor>{composed_layer(RecurrentKind::kGru, x[0], x[1], Tensor(), x[2],
                                                x[3], Tensor(), is_reversed(r.attrs()))
                                     .y};
    });
  const Tensor inputs[] = {r.grad(0), r.input(1), r.input(2), r.output(0), r.output(1)};
  Tensor grads[4];
  run_backward(r, op_gru_backward, inputs, grads, 4);
  set_all(r, grads, 3);
  if (r.needs(3)) r.set(3, sum(grads[3], {0, 1}));
}

void backward_rnn(Backward& r) {
  if (wants_composite(r))
    return differentiate_composite(r, [&](const std::vector<Tensor>& x) {
      const RecurrentKind kind = is_relu(r.attrs()) ? RecurrentKind::kRelu : RecurrentKind::kTanh;
      return std::vector<Tensor>{composed_layer(kind, x[0], x[1], Tensor(), x[2], Tensor(),
                                                Tensor(), is_reversed(r.attrs()))
                                     .y};
    });
  const Tensor inputs[] = {r.grad(0), r.input(1), r.input(2), r.output(0)};
  Tensor grads[3];
  run_backward(r, op_rnn_backward, inputs, grads, 3);
  set_all(r, grads, 3);
}

// vmap: the rows of all examples are rows of one call. Inputs from `weights` on are weights, which
// all examples share; recurrent_layer() sees to that.
template <int weights>
bool batch_layer(const BatchedCall& c) {
  Vector<Tensor> inputs;
  for (int i = 0; i < c.n_inputs; ++i) {
    if (i >= weights) {
      if (c.is_batched(i)) return false;
      inputs.push_back(c.values[i]);
      continue;
    }
    const int rows = c.rank(i) - 2;  // a sequence's come after its steps
    const Tensor all = transpose(c.front(i), 0, rows);
    Shape sizes = c.sizes(i);
    sizes[rows] *= c.size;
    inputs.push_back(reshape(all, sizes));
  }
  c.make(inputs, c.attrs);
  for (int k = 0; k < c.n_outputs; ++k) {
    const int rows = c.outputs[k].dim() - 2;
    Shape sizes = c.outputs[k].sizes();
    sizes[rows] /= c.size;
    sizes.insert(rows, c.size);
    c.outputs[k] = transpose(reshape(c.outputs[k], sizes), 0, rows);
  }
  return true;
}

constexpr uint32_t kAllInputs = reads_input(0) | reads_input(1) | reads_input(2) | reads_input(3);
constexpr uint32_t kLstmReads = kAllInputs | reads_output(0) | reads_output(2) | reads_output(3);
constexpr uint32_t kGruReads = kAllInputs | reads_output(0) | reads_output(1);
constexpr uint32_t kRnnReads = kAllInputs | reads_output(0);

constexpr Op op_lstm = {.name = "lstm_layer",
                        .traits = kProduct,
                        .infer = infer_lstm,
                        .forward = {forward_lstm},
                        .backward = backward_lstm,
                        .reads = {kLstmReads, kLstmReads, kLstmReads},
                        .attrs = ";;reverse",
                        .doc = "an LSTM over a sequence, given the input's part of the gates",
                        .flops = recurrent_flops<3>,
                        .inputs = ",h0,c0",
                        .batch = {.call = batch_layer<3>},
                        .check = (check_layer<4, 4, 4>)};
constexpr Op op_gru = {.name = "gru_layer",
                       .traits = kProduct,
                       .infer = infer_gru,
                       .forward = {forward_gru},
                       .backward = backward_gru,
                       .reads = {kGruReads, kGruReads, kGruReads},
                       .attrs = ";;reverse",
                       .doc = "a GRU over a sequence, given the input's part of the gates",
                       .optional_inputs = 1 << 3,
                       .flops = recurrent_flops<2>,
                       .inputs = ",h0",
                       .batch = {.call = batch_layer<2>},
                       .check = (check_layer<4, 2, 3>)};
constexpr Op op_rnn = {.name = "rnn_layer",
                       .traits = kProduct,
                       .infer = infer_rnn,
                       .forward = {forward_rnn},
                       .backward = backward_rnn,
                       .reads = {kRnnReads, kRnnReads, kRnnReads},
                       .attrs = ";;reverse,relu",
                       .doc = "tanh(x + h w^T) or relu of it over a sequence",
                       .flops = recurrent_flops<2>,
                       .inputs = ",h0",
                       .batch = {.call = batch_layer<2>},
                       .check = (check_layer<3, 1, 1>)};

constexpr const Op* kRecurrentOps[] = {&op_lstm,          &op_gru,          &op_rnn,
                                       &op_lstm_backward, &op_gru_backward, &op_rnn_backward};

}  // namespace

OpList recurrent_ops() { return {kRecurrentOps, std::size(kRecurrentOps)}; }

LayerResult recurrent_layer(RecurrentKind kind, const Tensor& x, const Tensor& h0, const Tensor& c0,
                            const Tensor& w_hh, const Tensor& b_hh, const Tensor& w_hr,
                            bool reverse) {
  // Without rows there is nothing to do in steps, and neither a projection is fused nor weights
  // that differ between examples.
  const bool differs = !has_elements(w_hh) || (b_hh && !has_elements(b_hh));
  if (w_hr || x.numel() == 0 || differs)
    return composed_layer(kind, x, h0, c0, w_hh, b_hh, w_hr, reverse);
  Attrs attrs;
  attrs.ints[0] = reverse;
  attrs.ints[1] = kind == RecurrentKind::kRelu;
  Tensor out[4];
  if (kind == RecurrentKind::kLstm) {
    const Arg inputs[] = {x, h0, c0, w_hh};
    dispatch(op_lstm, inputs, 4, attrs, out, 4);
    return {out[0], out[1]};
  }
  if (kind == RecurrentKind::kGru) {
    const Arg inputs[] = {x, h0, w_hh, b_hh};
    dispatch(op_gru, inputs, 4, attrs, out, 2);
  } else {
    const Arg inputs[] = {x, h0, w_hh};
    dispatch(op_rnn, inputs, 3, attrs, out, 1);
  }
  return {out[0], Tensor()};
}

LayerResult composed_layer(RecurrentKind kind, const Tensor& x, const Tensor& h0, const Tensor& c0,
                           const Tensor& w_hh, const Tensor& b_hh, const Tensor& w_hr,
                           bool reverse) {
  const int64_t steps = x.size(0);
  // Nothing to compute; sizes of empty tensors can be astronomic, and such a loop would not end.
  if (x.numel() == 0 && steps > 4096) return {zeros({steps, x.size(1), h0.size(1)}, x.dtype()), c0};
  std::vector<Tensor> outputs(static_cast<size_t>(steps));
  Tensor h = h0, c = c0;
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t t = reverse ? steps - 1 - i : i;
    const Tensor from_input = select(x, 0, t), from_state = linear(h, w_hh, b_hh);
    if (kind == RecurrentKind::kLstm) {
      const std::vector<Tensor> gates = chunk(add(from_input, from_state), 4, 1);
      c = add(mul(sigmoid(gates[1]), c), mul(sigmoid(gates[0]), tanh(gates[2])));
      h = mul(sigmoid(gates[3]), tanh(c));
      if (w_hr) h = linear(h, w_hr);
    } else if (kind == RecurrentKind::kGru) {
      const std::vector<Tensor> a = chunk(from_input, 3, 1), b = chunk(from_state, 3, 1);
      const Tensor z = sigmoid(add(a[1], b[1]));
      const Tensor n = tanh(add(a[2], mul(sigmoid(add(a[0], b[0])), b[2])));
      h = add(n, mul(z, sub(h, n)));
    } else {
      const Tensor sum = add(from_input, from_state);
      h = kind == RecurrentKind::kRelu ? relu(sum) : tanh(sum);
    }
    outputs[static_cast<size_t>(t)] = h;
  }
  return {stack(outputs, 0), c};
}

}  // namespace detail
}  // namespace autograd
