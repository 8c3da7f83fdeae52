// Losses. Cross entropy is one op over rows [N, C]; other layouts are brought into that form.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/reduce.hpp"
#include "kernels/cpu/softmax.hpp"
#include "ops/broadcast.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

Reduction reduction_of(const Attrs& attrs) { return static_cast<Reduction>(attrs.ints[0]); }

bool has_indices(const TensorBody& target) { return !is_floating(target.dtype); }

// Inputs: logits [N, C], target [N] (indices) or [N, C] (probabilities). Outputs: loss, logsumexp
// of each row.
void infer_cross_entropy(const Call& call, OutputMetas& outputs) {
  const TensorBody &x = call.in(0), &target = call.in(1);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, "cross_entropy: not implemented for logits of dtype ",
         name_of(x.dtype));
  if (target.dtype != DType::kInt64 && target.dtype != x.dtype)
    fail(ErrorCode::kRuntime, "cross_entropy: expected scalar type Long for class indices, or ",
         name_of(x.dtype), " for probabilities, but got ", name_of(target.dtype));
  OutputMeta& loss = outputs.add();
  loss.dtype = x.dtype;
  if (reduction_of(call.attrs) == Reduction::kNone) loss.sizes = {x.sizes[0]};
  OutputMeta& lse = outputs.add();
  lse.dtype = x.dtype;
  lse.sizes = {x.sizes[0]};
}

void check_targets(const Tensor& target, int64_t classes) {
  const int64_t* t = target.data_as<int64_t>();
  for (int64_t i = 0; i < target.numel(); ++i)
    if (t[i] < 0 || t[i] >= classes)
      fail(ErrorCode::kIndex, "cross_entropy: Target ", t[i], " is out of bounds (", classes,
           " classes, sample ", i, ")");
}

void forward_cross_entropy(const Call& call) {
  const Tensor x = dense(call.in(0)), target = dense(call.in(1));
  const int64_t rows = x.size(0), classes = x.size(1);
  const Reduction reduction = reduction_of(call.attrs);
  TensorBody& out = call.out(0);
  Tensor losses = reduction == Reduction::kNone ? borrow(&out) : make_tensor({rows}, x.dtype());
  if (has_indices(call.in(1))) {
    check_targets(target, classes);
    cpu::cross_entropy(x.dtype(), x.data(), target.data_as<int64_t>(), losses.data(),
                       call.out(1).data, rows, classes);
  } else {
    cpu::cross_entropy_probs(x.dtype(), x.data(), target.data(), losses.data(), call.out(1).data,
                             rows, classes);
  }
  if (reduction == Reduction::kNone) return;
  cpu::reduce(cpu::ReduceOp::kSum, x.dtype(), losses.data(), out.data, {1, rows, 1, rows, 1},
              nullptr);
  if (reduction != Reduction::kMean) return;
  if (x.dtype() == DType::kFloat32)
    *reinterpret_cast<float*>(out.data) /= static_cast<float>(rows);
  else
    *reinterpret_cast<double*>(out.data) /= static_cast<double>(rows);
}

// cross_entropy_backward(g, logits, target, logsumexp)
void infer_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(1).dtype;
  meta.sizes = call.in(1).sizes;
}

void forward_backward(const Call& call) {
  const Tensor g = dense(call.in(0)), x = dense(call.in(1)), target = dense(call.in(2)),
               lse = dense(call.in(3));
  const int64_t rows = x.size(0), classes = x.size(1);
  const Reduction reduction = reduction_of(call.attrs);
  const double scale = reduction == Reduction::kMean ? 1.0 / static_cast<double>(rows) : 1.0;
  const int64_t stride = reduction == Reduction::kNone ? 1 : 0;
  if (has_indices(call.in(2)))
    cpu::cross_entropy_backward(x.dtype(), g.data(), stride, scale, x.data(),
                                target.data_as<int64_t>(), lse.data(), call.out().data, rows,
                                classes);
  else
    cpu::cross_entropy_probs_backward(x.dtype(), g.data(), stride, scale, x.data(), target.data(),
                                      lse.data(), call.out().data, rows, classes);
}

constexpr Op op_cross_entropy_backward = {.name = "cross_entropy_backward",
                                          .traits = kLoss,
                                          .infer = infer_backward,
                                          .forward = {forward_backward},
                                          .attrs = ";;reduction",
                                          .doc = "(softmax(x) - target) * g"};

