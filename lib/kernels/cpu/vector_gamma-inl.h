// The incomplete gamma functions and the slope of gamma numbers: of float32 in vectors of float64,
// of float64 lane by lane.
#if defined(AUTOGRAD_KERNELS_CPU_VECTOR_GAMMA_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_VECTOR_GAMMA_INL_H_
#undef AUTOGRAD_KERNELS_CPU_VECTOR_GAMMA_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_VECTOR_GAMMA_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/gamma_functions.hpp"
#include "kernels/cpu/vector_math-inl.h"
#include "kernels/cpu/vector_special-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// P(a, x) for kUpper = false, Q(a, x) for true.
template <bool kUpper, class T>
HWY_INLINE T incomplete_gamma_of(T a, T x) {
  constexpr double kPrecision = sizeof(T) == 4 ? 1e-13 : 1e-17;
  return static_cast<T>(kUpper ? regularized_upper_gamma(a, x, kPrecision)
                               : regularized_lower_gamma(a, x, kPrecision));
}

/// Steps of a sum or fraction from one look at the precision to the next.
constexpr int kGammaSteps = 4;
constexpr int kMostGammaSteps = 4096;

/// 1 / a + x / (a (a + 1)) + x^2 / (a (a + 1) (a + 2)) + ... where `wanted`.
HWY_INLINE Vec<double> lower_gamma_sum(Vec<double> a, Vec<double> x, Mask<double> wanted) {
  Vec<double> divisor = a, term = 1 / a, sum = term;
  for (int i = 0; i < kMostGammaSteps; ++i) {
    divisor = divisor + 1;
    term = term * (x / divisor);
    sum = sum + term;
    if (i % kGammaSteps == 0 && all((!wanted) | (term <= 1e-14 * sum))) break;
  }
  return sum;
}

/// Legendre's continued fraction of Q, from the front (Lentz, 1976), where `wanted`.
HWY_INLINE Vec<double> upper_gamma_fraction(Vec<double> a, Vec<double> x, Mask<double> wanted) {
  Vec<double> below = x + 1 - a, d = 1 / below, c = 1e300, fraction = d, n = 0;
  for (int i = 0; i < kMostGammaSteps; ++i) {
    n = n + 1;
    below = below + 2;
    const Vec<double> above = n * (a - n);
    d = 1 / fma(above, d, below);
    c = below + above / c;
    const Vec<double> step = c * d;
    fraction = fraction * step;
    if (i % kGammaSteps == 0 && all((!wanted) | (abs(step - 1) < 1e-13))) break;
  }
  return fraction;
}

/// For a in [0.05, 1000] and x in (0, 10000], to a float's precision: the sum of P wherever it
/// leaves enough digits of Q = 1 - P.
template <bool kUpper>
HWY_INLINE Vec<double> ordinary_incomplete_gamma(Vec<double> a, Vec<double> x) {
  const Vec<double> factor = exp(a * log(x) - x - lgamma_positive(a));
  const Mask<double> summed = x < max_or_b(a + 1, Vec<double>(5));
  Vec<double> lower = 0, upper = 0;
  if (!all(!summed)) lower = factor * lower_gamma_sum(a, x, summed);
  if (!all(summed)) upper = factor * upper_gamma_fraction(a, x, !summed);
  return kUpper ? where(summed, 1 - lower, upper) : where(summed, lower, 1 - upper);
}

/// A number and its derivative by a.
struct DualVec {
  Vec<double> value, slope;
};

/// lower_gamma_sum with its derivative.
HWY_INLINE DualVec lower_gamma_dual(Vec<double> a, Vec<double> x, Mask<double> wanted) {
  // The derivative of each term is the term times that of its logarithm.
  Vec<double> divisor = a, term = 1 / a, logarithm = -term;
  DualVec sum{term, term * logarithm};
  for (int i = 0; i < kMostGammaSteps; ++i) {
    divisor = divisor + 1;
    const Vec<double> inverse = 1 / divisor;
    term = term * (x * inverse);
    logarithm = logarithm - inverse;
    const Vec<double> slope = term * logarithm;
    sum = {sum.value + term, sum.slope + slope};
    if (i % kGammaSteps == 0 && all((!wanted) | (slope >= 1e-14 * sum.slope))) break;
  }
  return sum;
}

