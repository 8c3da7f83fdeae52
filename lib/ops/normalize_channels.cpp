// Normalization of channels over the batch: batch norm.
#include "ops/normalize_channels.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/normalize.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/normalize.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ---- batch norm: (x, weight, bias, running mean, running var) -> y and, per channel, mean,
// reciprocal deviation, unbiased variance. ints[0]: training; reals[0]: eps.

bool training(const Attrs& attrs) { return attrs.ints[0] != 0; }

void infer_batch_norm(const Call& call, OutputMetas& outputs) {
  check_rank(call);
  const TensorBody& x = call.in(0);
  const Shape channels = {x.sizes[1]};
  if (!training(call.attrs) && !(call.has(3) && call.has(4)))
    fail(ErrorCode::kRuntime, call.op.name, ": ", call.has(3) ? "running_var" : "running_mean",
         " must be defined in evaluation mode");
  const char* names[] = {"weight", "bias", "running_mean", "running_var"};
  for (int i : {3, 4, 1, 2}) check_affine(call, i, names[i - 1], channels);
  OutputMeta& y = outputs.add();
  y.dtype = x.dtype;
  y.sizes = x.sizes;
  OutputMeta& stats = outputs.add();
  stats.dtype = x.dtype;
  stats.sizes = {3, channels[0]};
}

// Mean and sum of squared deviations of each channel.
template <class T>
void channel_moments(DType dtype, const Layout& l, const T* x, T* mean, T* m2,
                     const Pieces& pieces) {
  if (l.inner == 1) {
    make_all(l, pieces);
    parallel_for(l.channels, std::max(kColumns, grain(l.outer)), [&](int64_t begin, int64_t end) {
      cpu::column_moments(dtype, x + begin, mean + begin, m2 + begin, l.outer, end - begin,
                          l.channels);
    });
    return;
  }
  Lists<T> rows(2, l.outer * l.channels, dtype);
  row_moments(dtype, x, rows[0], rows[1], l.outer * l.channels, l.inner, pieces);
  for (int64_t c = 0; c < l.channels; ++c) {
    double sum = 0, squares = 0;
    for (int64_t o = 0; o < l.outer; ++o) sum += static_cast<double>(rows[0][o * l.channels + c]);
    const double m = sum / static_cast<double>(l.outer);
    for (int64_t o = 0; o < l.outer; ++o) {
      const double off = static_cast<double>(rows[0][o * l.channels + c]) - m;
      squares += static_cast<double>(rows[1][o * l.channels + c]) +
                 static_cast<double>(l.inner) * off * off;
    }
    mean[c] = static_cast<T>(m);
    m2[c] = static_cast<T>(squares);
  }
}

template <class T>
void batch_norm_in_pieces_as(const Call& call, const Pieces& pieces) {
  const Tensor x = dense(call.in(0)), weight = dense_or_none(call, 1),
               bias = dense_or_none(call, 2), running_mean = dense_or_none(call, 3),
               running_var = dense_or_none(call, 4);
  const DType dtype = x.dtype();
  const Layout l = layout_of(x.sizes());
  T* mean = reinterpret_cast<T*>(call.out(1).data);
  T *rstd = mean + l.channels, *var = rstd + l.channels;
  if (x.numel() == 0) return std::fill_n(mean, 3 * l.channels, T{0}), void();
  const T n = static_cast<T>(l.outer * l.inner), eps = static_cast<T>(call.attrs.reals[0]);
  if (training(call.attrs))
    channel_moments(dtype, l, numbers<T>(x), mean, var, pieces);
  else
    make_all(l, pieces);
  Lists<T> affine(2, l.channels, dtype);
  for (int64_t c = 0; c < l.channels; ++c) {
    T variance;
    if (training(call.attrs)) {
      variance = var[c] / n;
      var[c] /= n - 1;
    } else {
      mean[c] = numbers<T>(running_mean)[c];
      var[c] = variance = numbers<T>(running_var)[c];
    }
    rstd[c] = T{1} / std::sqrt(variance + eps);
    affine[0][c] = weight ? rstd[c] * numbers<T>(weight)[c] : rstd[c];
    affine[1][c] = bias ? numbers<T>(bias)[c] : T{0};
  }
  scale_channels(dtype, l, x.data(), mean, affine[0], affine[1], call.out().data, pieces);
}

