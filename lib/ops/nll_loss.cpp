// The negative log likelihood of class indices, over rows [N, C].
#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "kernels/cpu/nll.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/reduce.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/losses.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ints: reduction, ignore_index.

Attrs nll_attrs(Reduction reduction, int64_t ignore_index) {
  Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(reduction);
  attrs.ints[1] = ignore_index;
  return attrs;
}

// What every row counts for: its weight, over their sum for the mean.
void check_classes(const Call& call, const Tensor& t, int64_t classes) {
  const int64_t bad =
      cpu::count_ignored(t.data_as<int64_t>(), t.numel(), classes, call.attrs.ints[1]);
  if (bad < 0)
    fail(ErrorCode::kIndex, call.op.name, ": Target ", t.data_as<int64_t>()[-1 - bad],
         " is out of bounds (", classes, " classes, sample ", -1 - bad, ")");
}

Tensor row_weights(const Call& call, int target, int weight, DType dtype) {
  const Tensor t = dense(call.in(target));
  const int64_t ignore = call.attrs.ints[1], n = t.numel();
  const Tensor w = call.has(weight) ? dense(call.in(weight)) : Tensor();
  if (w) check_classes(call, t, w.numel());
  Tensor out = make_tensor({n}, dtype);
  const double total = cpu::class_weights(dtype, t.data_as<int64_t>(), w ? w.data() : nullptr,
                                          out.data(), n, ignore);
  if (reduction_of(call.attrs) != Reduction::kMean) return out;
  const int64_t* const targets = t.data_as<int64_t>();
  for (int64_t i = 0; i < n; ++i) {
    if (targets[i] == ignore) continue;
    if (dtype == DType::kFloat32)
      static_cast<float*>(out.data())[i] /= static_cast<float>(total);
    else
      static_cast<double*>(out.data())[i] /= total;
  }
  return out;
}

// ---- nll_loss(x, target, weight)

void infer_nll(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, "nll_loss: not implemented for ", name_of(x.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  if (reduction_of(call.attrs) == Reduction::kNone) meta.sizes = {x.sizes[0]};
}

void forward_nll(const Call& call) {
  const Tensor x = dense(call.in(0)), t = dense(call.in(1));
  const int64_t n = x.size(0), classes = x.size(1), ignore = call.attrs.ints[1];
  check_classes(call, t, classes);
  TensorBody& out = call.out();
  const bool is_reduced = reduction_of(call.attrs) != Reduction::kNone;
  const Tensor w = row_weights(call, 1, 2, x.dtype());
  const Tensor losses = is_reduced ? make_tensor({n}, x.dtype()) : borrow(&out);
  cpu::nll(x.dtype(), x.data(), t.data_as<int64_t>(), w.data(), losses.data(), n, classes, ignore);
  if (!is_reduced) return;
  cpu::reduce(cpu::ReduceOp::kSum, x.dtype(), losses.data(), out.data, {1, n, 1, n, 1}, nullptr);
  // 0 / 0, as in PyTorch, if no target counts.
  const bool is_empty = reduction_of(call.attrs) == Reduction::kMean &&
                        cpu::count_ignored(t.data_as<int64_t>(), n, classes, ignore) == n;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (is_empty) cpu::convert(&nan, DType::kFloat64, 0, out.data, out.dtype, 1, 1);
}

// nll_loss_backward(g, target, weight) of sizes lists[0]

void infer_nll_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[0];
}

void forward_nll_backward(const Call& call) {
  const Tensor g = dense(call.in(0)), t = dense(call.in(1));
  TensorBody& out = call.out();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  check_classes(call, t, out.sizes[1]);
  const Tensor w = row_weights(call, 1, 2, out.dtype);
  const int64_t stride = reduction_of(call.attrs) == Reduction::kNone ? 1 : 0;
  cpu::nll_backward(out.dtype, g.data(), stride, t.data_as<int64_t>(), w.data(), out.data,
                    out.sizes[0], out.sizes[1], call.attrs.ints[1]);
}

