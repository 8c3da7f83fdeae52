// Softmax cross entropy: one op over rows [N, C]; other layouts are brought into that form.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/cross_entropy.hpp"
#include "kernels/cpu/nll.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/reduce.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/losses.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ints: reduction, ignore_index.

bool has_indices(const TensorBody& target) { return !is_floating(target.dtype); }

// Inputs: logits [N, C], target [N] (indices) or [N, C] (probabilities), and, for indices, the
// weights of the classes [C] or nothing. Outputs: loss, logsumexp of each row.
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

// Class indices as the kernels want them. Where rows count differently (some are ignored, or
// classes have weights) `targets` is a copy with class 0 for ignored rows, and `weights` says for
// how much each row counts.
struct Targets {
  Tensor targets, weights;
  double total;  // what a mean divides by

  Targets(const Call& call, int target, int weight, int64_t classes, DType dtype)
      : targets(dense(call.in(target))) {
    const int64_t* t = targets.data_as<int64_t>();
    const int64_t n = targets.numel(), ignore = call.attrs.ints[1];
    const int64_t ignored = cpu::count_ignored(t, n, classes, ignore);
    if (ignored < 0)
      fail(ErrorCode::kIndex, "cross_entropy: Target ", t[-1 - ignored], " is out of bounds (",
           classes, " classes, sample ", -1 - ignored, ")");
    total = static_cast<double>(n);
    if (ignored == 0 && !call.has(weight)) return;
    const Tensor w = call.has(weight) ? dense(call.in(weight)) : Tensor();
    weights = make_tensor({n}, dtype);
    total = cpu::class_weights(dtype, t, w ? w.data() : nullptr, weights.data(), n, ignore);
    Tensor classes_only = make_tensor({n}, DType::kInt64);
    std::replace_copy(t, t + n, classes_only.data_as<int64_t>(), ignore, int64_t{0});
    targets = classes_only;
  }
};

template <class T>
void scale_rows(const Tensor& weights, T* rows, int64_t stride, T by, T* out) {
  const T* w = weights.data_as<T>();
  // An ignored row counts for nothing, even where it is infinite.
  for (int64_t i = 0; i < weights.numel(); ++i)
    out[i] = w[i] == 0 ? T(0) : rows[i * stride] * w[i] * by;
}

// out[i] = rows[i * stride] * weights[i] * by.
void scale_rows(const Tensor& weights, void* rows, int64_t stride, double by, void* out) {
  if (weights.dtype() == DType::kFloat32)
    scale_rows(weights, static_cast<float*>(rows), stride, static_cast<float>(by),
               static_cast<float*>(out));
  else
    scale_rows(weights, static_cast<double*>(rows), stride, by, static_cast<double*>(out));
}

void forward_cross_entropy(const Call& call) {
  const Tensor x = dense(call.in(0));
  const int64_t rows = x.size(0), classes = x.size(1);
  const Reduction reduction = reduction_of(call.attrs);
  TensorBody& out = call.out(0);
  Tensor losses = reduction == Reduction::kNone ? borrow(&out) : make_tensor({rows}, x.dtype());
  double total = static_cast<double>(rows);
  if (has_indices(call.in(1))) {
    const Targets of(call, 1, 2, classes, x.dtype());
    cpu::cross_entropy(x.dtype(), x.data(), of.targets.data_as<int64_t>(), losses.data(),
                       call.out(1).data, rows, classes);
    if (of.weights) scale_rows(of.weights, losses.data(), 1, 1, losses.data());
    total = of.total;
  } else {
    const Tensor target = dense(call.in(1));
    cpu::cross_entropy_probs(x.dtype(), x.data(), target.data(), losses.data(), call.out(1).data,
                             rows, classes);
  }
  if (reduction == Reduction::kNone) return;
  cpu::reduce(cpu::ReduceOp::kSum, x.dtype(), losses.data(), out.data, {1, rows, 1, rows, 1},
              nullptr);
  if (reduction == Reduction::kMean) divide(out, total);
}

