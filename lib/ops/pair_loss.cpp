// Losses of pairs (x, t): one kernel forwards, reduced or not, and one backwards.
#include "kernels/cpu/pair_loss.hpp"

#include <algorithm>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/reduce.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/losses.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

using cpu::PairLoss;

constexpr int kPairLosses = static_cast<int>(PairLoss::kKlLog) + 1;
constexpr int64_t kPairChunk = 1 << 15;  // a long sum is added up in pieces of this many elements

PairLoss kind_of(const Op& op) { return static_cast<PairLoss>(op.kernel); }
// Those of x - t: the slope of t is that of x with the other sign.
bool is_of_difference(PairLoss kind) { return kind <= PairLoss::kHuber; }

void infer_pair(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for ", name_of(x.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  if (reduction_of(call.attrs) == Reduction::kNone) meta.sizes = x.sizes;
}

// Sums fixed chunks, so that the result does not depend on the number of threads.
void sum_pairs(PairLoss kind, const Tensor& x, const Tensor& t, TensorBody& out, double p) {
  const int64_t n = x.numel();
  if (n <= kPairChunk)
    return cpu::pair_loss_sum(kind, x.dtype(), x.data(), t.data(), out.data, n, p);
  const int64_t chunks = (n + kPairChunk - 1) / kPairChunk;
  const size_t item = size_of(x.dtype());
  const Tensor sums = make_tensor({chunks}, x.dtype());
  const auto at = [item](void* start, int64_t i) {
    return static_cast<char*>(start) + static_cast<size_t>(i) * item;
  };
  parallel_for(chunks, 2, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      cpu::pair_loss_sum(kind, x.dtype(), at(x.data(), c * kPairChunk),
                         at(t.data(), c * kPairChunk), at(sums.data(), c),
                         std::min(kPairChunk, n - c * kPairChunk), p);
  });
  cpu::reduce(cpu::ReduceOp::kSum, x.dtype(), sums.data(), out.data, {1, chunks, 1, chunks, 1},
              nullptr);
}

void forward_pair(const Call& call) {
  const Tensor x = dense(call.in(0)), t = dense(call.in(1));
  const PairLoss kind = kind_of(call.op);
  const double p = call.attrs.reals[0];
  TensorBody& out = call.out();
  if (kind == PairLoss::kBce)
    for (const Tensor* side : {&x, &t})
      if (!cpu::is_probability(side->dtype(), side->data(), side->numel()))
        fail(ErrorCode::kRuntime, "binary_cross_entropy: all elements of ",
             side == &x ? "input" : "target", " should be between 0 and 1");
  const Reduction reduction = reduction_of(call.attrs);
  if (reduction != Reduction::kNone) {
    sum_pairs(kind, x, t, out, p);
    if (reduction == Reduction::kMean) divide(out, static_cast<double>(x.numel()));
    return;
  }
  const size_t item = size_of(x.dtype());
  parallel_for(x.numel(), kGrain / 2, [&](int64_t begin, int64_t end) {
    const size_t at = static_cast<size_t>(begin) * item;
    cpu::pair_loss(kind, x.dtype(), static_cast<const char*>(x.data()) + at,
                   static_cast<const char*>(t.data()) + at, out.data + at, end - begin, p);
  });
}

// pair_backward(g, x, t)
void infer_pair_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(1).dtype;
  meta.sizes = call.in(1).sizes;
}

void forward_pair_backward(const Call& call) {
  const Tensor g = dense(call.in(0)), x = dense(call.in(1)), t = dense(call.in(2));
  const Reduction reduction = reduction_of(call.attrs);
  const int64_t n = x.numel(), stride = reduction == Reduction::kNone ? 1 : 0;
  const double scale = reduction == Reduction::kMean ? 1.0 / static_cast<double>(n) : 1.0;
  const size_t item = size_of(x.dtype());
  char* const out = call.out().data;
  parallel_for(n, kGrain / 2, [&](int64_t begin, int64_t end) {
    const size_t at = static_cast<size_t>(begin) * item;
    cpu::pair_loss_backward(
        kind_of(call.op), x.dtype(), static_cast<const char*>(g.data()) + (stride ? at : 0), stride,
        scale, static_cast<const char*>(x.data()) + at, static_cast<const char*>(t.data()) + at,
        out + at, end - begin, call.attrs.reals[0]);
  });
}

