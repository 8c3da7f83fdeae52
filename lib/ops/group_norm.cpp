// Group norm.
#include <algorithm>
#include <cmath>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/thread_state.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/normalize.hpp"
#include "ops/normalize_channels.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

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
void group_norm_in_pieces_as(const Call& call, const Pieces& pieces) {
  const Tensor x = dense(call.in(0)), weight = dense_or_none(call, 1),
               bias = dense_or_none(call, 2);
  if (x.numel() == 0) return;
  const DType dtype = x.dtype();
  const Layout l = layout_of(x.sizes());
  const int64_t per_group = l.channels / call.attrs.ints[0], rows = l.outer * call.attrs.ints[0],
                n = per_group * l.inner;
  T *mean = reinterpret_cast<T*>(call.out(1).data), *rstd = mean + rows;
  row_moments(dtype, numbers<T>(x), mean, rstd, rows, n, pieces);
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
                 affine[2], call.out().data, pieces);
}

void group_norm_in_pieces(const Call& call, const Pieces& pieces) {
  cpu::by_float(call.in(0).dtype,
                [&](auto* t) { group_norm_in_pieces_as<cpu::Element<decltype(t)>>(call, pieces); });
}
void forward_group_norm(const Call& call) { group_norm_in_pieces(call, {}); }

template <class T>
void group_norm_backward_in_pieces_as(const Call& call, const Pieces& pieces) {
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
  row_products(dtype, {1, all, l.inner}, numbers<T>(g), numbers<T>(x), means, sum_g, sum_gx,
               pieces);
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
    combine_channels(dtype, {1, all, l.inner}, g.data(), x.data(), means, a, b, k, call.out(0).data,
                     pieces);
}

void group_norm_backward_in_pieces(const Call& call, const Pieces& pieces) {
  cpu::by_float(call.in(1).dtype, [&](auto* t) {
    group_norm_backward_in_pieces_as<cpu::Element<decltype(t)>>(call, pieces);
  });
}
void forward_group_norm_backward(const Call& call) { group_norm_backward_in_pieces(call, {}); }

void check_group_norm_backward(const Call& call) {
  check_channels_backward(call);
  const TensorBody& x = call.in(1);
  need_number(call, 0, 1, kMostElements);
  const int64_t groups = call.attrs.ints[0];
  need(call, x.sizes[1] % groups == 0, "groups do not fit");
  need_sizes(call, 2, {2, x.numel ? x.sizes[0] * groups : 0});
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
  if (!wants_composite(b)) return run_norm_backward(op_group_norm_backward, 1, b, x, weight);
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
    .reads = {kChannelReads, kChannelReads, kChannelReads},
    .attrs = ";eps;num_groups",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias for each group of channels of each sample",
    .optional_inputs = 1 << 1 | 1 << 2,
    .flops = each_flops<8>,
    .batch = {.call = batch_groups},
    .check = check_group_norm};

constexpr const Op* kGroupNormOps[] = {&op_group_norm, &op_group_norm_backward};

/// Numbers of one channel of one sample.
int64_t group_unit(const Attrs& /*attrs*/, const Shape& sizes) { return layout_of(sizes).inner; }

constexpr PiecewiseOp kGroupNormPieces[] = {
    {&op_group_norm, group_norm_in_pieces, group_unit, true},
    {&op_group_norm_backward, group_norm_backward_in_pieces, group_unit, true}};

}  // namespace

std::span<const PiecewiseOp> group_norm_pieces() { return kGroupNormPieces; }
OpList group_norm_ops() { return {kGroupNormOps, std::size(kGroupNormOps)}; }

}  // namespace detail

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  detail::Attrs attrs;
  attrs.ints[0] = num_groups;
  attrs.reals[0] = eps;
  return detail::dispatch_pair(detail::op_group_norm, {x, weight, bias}, attrs).first;
}

}  // namespace autograd