Tensor input_or_none(Backward& b, int i) { return b.has_input(i) ? b.input(i) : Tensor(); }

void backward_nll(Backward& b) {
  set_in_pieces(b, 0,
                nll_rows_backward(b.grad(), b.input(1), input_or_none(b, 2), b.input_sizes(0),
                                  reduction_of(b.attrs()), b.attrs().ints[1]));
}

// Linear in g: the transpose is the loss itself.
void backward_nll_backward(Backward& b) {
  b.set(0, nll_rows(b.grad(), b.input(1), input_or_none(b, 2), reduction_of(b.attrs()),
                    b.attrs().ints[1]));
}

// weight[t] of weights that differ between examples, 0 for ignored targets; [examples, targets].
Tensor weights_of_examples(const Tensor& weight, const Tensor& targets, int64_t ignore) {
  const Tensor each = reshape(targets, {weight.size(0), -1}), ignored = eq(each, scalar(ignore));
  const Tensor found = gather(weight.detach(), 1, masked_fill(each, ignored, scalar(0)));
  return masked_fill(found, ignored, scalar(0));
}

// The same for losses of rows without weights, [examples, rows].
bool weighted_nll(const BatchedCall& c, const Tensor& losses, const Tensor& targets) {
  const Tensor weights = weights_of_examples(c.values[2], targets, c.attrs.ints[1]);
  const Tensor each = losses * weights;
  const Reduction reduction = reduction_of(c.attrs);
  if (reduction == Reduction::kNone)
    c.outputs[0] = each;
  else
    c.outputs[0] = sum(each, {1});
  if (reduction == Reduction::kMean) c.outputs[0] = c.outputs[0] / sum(weights, {1});
  return true;
}

bool batch_nll(const BatchedCall& c) {
  const Tensor x = c.front(0), t = c.front(1);
  const Tensor w = c.has(2) && !c.is_batched(2) ? c.values[2] : Tensor();
  const Tensor rows = reshape(x, {x.size(0) * x.size(1), x.size(2)}), targets = reshape(t, {-1});
  const Tensor losses = nll_rows(rows, targets, w, Reduction::kNone, c.attrs.ints[1]);
  if (c.is_batched(2)) return weighted_nll(c, reshape(losses, t.sizes()), t);
  c.outputs[0] = reduced_rows(losses, c.size, targets, w, reduction_of(c.attrs), c.attrs.ints[1]);
  return true;
}

// One gradient of all rows, of losses that are not added up yet.
bool batch_nll_backward(const BatchedCall& c) {
  if (c.is_batched(2)) return false;
  const int64_t rows = c.sizes(1)[0], ignore = c.attrs.ints[1];
  const Reduction reduction = reduction_of(c.attrs);
  const Tensor targets = reshape(c.front(1), {-1}), w = c.has(2) ? c.values[2] : Tensor();
  Tensor g = c.front(0);
  if (reduction == Reduction::kMean) {
    const Tensor counts = class_weights(targets, w, g.dtype(), Reduction::kSum, ignore);
    g = g / sum(reshape(counts, {c.size, rows}), {1});
  }
  if (reduction != Reduction::kNone) g = expand(reshape(g, {c.size, 1}), {c.size, rows});
  const Shape &one = c.attrs.lists[0], all = {c.size, one[0], one[1]};
  c.outputs[0] = reshape(nll_rows_backward(reshape(g, {-1}), targets, w, {c.size * rows, one[1]},
                                           Reduction::kNone, ignore),
                         all);
  return true;
}

bool batch_class_weights(const BatchedCall& c) {
  const Tensor targets = c.front(0);
  const int64_t ignore = c.attrs.ints[1];
  Tensor each;
  if (c.is_batched(1)) {
    each = weights_of_examples(c.values[1], targets, ignore);
  } else {
    const Tensor w = c.has(1) ? c.values[1] : Tensor();
    each = class_weights(reshape(targets, {-1}), w, static_cast<DType>(c.attrs.ints[2]),
                         Reduction::kSum, ignore);
    each = reshape(each, {c.size, -1});
  }
  if (reduction_of(c.attrs) == Reduction::kMean) each = each / sum(each, {1}, true);
  c.outputs[0] = reshape(each, targets.sizes());
  return true;
}

