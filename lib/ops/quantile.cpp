// Quantiles, made of sorting, gathering and interpolation.
#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "ops/broadcast.hpp"

namespace autograd {
namespace detail {
namespace {

void check_quantile(const char* name, const Tensor& x, const Tensor& q) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kRuntime, name, "() input tensor must be either float or double dtype, got ",
         name_of(x.dtype()));
  if (x.numel() == 0) fail(ErrorCode::kRuntime, name, "() input tensor must be non-empty");
  if (q.dim() > 1)
    fail(ErrorCode::kRuntime, name, "() q must be a scalar or 1D tensor, got ", q.dim(), " dims");
  if (q.dtype() != x.dtype())
    fail(ErrorCode::kRuntime, name, "() q tensor must be same dtype as the input tensor, got ",
         name_of(q.dtype()), " and ", name_of(x.dtype()));
  if (!has_elements(q)) return;
  // A check, and no part of the computation: it is not captured.
  const Unobserved pause;
  const Tensor known = q.detach();
  if (!all(logical_and(known >= 0.0, known <= 1.0)).item_int())
    fail(ErrorCode::kRuntime, name, "() q values must be in the range [0, 1]");
}

// Where between the sorted elements the quantiles lie: [..., Q] in 0 .. n - 1.
Tensor ranks_of(const Tensor& sorted, const Tensor& q, bool skip_nan) {
  const double last = static_cast<double>(sorted.size(-1) - 1);
  const Tensor is_nan = isnan(sorted);
  if (skip_nan) {
    const Tensor valid = sum(logical_not(is_nan), {-1}, true);
    return q * clamp(to(valid, q.dtype()) - 1.0, Scalar(0.0));
  }
  // NaN is sorted to the end: a row that has one gives it.
  return where(any(is_nan, {-1}, true), scalar(last), q * last);
}

Tensor quantile_of(const char* name, const Tensor& x, const Tensor& q, std::optional<int64_t> dim,
                   bool keepdim, QuantileInterpolation kind, bool skip_nan) {
  check_quantile(name, x, q);
  const int at = dim ? normalize_dim(*dim, x.dim()) : 0;
  const Tensor rows = dim && x.dim() ? movedim(x, {at}, {-1}) : reshape(x, {x.numel()});
  const Tensor sorted = sort(rows).first;
  Shape sizes = sorted.sizes();
  sizes[sizes.size() - 1] = q.numel();
  Tensor ranks = expand(ranks_of(sorted, reshape(q, {q.numel()}), skip_nan), sizes);
  if (kind == QuantileInterpolation::kHigher) ranks = ceil(ranks);
  if (kind == QuantileInterpolation::kNearest) ranks = round(ranks);
  const Tensor below = to(ranks.detach(), DType::kInt64);
  Tensor result = gather(sorted, -1, below);
  if (kind == QuantileInterpolation::kLinear || kind == QuantileInterpolation::kMidpoint) {
    const Tensor above = gather(sorted, -1, to(ceil(ranks.detach()), DType::kInt64));
    const Tensor weight = kind == QuantileInterpolation::kLinear ? ranks - to(below, ranks.dtype())
                                                                 : full({}, 0.5, ranks.dtype());
    result = lerp(result, above, weight);
  }
  // The quantiles come first; one that was given as a number has no dim.
  result = q.dim() ? movedim(result, {-1}, {0}) : squeeze(result, {-1});
  if (!keepdim) return result;
  if (dim) return x.dim() ? unsqueeze(result, at + q.dim()) : result;
  Shape kept;
  if (q.dim()) kept.push_back(q.numel());
  for (int d = 0; d < x.dim(); ++d) kept.push_back(1);
  return reshape(result, kept);
}

}  // namespace
}  // namespace detail

Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                QuantileInterpolation interpolation) {
  return detail::quantile_of("quantile", x, q, dim, keepdim, interpolation, false);
}

Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                   QuantileInterpolation interpolation) {
  return detail::quantile_of("nanquantile", x, q, dim, keepdim, interpolation, true);
}

}  // namespace autograd
