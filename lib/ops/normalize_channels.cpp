// Normalization of channels: batch norm and group norm.
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
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr int64_t kColumns = 256;  // columns that one thread takes at least

struct Layout {
  int64_t outer = 1, channels = 1, inner = 1;
};

Layout layout_of(const Shape& sizes) {
  Layout l{sizes[0], sizes[1], 1};
  for (int d = 2; d < sizes.size(); ++d) l.inner *= sizes[d];
  return l;
}

// One number per channel, of the tensor's type.
template <class T>
struct Lists {
  Lists(int count, int64_t n, DType dtype)
      : n(n), memory(make_tensor({count, n}, dtype)), first(static_cast<T*>(memory.data())) {}
  T* operator[](int i) { return first + i * n; }
  int64_t n;
  Tensor memory;
  T* first;
};

template <class Body>
void with_float(DType dtype, const Body& body) {
  if (dtype == DType::kFloat32)
    body(float{});
  else
    body(double{});
}

template <class T>
const T* numbers(const Tensor& t) {
  return t ? static_cast<const T*>(t.data()) : nullptr;
}

Tensor dense_or_none(const Call& call, int i) { return call.has(i) ? dense(call.in(i)) : Tensor(); }

int64_t grain(int64_t n) { return std::max<int64_t>(1, kGrain / (2 * std::max<int64_t>(1, n))); }

// ---- pieces that both share, in parallel

// y = (x - mean) * scale + bias with one number per channel.
void scale_channels(DType dtype, const Layout& l, const void* x, const void* mean,
                    const void* scale, const void* bias, void* y) {
  const bool columns = l.inner == 1;
  parallel_for(columns ? l.outer : l.outer * l.channels, grain(columns ? l.channels : l.inner),
               [&](int64_t begin, int64_t end) {
                 cpu::scale_channels(dtype, {l.channels, l.inner, begin, end - begin}, x, mean,
                                     scale, bias, y);
               });
}

void combine_channels(DType dtype, const Layout& l, const void* g, const void* x, const void* mean,
                      const void* a, const void* b, const void* k, void* dx) {
  const bool columns = l.inner == 1;
  parallel_for(columns ? l.outer : l.outer * l.channels, grain(columns ? l.channels : l.inner),
               [&](int64_t begin, int64_t end) {
                 cpu::combine_channels(dtype, {l.channels, l.inner, begin, end - begin}, g, x, mean,
                                       a, b, k, dx);
               });
}

// Means and sums of squared deviations of rows of n.
template <class T>
void row_moments(DType dtype, const T* x, T* mean, T* m2, int64_t rows, int64_t n) {
  parallel_for(rows, grain(n), [&](int64_t begin, int64_t end) {
    cpu::row_moments(dtype, x + begin * n, mean + begin, m2 + begin, end - begin, n);
  });
}

// Sums of g and of g * (x - mean) of each of outer * channels rows.
template <class T>
void row_products(DType dtype, const Layout& l, const T* g, const T* x, const T* mean, T* sum_g,
                  T* sum_gx) {
  parallel_for(l.outer * l.channels, grain(l.inner), [&](int64_t begin, int64_t end) {
    cpu::row_products(dtype, {l.channels, l.inner, begin, end - begin}, g + begin * l.inner,
                      x + begin * l.inner, mean, sum_g + begin, sum_gx + begin);
  });
}

