// A product of matrices and the softmax cross entropy of its rows, in one op, so that the logits
// have no memory of their own. Only compiled graphs hold it.
#include "autograd/error.hpp"
#include "core/dispatch.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/losses.hpp"
#include "ops/product_rules.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {
namespace {

// Inputs: a [m, k], b [k, n], target, bias [n] or nothing, weights of the classes [n] or nothing.
// ints: reduction, ignore_index, and transposes_of the product. Outputs: those of cross_entropy, or
// of cross_entropy_step with its reals[0].
enum Input { kA, kB, kTarget, kBias, kWeight };

Factors factors(const Call& call) { return Factors(call, kA, call.attrs.ints[2]); }

void infer_outputs(const Call& call, OutputMetas& outputs, bool with_gradient) {
  const Factors p = factors(call);
  if (p.depth != p.depth_of_b)
    fail(ErrorCode::kRuntime, call.op.name, ": shapes cannot be multiplied: ", p.rows, "x", p.depth,
         " and ", p.depth_of_b, "x", p.columns);
  OutputMeta& loss = outputs.add();
  loss.dtype = call.in(kA).dtype;
  if (call.attrs.ints[0] == static_cast<int64_t>(Reduction::kNone)) loss.sizes = {p.rows};
  OutputMeta& other = outputs.add();
  other.dtype = loss.dtype;
  other.sizes = with_gradient ? Shape{p.rows, p.columns} : Shape{p.rows};
}

void infer(const Call& call, OutputMetas& outputs) { infer_outputs(call, outputs, false); }
void infer_linear_step(const Call& call, OutputMetas& outputs) {
  infer_outputs(call, outputs, true);
}

void check(const Call& call) {
  need_counts(call, 3, 5, 2);
  for (const int i : {kA, kB}) {
    need_rank(call, i, 2);
    need_float(call, i);
    need_dtype_of(call, i, kA);
  }
  need_number(call, 0, 0, static_cast<int64_t>(Reduction::kSum));
  need_number(call, 2, 0, 3);
  const Factors p = factors(call);
  if (is_floating(call.in(kTarget).dtype)) {
    need_sizes(call, kTarget, {p.rows, p.columns});
    need_dtype_of(call, kTarget, kA);
  } else {
    need_sizes(call, kTarget, {p.rows});
    need_dtype(call, kTarget, DType::kInt64);
  }
  for (const int i : {kBias, kWeight}) {
    if (!call.has(i)) continue;
    need_sizes(call, i, {p.columns});
    need_dtype_of(call, i, kA);
  }
}

/// The product goes to `logits`, then `loss` runs on it with the same outputs.
void run(const Call& call, const Tensor& logits, void (*loss)(const Call& call)) {
  const Factors p = factors(call);
  const Tensor bias = call.has(kBias) ? dense(call.in(kBias)) : Tensor();
  cpu::GemmEpilogue epilogue;
  if (bias) epilogue.bias = bias.data();
  multiply_matrices(logits.dtype(), p.rows, p.columns, p.depth, p.a, p.b, logits.data(), p.columns,
                    epilogue);
  const Arg inputs[] = {logits, call.inputs[kTarget],
                        call.has(kWeight) ? call.inputs[kWeight] : Arg(nullptr)};
  loss({call.op, inputs, 3, call.attrs, call.outputs, 2});
}

void forward(const Call& call) {
  const Factors p = factors(call);
  run(call, make_tensor({p.rows, p.columns}, call.in(kA).dtype), run_cross_entropy);
}

// The gradient lies where the logits lay: the loss reads each row before it writes it.
void forward_linear_step(const Call& call) { run(call, call.outputs[1], run_cross_entropy_step); }

template <int kPerElement>
double flops(const CallSizes& s) {
  const int ta = s.attrs.ints[2] & 1, tb = s.attrs.ints[2] >> 1 & 1;
  const Shape &a = s.in(kA), &b = s.in(kB);
  const double logits = static_cast<double>(a[ta]) * static_cast<double>(b[1 - tb]);
  return logits * (2 * static_cast<double>(a[1 - ta]) + (s.has(kBias) ? 1 : 0) + kPerElement);
}

constexpr uint32_t kOptional = 1u << kBias | 1u << kWeight;

constexpr Op op_linear_cross_entropy = {.name = "linear_cross_entropy",
                                        .traits = kProduct,
                                        .infer = infer,
                                        .forward = {forward},
                                        .attrs = ";;reduction,ignore_index,transposes",
                                        .doc = "softmax cross entropy of the rows of a product",
                                        .optional_inputs = kOptional,
                                        .flops = flops<6>,
                                        .check = check};

constexpr Op op_linear_cross_entropy_step = {
    .name = "linear_cross_entropy_step",
    .traits = kProduct,
    .infer = infer_linear_step,
    .forward = {forward_linear_step},
    .attrs = ";grad;reduction,ignore_index,transposes",
    .doc = "softmax cross entropy of the rows of a product, and the product's gradient",
    .optional_inputs = kOptional,
    .flops = flops<11>,
    .check = check};

constexpr const Op* kLinearLossOps[] = {&op_linear_cross_entropy, &op_linear_cross_entropy_step};

}  // namespace

OpList linear_loss_ops() { return {kLinearLossOps, std::size(kLinearLossOps)}; }

}  // namespace autograd::detail
