// The incomplete gamma functions: of float32 in vectors of float64, of float64 lane by lane.
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
    if (i % kGammaSteps == 0 && all(!wanted | (term <= 1e-14 * sum))) break;
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
    if (i % kGammaSteps == 0 && all(!wanted | (abs(step - 1) < 1e-13))) break;
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

template <bool kUpper>
HWY_INLINE Vec<double> incomplete_gamma(Vec<double> a, Vec<double> x) {
  return lanewise([](double s, double at) { return incomplete_gamma_of<kUpper>(s, at); }, a, x);
}

template <bool kUpper>
HWY_INLINE Vec<float> incomplete_gamma(Vec<float> a, Vec<float> x) {
  const auto each = [](float s, float at) { return incomplete_gamma_of<kUpper>(s, at); };
#if HWY_TARGET == HWY_SCALAR
  return lanewise(each, a, x);
#else
  const Mask<float> ordinary = (a >= 0.05) & (a <= 1000) & (x > 0) & (x <= 10000);
  const Vec<float> shape = where(ordinary, a, 1), at = where(ordinary, x, 1);
  const hn::ScalableTag<double> dd;
  const hn::ScalableTag<float> df;
  const hn::Half<decltype(df)> dh;
  const auto half = [&](auto s, auto t) HWY_ATTR {
    return hn::DemoteTo(
        dh, ordinary_incomplete_gamma<kUpper>(hn::PromoteTo(dd, s), hn::PromoteTo(dd, t)).raw);
  };
  const auto low = half(hn::LowerHalf(dh, shape.raw), hn::LowerHalf(dh, at.raw));
  const auto high = half(hn::UpperHalf(dh, shape.raw), hn::UpperHalf(dh, at.raw));
  const Vec<float> y = hn::Combine(df, high, low);
  if (HWY_LIKELY(all(ordinary))) return y;
  return where(ordinary, y, lanewise(each, a, x));
#endif
}

template <class T>
HWY_INLINE Vec<T> igamma(Vec<T> a, Vec<T> x) {
  return incomplete_gamma<false>(a, x);
}
template <class T>
HWY_INLINE Vec<T> igammac(Vec<T> a, Vec<T> x) {
  return incomplete_gamma<true>(a, x);
}
template <class T>
HWY_INLINE Vec<T> gamma_number_slope(Vec<T> a, Vec<T> x) {
  return lanewise([](T s, T at) { return static_cast<T>(cpu::gamma_number_slope(s, at)); }, a, x);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