// cross_entropy_backward(g, logits, target, logsumexp, weight)
void infer_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(1).dtype;
  meta.sizes = call.in(1).sizes;
}

void forward_backward(const Call& call) {
  Tensor g = dense(call.in(0));
  const Tensor x = dense(call.in(1)), lse = dense(call.in(3));
  const int64_t rows = x.size(0), classes = x.size(1);
  const bool is_mean = reduction_of(call.attrs) == Reduction::kMean;
  int64_t stride = reduction_of(call.attrs) == Reduction::kNone ? 1 : 0;
  double scale = is_mean ? 1.0 / static_cast<double>(rows) : 1.0;
  if (!has_indices(call.in(2))) {
    const Tensor target = dense(call.in(2));
    return cpu::cross_entropy_probs_backward(x.dtype(), g.data(), stride, scale, x.data(),
                                             target.data(), lse.data(), call.out().data, rows,
                                             classes);
  }
  const Targets of(call, 2, 4, classes, x.dtype());
  if (of.weights) {
    Tensor row_g = make_tensor({rows}, x.dtype());
    scale_rows(of.weights, g.data(), stride, is_mean ? 1 / of.total : 1, row_g.data());
    g = row_g;
    stride = 1;
    scale = 1;
  }
  cpu::cross_entropy_backward(x.dtype(), g.data(), stride, scale, x.data(),
                              of.targets.data_as<int64_t>(), lse.data(), call.out().data, rows,
                              classes);
}

/// Logits [rows, classes] at `at`, then the target; the weights of classes.
void check_classes(const Call& call, int at, int weight) {
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_rank(call, at, 2);
  need_float(call, at);
  const Shape& x = call.in(at).sizes;
  if (has_indices(call.in(at + 1)))
    need_sizes(call, at + 1, {x[0]});
  else
    need_like(call, at + 1, at);
  if (!call.has(weight)) return;
  need_sizes(call, weight, {x[1]});
  need_dtype_of(call, weight, at);
}

void check_cross_entropy(const Call& call) {
  need_counts(call, 2, 3, 2);
  check_classes(call, 0, 2);
}

void check_backward(const Call& call) {
  need_counts(call, 4, 5);
  check_classes(call, 1, 4);
  const int64_t rows = call.in(1).sizes[0];
  need_numel(call, 0, reduction_of(call.attrs) == Reduction::kNone ? rows : 1);
  need_sizes(call, 3, {rows});
  for (int i : {0, 3}) need_dtype_of(call, i, 1);
}

constexpr Op op_cross_entropy_backward = {.name = "cross_entropy_backward",
                                          .traits = kLoss,
                                          .infer = infer_backward,
                                          .forward = {forward_backward},
                                          .attrs = ";;reduction,ignore_index",
                                          .doc = "(softmax(x) - target) * g",
                                          .optional_inputs = 1u << 4,
                                          .flops = each_flops<5>,
                                          .check = check_backward};

// In public ops: for the second order.
Tensor gradient_of_logits(Backward& b, const Tensor& x, const Tensor& target, const Tensor& weight,
                          const Tensor& g) {
  const Reduction reduction = reduction_of(b.attrs());
  const Tensor p = softmax(x, 1);
  if (has_indices(*body(target))) {
    const int64_t ignore = b.attrs().ints[1];
    const Tensor counts = class_weights(target, weight, x.dtype(), reduction, ignore);
    return p * unsqueeze(counts * g, 1) +
           nll_rows_backward(g, target, weight, x.sizes(), reduction, ignore);
  }
  const Tensor row_g = reduction == Reduction::kNone   ? unsqueeze(g, 1)
                       : reduction == Reduction::kMean ? g / static_cast<double>(x.size(0))
                                                       : g;
  return (p * sum(target, {1}, true) - target) * row_g;
}