// The same slopes in public ops: for the second order.
Tensor slope_of_x(PairLoss kind, const Tensor& x, const Tensor& t, double p) {
  switch (kind) {
    case PairLoss::kMse:
      return 2 * (x - t);
    case PairLoss::kL1:
      return sign(x - t);
    case PairLoss::kSmoothL1: {
      const Tensor d = x - t;
      return where(abs(d) < p, d / p, sign(d));
    }
    case PairLoss::kHuber: {
      const Tensor d = x - t;
      return where(abs(d) < p, d, p * sign(d));
    }
    case PairLoss::kBce:
      return (x - t) / clamp((1 - x) * x, Scalar(1e-12));
    case PairLoss::kBceLogits:
      return sigmoid(x) - t;
    case PairLoss::kSoftMargin:
      return -(t * sigmoid(-(t * x)));
    case PairLoss::kKl:
      return -t;
    case PairLoss::kKlLog:
      return -exp(t);
  }
  return {};
}

Tensor slope_of_target(PairLoss kind, const Tensor& x, const Tensor& t, double p) {
  switch (kind) {
    case PairLoss::kBce:
      return log(1 - x) - log(x);
    case PairLoss::kBceLogits:
      return -x;
    case PairLoss::kSoftMargin:
      return -(x * sigmoid(-(t * x)));
    case PairLoss::kKl:
      return log(t) + 1 - x;
    case PairLoss::kKlLog:
      return exp(t) * (t - x + 1);
    default:
      return -slope_of_x(kind, x, t, p);
  }
}

void backward_pair(Backward& b);

// The losses of all elements, then those of each example together.
bool batch_pair(const BatchedCall& c) {
  const Reduction reduction = reduction_of(c.attrs);
  Attrs attrs = c.attrs;
  attrs.ints[0] = static_cast<int64_t>(Reduction::kNone);
  c.make({c.front(0), c.front(1)}, attrs);
  c.outputs[0] = reduced_examples(c.outputs[0], reduction);
  return true;
}

bool batch_pair_backward(const BatchedCall& c) {
  const Reduction reduction = reduction_of(c.attrs);
  Attrs attrs = c.attrs;
  attrs.ints[0] = static_cast<int64_t>(Reduction::kNone);
  const Tensor x = c.front(1);
  Tensor g = c.aligned(0, c.rank(1));
  if (reduction == Reduction::kMean)
    g = g / static_cast<double>(std::max<int64_t>(x.numel() / std::max<int64_t>(c.size, 1), 1));
  c.make({expand(g, x.sizes()), x, c.front(2)}, attrs);
  return true;
}

void check_pair(const Call& call) {
  need_counts(call, 2, 2);
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_like(call, 1, 0);
}

void check_pair_backward(const Call& call) {
  need_counts(call, 3, 3);
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_float(call, 1);
  need_like(call, 2, 1);
  need_dtype_of(call, 0, 1);
  need_numel(call, 0, reduction_of(call.attrs) == Reduction::kNone ? call.in(1).numel : 1);
}

constexpr Op pair_op(PairLoss kind, const char* name, const char* attrs, const char* doc) {
  return {.name = name,
          .traits = kLoss,
          .infer = infer_pair,
          .forward = {forward_pair},
          .backward = backward_pair,
          .reads = {reads_input(0) | reads_input(1), reads_input(0) | reads_input(1)},
          .attrs = attrs,
          .doc = doc,
          .kernel = static_cast<int>(kind),
          .inputs = ",target",
          .batch = {.call = batch_pair},
          .check = check_pair};
}
constexpr Op pair_backward_op(PairLoss kind, const char* name, const char* attrs) {
  return {.name = name,
          .traits = kLoss,
          .infer = infer_pair_backward,
          .forward = {forward_pair_backward},
          .attrs = attrs,
          .doc = "the slope of the loss times g",
          .kernel = static_cast<int>(kind),
          .batch = {.call = batch_pair_backward},
          .check = check_pair_backward};
}

// kind, name, attributes, formula; in the order of PairLoss.
#define AG_PAIR_LOSSES(ROW)                                                             \
  ROW(kMse, "mse_loss", ";;reduction", "(x - t)^2")                                     \
  ROW(kL1, "l1_loss", ";;reduction", "|x - t|")                                         \
  ROW(kSmoothL1, "smooth_l1_loss", ";beta;reduction", "|x - t|, a parabola below beta") \
  ROW(kHuber, "huber_loss", ";delta;reduction", "(x - t)^2 / 2, a line beyond delta")   \
  ROW(kBce, "binary_cross_entropy", ";;reduction", "-t log(x) - (1 - t) log(1 - x)")    \
  ROW(kBceLogits, "binary_cross_entropy_with_logits", ";;reduction",                    \
      "(1 - t) x + log(1 + exp(-x))")                                                   \
  ROW(kSoftMargin, "soft_margin_loss", ";;reduction", "log(1 + exp(-t x))")             \
  ROW(kKl, "kl_div", ";;reduction", "t (log t - x)")                                    \
  ROW(kKlLog, "kl_div_log_target", ";;reduction", "exp(t) (t - x)")