void batch_norm_in_pieces(const Call& call, const Pieces& pieces) {
  cpu::by_float(call.in(0).dtype,
                [&](auto* t) { batch_norm_in_pieces_as<cpu::Element<decltype(t)>>(call, pieces); });
}
void forward_batch_norm(const Call& call) { batch_norm_in_pieces(call, {}); }

// Sums of g and g * (x - mean) of each channel.
template <class T>
void channel_products(DType dtype, const Layout& l, const T* g, const T* x, const T* mean, T* sum_g,
                      T* sum_gx, const Pieces& pieces) {
  if (l.inner == 1) {
    make_all(l, pieces);
    parallel_for(l.channels, std::max(kColumns, grain(l.outer)), [&](int64_t begin, int64_t end) {
      cpu::column_products(dtype, g + begin, x + begin, mean + begin, sum_g + begin, sum_gx + begin,
                           l.outer, end - begin, l.channels);
    });
    return;
  }
  Lists<T> rows(2, l.outer * l.channels, dtype);
  row_products(dtype, l, g, x, mean, rows[0], rows[1], pieces);
  for (int64_t c = 0; c < l.channels; ++c) {
    double a = 0, b = 0;
    for (int64_t o = 0; o < l.outer; ++o) {
      a += static_cast<double>(rows[0][o * l.channels + c]);
      b += static_cast<double>(rows[1][o * l.channels + c]);
    }
    sum_g[c] = static_cast<T>(a);
    sum_gx[c] = static_cast<T>(b);
  }
}

template <class T>
void batch_norm_backward_in_pieces_as(const Call& call, const Pieces& pieces) {
  const Tensor g = dense(call.in(0)), x = dense(call.in(1)), stats = dense(call.in(2)),
               weight = dense_or_none(call, 3);
  const DType dtype = x.dtype();
  const Layout l = layout_of(x.sizes());
  const T *mean = numbers<T>(stats), *rstd = mean + l.channels;
  Lists<T> lists(6, l.channels, dtype);
  T *sum_g = lists[0], *sum_gx = lists[1], *a = lists[2], *b = lists[3], *k = lists[4],
    *dweight = lists[5];
  channel_products(dtype, l, numbers<T>(g), numbers<T>(x), mean, sum_g, sum_gx, pieces);
  const T by_n = T{1} / static_cast<T>(l.outer * l.inner);
  for (int64_t c = 0; c < l.channels; ++c) {
    dweight[c] = sum_gx[c] * rstd[c];
    a[c] = weight ? rstd[c] * numbers<T>(weight)[c] : rstd[c];
    const bool moves = training(call.attrs);  // with x, the statistics do
    b[c] = moves ? -a[c] * rstd[c] * dweight[c] * by_n : T{0};
    k[c] = moves ? -a[c] * sum_g[c] * by_n : T{0};
  }
  write_affine_gradients(call, dweight, sum_g, l.channels);
  if (call.attrs.ints[1] & 1)
    combine_channels(dtype, l, g.data(), x.data(), mean, a, b, k, call.out(0).data, pieces);
}

void batch_norm_backward_in_pieces(const Call& call, const Pieces& pieces) {
  cpu::by_float(call.in(1).dtype, [&](auto* t) {
    batch_norm_backward_in_pieces_as<cpu::Element<decltype(t)>>(call, pieces);
  });
}
void forward_batch_norm_backward(const Call& call) { batch_norm_backward_in_pieces(call, {}); }

void check_batch_norm_backward(const Call& call) {
  check_channels_backward(call);
  need_sizes(call, 2, {3, call.in(1).sizes[1]});
}