/// upper_gamma_fraction with its derivative.
HWY_INLINE DualVec upper_gamma_dual(Vec<double> a, Vec<double> x, Mask<double> wanted) {
  using V = Vec<double>;
  V below = x + 1 - a, n = 0;
  DualVec d{1 / below, 1 / (below * below)}, c{1e300, 0}, fraction = d;
  for (int i = 0; i < kMostGammaSteps; ++i) {
    n = n + 1;
    below = below + 2;
    const V above = n * (a - n), inverse = 1 / c.value;
    const V down = 1 / fma(above, d.value, below), change = n * d.value + above * d.slope - 1;
    d = {down, -change * down * down};
    const V quotient = above * inverse;
    c = {below + quotient, n * inverse - quotient * c.slope * inverse - 1};
    const DualVec step{c.value * d.value, c.slope * d.value + c.value * d.slope};
    fraction = {fraction.value * step.value,
                fraction.slope * step.value + fraction.value * step.slope};
    const Mask<double> done = (abs(step.value - 1) < 1e-13) &
                              (abs(fraction.value * step.slope) <= 1e-13 * abs(fraction.slope));
    if (i % kGammaSteps == 0 && all((!wanted) | done)) break;
  }
  return fraction;
}

/// gamma_number_slope for the same numbers: by the sum wherever what is lost in its difference is
/// below a float's precision.
HWY_INLINE Vec<double> ordinary_number_slope(Vec<double> a, Vec<double> x) {
  const Vec<double> growth = log(x) - digamma(a);
  const Mask<double> summed = x < max_or_b(a + 1, where(a < 0.5, Vec<double>(5), 14));
  Vec<double> slope = 0;
  if (!all(!summed)) {
    const DualVec sum = lower_gamma_dual(a, x, summed);
    slope = -x * fma(growth, sum.value, sum.slope);
  }
  if (all(summed)) return slope;
  const DualVec fraction = upper_gamma_dual(a, x, !summed);
  return where(summed, slope, x * fma(growth, fraction.value, fraction.slope));
}

/// ordinary(a, x) in float64 where that holds, each(a, x) elsewhere.
template <class Ordinary, class Each>
HWY_INLINE Vec<float> in_float64(Vec<float> a, Vec<float> x,
                                 [[maybe_unused]] const Ordinary& ordinary, const Each& each) {
#if HWY_TARGET == HWY_SCALAR
  return lanewise(each, a, x);
#else
  const Mask<float> holds = (a >= 0.05) & (a <= 1000) & (x > 0) & (x <= 10000);
  const Vec<float> shape = where(holds, a, 1), at = where(holds, x, 1);
  const hn::ScalableTag<double> dd;
  const hn::ScalableTag<float> df;
  const hn::Half<decltype(df)> dh;
  const auto half = [&](auto s, auto t) HWY_ATTR {
    const Vec<double> y = ordinary(hn::PromoteTo(dd, s), hn::PromoteTo(dd, t));
    return hn::DemoteTo(dh, y.raw);
  };
  const auto low = half(hn::LowerHalf(dh, shape.raw), hn::LowerHalf(dh, at.raw));
  const auto high = half(hn::UpperHalf(dh, shape.raw), hn::UpperHalf(dh, at.raw));
  const Vec<float> y = hn::Combine(df, high, low);
  if (HWY_LIKELY(all(holds))) return y;
  return where(holds, y, lanewise(each, a, x));
#endif
}

template <bool kUpper>
HWY_INLINE Vec<double> incomplete_gamma(Vec<double> a, Vec<double> x) {
  return lanewise([](double s, double at) { return incomplete_gamma_of<kUpper>(s, at); }, a, x);
}
template <bool kUpper>
HWY_INLINE Vec<float> incomplete_gamma(Vec<float> a, Vec<float> x) {
  return in_float64(
      a, x,
      [](auto s, auto at)
          HWY_ATTR { return ordinary_incomplete_gamma<kUpper>(Vec<double>(s), Vec<double>(at)); },
      [](float s, float at) { return incomplete_gamma_of<kUpper>(s, at); });
}

template <class T>
HWY_INLINE Vec<T> igamma(Vec<T> a, Vec<T> x) {
  return incomplete_gamma<false>(a, x);
}
template <class T>
HWY_INLINE Vec<T> igammac(Vec<T> a, Vec<T> x) {
  return incomplete_gamma<true>(a, x);
}

HWY_INLINE Vec<double> gamma_number_slope(Vec<double> a, Vec<double> x) {
  return lanewise([](double s, double at) { return cpu::gamma_number_slope(s, at); }, a, x);
}
HWY_INLINE Vec<float> gamma_number_slope(Vec<float> a, Vec<float> x) {
  return in_float64(
      a, x,
      [](auto s, auto at)
          HWY_ATTR { return ordinary_number_slope(Vec<double>(s), Vec<double>(at)); },
      [](float s, float at) { return static_cast<float>(cpu::gamma_number_slope(s, at)); });
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
