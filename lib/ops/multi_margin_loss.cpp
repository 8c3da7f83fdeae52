// The multi-class margin loss of class indices.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "kernels/cpu/nll.hpp"
#include "kernels/cpu/reduce.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/losses.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// multi_margin_loss(x, target, weight): x is [N, C] or one row, target has N elements. ints:
// reduction, p; reals: margin.

// Rows, targets and weights as the kernels take them.
struct MarginRows {
  MarginRows(const Call& call, int first)
      : x(dense(call.in(first))),
        target(dense(call.in(first + 1))),
        weight(call.has(first + 2) ? dense(call.in(first + 2)) : Tensor()) {
    n = target.numel();
    classes = x.dim() == 0 ? 1 : x.size(-1);
    if (cpu::count_ignored(t(), n, classes, kNone) != 0)
      fail(ErrorCode::kRuntime, "multi_margin_loss: target out of range (", classes, " classes)");
  }
  const int64_t* t() const { return target.data_as<int64_t>(); }
  const void* w() const { return weight ? weight.data() : nullptr; }

  // No number is both ignored and negative here: -1 is neither a class nor ignored.
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::min();
  Tensor x, target, weight;
  int64_t n, classes;
};

void infer_margin(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, "multi_margin_loss: not implemented for ", name_of(x.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  if (reduction_of(call.attrs) == Reduction::kNone) meta.sizes = call.in(1).sizes;
}

void forward_margin(const Call& call) {
  const MarginRows rows(call, 0);
  TensorBody& out = call.out();
  const Reduction reduction = reduction_of(call.attrs);
  const Tensor losses =
      reduction == Reduction::kNone ? borrow(&out) : make_tensor({rows.n}, out.dtype);
  cpu::multi_margin(out.dtype, rows.x.data(), rows.t(), rows.w(), losses.data(), rows.n,
                    rows.classes, call.attrs.ints[1], call.attrs.reals[0]);
  if (reduction == Reduction::kNone) return;
  cpu::reduce(cpu::ReduceOp::kSum, out.dtype, losses.data(), out.data, {1, rows.n, 1, rows.n, 1},
              nullptr);
  if (reduction == Reduction::kMean) divide(out, static_cast<double>(rows.n));
}

// multi_margin_backward(g, x, target, weight)
void infer_margin_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(1).dtype;
  meta.sizes = call.in(1).sizes;
}

void forward_margin_backward(const Call& call) {
  const MarginRows rows(call, 1);
  const Tensor g = dense(call.in(0));
  const Reduction reduction = reduction_of(call.attrs);
  const double scale = reduction == Reduction::kMean ? 1.0 / static_cast<double>(rows.n) : 1;
  cpu::multi_margin_backward(g.dtype(), g.data(), reduction == Reduction::kNone, scale,
                             rows.x.data(), rows.t(), rows.w(), call.out().data, rows.n,
                             rows.classes, call.attrs.ints[1], call.attrs.reals[0]);
}

void check_rows(const Call& call, int first) {
  need_counts(call, first + 2, first + 3);
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_number(call, 1, 1, 2);
  need_float(call, first);
  need_dtype(call, first + 1, DType::kInt64);
  need_dtype_of(call, first + 2, first);
  const Shape& sizes = call.in(first).sizes;
  need(call, sizes.size() <= 2 && (sizes.empty() || sizes.back() > 0), "rows are wanted");
  need_numel(call, first + 1, sizes.size() == 2 ? sizes[0] : 1);
  need_sizes(call, first + 2, {sizes.empty() ? 1 : sizes.back()});
}

void check_margin(const Call& call) { check_rows(call, 0); }

void check_margin_backward(const Call& call) {
  check_rows(call, 1);
  need_dtype_of(call, 0, 1);
  need_numel(call, 0, reduction_of(call.attrs) == Reduction::kNone ? call.in(2).numel : 1);
}

constexpr Op op_margin_backward = {.name = "multi_margin_backward",
                                   .traits = kLoss,
                                   .infer = infer_margin_backward,
                                   .forward = {forward_margin_backward},
                                   .attrs = ";margin;reduction,p",
                                   .doc = "the slope of multi_margin_loss times g",
                                   .optional_inputs = 1u << 3,
                                   .check = check_margin_backward};