#define AG_ROW(kind, name, attrs, doc) pair_op(PairLoss::kind, name, attrs, doc),
constexpr Op kPairOps[] = {AG_PAIR_LOSSES(AG_ROW)};
#undef AG_ROW
#define AG_ROW(kind, name, attrs, doc) pair_backward_op(PairLoss::kind, name "_backward", attrs),
constexpr Op kPairBackwardOps[] = {AG_PAIR_LOSSES(AG_ROW)};
#undef AG_ROW
static_assert(std::size(kPairOps) == kPairLosses);

void backward_pair(Backward& b) {
  const PairLoss kind = kind_of(b.op());
  const Tensor x = b.input(0), t = b.input(1), g = b.grad();
  const double p = b.attrs().reals[0];
  if (!thread_state.grad_enabled && (b.needs(0) || is_of_difference(kind))) {
    const Tensor dx = dispatch(kPairBackwardOps[static_cast<int>(kind)], {g, x, t}, b.attrs());
    if (b.needs(1)) b.set(1, is_of_difference(kind) ? -dx : Tensor());
    if (b.needs(0)) b.set(0, dx);
    if (!b.needs(1) || is_of_difference(kind)) return;
  }
  const bool is_mean = reduction_of(b.attrs()) == Reduction::kMean;
  const Tensor scaled = is_mean ? g / static_cast<double>(std::max<int64_t>(1, x.numel())) : g;
  if (b.needs(0) && thread_state.grad_enabled) b.set(0, slope_of_x(kind, x, t, p) * scaled);
  if (b.needs(1)) b.set(1, slope_of_target(kind, x, t, p) * scaled);
}

// What PyTorch computes in place takes the dtype and the sizes of the side that it changes.
void check_fits(PairLoss kind, const Tensor& x, const Tensor& t, DType common) {
  const bool of_target = kind == PairLoss::kBceLogits;
  const DType result = of_target ? t.dtype() : x.dtype();
  const char* const name = kPairOps[static_cast<int>(kind)].name;
  if (is_floating(common) && !is_floating(result))
    fail(ErrorCode::kRuntime, name, ": result type ", name_of(common),
         " can't be cast to the desired output type ", name_of(result), " of ",
         of_target ? "target" : "input");
}

Tensor pair_loss(PairLoss kind, const Tensor& x, const Tensor& t, Reduction reduction,
                 double p = 0) {
  Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(reduction);
  attrs.reals[0] = p;
  const Op& op = kPairOps[static_cast<int>(kind)];
  if (x.sizes() == t.sizes() && x.dtype() == t.dtype()) return dispatch(op, {x, t}, attrs);
  DType common = autograd::result_type(x, t);
  if (kind == PairLoss::kHuber || kind == PairLoss::kSoftMargin || kind == PairLoss::kBceLogits) {
    check_fits(kind, x, t, common);
    common = kind == PairLoss::kBceLogits ? t.dtype() : x.dtype();
  }
  const Shape sizes = broadcast_sizes(op.name, x.sizes(), t.sizes());
  if (kind == PairLoss::kSoftMargin && sizes != x.sizes())
    fail(ErrorCode::kRuntime, op.name, ": output with shape ", x.sizes(),
         " doesn't match the broadcast shape ", sizes);
  return dispatch(op, {expand(to(x, common), sizes), expand(to(t, common), sizes)}, attrs);
}

}  // namespace

OpList pair_loss_ops() {
  static const std::vector<const Op*> all = [] {
    std::vector<const Op*> ops;
    for (const Op& op : kPairOps) ops.push_back(&op);
    for (const Op& op : kPairBackwardOps) ops.push_back(&op);
    return ops;
  }();
  return {all.data(), all.size()};
}

void divide(TensorBody& number, double by) {
  if (number.dtype == DType::kFloat32)
    *reinterpret_cast<float*>(number.data) /= static_cast<float>(by);
  else
    *reinterpret_cast<double*>(number.data) /= by;
}

Tensor reduced_examples(const Tensor& loss, Reduction reduction) {
  if (reduction == Reduction::kNone || loss.dim() == 1) return loss;
  Shape dims;
  for (int d = 1; d < loss.dim(); ++d) dims.push_back(d);
  return reduction == Reduction::kMean ? mean(loss, dims) : sum(loss, dims);
}

