// Gradient clipping over a list of parameters.
#include "autograd/clip.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/parallel.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "kernels/cpu/power_sum.hpp"
#include "ops/broadcast.hpp"

namespace autograd::optim {

using detail::body;

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

}  // namespace

Tensor total_norm(const std::vector<Tensor>& tensors, double norm_type, bool error_if_nonfinite) {
  NoGrad no_grad;
  DType dtype = DType::kFloat32;
  std::vector<double> norms;
  for (const Tensor& t : tensors) {
    if (!is_floating(t.dtype()))
      fail(ErrorCode::kRuntime, "total_norm: expected floating point tensors, got ",
           name_of(t.dtype()));
    if (t.dtype() == DType::kFloat64) dtype = DType::kFloat64;
    const double norm = norm_of(t, norm_type);
    norms.push_back(t.dtype() == DType::kFloat64 ? norm : static_cast<float>(norm));
  }
  const double total = norms.empty()
                           ? 0.0
                           : root(cpu::power_sum(DType::kFloat64, norms.data(),
                                                 static_cast<int64_t>(norms.size()), norm_type),
                                  norm_type);
  if (error_if_nonfinite && !std::isfinite(total))
    fail(ErrorCode::kRuntime, "The total norm of order ", norm_type,
         " for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this "
         "error and scale the gradients by the non-finite norm anyway, set "
         "`error_if_nonfinite=False`");
  return full({}, total, dtype);
}

void scale_grads(const std::vector<Tensor>& params, double max_norm, const Tensor& norm) {
  NoGrad no_grad;
  const double total = norm.item();
  // In the norm's own type, so that the factor is the same as if it were computed with tensors.
  const double factor =
      norm.dtype() == DType::kFloat64
          ? max_norm / (total + 1e-6)
          : static_cast<float>(max_norm) / (static_cast<float>(total) + static_cast<float>(1e-6));
  if (factor >= 1) return;
  const Tensor number = scalar(factor);
  for (Tensor& grad : grads_of(params)) mul_(grad, number);
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