// The same in public ops.
Tensor composed(const Tensor& input, const Tensor& target, const Tensor& weight,
                const Attrs& attrs) {
  const Reduction reduction = reduction_of(attrs);
  const double margin = attrs.reals[0], p = static_cast<double>(attrs.ints[1]);
  const Tensor rows = input.dim() == 2 ? input : reshape(input, {1, input.numel()});
  const Tensor classes_of = reshape(target, {rows.size(0)});
  const Tensor minus_own =
      nll_rows(rows, classes_of, Tensor(), Reduction::kNone, MarginRows::kNone);
  const Tensor excess = relu(rows + unsqueeze(minus_own + margin, 1));
  const Tensor terms = p == 1 ? excess : excess * excess;
  // The class itself adds the margin to the sum.
  Tensor loss = sum(terms, {1}) - std::pow(std::max(margin, 0.0), p);
  if (weight)
    loss =
        loss * class_weights(classes_of, weight, rows.dtype(), Reduction::kSum, MarginRows::kNone);
  return reduced(reshape(loss / static_cast<double>(rows.size(1)), target.sizes()), reduction);
}

void backward_margin(Backward& b) {
  const Tensor weight = b.has_input(2) ? b.input(2) : Tensor();
  if (wants_composite(b))
    return differentiate_composite(b, [&](const std::vector<Tensor>& x) {
      return std::vector<Tensor>{composed(x[0], x[1], weight, b.attrs())};
    });
  b.set(0, dispatch(op_margin_backward, {b.grad(), b.input(0), b.input(1), weight}, b.attrs()));
}

constexpr uint32_t kMarginReads = reads_input(0) | reads_input(1) | reads_input(2);

constexpr Op op_margin = {
    .name = "multi_margin_loss",
    .traits = kLoss,
    .infer = infer_margin,
    .forward = {forward_margin},
    .backward = backward_margin,
    .reads = {kMarginReads},
    .attrs = ";margin;reduction,p",
    .doc = "weight[t] mean(max(0, margin - x[t] + x)^p) of rows, but for x[t]",
    .optional_inputs = 1u << 2,
    .inputs = ",target,weight",
    .check = check_margin};

constexpr const Op* kMarginOps[] = {&op_margin, &op_margin_backward};

}  // namespace

OpList multi_margin_ops() { return {kMarginOps, std::size(kMarginOps)}; }

}  // namespace detail

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p, double margin,
                         const Tensor& weight, Reduction reduction) {
  if (p != 1 && p != 2)
    fail(ErrorCode::kValue, "multi_margin_loss: only p == 1 and p == 2 supported, got ", p);
  const int rank = input.dim();
  if (rank > 2 || (rank == 2 ? input.size(1) : input.numel()) == 0)
    fail(ErrorCode::kRuntime,
         "multi_margin_loss: Expected non-empty vector or matrix with optional 0-dim batch size, "
         "but got: ",
         input.sizes());
  if (target.dtype() != DType::kInt64)
    fail(ErrorCode::kRuntime, "multi_margin_loss: expected scalar type Long but found ",
         name_of(target.dtype()));
  const int64_t n = rank == 2 ? input.size(0) : 1,
                classes = rank == 2 ? input.size(1) : input.numel();
  if (target.dim() > 1 || target.numel() != n)
    fail(ErrorCode::kRuntime,
         "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
         "samples (batch size). Expected target size [",
         n, "], but got ", target.sizes(), ". Input has shape ", input.sizes(), ".");
  if (weight && (weight.dim() != 1 || weight.numel() != classes))
    fail(ErrorCode::kRuntime, "multi_margin_loss: inconsistent weight size, expected ", classes,
         " but got ", weight.sizes());
  detail::Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(reduction);
  attrs.ints[1] = p;
  attrs.reals[0] = margin;
  // Of examples the targets are looked at by an op that has a rule for them.
  for (const Tensor* t : {&input, &target, &weight})
    if (*t && !detail::has_elements(*t)) return detail::composed(input, target, weight, attrs);
  return detail::dispatch(detail::op_margin, {input, target, weight}, attrs);
}

}  // namespace autograd
