// Normalization over the last dims: layer norm and RMS norm.
#include "kernels/cpu/normalize.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/reduce.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/normalize.hpp"
#include "ops/pieces.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {

void check_affine(const Call& call, int i, const char* what, const Shape& sizes) {
  if (!call.has(i)) return;
  const TensorBody &t = call.in(i), &x = call.in(0);
  if (t.sizes != sizes)
    fail(ErrorCode::kRuntime, call.op.name, ": ", what, " should contain ",
         sizes.empty() ? 1 : sizes[0], " elements not ", t.numel, ": got ", what, " of shape ",
         t.sizes, " for input of shape ", x.sizes);
  if (t.dtype != x.dtype)
    fail(ErrorCode::kRuntime, call.op.name,
         ": mixed dtype (CPU): all inputs must share same datatype, got input ", name_of(x.dtype),
         " and ", what, " ", name_of(t.dtype));
}

Tensor normalized_gradient(const Tensor& g, const Tensor& x, const Tensor& weight,
                           const Shape& dims, double eps, Tensor* xhat_out) {
  const Tensor centred = x - mean(x, dims, true);
  const Tensor r = pow(mean(centred * centred, dims, true) + eps, scalar(-0.5));
  const Tensor xhat = centred * r, gw = weight ? g * weight : g;
  *xhat_out = xhat;
  return r * (gw - mean(gw, dims, true) - xhat * mean(gw * xhat, dims, true));
}

void infer_norm_backward(const Call& call, OutputMetas& outputs, int wanted, const Shape& affine) {
  for (int i = 0; i < 3; ++i) {
    OutputMeta& meta = outputs.add();
    meta.dtype = call.in(1).dtype;
    meta.sizes = !(call.attrs.ints[wanted] >> i & 1) ? Shape{0}
                 : i == 0                            ? call.in(1).sizes
                                                     : affine;
  }
}

void run_norm_backward(const Op& op, int wanted, Backward& b, const Tensor& x,
                       const Tensor& weight) {
  Attrs attrs = b.attrs();
  attrs.ints[wanted] = b.needs(0) | b.needs(1) << 1 | b.needs(2) << 2;
  const Tensor g = b.grad(), stats = b.output(1);
  const Arg inputs[4] = {g, x, stats, weight};
  Tensor outputs[3];
  dispatch(op, inputs, 4, attrs, outputs, 3);
  for (int i = 0; i < 3; ++i)
    if (b.needs(i)) b.set(i, outputs[i]);
}

