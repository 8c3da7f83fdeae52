// Softmax and log softmax along any dim.
#include "kernels/cpu/softmax.hpp"

#include <algorithm>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/thread_state.hpp"
#include "ops/broadcast.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// The kernels want rows: `t` with `dim` last, contiguous.
Tensor as_rows(TensorBody& t, int dim) {
  if (t.is_contiguous && dim == t.sizes.size() - 1) return borrow(&t);
  Shape sizes = t.sizes, strides = t.strides;
  std::swap(sizes[dim], sizes[sizes.size() - 1]);
  std::swap(strides[dim], strides[strides.size() - 1]);
  Tensor alias = make_alias(&t, sizes, strides, 0);
  Tensor rows = make_tensor(sizes, t.dtype);
  copy_into(*body(rows), *body(alias));
  return rows;
}

// Writes rows back to where as_rows took them from.
void from_rows(TensorBody& out, const Tensor& rows, int dim) {
  Shape sizes = out.sizes, strides = out.strides;
  std::swap(sizes[dim], sizes[sizes.size() - 1]);
  std::swap(strides[dim], strides[strides.size() - 1]);
  Tensor alias = make_alias(&out, sizes, strides, 0);
  copy_into(*body(alias), *body(rows));
}

// Calls kernel(first row, rows, out) on rows in parallel; `out` gets the layout of call.out().
template <class Kernel>
void over_rows(const Call& call, const Kernel& kernel) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const int rank = out.sizes.size(), dim = rank ? static_cast<int>(call.attrs.ints[0]) : 0;
  const int64_t n = rank ? out.sizes[dim] : 1;
  const bool direct = rank == 0 || dim == rank - 1;
  Tensor rows = direct ? borrow(&out) : make_tensor(as_rows(out, dim).sizes(), out.dtype);
  parallel_for(out.numel / n, std::max<int64_t>(1, kGrain / (4 * n)),
               [&](int64_t begin, int64_t end) {
                 kernel(static_cast<size_t>(begin * n) * size_of(out.dtype),
                        static_cast<char*>(rows.data()), end - begin, n);
               });
  if (!direct) from_rows(out, rows, dim);
}

Tensor input_rows(TensorBody& t, const Call& call) {
  if (t.sizes.empty()) return borrow(&t);
  return as_rows(t, static_cast<int>(call.attrs.ints[0]));
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
  const Tensor x = input_rows(call.in(0), call);
  over_rows(call, [&](size_t at, char* out, int64_t rows, int64_t n) {
    cpu::softmax(x.dtype(), log, static_cast<const char*>(x.data()) + at, out + at, rows, n);
  });
}

template <bool log>
void forward_softmax_backward(const Call& call) {
  const Tensor g = input_rows(call.in(0), call), y = input_rows(call.in(1), call);
  over_rows(call, [&](size_t at, char* out, int64_t rows, int64_t n) {
    cpu::softmax_backward(y.dtype(), log, static_cast<const char*>(g.data()) + at,
                          static_cast<const char*>(y.data()) + at, out + at, rows, n);
  });
}

constexpr Op op_softmax_backward = {.name = "softmax_backward",
                                    .traits = kReduction,
                                    .infer = infer_softmax,
                                    .forward = {forward_softmax_backward<false>},
                                    .attrs = ";;dim",
                                    .doc = "y * (g - sum(g * y))"};
constexpr Op op_log_softmax_backward = {.name = "log_softmax_backward",
                                        .traits = kReduction,
                                        .infer = infer_softmax,
                                        .forward = {forward_softmax_backward<true>},
                                        .attrs = ";;dim",
                                        .doc = "g - exp(y) * sum(g)"};

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
                           .doc = "exp(x - max(x)) / sum(exp(x - max(x))) along dim"};
constexpr Op op_log_softmax = {.name = "log_softmax",
                               .traits = kReduction,
                               .infer = infer_softmax,
                               .forward = {forward_softmax<true>},
                               .backward = backward_softmax<true>,
                               .reads = {reads_output()},
                               .attrs = ";;dim",
                               .doc = "x - logsumexp(x) along dim"};

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