void backward_cross_entropy(Backward& b) {
  const Tensor x = b.input(0), target = b.input(1), g = b.grad();
  const Tensor weight = b.has_input(2) ? b.input(2) : Tensor();
  if (b.needs(0) && thread_state.grad_enabled)
    b.set(0, gradient_of_logits(b, x, target, weight, g));
  else if (b.needs(0))
    b.set(0, dispatch(op_cross_entropy_backward, {g, x, target, b.output(1), weight}, b.attrs()));
  if (!b.needs(1)) return;
  const Reduction reduction = reduction_of(b.attrs());
  const Tensor row_g = reduction == Reduction::kNone   ? unsqueeze(g, 1)
                       : reduction == Reduction::kMean ? g / static_cast<double>(x.size(0))
                                                       : g;
  b.set(1, -log_softmax(x, 1) * row_g);
}

// The rows of all examples at once; outputs: losses and what the gradient reads.
bool batch_cross_entropy(const BatchedCall& c) {
  const Reduction reduction = reduction_of(c.attrs);
  if (c.is_batched(2) || c.size == 0) return false;
  const Tensor x = c.front(0), t = c.front(1), w = c.has(2) ? c.values[2] : Tensor();
  const int64_t each = x.size(1);
  const bool has_classes = has_indices(*c.inputs[1].body);
  const Tensor targets = has_classes ? reshape(t, {-1}) : reshape(t, {c.size * each, x.size(2)});
  Attrs attrs = c.attrs;
  attrs.ints[0] = static_cast<int64_t>(Reduction::kNone);
  Vector<Tensor> values = {reshape(x, {c.size * each, x.size(2)}), targets};
  if (c.n_inputs > 2) values.push_back(w);
  c.make(values, attrs);
  c.outputs[1] = reshape(c.outputs[1], {c.size, each});
  c.outputs[0] = has_classes
                     ? reduced_rows(c.outputs[0], c.size, targets, w, reduction, c.attrs.ints[1])
                     : reduced_examples(reshape(c.outputs[0], {c.size, each}), reduction);
  return true;
}

constexpr Op op_cross_entropy = {
    .name = "cross_entropy",
    .traits = kLoss,
    .infer = infer_cross_entropy,
    .forward = {forward_cross_entropy},
    .backward = backward_cross_entropy,
    .reads = {reads_input(0) | reads_input(1) | reads_input(2) | reads_output(1),
              reads_input(0) | reads_input(1)},
    .attrs = ";;reduction,ignore_index",
    .doc = "softmax cross entropy of rows of logits",
    .optional_inputs = 1u << 2,
    .flops = each_flops<6>,
    .inputs = ",target,weight",
    .batch = {.call = batch_cross_entropy},
    .check = check_cross_entropy};

// ---- cross_entropy_step(logits, target, weight): the loss and, for a gradient of reals[0] from
// above, the gradient of the logits. Only compiled graphs hold it.

void infer_step(const Call& call, OutputMetas& outputs) {
  infer_cross_entropy(call, outputs);
  outputs[1].sizes = call.in(0).sizes;
}

void check_step(const Call& call) {
  need_counts(call, 2, 3, 2);
  check_classes(call, 0, 2);
}

/// The losses of some rows, on the stack if they are few.
class Losses {
 public:
  Losses(int64_t rows, DType dtype) {
    if (rows > kFew) many_ = make_tensor({rows}, dtype);
  }
  void* data() { return many_.defined() ? many_.data() : few_; }

 private:
  static constexpr int64_t kFew = 128;
  double few_[kFew];
  Tensor many_;
};

