// The margin loss of rows that have several classes each.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/multilabel_margin.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/losses.hpp"
#include "ops/registry.hpp"
#include "ops/scratch.hpp"

namespace autograd {
namespace detail {
namespace {

using LabelKernel = void (*)(DType, const cpu::LabelledRows&, void* scratch, void* out);

/// Runs the kernel on all rows of the two inputs; `each`: numbers that it gives for a row.
void over_labelled_rows(const Call& call, int64_t each, LabelKernel kernel) {
  const Tensor x = dense(call.in(0)), target = dense(call.in(1));
  const int64_t classes = x.size(-1), rows = x.numel() / classes;
  const int64_t* const t = target.data_as<int64_t>();
  bool fits = true;
  for (int64_t i = 0; i < target.numel(); ++i) fits &= t[i] >= -1 && t[i] < classes;
  if (!fits)
    fail(ErrorCode::kRuntime, "multilabel_margin_loss: target out of range (", classes,
         " classes)");
  const int64_t item = static_cast<int64_t>(size_of(x.dtype())), size = classes * item;
  const int64_t grain = std::max<int64_t>(1, kGrain / classes * 8 / classes);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    const Scratch scratch(cpu::multilabel_margin_scratch(x.dtype(), classes));
    kernel(x.dtype(),
           {static_cast<const char*>(x.data()) + begin * size, t + begin * classes, end - begin,
            classes},
           scratch.data(), call.out().data + begin * each * item);
  });
}

// multilabel_margin_rows(x, target): the losses of the rows of x, [..., C]

void infer_label_losses(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add(call.in(0).dtype, call.in(0).sizes);
  meta.sizes.erase(meta.sizes.size() - 1);
}

void forward_label_losses(const Call& call) { over_labelled_rows(call, 1, cpu::multilabel_margin); }

// multilabel_margin_slopes(x, target): their derivatives by x, which are constant but for jumps

void infer_label_slopes(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(0).dtype, call.in(0).sizes);
}

void forward_label_slopes(const Call& call) {
  over_labelled_rows(call, call.in(0).sizes.back(), cpu::multilabel_margin_slopes);
}

void check_labels(const Call& call) {
  need_counts(call, 2, 2);
  need_float(call, 0);
  need_dtype(call, 1, DType::kInt64);
  const Shape& sizes = call.in(0).sizes;
  need(call, !sizes.empty() && sizes.back() > 0, "rows are wanted");
  need_sizes(call, 1, sizes);
}

constexpr Op op_label_slopes = {.name = "multilabel_margin_slopes",
                                .traits = kLoss,
                                .infer = infer_label_slopes,
                                .forward = {forward_label_slopes},
                                .doc = "the slopes of multilabel_margin_rows",
                                .inputs = ",target",
                                .batch = {3},
                                .check = check_labels};

void backward_label_losses(Backward& b) {
  b.set(0, unsqueeze(b.grad(), -1) * dispatch(op_label_slopes, {b.input(0), b.input(1)}));
}

constexpr Op op_label_losses = {
    .name = "multilabel_margin_rows",
    .traits = kLoss,
    .infer = infer_label_losses,
    .forward = {forward_label_losses},
    .backward = backward_label_losses,
    .reads = {reads_input(0) | reads_input(1)},
    .doc = "sum of max(0, 1 - x[t] + x[j]) / C over a row's own classes t and all others j",
    .inputs = ",target",
    .batch = {3},
    .check = check_labels};

constexpr const Op* kMultilabelMarginOps[] = {&op_label_losses, &op_label_slopes};

}  // namespace

OpList multilabel_margin_ops() { return {kMultilabelMarginOps, std::size(kMultilabelMarginOps)}; }

}  // namespace detail

Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const int rank = input.dim();
  if (rank > 2 || (rank && input.size(-1) == 0))
    fail(ErrorCode::kRuntime,
         "multilabel_margin_loss: Expected non-empty vector or matrix with optional 0-dim batch "
         "size, but got: ",
         input.sizes());
  if (rank ? input.sizes() != target.sizes() : target.numel() != 1 || target.dim() > 1)
    fail(ErrorCode::kRuntime, "multilabel_margin_loss: inconsistent target size: ", target.sizes(),
         " for input of size: ", input.sizes());
  if (target.dtype() != DType::kInt64)
    fail(ErrorCode::kRuntime, "multilabel_margin_loss: expected scalar type Long but found ",
         name_of(target.dtype()));
  if (!is_floating(input.dtype()))
    fail(ErrorCode::kNotImplemented, "multilabel_margin_loss: not implemented for ",
         name_of(input.dtype()));
  if (rank == 0)
    return detail::dispatch(detail::op_label_losses, {reshape(input, {1}), reshape(target, {1})});
  const Tensor losses = detail::dispatch(detail::op_label_losses, {input, target});
  return rank == 1 ? losses : detail::reduced(losses, reduction);
}

}  // namespace autograd