void check_nll(const Call& call) {
  need_counts(call, 2, 3);
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_rank(call, 0, 2);
  need_dtype(call, 1, DType::kInt64);
  need_sizes(call, 1, {call.in(0).sizes[0]});
  need_sizes(call, 2, {call.in(0).sizes[1]});
  need_dtype_of(call, 2, 0);
}

void check_nll_backward(const Call& call) {
  need_counts(call, 2, 3);
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_float(call, 0);
  const Shape& sizes = need_sizes_list(call, 0);
  need(call, sizes.size() == 2, "rows of classes are wanted");
  need_dtype(call, 1, DType::kInt64);
  need_sizes(call, 1, {sizes[0]});
  need_sizes(call, 2, {sizes[1]});
  need_dtype_of(call, 2, 0);
  need_numel(call, 0, reduction_of(call.attrs) == Reduction::kNone ? sizes[0] : 1);
}

void check_class_weights(const Call& call) {
  need_counts(call, 1, 2);
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_dtype_number(call, 2);
  const auto dtype = static_cast<DType>(call.attrs.ints[2]);
  need(call, is_floating(dtype), "floats are wanted");
  need_dtype(call, 0, DType::kInt64);
  if (!call.has(1)) return;
  need_rank(call, 1, 1);
  need_dtype(call, 1, dtype);
}

constexpr Op op_nll = {.name = "nll_loss",
                       .traits = kLoss,
                       .infer = infer_nll,
                       .forward = {forward_nll},
                       .backward = backward_nll,
                       .reads = {reads_input(1) | reads_input(2)},
                       .attrs = ";;reduction,ignore_index",
                       .doc = "-weight[t] x[t] of rows of log probabilities",
                       .optional_inputs = 1u << 2,
                       .inputs = ",target,weight",
                       .batch = {.call = batch_nll},
                       .check = check_nll};
constexpr Op op_nll_backward = {.name = "nll_loss_backward",
                                .traits = kLoss,
                                .infer = infer_nll_backward,
                                .forward = {forward_nll_backward},
                                .backward = backward_nll_backward,
                                .reads = {reads_input(1) | reads_input(2)},
                                .attrs = "sizes;;reduction,ignore_index",
                                .doc = "zeros with -weight[t] g at t",
                                .optional_inputs = 1u << 2,
                                .batch = {.call = batch_nll_backward},
                                .check = check_nll_backward};

// ---- class_weights(target, weight)

void infer_class_weights(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = static_cast<DType>(call.attrs.ints[2]);
  meta.sizes = call.in(0).sizes;
}

void forward_class_weights(const Call& call) {
  const Tensor w = row_weights(call, 0, 1, call.out().dtype);
  copy_into(call.out(), *body(w));
}

constexpr Op op_class_weights = {
    .name = "class_weights",
    .traits = kLoss,
    .infer = infer_class_weights,
    .forward = {forward_class_weights},
    .attrs = ";;reduction,ignore_index,dtype",
    .doc = "weight[t], 0 for ignored targets, over their sum for a mean",
    .optional_inputs = 1u << 1,
    .batch = {.call = batch_class_weights},
    .check = check_class_weights};

constexpr const Op* kNllOps[] = {&op_nll, &op_nll_backward, &op_class_weights};

}  // namespace

OpList nll_ops() { return {kNllOps, std::size(kNllOps)}; }

Tensor nll_rows(const Tensor& rows, const Tensor& targets, const Tensor& weight,
                Reduction reduction, int64_t ignore_index) {
  return dispatch(op_nll, {rows, targets, weight}, nll_attrs(reduction, ignore_index));
}