void check_rank(const Call& call) {
  const TensorBody& x = call.in(0);
  if (x.sizes.size() < 2)
    fail(ErrorCode::kRuntime, call.op.name,
         ": Expected at least 2 dimensions for input tensor but received ", x.sizes.size(),
         ", sizes ", x.sizes);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for ", name_of(x.dtype));
}

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
void channel_moments(DType dtype, const Layout& l, const T* x, T* mean, T* m2) {
  if (l.inner == 1) {
    parallel_for(l.channels, std::max(kColumns, grain(l.outer)), [&](int64_t begin, int64_t end) {
      cpu::column_moments(dtype, x + begin, mean + begin, m2 + begin, l.outer, end - begin,
                          l.channels);
    });
    return;
  }
  Lists<T> rows(2, l.outer * l.channels, dtype);
  row_moments(dtype, x, rows[0], rows[1], l.outer * l.channels, l.inner);
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
void forward_batch_norm_as(const Call& call) {
  const Tensor x = dense(call.in(0)), weight = dense_or_none(call, 1),
               bias = dense_or_none(call, 2), running_mean = dense_or_none(call, 3),
               running_var = dense_or_none(call, 4);
  const DType dtype = x.dtype();
  const Layout l = layout_of(x.sizes());
  T* mean = reinterpret_cast<T*>(call.out(1).data);
  T *rstd = mean + l.channels, *var = rstd + l.channels;
  if (x.numel() == 0) return std::fill_n(mean, 3 * l.channels, T{0}), void();
  const T n = static_cast<T>(l.outer * l.inner), eps = static_cast<T>(call.attrs.reals[0]);
  if (training(call.attrs)) channel_moments(dtype, l, numbers<T>(x), mean, var);
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
  scale_channels(dtype, l, x.data(), mean, affine[0], affine[1], call.out().data);
}

void forward_batch_norm(const Call& call) {
  with_float(call.in(0).dtype, [&](auto t) { forward_batch_norm_as<decltype(t)>(call); });
}

// (g, x, stats, weight) -> dx, dweight, dbias, those of ints[1]'s bits.
void infer_channels_backward(const Call& call, OutputMetas& outputs) {
  for (int i = 0; i < 3; ++i) {
    OutputMeta& meta = outputs.add();
    meta.dtype = call.in(1).dtype;
    meta.sizes = !(call.attrs.ints[1] >> i & 1) ? Shape{0}
                 : i == 0                       ? call.in(1).sizes
                                                : Shape{call.in(1).sizes[1]};
  }
}

template <class T>
void write_affine_gradients(const Call& call, const T* dweight, const T* dbias, int64_t n) {
  if (call.attrs.ints[1] & 2) std::copy_n(dweight, n, reinterpret_cast<T*>(call.out(1).data));
  if (call.attrs.ints[1] & 4) std::copy_n(dbias, n, reinterpret_cast<T*>(call.out(2).data));
}

// Sums of g and g * (x - mean) of each channel.
template <class T>
void channel_products(DType dtype, const Layout& l, const T* g, const T* x, const T* mean, T* sum_g,
                      T* sum_gx) {
  if (l.inner == 1) {
    parallel_for(l.channels, std::max(kColumns, grain(l.outer)), [&](int64_t begin, int64_t end) {
      cpu::column_products(dtype, g + begin, x + begin, mean + begin, sum_g + begin, sum_gx + begin,
                           l.outer, end - begin, l.channels);
    });
    return;
  }
  Lists<T> rows(2, l.outer * l.channels, dtype);
  row_products(dtype, l, g, x, mean, rows[0], rows[1]);
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
void forward_batch_norm_backward_as(const Call& call) {
  const Tensor g = dense(call.in(0)), x = dense(call.in(1)), stats = dense(call.in(2)),
               weight = dense_or_none(call, 3);
  const DType dtype = x.dtype();
  const Layout l = layout_of(x.sizes());
  const T *mean = numbers<T>(stats), *rstd = mean + l.channels;
  Lists<T> lists(6, l.channels, dtype);
  T *sum_g = lists[0], *sum_gx = lists[1], *a = lists[2], *b = lists[3], *k = lists[4],
    *dweight = lists[5];
  channel_products(dtype, l, numbers<T>(g), numbers<T>(x), mean, sum_g, sum_gx);
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
    combine_channels(dtype, l, g.data(), x.data(), mean, a, b, k, call.out(0).data);
}

void forward_batch_norm_backward(const Call& call) {
  with_float(call.in(1).dtype, [&](auto t) { forward_batch_norm_backward_as<decltype(t)>(call); });
}

// (g, x, statistics, weight); ints[1]: the gradients that are wanted.
void check_channels_backward(const Call& call) {
  need_counts(call, 3, 4, 3);
  need_number(call, 1, 0, 7);
  need_float(call, 1);
  need(call, call.in(1).sizes.size() >= 2, "channels are wanted");
  need_like(call, 0, 1);
  need_sizes(call, 3, {call.in(1).sizes[1]});
  for (int i : {2, 3}) need_dtype_of(call, i, 1);
}

void check_batch_norm_backward(const Call& call) {
  check_channels_backward(call);
  need_sizes(call, 2, {3, call.in(1).sizes[1]});
}

void check_group_norm_backward(const Call& call) {
  check_channels_backward(call);
  const TensorBody& x = call.in(1);
  need_number(call, 0, 1, kMostElements);
  const int64_t groups = call.attrs.ints[0];
  need(call, x.sizes[1] % groups == 0, "groups do not fit");
  need_sizes(call, 2, {2, x.numel ? x.sizes[0] * groups : 0});
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

void run_backward(const Op& op, Backward& b, const Tensor& x, const Tensor& weight) {
  Attrs attrs = b.attrs();
  attrs.ints[1] = b.needs(0) | b.needs(1) << 1 | b.needs(2) << 2;
  const Tensor g = b.grad(), stats = b.output(1);
  const Arg inputs[4] = {g, x, stats, weight};
  Tensor outputs[3];
  dispatch(op, inputs, 4, attrs, outputs, 3);
  for (int i = 0; i < 3; ++i)
    if (b.needs(i)) b.set(i, outputs[i]);
}

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
  if (!thread_state.grad_enabled) return run_backward(op_batch_norm_backward, b, x, weight);
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

constexpr uint32_t kReads = reads_input(0) | reads_input(1) | reads_output(1);

constexpr Op op_batch_norm = {
    .name = "batch_norm",
    .traits = kReduction,
    .infer = infer_batch_norm,
    .forward = {forward_batch_norm},
    .backward = backward_batch_norm,
    .reads = {kReads, kReads, kReads},
    .attrs = ";eps;training",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias for each channel",
    .optional_inputs = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4,
    .flops = each_flops<8>,
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
  with_float(self.dtype, [&](auto t) {
    using T = decltype(t);
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

// ---- group norm: (x, weight, bias) -> y and [2, N * groups] of means and reciprocal deviations.
// ints[0]: groups; reals[0]: eps.

void infer_group_norm(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  const int64_t groups = call.attrs.ints[0];
  if (groups <= 0)
    fail(ErrorCode::kRuntime, call.op.name, ": Expected num groups to be greater than 0, got ",
         groups);
  check_rank(call);
  if (x.sizes[1] % groups != 0)
    fail(ErrorCode::kRuntime, call.op.name,
         ": Expected number of channels in input to be divisible by num_groups, but got input of "
         "shape ",
         x.sizes, " and num_groups=", groups);
  check_affine(call, 1, "weight", {x.sizes[1]});
  check_affine(call, 2, "bias", {x.sizes[1]});
  OutputMeta& y = outputs.add();
  y.dtype = x.dtype;
  y.sizes = x.sizes;
  OutputMeta& stats = outputs.add();
  stats.dtype = x.dtype;
  stats.sizes = {2, x.numel ? x.sizes[0] * groups : 0};
}

template <class T>
void forward_group_norm_as(const Call& call) {
  const Tensor x = dense(call.in(0)), weight = dense_or_none(call, 1),
               bias = dense_or_none(call, 2);
  if (x.numel() == 0) return;
  const DType dtype = x.dtype();
  const Layout l = layout_of(x.sizes());
  const int64_t per_group = l.channels / call.attrs.ints[0], rows = l.outer * call.attrs.ints[0],
                n = per_group * l.inner;
  T *mean = reinterpret_cast<T*>(call.out(1).data), *rstd = mean + rows;
  row_moments(dtype, numbers<T>(x), mean, rstd, rows, n);
  for (int64_t r = 0; r < rows; ++r)
    rstd[r] = T{1} / std::sqrt(rstd[r] / static_cast<T>(n) + static_cast<T>(call.attrs.reals[0]));
  Lists<T> affine(3, l.outer * l.channels, dtype);
  for (int64_t i = 0; i < l.outer * l.channels; ++i) {
    const int64_t c = i % l.channels;
    affine[0][i] = mean[i / per_group];
    affine[1][i] = weight ? rstd[i / per_group] * numbers<T>(weight)[c] : rstd[i / per_group];
    affine[2][i] = bias ? numbers<T>(bias)[c] : T{0};
  }
  scale_channels(dtype, {1, l.outer * l.channels, l.inner}, x.data(), affine[0], affine[1],
                 affine[2], call.out().data);
}

void forward_group_norm(const Call& call) {
  with_float(call.in(0).dtype, [&](auto t) { forward_group_norm_as<decltype(t)>(call); });
}

template <class T>
void forward_group_norm_backward_as(const Call& call) {
  const Tensor g = dense(call.in(0)), x = dense(call.in(1)), stats = dense(call.in(2)),
               weight = dense_or_none(call, 3);
  const DType dtype = x.dtype();
  const Layout l = layout_of(x.sizes());
  const int64_t groups = call.attrs.ints[0], per_group = l.channels / groups,
                rows = l.outer * groups, all = l.outer * l.channels;
  Lists<T> affine(2, l.channels, dtype);
  std::fill_n(affine[0], 2 * l.channels, T{0});
  if (x.numel() == 0) return write_affine_gradients(call, affine[0], affine[1], l.channels);
  const T *mean = numbers<T>(stats), *rstd = mean + rows;
  Lists<T> lists(6, all, dtype);
  T *means = lists[0], *sum_g = lists[1], *sum_gx = lists[2], *a = lists[3], *b = lists[4],
    *k = lists[5];
  for (int64_t i = 0; i < all; ++i) means[i] = mean[i / per_group];
  row_products(dtype, {1, all, l.inner}, numbers<T>(g), numbers<T>(x), means, sum_g, sum_gx);
  const T by_n = T{1} / static_cast<T>(per_group * l.inner);
  for (int64_t r = 0; r < rows; ++r) {
    T total_g = 0, total_gx = 0;
    for (int64_t i = r * per_group; i < (r + 1) * per_group; ++i) {
      const T w = weight ? numbers<T>(weight)[i % l.channels] : T{1};
      total_g += w * sum_g[i];
      total_gx += w * sum_gx[i];
      a[i] = rstd[r] * w;
      affine[0][i % l.channels] += sum_gx[i] * rstd[r];
      affine[1][i % l.channels] += sum_g[i];
    }
    const T slope = -rstd[r] * rstd[r] * rstd[r] * total_gx * by_n;
    std::fill_n(b + r * per_group, per_group, slope);
    std::fill_n(k + r * per_group, per_group, -rstd[r] * total_g * by_n);
  }
  write_affine_gradients(call, affine[0], affine[1], l.channels);
  if (call.attrs.ints[1] & 1)
    combine_channels(dtype, {1, all, l.inner}, g.data(), x.data(), means, a, b, k,
                     call.out(0).data);
}

void forward_group_norm_backward(const Call& call) {
  with_float(call.in(1).dtype, [&](auto t) { forward_group_norm_backward_as<decltype(t)>(call); });
}

constexpr Op op_group_norm_backward = {.name = "group_norm_backward",
                                       .traits = kReduction,
                                       .infer = infer_channels_backward,
                                       .forward = {forward_group_norm_backward},
                                       .attrs = ";eps;num_groups,wanted",
                                       .doc = "gradients of group_norm: x, weight, bias",
                                       .optional_inputs = 1 << 3,
                                       .flops = each_flops<11>,
                                       .check = check_group_norm_backward};

void backward_group_norm(Backward& b) {
  const Tensor x = b.input(0), weight = b.has_input(1) ? b.input(1) : Tensor();
  if (!thread_state.grad_enabled) return run_backward(op_group_norm_backward, b, x, weight);
  const Layout l = layout_of(x.sizes());
  const int64_t groups = b.attrs().ints[0];
  const Shape grouped = {l.outer, groups, l.channels / groups, l.inner};
  const Tensor g = reshape(b.grad(), grouped), xs = reshape(x, grouped);
  const Tensor w = weight ? reshape(weight, {1, groups, l.channels / groups, 1}) : weight;
  Tensor xhat;
  const Tensor dx = normalized_gradient(g, xs, w, {2, 3}, b.attrs().reals[0], &xhat);
  b.set(0, reshape(dx, x.sizes()));
  if (b.needs(1)) b.set(1, reshape(sum(g * xhat, {0, 3}), {l.channels}));
  if (b.needs(2)) b.set(2, reshape(sum(g, {0, 3}), {l.channels}));
}

void check_group_norm(const Call& call) {
  need_counts(call, 1, 3, 2);
  need_number(call, 0, 1, kMostElements);
}

constexpr Op op_group_norm = {
    .name = "group_norm",
    .traits = kReduction,
    .infer = infer_group_norm,
    .forward = {forward_group_norm},
    .backward = backward_group_norm,
    .reads = {kReads, kReads, kReads},
    .attrs = ";eps;num_groups",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias for each group of channels of each sample",
    .optional_inputs = 1 << 1 | 1 << 2,
    .flops = each_flops<8>,
    .batch = {.call = batch_groups},
    .check = check_group_norm};

constexpr const Op* kChannelOps[] = {&op_batch_norm, &op_batch_norm_backward, &op_running_average,
                                     &op_group_norm, &op_group_norm_backward};

void update_running(Tensor self, const Tensor& stats, int row, double momentum) {
  Attrs attrs;
  attrs.reals[0] = momentum;
  attrs.ints[0] = row;
  dispatch_in_place(op_running_average, {self, stats}, attrs);
}

}  // namespace

OpList channel_norm_ops() { return {kChannelOps, std::size(kChannelOps)}; }

}  // namespace detail

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum,
                  double eps) {
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
  const detail::Arg inputs[5] = {x, weight, bias, running_mean, running_var};
  Tensor outputs[2];
  detail::dispatch(detail::op_batch_norm, inputs, 5, attrs, outputs, 2);
  if (training && x.numel()) {
    if (running_mean) detail::update_running(running_mean, outputs[1], 0, momentum);
    if (running_var) detail::update_running(running_var, outputs[1], 2, momentum);
  }
  return std::move(outputs[0]);
}

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  detail::Attrs attrs;
  attrs.ints[0] = num_groups;
  attrs.reals[0] = eps;
  const detail::Arg inputs[3] = {x, weight, bias};
  Tensor outputs[2];
  detail::dispatch(detail::op_group_norm, inputs, 3, attrs, outputs, 2);
  return std::move(outputs[0]);
}

}  // namespace autograd
