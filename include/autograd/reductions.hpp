// Reductions. `dims` empty means all dims; with keepdim, reduced dims stay with size 1. Error
// (index) for a dim that x lacks, Error (index or runtime) for an extreme of no elements.
#pragma once
#include <optional>
#include <utility>

#include "autograd/tensor.hpp"

namespace autograd {

/// Computed and returned in `dtype`; without one, integers and bools are summed as int64.
Tensor sum(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
           std::optional<DType> dtype = std::nullopt);
/// Floats only, or with a float dtype.
Tensor mean(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
            std::optional<DType> dtype = std::nullopt);
/// sum (x - mean)^2 / max(0, N - correction)
Tensor var(const Tensor& x, const Shape& dims = {}, double correction = 1, bool keepdim = false);
/// The extremes; elements that tie share the gradient.
Tensor amax(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
/// Values and int64 positions along one dim; the gradient goes to the position.
std::pair<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
std::pair<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
/// Position of the first maximum along dim, or in the flattened tensor; int64, no gradient.
Tensor argmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);
Tensor argmin(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);

// ---- more reductions
/// Product of all elements, or along dim; right where elements are 0, gradients of any order too.
Tensor prod(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false,
            std::optional<DType> dtype = std::nullopt);
Tensor std(const Tensor& x, const Shape& dims = {}, double correction = 1,
           bool keepdim = false);  ///< sqrt(var)
std::pair<Tensor, Tensor> var_mean(const Tensor& x, const Shape& dims = {}, double correction = 1,
                                   bool keepdim = false);
std::pair<Tensor, Tensor> std_mean(const Tensor& x, const Shape& dims = {}, double correction = 1,
                                   bool keepdim = false);
/// log(sum exp(x)), without overflow; integers become floats.
Tensor logsumexp(const Tensor& x, const Shape& dims, bool keepdim = false);
/// (sum |x|^ord)^(1 / ord); ord 0 counts what is not 0, inf and -inf give the extremes of |x|.
Tensor vector_norm(const Tensor& x, double ord = 2, const Shape& dims = {}, bool keepdim = false,
                   std::optional<DType> dtype = std::nullopt);
/// x with the slices along dim whose p-norm is larger than maxnorm scaled down to it. Error
/// (runtime) for fewer than 2 dims, p <= 0, maxnorm < 0 and integers.
Tensor renorm(const Tensor& x, double p, int64_t dim, double maxnorm);
Tensor& renorm_(Tensor& self, double p, int64_t dim, double maxnorm);
/// Bool (uint8 for uint8), no gradient: some element, or every element, is not 0.
Tensor any(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor all(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor count_nonzero(const Tensor& x, const Shape& dims = {});  ///< int64
/// sum and mean of what is not NaN.
Tensor nansum(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
              std::optional<DType> dtype = std::nullopt);
Tensor nanmean(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
               std::optional<DType> dtype = std::nullopt);
/// (amin, amax).
std::pair<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                                  bool keepdim = false);
/// The lower median of all elements (equal ones share the gradient), or values and int64 positions
/// along dim (the gradient goes to the position). A NaN is the median; nanmedian passes over NaN.
Tensor median(const Tensor& x);
Tensor nanmedian(const Tensor& x);
std::pair<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim = false);
std::pair<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim = false);
/// What a quantile between two elements is: the point on the line between them, the lower one, the
/// higher one, their mean, or the one whose place is nearer (of two, the even one).
enum class QuantileInterpolation : int32_t {
  kLinear = 0,
  kLower = 1,
  kHigher = 2,
  kMidpoint = 3,
  kNearest = 4
};
/// The elements at the places q (n - 1) of the n sorted ones, of all or along dim. q, of x's float
/// dtype, is 0-d or [Q], in [0, 1]; the result is [Q, ...]. A NaN is the quantile of its row;
/// nanquantile passes over NaN. Error (runtime) for other q, an empty x and other dtypes.
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = std::nullopt,
                bool keepdim = false,
                QuantileInterpolation interpolation = QuantileInterpolation::kLinear);
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = std::nullopt,
                   bool keepdim = false,
                   QuantileInterpolation interpolation = QuantileInterpolation::kLinear);
/// The most frequent element along dim, the smallest of several, and its last position.
std::pair<Tensor, Tensor> mode(const Tensor& x, int64_t dim = -1, bool keepdim = false);

// ---- scans along a dim; integers become int64
Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
/// Values and int64 positions, the last of equal ones.
std::pair<Tensor, Tensor> cummax(const Tensor& x, int64_t dim);
std::pair<Tensor, Tensor> cummin(const Tensor& x, int64_t dim);
Tensor logcumsumexp(const Tensor& x, int64_t dim);
/// n-th differences of neighbours along dim, after joining prepend and append (may be undefined).
Tensor diff(const Tensor& x, int64_t n = 1, int64_t dim = -1, const Tensor& prepend = Tensor(),
            const Tensor& append = Tensor());
/// Area under y by the trapezoidal rule, for points dx apart, or at x.
Tensor trapezoid(const Tensor& y, double dx = 1, int64_t dim = -1);
Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1);
/// How often each number occurs in x [n] of non-negative integers, or the sums of their weights.
Tensor bincount(const Tensor& x, const Tensor& weights = Tensor(), int64_t minlength = 0);

}  // namespace autograd