namespace {

// In the attributes: lists[0] = normalized shape, reals[0] = eps.
const Shape& normalized_shape(const Call& call) { return call.attrs.lists[0]; }

struct NormRows {
  int64_t rows = 1, n = 1;
};

NormRows rows_of(const Call& call, const Shape& sizes) {
  NormRows r;
  const int split = sizes.size() - normalized_shape(call).size();
  for (int d = 0; d < sizes.size(); ++d) (d < split ? r.rows : r.n) *= sizes[d];
  return r;
}

void check_shapes(const Call& call) {
  const TensorBody& x = call.in(0);
  const Shape& shape = normalized_shape(call);
  if (shape.empty())
    fail(ErrorCode::kRuntime, call.op.name,
         ": Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
         "element, but got normalized_shape = ",
         shape);
  const int split = x.sizes.size() - shape.size();
  bool fits = split >= 0;
  for (int d = 0; fits && d < shape.size(); ++d) fits = x.sizes[split + d] == shape[d];
  if (!fits)
    fail(ErrorCode::kRuntime, call.op.name, ": Given normalized_shape=", shape,
         ", expected input with shape [*, ", to_string(shape).substr(1), ", but got input of size",
         x.sizes);
  for (int i = 1; i < call.n_inputs; ++i)
    if (call.has(i) && call.in(i).sizes != shape) {
      const char* what = i == 1 ? "weight" : "bias";
      fail(ErrorCode::kRuntime, call.op.name, ": Expected ", what,
           " to be of same shape as normalized_shape, but got ", what, " of shape ",
           call.in(i).sizes, " and normalized_shape = ", shape);
    }
}

// Outputs: y, and [2, rows] of means and reciprocal deviations (the latter only, for RMS norm).
void infer_rows(const Call& call, OutputMetas& outputs) {
  check_shapes(call);
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for ", name_of(x.dtype));
  check_affine(call, 1, "weight", normalized_shape(call));
  check_affine(call, 2, "bias", normalized_shape(call));
  OutputMeta& y = outputs.add();
  y.dtype = x.dtype;
  y.sizes = x.sizes;
  OutputMeta& stats = outputs.add();
  stats.dtype = x.dtype;
  stats.sizes = {2, rows_of(call, x.sizes).rows};
}

int64_t rows_per_piece(const NormRows& r) { return std::max<int64_t>(1, kGrain / (2 * r.n)); }

/// The rows [begin, end) block by block: with steps around them, blocks that stay in the cache.
template <class Work>
void for_blocks(const Pieces& pieces, const NormRows& r, int64_t begin, int64_t end,
                const Work& work) {
  const bool whole = !pieces.before && !pieces.after;
  const int64_t block = whole ? end - begin : std::max<int64_t>(1, kPiece / r.n);
  for (int64_t first = begin; first < end; first += block) {
    const int64_t last = std::min(end, first + block);
    pieces.begin_piece(first * r.n, last * r.n);
    work(first, last);
    pieces.end_piece(first * r.n, last * r.n);
  }
}

template <bool kCentred>
void rows_in_pieces(const Call& call, const Pieces& pieces) {
  const Tensor x = dense(call.in(0));
  const Tensor weight = call.has(1) ? dense(call.in(1)) : Tensor();
  const Tensor bias = call.has(2) ? dense(call.in(2)) : Tensor();
  const DType dtype = x.dtype();
  const size_t item = size_of(dtype);
  const NormRows r = rows_of(call, x.sizes());
  if (r.rows == 0 || r.n == 0) return;
  char* stats = call.out(1).data;
  const auto normalize = [&](int64_t begin, int64_t end) {
    const size_t at = static_cast<size_t>(begin) * item, row = static_cast<size_t>(r.n) * at;
    const cpu::NormRows part{end - begin, r.n, weight ? weight.data() : nullptr,
                             bias ? bias.data() : nullptr, call.attrs.reals[0]};
    const char* from = static_cast<const char*>(x.data()) + row;
    char* rstd = stats + static_cast<size_t>(r.rows) * item + at;
    if (kCentred)
      cpu::layer_norm(dtype, part, from, call.out().data + row, stats + at, rstd);
    else
      cpu::rms_norm(dtype, part, from, call.out().data + row, rstd);
  };
  parallel_for(r.rows, rows_per_piece(r),
               [&](int64_t begin, int64_t end) { for_blocks(pieces, r, begin, end, normalize); });
}

template <bool kCentred>
void forward_rows(const Call& call) {
  rows_in_pieces<kCentred>(call, {});
}

// ---- backward; ints[0]: the gradients that are wanted

void infer_rows_backward(const Call& call, OutputMetas& outputs) {
  infer_norm_backward(call, outputs, 0, normalized_shape(call));
}

// Rows whose shares of dweight and dbias are summed together.
int64_t chunk_of(int64_t rows) { return std::max<int64_t>(64, (rows + 63) / 64); }

template <bool kCentred>
void rows_backward_in_pieces(const Call& call, const Pieces& pieces) {
  const Tensor g = dense(call.in(0)), x = dense(call.in(1)), stats = dense(call.in(2));
  const Tensor weight = call.has(3) ? dense(call.in(3)) : Tensor();
  const DType dtype = x.dtype();
  const size_t item = size_of(dtype);
  const NormRows r = rows_of(call, x.sizes());
  const size_t n_bytes = static_cast<size_t>(r.n) * item;
  const bool wants[3] = {(call.attrs.ints[0] & 1) != 0, (call.attrs.ints[0] & 2) != 0,
                         (call.attrs.ints[0] & 4) != 0};
  for (int i = 1; i < 3; ++i)
    if (wants[i] && n_bytes) std::memset(call.out(i).data, 0, n_bytes);
  if (r.rows == 0 || r.n == 0) return;
  const int64_t chunk = chunk_of(r.rows), chunks = (r.rows + chunk - 1) / chunk;
  // One chunk adds to the results themselves, several to a row each, which are summed afterwards.
  Tensor partial[3];
  char* sums[3] = {nullptr, nullptr, nullptr};
  for (int i = 1; i < 3; ++i)
    if (wants[i]) {
      if (chunks > 1) partial[i] = zeros({chunks, r.n}, dtype);
      sums[i] = chunks > 1 ? static_cast<char*>(partial[i].data()) : call.out(i).data;
    }
  // Rows of one chunk.
  const auto derive = [&](int64_t chunk_number, int64_t first, int64_t last) {
    const size_t at = static_cast<size_t>(first) * item, row = static_cast<size_t>(r.n) * at,
                 sum = static_cast<size_t>(chunk_number) * n_bytes;
    const cpu::NormRows part{last - first, r.n, weight ? weight.data() : nullptr, nullptr, 0};
    const char* gs = static_cast<const char*>(g.data()) + row;
    const char* xs = static_cast<const char*>(x.data()) + row;
    const char* means = static_cast<const char*>(stats.data()) + at;
    const char* rstd = means + static_cast<size_t>(r.rows) * item;
    char* dx = wants[0] ? call.out(0).data + row : nullptr;
    char* dw = sums[1] ? sums[1] + sum : nullptr;
    char* db = sums[2] ? sums[2] + sum : nullptr;
    if (kCentred)
      cpu::layer_norm_backward(dtype, part, gs, xs, means, rstd, dx, dw, db);
    else
      cpu::rms_norm_backward(dtype, part, gs, xs, rstd, dx, dw);
  };
  parallel_for(chunks, std::max<int64_t>(1, rows_per_piece(r) / chunk),
               [&](int64_t begin, int64_t end) {
                 for (int64_t c = begin; c < end; ++c)
                   for_blocks(pieces, r, c * chunk, std::min(r.rows, (c + 1) * chunk),
                              [&](int64_t first, int64_t last) { derive(c, first, last); });
               });
  for (int i = 1; i < 3; ++i)
    if (partial[i])
      cpu::reduce(cpu::ReduceOp::kSum, dtype, partial[i].data(), call.out(i).data,
                  {1, chunks, r.n, 0, r.n}, nullptr);
}

template <bool kCentred>
void forward_rows_backward(const Call& call) {
  rows_backward_in_pieces<kCentred>(call, {});
}

/// One row.
int64_t row_unit(const Attrs& attrs, const Shape& /*sizes*/) {
  int64_t n = 1;
  for (int64_t size : attrs.lists[0]) n *= size;
  return n;
}

void check_rows_backward(const Call& call) {
  need_counts(call, 3, 4, 3);
  need_number(call, 0, 0, 7);
  const Shape &x = call.in(1).sizes, &shape = normalized_shape(call);
  need_float(call, 1);
  const int split = x.size() - shape.size();
  need(call, !shape.empty() && split >= 0 && Shape(x.data() + split, shape.size()) == shape,
       "the normalized shape does not fit");
  need_like(call, 0, 1);
  need_sizes(call, 2, {2, rows_of(call, x).rows});
  need_sizes(call, 3, shape);
  for (int i : {2, 3}) need_dtype_of(call, i, 1);
}

constexpr Op op_layer_norm_backward = {.name = "layer_norm_backward",
                                       .traits = kReduction,
                                       .infer = infer_rows_backward,
                                       .forward = {forward_rows_backward<true>},
                                       .attrs = "normalized_shape;;wanted",
                                       .doc = "gradients of layer_norm: x, weight, bias",
                                       .optional_inputs = 1 << 3,
                                       .flops = each_flops<11>,
                                       .check = check_rows_backward};
constexpr Op op_rms_norm_backward = {.name = "rms_norm_backward",
                                     .traits = kReduction,
                                     .infer = infer_rows_backward,
                                     .forward = {forward_rows_backward<false>},
                                     .attrs = "normalized_shape;;wanted",
                                     .doc = "gradients of rms_norm: x, weight",
                                     .optional_inputs = 1 << 3,
                                     .flops = each_flops<8>,
                                     .check = check_rows_backward};

Shape last_dims(const Backward& b) {
  Shape dims;
  const int n = b.attrs().lists[0].size(), rank = b.input_sizes(0).size();
  for (int d = rank - n; d < rank; ++d) dims.push_back(d);
  return dims;
}

void backward_layer_norm(Backward& b) {
  const Tensor x = b.input(0), weight = b.has_input(1) ? b.input(1) : Tensor();
  if (!wants_composite(b)) return run_norm_backward(op_layer_norm_backward, 0, b, x, weight);
  Tensor xhat;
  const Tensor g = b.grad();
  const Tensor dx = normalized_gradient(g, x, weight, last_dims(b), b.attrs().reals[0], &xhat);
  b.set(0, dx);
  if (b.needs(1)) b.set(1, g * xhat);
  if (b.needs(2)) b.set(2, g);
}

void backward_rms_norm(Backward& b) {
  const Tensor x = b.input(0), weight = b.has_input(1) ? b.input(1) : Tensor();
  if (!wants_composite(b)) return run_norm_backward(op_rms_norm_backward, 0, b, x, weight);
  const Shape dims = last_dims(b);
  const Tensor r = pow(mean(x * x, dims, true) + b.attrs().reals[0], scalar(-0.5));
  const Tensor g = b.grad(), xhat = x * r, gw = weight ? g * weight : g;
  b.set(0, r * (gw - xhat * mean(gw * xhat, dims, true)));
  if (b.needs(1)) b.set(1, g * xhat);
}

// y for all examples: of x, with the weights that all share; statistics that nobody reads.
Tensor normalize_all(const BatchedCall& c, const Tensor& x, bool with_affine) {
  Tensor arguments[3], outputs[2];
  for (int i = 1; i < c.n_inputs; ++i)
    if (with_affine && c.has(i)) arguments[i] = c.values[i];
  const Arg inputs[3] = {x, arguments[1], arguments[2]};
  dispatch(c.op, inputs, c.n_inputs, c.attrs, outputs, 2);
  c.outputs[1] = zeros({c.size, 2, 0}, x.dtype());
  return outputs[0];
}

bool affine_differs(const BatchedCall& c) { return c.is_batched(1) || c.is_batched(2); }

}  // namespace