// Where rows do not all count alike, one after the other.
void forward_weighted_step(const Call& call, const Targets& of, const Tensor& x) {
  const int64_t rows = x.size(0), classes = x.size(1);
  const Reduction reduction = reduction_of(call.attrs);
  Tensor losses = make_tensor({rows}, x.dtype()), lse = make_tensor({rows}, x.dtype());
  cpu::cross_entropy(x.dtype(), x.data(), of.targets.data_as<int64_t>(), losses.data(), lse.data(),
                     rows, classes);
  TensorBody& out = call.out(0);
  void* const scaled = reduction == Reduction::kNone ? static_cast<void*>(out.data) : losses.data();
  scale_rows(of.weights, losses.data(), 1, 1, scaled);
  if (reduction != Reduction::kNone)
    cpu::reduce(cpu::ReduceOp::kSum, x.dtype(), scaled, out.data, {1, rows, 1, rows, 1}, nullptr);
  if (reduction == Reduction::kMean) divide(out, of.total);
  Tensor g = full({1}, call.attrs.reals[0], x.dtype()), row_g = make_tensor({rows}, x.dtype());
  scale_rows(of.weights, g.data(), 0, reduction == Reduction::kMean ? 1 / of.total : 1,
             row_g.data());
  cpu::cross_entropy_backward(x.dtype(), row_g.data(), 1, 1, x.data(),
                              of.targets.data_as<int64_t>(), lse.data(), call.out(1).data, rows,
                              classes);
}

void forward_step(const Call& call) {
  const Tensor x = dense(call.in(0));
  const int64_t rows = x.size(0), classes = x.size(1);
  const Reduction reduction = reduction_of(call.attrs);
  TensorBody& out = call.out(0);
  Losses apart(reduction == Reduction::kNone ? 0 : rows, x.dtype());
  void* const losses = reduction == Reduction::kNone ? static_cast<void*>(out.data) : apart.data();
  const double g = call.attrs.reals[0];
  const double scale = reduction == Reduction::kMean ? 1.0 / static_cast<double>(rows) : 1.0;
  if (has_indices(call.in(1))) {
    const Targets of(call, 1, 2, classes, x.dtype());
    if (of.weights) return forward_weighted_step(call, of, x);
    cpu::cross_entropy_step(x.dtype(), g, scale, x.data(), of.targets.data_as<int64_t>(), losses,
                            call.out(1).data, rows, classes);
  } else {
    const Tensor target = dense(call.in(1));
    cpu::cross_entropy_probs_step(x.dtype(), g, scale, x.data(), target.data(), losses,
                                  call.out(1).data, rows, classes);
  }
  if (reduction == Reduction::kNone) return;
  cpu::reduce(cpu::ReduceOp::kSum, x.dtype(), losses, out.data, {1, rows, 1, rows, 1}, nullptr);
  if (reduction == Reduction::kMean) divide(out, static_cast<double>(rows));
}

constexpr Op op_cross_entropy_step = {.name = "cross_entropy_step",
                                      .traits = kLoss,
                                      .infer = infer_step,
                                      .forward = {forward_step},
                                      .attrs = ";grad;reduction,ignore_index",
                                      .doc = "softmax cross entropy and the gradient of the logits",
                                      .optional_inputs = 1u << 2,
                                      .flops = each_flops<11>,
                                      .check = check_step};

constexpr const Op* kLossOps[] = {&op_cross_entropy, &op_cross_entropy_backward,
                                  &op_cross_entropy_step};

Tensor cross_entropy_rows(const Tensor& rows, const Tensor& target, const Tensor& weight,
                          Reduction reduction, int64_t ignore_index) {
  Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(reduction);
  attrs.ints[1] = ignore_index;
  const Arg inputs[3] = {rows, target, weight};
  Tensor outputs[2];
  dispatch(op_cross_entropy, inputs, weight ? 3 : 2, attrs, outputs, 2);
  return outputs[0];
}