Tensor reduced(const Tensor& loss, Reduction reduction) {
  return reduction == Reduction::kNone   ? loss
         : reduction == Reduction::kMean ? mean(loss)
                                         : sum(loss);
}

}  // namespace detail

using detail::pair_loss;
using detail::PairLoss;
using detail::reduced;

namespace {

/// Fails unless b may be expanded to the sizes of a.
void must_have_common_sizes(const char* what, const Tensor& a, const Tensor& b) {
  if (a.sizes() == b.sizes()) return;
  const Shape common = detail::broadcast_sizes(what, a.sizes(), b.sizes());
  if (common != a.sizes())
    fail(ErrorCode::kRuntime, what, " with shape ", a.sizes(),
         " doesn't match the broadcast shape ", common);
}

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  return pair_loss(PairLoss::kMse, input, target, reduction);
}

Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const bool has_bool = input.dtype() == DType::kBool || target.dtype() == DType::kBool;
  if (is_floating(promote(input.dtype(), target.dtype())) && !has_bool)
    return pair_loss(PairLoss::kL1, input, target, reduction);
  return reduced(abs(sub(input, target)), reduction);
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, Reduction reduction, double beta) {
  if (!(beta >= 0))
    fail(ErrorCode::kRuntime, "smooth_l1_loss does not support negative values for beta, got ",
         beta);
  return beta == 0 ? l1_loss(input, target, reduction)
                   : pair_loss(PairLoss::kSmoothL1, input, target, reduction, beta);
}

Tensor huber_loss(const Tensor& input, const Tensor& target, Reduction reduction, double delta) {
  if (!(delta > 0))
    fail(ErrorCode::kRuntime, "huber_loss does not support non-positive values for delta, got ",
         delta);
  return pair_loss(PairLoss::kHuber, input, target, reduction, delta);
}

Tensor soft_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  must_have_common_sizes("soft_margin_loss: input", input, target);
  return pair_loss(PairLoss::kSoftMargin, input, target, reduction);
}

Tensor kl_div(const Tensor& input, const Tensor& target, Reduction reduction, bool log_target) {
  for (const Tensor& side : {input, target})
    if (!is_floating(side.dtype()))
      fail(ErrorCode::kRuntime, "kl_div: Integral inputs not supported, got ",
           name_of(input.dtype()), " and ", name_of(target.dtype()));
  return pair_loss(log_target ? PairLoss::kKlLog : PairLoss::kKl, input, target, reduction);
}

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            Reduction reduction) {
  if (input.sizes() != target.sizes())
    fail(ErrorCode::kValue, "binary_cross_entropy: Using a target size (", target.sizes(),
         ") that is different to the input size (", input.sizes(),
         ") is deprecated. Please ensure they have the same size.");
  if (input.dtype() != target.dtype())
    fail(ErrorCode::kRuntime, "binary_cross_entropy: Found dtype ", name_of(target.dtype()),
         " but expected ", name_of(input.dtype()));
  if (!weight) return pair_loss(PairLoss::kBce, input, target, reduction);
  const Tensor loss = pair_loss(PairLoss::kBce, input, target, Reduction::kNone);
  must_have_common_sizes("binary_cross_entropy: input", input, weight);
  return reduced(loss * to(weight, input.dtype()), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const Tensor& weight, const Tensor& pos_weight,
                                        Reduction reduction) {
  if (input.sizes() != target.sizes())
    fail(ErrorCode::kValue, "Target size (", target.sizes(), ") must be the same as input size (",
         input.sizes(), ")");
  if (!is_floating(input.dtype()))
    fail(ErrorCode::kNotImplemented,
         "binary_cross_entropy_with_logits: \"log_sigmoid_cpu\" not implemented for ",
         name_of(input.dtype()));
  if (!weight && !pos_weight) return pair_loss(PairLoss::kBceLogits, input, target, reduction);
  for (const Tensor* factor : {&weight, &pos_weight})
    if (*factor) must_have_common_sizes("binary_cross_entropy_with_logits: input", input, *factor);
  Tensor loss;
  if (pos_weight) {
    // (1 - t) x + (1 + (w - 1) t) log(1 + exp(-x)): the second factor is the loss of t = 1.
    const Tensor of_one =
        pair_loss(PairLoss::kBceLogits, input, ones({}, input.dtype()), Reduction::kNone);
    loss = (1 - target) * input + ((pos_weight - 1) * target + 1) * of_one;
  } else {
    loss = pair_loss(PairLoss::kBceLogits, input, target, Reduction::kNone);
  }
  return reduced(weight ? loss * weight : loss, reduction);
}

}  // namespace autograd
