// Norms and angles of pairs, and losses made of other ops.
#include <cmath>
#include <limits>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/losses.hpp"

namespace autograd {
namespace detail {
namespace {

Tensor at_least(const Tensor& x, double low) { return clamp(x, Scalar(low)); }

// The root of a sum of squares, with gradient 0 where the sum is 0.
Tensor safe_sqrt(const Tensor& squares) {
  const Tensor is_zero = squares == 0.0;
  return where(is_zero, squares, sqrt(where(is_zero, squares + 1.0, squares)));
}

// (sum |x|^p)^(1/p) along one dim, which stays.
Tensor norm_along(const Tensor& x, double p, int64_t dim) {
  const Shape dims = x.dim() ? Shape{dim} : Shape{};
  if (p == 2) return safe_sqrt(sum(x * x, dims, true));
  if (p == 1) return sum(abs(x), dims, true);
  if (p == 0) return sum(to(x != 0.0, x.dtype()), dims, true);
  if (p == std::numeric_limits<double>::infinity()) return amax(abs(x), dims, true);
  if (p == -std::numeric_limits<double>::infinity()) return amin(abs(x), dims, true);
  // Exponents of the dtype of x: as numbers they would be rounded to the default dtype in
  // gradients.
  const Tensor up = full({}, p, x.dtype()), down = full({}, 1 / p, x.dtype());
  // As with the root: the power of 0 has gradient 0.
  const Tensor is_zero = x == 0.0;
  const Tensor powers =
      p > 0 ? where(is_zero, abs(x), pow(where(is_zero, x + 1.0, abs(x)), up)) : pow(abs(x), up);
  const Tensor total = sum(powers, dims, true);
  const Tensor none = total == 0.0;
  return where(none, total, pow(where(none, total + 1.0, total), down));
}

void check_float(const char* op, const Tensor& x) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kRuntime, op,
         ": expected common dtype to be floating point, yet common dtype is ", name_of(x.dtype()));
}

// A check, and no part of the computation: it is not captured.
bool any_negative(const Tensor& t) {
  const Unobserved pause;
  NoGrad off;
  return sum(t < 0).item_int() != 0;
}

}  // namespace
}  // namespace detail

using detail::at_least;
using detail::reduced;

// ---- distances

Tensor normalize(const Tensor& x, double p, int64_t dim, double eps) {
  detail::normalize_dim(dim, x.dim());
  detail::check_float("normalize", x);
  return x / at_least(detail::norm_along(x, p, dim), eps);
}

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  if (!(eps >= 0))
    fail(ErrorCode::kRuntime, "cosine_similarity: eps must be non-negative, got: ", eps);
  const DType common = promote(x1.dtype(), x2.dtype());
  if (!is_floating(common))
    fail(ErrorCode::kRuntime, "expected common dtype to be floating point, yet common dtype is ",
         name_of(common));
  const Shape sizes = detail::broadcast_sizes("cosine_similarity", x1.sizes(), x2.sizes());
  const int d = detail::normalize_dim(dim, sizes.size());
  const Tensor a = expand(to(x1, common), sizes), b = expand(to(x2, common), sizes);
  // PyTorch takes no notice of the limit when it differentiates.
  const auto length = [&](const Tensor& x) {
    const Tensor norm = detail::norm_along(x, 2, d);
    const Tensor known = norm.detach();
    return norm + (at_least(known, eps) - known);
  };
  const Tensor product = (a / length(a)) * (b / length(b));
  return sum(product, sizes.empty() ? Shape{} : Shape{d});
}

Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim) {
  const Tensor d = x1 - x2 + eps;
  detail::check_float("pairwise_distance", d);
  const Tensor norm = detail::norm_along(d, p, -1);
  return keepdim || d.dim() == 0 ? norm : squeeze(norm, {-1});
}