// (1 - s) times the loss of the class, and s / C times the sum of the losses of all classes.
Tensor smoothed_rows(const Tensor& rows, const Tensor& target, const Tensor& weight,
                     Reduction reduction, int64_t ignore_index, double smoothing) {
  const Tensor log_p = log_softmax(rows, 1);
  const Tensor of_class = nll_rows(log_p, target, weight, reduction, ignore_index);
  const bool is_mean = reduction == Reduction::kMean;
  Tensor counts =
      class_weights(target, Tensor(), rows.dtype(),
                    is_mean && !weight ? Reduction::kMean : Reduction::kSum, ignore_index);
  if (is_mean && weight)
    counts =
        counts / sum(class_weights(target, weight, rows.dtype(), Reduction::kSum, ignore_index));
  Tensor of_all = -sum(weight ? log_p * weight : log_p, {1}) * counts;
  if (reduction != Reduction::kNone) of_all = sum(of_all);
  return of_class * (1 - smoothing) + of_all * (smoothing / static_cast<double>(rows.size(1)));
}

Tensor cross_entropy_of_indices(const Tensor& logits, const Tensor& target, Reduction reduction,
                                const Tensor& weight, int64_t ignore_index, double smoothing) {
  const ClassRows all = class_rows("cross_entropy", logits, target, weight);
  const Tensor loss =
      smoothing > 0
          ? smoothed_rows(all.rows, all.targets, weight, reduction, ignore_index, smoothing)
          : cross_entropy_rows(all.rows, all.targets, weight, reduction, ignore_index);
  return reduction == Reduction::kNone && all.sizes.size() != 1 ? reshape(loss, all.sizes) : loss;
}

Tensor cross_entropy_of_probabilities(const Tensor& logits, const Tensor& target,
                                      Reduction reduction, const Tensor& weight, double smoothing) {
  const bool is_single = logits.dim() == 1;
  Shape sizes = logits.sizes();
  sizes.erase(is_single ? 0 : 1);
  check_class_weight("cross_entropy", logits, logits.sizes()[is_single ? 0 : 1], weight);
  const Tensor rows = is_single ? unsqueeze(logits, 0) : classes_last(logits);
  Tensor p = is_single ? unsqueeze(target, 0) : classes_last(target);
  if (smoothing > 0) p = p * (1 - smoothing) + smoothing / static_cast<double>(rows.size(1));
  Tensor loss;
  if (weight) {
    loss = -sum(log_softmax(rows, 1) * p * weight, {1});
    loss = reduced(loss, reduction);
  } else {
    loss = cross_entropy_rows(rows, p, Tensor(), reduction, 0);
  }
  return reduction == Reduction::kNone && sizes.size() != 1 ? reshape(loss, sizes) : loss;
}

}  // namespace

void run_cross_entropy(const Call& call) { forward_cross_entropy(call); }
void run_cross_entropy_step(const Call& call) { forward_step(call); }

OpList loss_ops() { return {kLossOps, std::size(kLossOps)}; }

}  // namespace detail

Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction,
                     const Tensor& weight, int64_t ignore_index, double label_smoothing) {
  if (!(label_smoothing <= 1))
    fail(ErrorCode::kRuntime,
         "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  if (logits.dim() > 0 && is_floating(target.dtype()) && target.sizes() == logits.sizes()) {
    if (ignore_index >= 0)
      fail(ErrorCode::kRuntime, "ignore_index is not supported for floating point target");
    return detail::cross_entropy_of_probabilities(logits, target, reduction, weight,
                                                  label_smoothing);
  }
  const bool has_rows =
      logits.dim() > 1 && target.dim() > 0 && target.sizes()[0] == logits.sizes()[0];
  if (is_floating(target.dtype()) && has_rows)
    fail(ErrorCode::kRuntime, "cross_entropy: expected target dtype to be Long or Byte, but got ",
         name_of(target.dtype()), "; class probabilities have the sizes of the logits ",
         logits.sizes(), ", got ", target.sizes());
  return detail::cross_entropy_of_indices(logits, target, reduction, weight, ignore_index,
                                          label_smoothing);
}

}  // namespace autograd