Tensor one_hot(const Tensor& target, int64_t classes, DType dtype) {
  Tensor out = zeros({target.numel(), classes}, dtype);
  const Tensor indices = dense(*body(target));
  const double one = 1;
  for (int64_t i = 0; i < indices.numel(); ++i)
    cpu::convert(
        &one, DType::kFloat64, 1,
        static_cast<char*>(out.data()) +
            static_cast<size_t>(i * classes + indices.data_as<int64_t>()[i]) * size_of(dtype),
        dtype, 1, 1);
  return out;
}

void backward_cross_entropy(Backward& b) {
  const Tensor x = b.input(0), target = b.input(1), g = b.grad();
  const Reduction reduction = reduction_of(b.attrs());
  const bool indices = has_indices(*body(target));
  if (b.needs(0) && !thread_state.grad_enabled)
    b.set(0, dispatch(op_cross_entropy_backward, {g, x, target, b.output(1)}, b.attrs()));
  if (!b.needs(1) && !thread_state.grad_enabled) return;
  // In public ops: for the second order, and for targets that need a gradient themselves.
  Tensor row_g = reduction == Reduction::kNone ? unsqueeze(g, 1) : g;
  if (reduction == Reduction::kMean) row_g = g / static_cast<double>(x.size(0));
  if (b.needs(0) && thread_state.grad_enabled) {
    const Tensor t = indices ? one_hot(target, x.size(1), x.dtype()) : target;
    const Tensor p = softmax(x, 1);
    b.set(0, ((indices ? p : p * sum(t, {1}, true)) - t) * row_g);
  }
  if (b.needs(1)) b.set(1, -log_softmax(x, 1) * row_g);
}

constexpr Op op_cross_entropy = {
    .name = "cross_entropy",
    .traits = kLoss,
    .infer = infer_cross_entropy,
    .forward = {forward_cross_entropy},
    .backward = backward_cross_entropy,
    .reads = {reads_input(0) | reads_input(1) | reads_output(1), reads_input(0) | reads_input(1)},
    .attrs = ";;reduction",
    .doc = "softmax cross entropy of rows of logits"};

constexpr const Op* kLossOps[] = {&op_cross_entropy, &op_cross_entropy_backward};

// [N, C, d1, ...] -> [N * d1 * ..., C]
Tensor classes_last(const Tensor& x) {
  if (x.dim() == 2) return x;
  Shape dims;
  for (int d = 0; d < x.dim(); ++d)
    if (d != 1) dims.push_back(d);
  dims.push_back(1);
  const Tensor moved = permute(x, dims);
  int64_t rows = 1;
  for (int d = 0; d + 1 < moved.dim(); ++d) rows *= moved.sizes()[d];
  return reshape(moved, {rows, x.size(1)});
}

Shape without_classes(const Shape& sizes) {
  Shape out = sizes;
  out.erase(sizes.size() == 1 ? 0 : 1);
  return out;
}

Tensor reduced(const Tensor& x, Reduction reduction) {
  return reduction == Reduction::kNone ? x : reduction == Reduction::kMean ? mean(x) : sum(x);
}

}  // namespace

OpList loss_ops() { return {kLossOps, std::size(kLossOps)}; }

}  // namespace detail

Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction) {
  if (logits.dim() == 0)
    fail(ErrorCode::kRuntime, "cross_entropy: logits need a class dim, got a 0-d tensor");
  const bool is_single = logits.dim() == 1;
  const Shape expected = detail::without_classes(logits.sizes());
  const bool indices = !is_floating(target.dtype());
  if (target.sizes() != (indices ? expected : logits.sizes()))
    fail(indices && target.dim() && !expected.empty() && target.sizes()[0] != expected[0]
             ? ErrorCode::kValue
             : ErrorCode::kRuntime,
         "cross_entropy: Expected ", indices ? "class indices" : "class probabilities",
         " of sizes ", indices ? expected : logits.sizes(), " for logits ", logits.sizes(),
         ", got target ", target.sizes());
  const Tensor rows = is_single ? unsqueeze(logits, 0) : detail::classes_last(logits);
  const Tensor row_targets = indices
                                 ? (target.dim() == 1 ? target : reshape(target, {rows.size(0)}))
                             : is_single ? unsqueeze(target, 0)
                                         : detail::classes_last(target);
  detail::Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(reduction);
  const detail::Arg inputs[2] = {rows, row_targets};
  Tensor outputs[2];
  detail::dispatch(detail::op_cross_entropy, inputs, 2, attrs, outputs, 2);
  return reduction == Reduction::kNone && expected.size() != 1 ? reshape(outputs[0], expected)
                                                               : outputs[0];
}

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const DType common = promote(input.dtype(), target.dtype());
  const Tensor d = sub(to(input, common), to(target, common));
  return detail::reduced(mul(d, d), reduction);
}

}  // namespace autograd