Tensor nll_rows_backward(const Tensor& g, const Tensor& targets, const Tensor& weight,
                         const Shape& sizes, Reduction reduction, int64_t ignore_index) {
  Attrs attrs = nll_attrs(reduction, ignore_index);
  attrs.lists[0] = sizes;
  return dispatch(op_nll_backward, {g, targets, weight}, attrs);
}

Tensor class_weights(const Tensor& targets, const Tensor& weight, DType dtype, Reduction reduction,
                     int64_t ignore_index) {
  Attrs attrs = nll_attrs(reduction, ignore_index);
  attrs.ints[2] = static_cast<int64_t>(dtype);
  return dispatch(op_class_weights, {targets, weight}, attrs);
}

Tensor reduced_rows(const Tensor& losses, int64_t examples, const Tensor& targets,
                    const Tensor& weight, Reduction reduction, int64_t ignore_index) {
  const Tensor each = reshape(losses, {examples, -1});
  if (reduction == Reduction::kNone) return each;
  const Tensor total = sum(each, {1});
  if (reduction == Reduction::kSum) return total;
  const Tensor counts =
      class_weights(targets, weight, losses.dtype(), Reduction::kSum, ignore_index);
  return total / sum(reshape(counts, {examples, -1}), {1});
}

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

void check_class_weight(const char* op, const Tensor& x, int64_t classes, const Tensor& weight) {
  if (!weight) return;
  if (weight.dim() != 1 || weight.numel() != classes)
    fail(ErrorCode::kRuntime, op, ": weight tensor should be defined either for all ", classes,
         " classes or no classes but got weight tensor of shape: ", weight.sizes());
  if (weight.dtype() != x.dtype())
    fail(ErrorCode::kRuntime, op, ": expected scalar type ", name_of(x.dtype()),
         " for weight but found ", name_of(weight.dtype()));
}

ClassRows class_rows(const char* op, const Tensor& logits, const Tensor& target,
                     const Tensor& weight) {
  if (logits.dim() == 0) fail(ErrorCode::kValue, op, ": Expected 1 or more dimensions (got 0)");
  ClassRows all;
  all.sizes = logits.sizes();
  all.sizes.erase(logits.dim() == 1 ? 0 : 1);
  if (logits.dim() > 1 && target.dim() > 0 && target.sizes()[0] != logits.sizes()[0])
    fail(ErrorCode::kValue, op, ": Expected input batch_size (", logits.sizes()[0],
         ") to match target batch_size (", target.sizes()[0], "); sizes ", logits.sizes(), " and ",
         target.sizes());
  const bool is_one = logits.dim() == 1 && target.dim() == 1 && target.numel() == 1;
  if (target.sizes() != all.sizes && !is_one)
    fail(target.dim() == 0 || (logits.dim() == 1 && target.sizes() != logits.sizes())
             ? ErrorCode::kValue
             : ErrorCode::kRuntime,
         op, ": size mismatch: Expected target size ", all.sizes, " for input ", logits.sizes(),
         ", got ", target.sizes());
  if (target.dtype() != DType::kInt64 && target.dtype() != DType::kUInt8)
    fail(ErrorCode::kRuntime, op, ": expected target dtype to be Long or Byte, but got ",
         name_of(target.dtype()), "; expected scalar type Long");
  check_class_weight(op, logits, logits.sizes()[logits.dim() == 1 ? 0 : 1], weight);
  all.rows = logits.dim() == 1 ? unsqueeze(logits, 0) : classes_last(logits);
  all.targets = target.dim() == 1 ? target : reshape(target, {all.rows.size(0)});
  if (target.dtype() == DType::kUInt8) all.targets = to(all.targets, DType::kInt64);
  return all;
}

}  // namespace detail

Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                Reduction reduction, int64_t ignore_index) {
  const detail::ClassRows all = detail::class_rows("nll_loss", input, target, weight);
  const Tensor loss = detail::nll_rows(all.rows, all.targets, weight, reduction, ignore_index);
  return reduction == Reduction::kNone && all.sizes.size() != 1 ? reshape(loss, all.sizes) : loss;
}

}  // namespace autograd
