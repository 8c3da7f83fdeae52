// Softmax and log softmax along any dim.
#include "kernels/cpu/softmax.hpp"

#include <algorithm>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/thread_state.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// Calls kernel(first byte, slices, n, inner) on parts of [outer, n, inner], in parallel: rows if
// inner is 1, else neighbouring columns of one outer.
template <class Kernel>
void over_slices(const Call& call, const Kernel& kernel) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  int64_t outer = 1, n = 1, inner = 1;
  const int dim = static_cast<int>(call.attrs.ints[0]);
  for (int d = 0; d < out.sizes.size(); ++d)
    (d < dim ? outer : d == dim ? n : inner) *= out.sizes[d];
  if (inner == 1) {
    parallel_for(outer, std::max<int64_t>(1, kGrain / (4 * n)), [&](int64_t begin, int64_t end) {
      kernel(begin * n * item, end - begin, n, inner);
    });
    return;
  }
  // Long pieces of rows, but several blocks for every thread.
  const int64_t columns = inner >= 1024 ? 256 : 64;
  const int64_t blocks = (inner + columns - 1) / columns;
  parallel_for(outer * blocks, std::max<int64_t>(1, kGrain / (4 * columns * n)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t b = begin; b < end; ++b) {
                   const int64_t o = b / blocks, first = b % blocks * columns;
                   kernel((o * n * inner + first) * item, std::min(columns, inner - first), n,
                          inner);
                 }
               });
}

void infer_softmax(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for ", name_of(x.dtype),
         "; convert with to(float32) first");
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = x.sizes;
}

template <bool log>
void forward_softmax(const Call& call) {
  const Tensor x = dense(call.in(0));
  over_slices(call, [&](int64_t at, int64_t slices, int64_t n, int64_t inner) {
    cpu::softmax(x.dtype(), log, static_cast<const char*>(x.data()) + at, call.out().data + at,
                 slices, n, inner);
  });
}

template <bool log>
void forward_softmax_backward(const Call& call) {
  const Tensor g = dense(call.in(0)), y = dense(call.in(1));
  over_slices(call, [&](int64_t at, int64_t slices, int64_t n, int64_t inner) {
    cpu::softmax_backward(y.dtype(), log, static_cast<const char*>(g.data()) + at,
                          static_cast<const char*>(y.data()) + at, call.out().data + at, slices, n,
                          inner);
  });
}

void check_softmax(const Call& call) {
  need_counts(call, 1, 1);
  need_dim(call, 0, call.in(0).sizes.size());
}

void check_softmax_backward(const Call& call) {
  need_counts(call, 2, 2);
  need_dim(call, 0, call.in(0).sizes.size());
  need_like(call, 1, 0);
}

constexpr Op op_softmax_backward = {.name = "softmax_backward",
                                    .traits = kReduction,
                                    .infer = infer_softmax,
                                    .forward = {forward_softmax_backward<false>},
                                    .attrs = ";;dim",
                                    .doc = "y * (g - sum(g * y))",
                                    .flops = each_flops<4>,
                                    .batch = by_dim(3),
                                    .check = check_softmax_backward};
constexpr Op op_log_softmax_backward = {.name = "log_softmax_backward",
                                        .traits = kReduction,
                                        .infer = infer_softmax,
                                        .forward = {forward_softmax_backward<true>},
                                        .attrs = ";;dim",
                                        .doc = "g - exp(y) * sum(g)",
                                        .flops = each_flops<4>,
                                        .batch = by_dim(3),
                                        .check = check_softmax_backward};

// Without a second order one kernel, else the same formula in public ops.
template <bool log>
void backward_softmax(Backward& b) {
  const Tensor g = b.grad(), y = b.output();
  if (!thread_state.grad_enabled)
    return b.set(0,
                 dispatch(log ? op_log_softmax_backward : op_softmax_backward, {g, y}, b.attrs()));
  const Shape dims = y.dim() ? Shape{b.attrs().ints[0]} : Shape{};
  b.set(0, log ? g - exp(y) * sum(g, dims, true) : y * (g - sum(g * y, dims, true)));
}

constexpr Op op_softmax = {.name = "softmax",
                           .traits = kReduction,
                           .infer = infer_softmax,
                           .forward = {forward_softmax<false>},
                           .backward = backward_softmax<false>,
                           .reads = {reads_output()},
                           .attrs = ";;dim",
                           .doc = "exp(x - max(x)) / sum(exp(x - max(x))) along dim",
                           .flops = each_flops<5>,
                           .batch = by_dim(1),
                           .check = check_softmax};
constexpr Op op_log_softmax = {.name = "log_softmax",
                               .traits = kReduction,
                               .infer = infer_softmax,
                               .forward = {forward_softmax<true>},
                               .backward = backward_softmax<true>,
                               .reads = {reads_output()},
                               .attrs = ";;dim",
                               .doc = "x - logsumexp(x) along dim",
                               .flops = each_flops<5>,
                               .batch = by_dim(1),
                               .check = check_softmax};

constexpr const Op* kSoftmaxOps[] = {&op_softmax, &op_softmax_backward, &op_log_softmax,
                                     &op_log_softmax_backward};

Tensor along_dim(const Op& op, const Tensor& x, int64_t dim) {
  Attrs attrs;
  attrs.ints[0] = normalize_dim(dim, x.dim());
  return dispatch(op, {x}, attrs);
}

}  // namespace

OpList softmax_ops() { return {kSoftmaxOps, std::size(kSoftmaxOps)}; }

}  // namespace detail

Tensor softmax(const Tensor& x, int64_t dim) {
  return detail::along_dim(detail::op_softmax, x, dim);
}
Tensor log_softmax(const Tensor& x, int64_t dim) {
  return detail::along_dim(detail::op_log_softmax, x, dim);
}

}  // namespace autograd