constexpr Op op_batch_norm_backward = {.name = "batch_norm_backward",
                                       .traits = kReduction,
                                       .infer = infer_channels_backward,
                                       .forward = {forward_batch_norm_backward},
                                       .attrs = ";eps;training,wanted",
                                       .doc = "gradients of batch_norm: x, weight, bias",
                                       .optional_inputs = 1 << 3,
                                       .flops = each_flops<11>,
                                       .check = check_batch_norm_backward};

// All dims but that of the channels.
Shape other_dims(int rank) {
  Shape dims = {0};
  for (int d = 2; d < rank; ++d) dims.push_back(d);
  return dims;
}

// [C] as [1, C, 1, ...].
Tensor along_channels(const Tensor& t, int rank) {
  Shape sizes = Shape::filled(rank, 1);
  sizes[1] = t.numel();
  return reshape(t, sizes);
}

void backward_batch_norm(Backward& b) {
  const Tensor x = b.input(0), weight = b.has_input(1) ? b.input(1) : Tensor();
  if (!wants_composite(b)) return run_norm_backward(op_batch_norm_backward, 1, b, x, weight);
  const Tensor g = b.grad();
  const int rank = x.dim();
  const Shape dims = other_dims(rank);
  const Tensor w = weight ? along_channels(weight, rank) : weight;
  Tensor xhat;
  if (training(b.attrs())) {
    b.set(0, normalized_gradient(g, x, w, dims, b.attrs().reals[0], &xhat));
  } else {
    const Tensor stats = b.output(1);
    const Tensor r = along_channels(select(stats, 0, 1), rank);
    xhat = (x - along_channels(select(stats, 0, 0), rank)) * r;
    b.set(0, g * (w ? w * r : r));
  }
  if (b.needs(1)) b.set(1, sum(g * xhat, dims));
  if (b.needs(2)) b.set(2, sum(g, dims));
}

// vmap: without statistics of their own the examples are one batch; else their channels are.
bool batch_channels(const BatchedCall& c) {
  bool shared = !training(c.attrs);
  for (int i = 1; i < c.n_inputs; ++i) shared &= !c.is_batched(i);
  const Tensor x = shared ? c.front(0) : transpose(c.front(0), 0, 1);
  Shape sizes = c.sizes(0);
  sizes[shared ? 0 : 1] *= c.size;
  Vector<Tensor> inputs;
  inputs.push_back(reshape(x, sizes));
  for (int i = 1; i < c.n_inputs; ++i)
    inputs.push_back(shared || !c.has(i) ? c.values[i] : reshape(c.front(i), {sizes[1]}));
  c.make(inputs, c.attrs);
  Tensor &y = c.outputs[0], &stats = c.outputs[1];
  const Shape of_each = {3, c.size, c.sizes(0)[1]};
  y = reshape(y, x.sizes());
  if (shared) {
    stats = expand(stats, {c.size, 3, of_each[2]});
  } else {
    y = transpose(y, 0, 1);
    stats = transpose(reshape(stats, of_each), 0, 1);
  }
  return true;
}

constexpr Op op_batch_norm = {
    .name = "batch_norm",
    .traits = kReduction,
    .infer = infer_batch_norm,
    .forward = {forward_batch_norm},
    .backward = backward_batch_norm,
    .reads = {kChannelReads, kChannelReads, kChannelReads},
    .attrs = ";eps;training",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias for each channel",
    .optional_inputs = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4,
    .flops = each_flops<8>,
    .batch = {.call = batch_channels},
    .check = (takes<1, 5, 2>)};

// ---- running averages: self = (1 - momentum) * self + momentum * row ints[0] of stats