// ---- losses of distances and margins

Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                             double margin, Reduction reduction) {
  if (target.dim() > 1)
    fail(ErrorCode::kRuntime,
         "0D or 1D target tensor expected, multi-target not supported; got sizes ", target.sizes());
  if (x1.dim() != target.dim() + 1 || x2.dim() != target.dim() + 1)
    fail(ErrorCode::kRuntime, target.dim(), "D target tensor expects ", target.dim() + 1,
         "D input tensors, but found inputs with sizes ", x1.sizes(), " and ", x2.sizes(), ".");
  constexpr double kEps = 1e-12;
  const Shape last{target.dim()};
  const Tensor lengths = (sum(x1 * x1, last) + kEps) * (sum(x2 * x2, last) + kEps);
  const Tensor cosine = sum(x1 * x2, last) / sqrt(lengths);
  const Tensor none = zeros_like(cosine);
  const Tensor loss = where(target == 1, 1 - cosine, none) +
                      where(target == -1, at_least(cosine - margin, 0), none);
  return reduced(loss, reduction);
}

Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target, double margin,
                           Reduction reduction) {
  if (x1.dim() != x2.dim() || x1.dim() != target.dim())
    fail(ErrorCode::kRuntime,
         "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
         "input1: ",
         x1.sizes(), ", input2: ", x2.sizes(), ", target: ", target.sizes());
  return reduced(at_least(-target * (x1 - x2) + margin, 0), reduction);
}

Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin,
                            Reduction reduction) {
  const Tensor none = zeros({}, input.dtype());
  const Tensor loss =
      where(target != 1, at_least(margin - input, 0), none) + where(target != -1, input, none);
  return reduced(loss, reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin, double p, double eps, bool swap, Reduction reduction) {
  if (!(margin > 0)) fail(ErrorCode::kValue, "margin must be greater than 0, got ", margin);
  if (anchor.dim() != positive.dim() || positive.dim() != negative.dim())
    fail(ErrorCode::kRuntime,
         "The anchor, positive, and negative tensors are expected to have the same number of "
         "dimensions, but got: anchor ",
         anchor.dim(), "D, positive ", positive.dim(), "D, and negative ", negative.dim(),
         "D inputs; sizes ", anchor.sizes(), ", ", positive.sizes(), ", ", negative.sizes());
  const Tensor near = pairwise_distance(anchor, positive, p, eps);
  Tensor far = pairwise_distance(anchor, negative, p, eps);
  if (swap) far = minimum(far, pairwise_distance(positive, negative, p, eps));
  return reduced(at_least(near - far + margin, 0), reduction);
}

// ---- losses of classes

Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                                   Reduction reduction) {
  if (input.dim() == 0)
    fail(ErrorCode::kIndex,
         "multilabel_soft_margin_loss: Dimension out of range: the input is 0-d");
  const Tensor one = ones({}, input.dtype());
  const Tensor of_one = binary_cross_entropy_with_logits(input, expand(one, input.sizes()),
                                                         Tensor(), Tensor(), Reduction::kNone);
  // log(1 + exp(-x)) for the classes that are there, plus x for those that are not.
  Tensor loss = (1 - target) * input + of_one;
  if (weight) loss = loss * weight;
  loss = sum(loss, {input.dim() - 1}) / static_cast<double>(input.size(-1));
  return reduced(loss, reduction);
}

// ---- likelihoods

Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input, bool full,
                        double eps, Reduction reduction) {
  Tensor loss = log_input ? exp(input) - target * input : input - target * log(input + eps);
  if (full) {
    constexpr double kTwoPi = 6.283185307179586476925286766559;
    const Tensor counts = where(target > 1, to(target, loss.dtype()), ones({}, loss.dtype()));
    const Tensor stirling = counts * log(counts) - counts + 0.5 * log(counts * kTwoPi);
    loss = loss + where(target > 1, stirling, zeros({}, loss.dtype()));
  }
  return reduced(loss, reduction);
}

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, bool full,
                         double eps, Reduction reduction) {
  if (detail::has_elements(var) && detail::any_negative(var))
    fail(ErrorCode::kValue, "gaussian_nll_loss: var has negative entry/entries");
  if (!is_floating(var.dtype()))
    fail(ErrorCode::kRuntime,
         "gaussian_nll_loss: result type Float can't be cast to the desired output type ",
         name_of(var.dtype()), " of var");
  Tensor v = var;
  if (v.sizes() != input.sizes()) {
    Shape short_sizes = input.sizes();
    if (!short_sizes.empty()) short_sizes.erase(short_sizes.size() - 1);
    int64_t differing = 0;
    for (int d = 0; v.dim() == input.dim() && d < v.dim(); ++d)
      if (v.sizes()[d] != input.sizes()[d]) differing += v.sizes()[d];
    if (input.dim() > 0 && v.sizes() == short_sizes)
      v = unsqueeze(v, -1);
    else if (v.dim() != input.dim() || differing != 1)
      fail(ErrorCode::kValue, "gaussian_nll_loss: var is of incorrect size: ", var.sizes(),
           " for input ", input.sizes());
  }
  // The limit takes no part in the gradient.
  const Tensor known = v.detach();
  v = v + (at_least(known, eps) - known);
  const Tensor d = input - target;
  Tensor loss = 0.5 * (log(v) + d * d / v);
  if (full) loss = loss + 0.91893853320467274178;  // log(2 pi) / 2
  return reduced(loss, reduction);
}

}  // namespace autograd
