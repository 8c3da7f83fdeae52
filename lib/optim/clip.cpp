// Gradient clipping over a list of parameters.
#include "autograd/clip.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string_view>
#include <vector>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/power_sum.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "optim/recipe.hpp"

namespace autograd::optim {

using detail::body;
using detail::TensorBody;

namespace {

// From the sum of powers to the norm.
double root(double sum, double p) {
  return p == 0 || std::isinf(p) ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / p);
}

double norm_of(const Tensor& t, double p) {
  const Tensor dense = detail::dense(*body(t));
  const int64_t n = dense.numel();
  const size_t item = size_of(dense.dtype());
  const char* data = static_cast<const char*>(dense.data());
  if (n <= detail::kGrain || std::isinf(p))
    return root(cpu::power_sum(dense.dtype(), data, n, p), p);
  // One sum per piece, added in order: the result does not depend on the number of threads.
  const int64_t pieces = (n + detail::kGrain - 1) / detail::kGrain;
  std::vector<double> sums(static_cast<size_t>(pieces));
  detail::parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i * detail::kGrain, size = std::min<int64_t>(detail::kGrain, n - at);
      sums[static_cast<size_t>(i)] =
          cpu::power_sum(dense.dtype(), data + static_cast<size_t>(at) * item, size, p);
    }
  });
  double sum = 0;
  for (double each : sums) sum += each;
  return root(sum, p);
}

std::vector<Tensor> grads_of(const std::vector<Tensor>& params) {
  std::vector<Tensor> grads;
  for (const Tensor& p : params)
    if (Tensor grad = p.grad()) grads.push_back(std::move(grad));
  return grads;
}

// ---- total_norm(tensors...): reals[0] = order; ints[0] = fail unless it is finite

void infer_norm(const detail::Call& call, detail::OutputMetas& outputs) {
  DType& dtype = outputs.add().dtype = DType::kFloat32;
  for (int i = 0; i < call.n_inputs; ++i) {
    const DType each = call.in(i).dtype;
    if (!is_floating(each))
      fail(ErrorCode::kRuntime, "total_norm: expected floating point tensors, got ", name_of(each));
    if (each == DType::kFloat64) dtype = DType::kFloat64;
  }
}

void forward_norm(const detail::Call& call) {
  const double order = call.attrs.reals[0];
  std::vector<double> norms;
  for (int i = 0; i < call.n_inputs; ++i) {
    const double norm = norm_of(detail::borrow(&call.in(i)), order);
    norms.push_back(call.in(i).dtype == DType::kFloat64 ? norm : static_cast<float>(norm));
  }
  const double total = norms.empty()
                           ? 0.0
                           : root(cpu::power_sum(DType::kFloat64, norms.data(),
                                                 static_cast<int64_t>(norms.size()), order),
                                  order);
  if (call.attrs.ints[0] && !std::isfinite(total))
    fail(ErrorCode::kRuntime, "The total norm of order ", order,
         " for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this "
         "error and scale the gradients by the non-finite norm anyway, set "
         "`error_if_nonfinite=False`");
  TensorBody& out = call.out();
  cpu::convert(&total, DType::kFloat64, 1, out.data, out.dtype, 1, 1);
}

constexpr detail::Op op_total_norm = {.name = "total_norm",
                                      .traits = detail::kReduction,
                                      .infer = infer_norm,
                                      .forward = {forward_norm},
                                      .attrs = ";order;error_if_nonfinite",
                                      .doc = "the norm of the norms of all inputs",
                                      .check = detail::takes<0, 1 << 16>};

// ---- clip_to_norm_(grad, norm): reals[0] = largest norm

void infer_clip(const detail::Call& call, detail::OutputMetas& outputs) {
  if (call.in(1).numel != 1)
    fail(ErrorCode::kRuntime, "clip_grads_with_norm_: the norm must have one element, got sizes ",
         call.in(1).sizes);
  outputs.add().dtype = call.in(0).dtype;
  outputs[0].sizes = call.in(0).sizes;
}

void forward_clip(const detail::Call& call) {
  const Tensor norm = detail::borrow(&call.in(1));
  const double total = norm.item(), most = call.attrs.reals[0];
  // In the norm's own type, so that the factor is the same as if it were computed with tensors.
  const double factor =
      norm.dtype() == DType::kFloat64
          ? most / (total + 1e-6)
          : static_cast<float>(most) / (static_cast<float>(total) + static_cast<float>(1e-6));
  if (factor >= 1) return;
  const Tensor number = scalar(factor);
  const double none[3] = {0, 0, 0};
  const detail::Arg inputs[] = {call.inputs[0], number};
  detail::run_pointwise(static_cast<int>(cpu::PointwiseOp::k_mul), call.in(0).dtype, none,
                        call.out(), inputs, 2, false);
}

void check_clip(const detail::Call& call) {
  detail::need_counts(call, 2, 2);
  for (int i = 0; i < 2; ++i) detail::need_float(call, i);
}

constexpr detail::Op op_clip_to_norm = {.name = "clip_to_norm_",
                                        .traits = detail::kInPlace,
                                        .infer = infer_clip,
                                        .forward = {forward_clip},
                                        .attrs = ";max_norm",
                                        .doc = "a gradient times min(1, max_norm / (norm + 1e-6))",
                                        .check = check_clip};

}  // namespace

const detail::Op* find_clip_op(std::string_view name) {
  for (const detail::Op* op : {&op_total_norm, &op_clip_to_norm})
    if (name == op->name) return op;
  return nullptr;
}

Tensor total_norm(const std::vector<Tensor>& tensors, double norm_type, bool error_if_nonfinite) {
  NoGrad no_grad;
  const std::vector<detail::Arg> inputs(tensors.begin(), tensors.end());
  detail::Attrs attrs;
  attrs.reals[0] = norm_type;
  attrs.ints[0] = error_if_nonfinite;
  return detail::dispatch(op_total_norm, inputs.data(), static_cast<int>(inputs.size()), attrs);
}

void scale_grads(const std::vector<Tensor>& params, double max_norm, const Tensor& norm) {
  NoGrad no_grad;
  detail::Attrs attrs;
  attrs.reals[0] = max_norm;
  for (const Tensor& grad : grads_of(params))
    detail::dispatch_in_place(op_clip_to_norm, {grad, norm}, attrs);
}

Tensor clip_grad_norm(const std::vector<Tensor>& params, double max_norm, double norm_type,
                      bool error_if_nonfinite) {
  const Tensor norm = total_norm(grads_of(params), norm_type, error_if_nonfinite);
  scale_grads(params, max_norm, norm);
  return norm;
}

void clip_grad_value(const std::vector<Tensor>& params, double clip_value) {
  NoGrad no_grad;
  const Tensor low = scalar(-clip_value), high = scalar(clip_value);
  for (Tensor& grad : grads_of(params)) clamp_(grad, low, high);
}

}  // namespace autograd::optim