void infer_average(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

template <class T>
void average(const Call& call, T* self, const T* row, int64_t n) {
  const T momentum = static_cast<T>(call.attrs.reals[0]);
  for (int64_t i = 0; i < n; ++i) self[i] = (T{1} - momentum) * self[i] + momentum * row[i];
}

void forward_average(const Call& call) {
  TensorBody& self = call.in(0);
  const Tensor stats = dense(call.in(1)), old = dense(self);
  cpu::by_float(self.dtype, [&](auto* t) {
    using T = cpu::Element<decltype(t)>;
    average(call, static_cast<T*>(old.data()), numbers<T>(stats) + call.attrs.ints[0] * self.numel,
            self.numel);
  });
  if (!self.is_contiguous) copy_into(self, *body(old));
}

void check_average(const Call& call) {
  need_counts(call, 2, 2);
  need_float(call, 0);
  need_dtype_of(call, 1, 0);
  need_rank(call, 1, 2);
  const Shape& stats = call.in(1).sizes;
  need_number(call, 0, 0, stats[0] - 1);
  need_numel(call, 0, stats[1]);
}

constexpr Op op_running_average = {.name = "running_average_",
                                   .traits = kInPlace,
                                   .infer = infer_average,
                                   .forward = {forward_average},
                                   .attrs = ";momentum;row",
                                   .doc = "self = (1 - momentum) * self + momentum * statistics",
                                   .check = check_average};

constexpr const Op* kChannelOps[] = {&op_batch_norm, &op_batch_norm_backward, &op_running_average};

/// Rows as cpu::ChannelRows has them.
int64_t channel_unit(const Attrs& /*attrs*/, const Shape& sizes) {
  return LayoutRows(layout_of(sizes)).n;
}

constexpr PiecewiseOp kChannelPieces[] = {
    {&op_batch_norm, batch_norm_in_pieces, channel_unit, true},
    {&op_batch_norm_backward, batch_norm_backward_in_pieces, channel_unit, true}};

// Statistics are no way that a gradient might have taken: they carry no mark of being cut off.
void update_running(Tensor self, const Tensor& stats, int row, double momentum) {
  Attrs attrs;
  attrs.reals[0] = momentum;
  attrs.ints[0] = row;
  TensorBody& b = *body(self);
  const Cut cut = b.cut;
  const Location cut_at = b.cut_at;
  const uint64_t leaves = b.leaves;
  dispatch_in_place(op_running_average, {self, stats}, attrs);
  b.cut = cut;
  b.cut_at = cut_at;
  b.leaves = leaves;
}

}  // namespace

void check_statistics_of_examples(const Tensor& x, const Tensor& mean, const Tensor& var) {
  const auto is_shared = [](const Tensor& t) { return t && has_elements(t); };
  if (!has_elements(x) && (is_shared(mean) || is_shared(var)))
    fail(ErrorCode::kRuntime,
         "vmap: Batch norm got a batched tensor as input while the running_mean or running_var, "
         "which will be updated in place, were not batched. Give it statistics that differ between "
         "examples, none (track_running_stats=False), or evaluate the module (eval())");
}

std::span<const PiecewiseOp> channel_norm_pieces() { return kChannelPieces; }
OpList channel_norm_ops() { return {kChannelOps, std::size(kChannelOps)}; }

}  // namespace detail

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum,
                  double eps) {
  if (eps < 0 || (training && eps == 0))
    fail(ErrorCode::kValue, "batch_norm eps must be ",
         training ? "positive during training" : "non-negative", ", but got ", eps);
  if (training) detail::check_statistics_of_examples(x, running_mean, running_var);
  // The statistics are the same for all examples of vmap if only the scales differ.
  if (detail::has_elements(x) &&
      ((weight && !detail::has_elements(weight)) || (bias && !detail::has_elements(bias)))) {
    Shape channels = Shape::filled(x.dim(), 1);
    channels[1] = x.size(1);
    Tensor y =
        batch_norm(x, running_mean, running_var, Tensor(), Tensor(), training, momentum, eps);
    if (weight) y = y * reshape(weight, channels);
    return bias ? y + reshape(bias, channels) : y;
  }
  detail::Attrs attrs;
  attrs.ints[0] = training;
  attrs.reals[0] = eps;
  auto [y, statistics] = detail::dispatch_pair(detail::op_batch_norm,
                                               {x, weight, bias, running_mean, running_var}, attrs);
  if (training && x.numel()) {
    if (running_mean) detail::update_running(running_mean, statistics, 0, momentum);
    if (running_var) detail::update_running(running_var, statistics, 2, momentum);
  }
  return y;
}

}  // namespace autograd