bool batch_rows(const BatchedCall& c) {
  const bool differs = affine_differs(c);
  Tensor y = normalize_all(c, c.values[0], !differs);
  if (differs && c.has(1)) y = y * c.aligned(1, c.rank(0));
  if (differs && c.has(2)) y = y + c.aligned(2, c.rank(0));
  c.outputs[0] = y;
  return true;
}

bool batch_groups(const BatchedCall& c) {
  const bool differs = affine_differs(c);
  const Tensor& x = c.values[0];
  Shape samples = c.sizes(0);  // of all examples
  if (c.is_batched(0)) samples[0] *= c.size;
  Tensor y = normalize_all(c, reshape(x, samples), !differs);
  y = reshape(y, x.sizes());
  for (int i = 1; differs && i < 3; ++i) {
    if (!c.has(i)) continue;
    Shape sizes;
    if (c.is_batched(i)) sizes = {c.size, 1};
    sizes.push_back(c.sizes(i)[0]);
    for (int d = 2; d < c.rank(0); ++d) sizes.push_back(1);
    const Tensor affine = reshape(c.values[i], sizes);
    y = i == 1 ? y * affine : y + affine;
  }
  c.outputs[0] = y;
  return true;
}

namespace {

constexpr Op op_layer_norm = {
    .name = "layer_norm",
    .traits = kReduction,
    .infer = infer_rows,
    .forward = {forward_rows<true>},
    .backward = backward_layer_norm,
    .reads = {reads_input(0) | reads_input(1) | reads_output(1),
              reads_input(0) | reads_input(1) | reads_output(1),
              reads_input(0) | reads_input(1) | reads_output(1)},
    .attrs = "normalized_shape;eps",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias over the last dims",
    .optional_inputs = 1 << 1 | 1 << 2,
    .flops = each_flops<8>,
    .batch = {.call = batch_rows},
    .check = (takes<1, 3, 2>)};
constexpr Op op_rms_norm = {.name = "rms_norm",
                            .traits = kReduction,
                            .infer = infer_rows,
                            .forward = {forward_rows<false>},
                            .backward = backward_rms_norm,
                            .reads = {reads_input(0) | reads_input(1) | reads_output(1),
                                      reads_input(0) | reads_input(1) | reads_output(1)},
                            .attrs = "normalized_shape;eps",
                            .doc = "x / sqrt(mean x^2 + eps) * weight over the last dims",
                            .optional_inputs = 1 << 1,
                            .flops = each_flops<5>,
                            .batch = {.call = batch_rows},
                            .check = (takes<1, 2, 2>)};

constexpr const Op* kNormalizeOps[] = {&op_layer_norm, &op_layer_norm_backward, &op_rms_norm,
                                       &op_rms_norm_backward};
constexpr PiecewiseOp kNormalizePieces[] = {
    {&op_layer_norm, rows_in_pieces<true>, row_unit, true},
    {&op_layer_norm_backward, rows_backward_in_pieces<true>, row_unit, true},
    {&op_rms_norm, rows_in_pieces<false>, row_unit, true},
    {&op_rms_norm_backward, rows_backward_in_pieces<false>, row_unit, true}};

Tensor first_output(const Op& op, std::initializer_list<Arg> inputs, const Shape& shape,
                    double eps) {
  Attrs attrs;
  attrs.lists[0] = shape;
  attrs.reals[0] = eps;
  return dispatch_pair(op, inputs, attrs).first;
}

}  // namespace

std::span<const PiecewiseOp> normalize_pieces() { return kNormalizePieces; }
OpList normalize_ops() { return {kNormalizeOps, std::size(kNormalizeOps)}; }

}  // namespace detail

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
  return detail::first_output(detail::op_layer_norm, {x, weight, bias}, normalized_shape, eps);
}

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                std::optional<double> eps) {
  const double machine = x.dtype() == DType::kFloat64
                             ? std::numeric_limits<double>::epsilon()
                             : static_cast<double>(std::numeric_limits<float>::epsilon());
  if (x.dim() < normalized_shape.size())
    fail(ErrorCode::kValue, "rms_norm: Input tensor must have at least ", normalized_shape.size(),
         " dimensions, but got ", x.dim(), ": Given normalized_shape=", normalized_shape,
         " for input of size ", x.sizes());
  const Tensor scale = weight ? to(weight, x.dtype()) : weight;
  return detail::first_output(detail::op_rms_norm, {x, scale}, normalized_shape,
                              eps.value_or(machine));
}

}  // namespace autograd
