// Vector forms of functions of two numbers: powers, quotients, remainders and their like.
#if defined(AUTOGRAD_KERNELS_CPU_VECTOR_POWER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_VECTOR_POWER_INL_H_
#undef AUTOGRAD_KERNELS_CPU_VECTOR_POWER_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_VECTOR_POWER_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/cpu/vector_math-inl.h"
#include "kernels/cpu/vector_trig-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

// ---- powers

// float32 is computed in float64, half a vector at a time.

/// |a|^b for float32 in float64: with 1.2e-12 for the logarithm and 1.6e-12 for the power, their
/// errors do not show. Infinite and zero |a| are the caller's.
HWY_INLINE Vec<double> power_of_size(Vec<double> a, Vec<double> b) {
  Vec<double> m;
  const Vec<double> e = split_exponent(a, m), f = m - 1, s = f / (2 + f), z = s * s;
  const Vec<double> series =
      polynomial<double>(z, 0.333333333336893428, 0.199999993962208443, 0.142858777675164712,
                         0.110956687140328919, 0.0968194249331659968);
  const Vec<double> log2_a = fma(fma(series, z, 1) * s, 2 / kLog2, e);
  const Vec<double> x = max_or_b(-200, min_or_b(Vec<double>(200), log2_a * b));
  const Vec<double> shifter = Bits<double>::kShifter + static_cast<double>(Bits<double>::kBias);
  const Vec<double> shifted = x + shifter, r = x - (shifted - shifter);
  const Vec<double> y =
      polynomial<double>(r, 1, 0.693147180556832414, 0.240226506958885021, 0.0555041090632586661,
                         0.00961812913523613974, 0.00133334784736854153, 0.000154034751865307858,
                         0.0000153037007113656939, 1.32508055175022494e-6);
  return y * from_exponent<double>(hn::BitCast(Reduced<double>::D(), shifted.raw));
}
HWY_INLINE Vec<float> power_of_size(Vec<float> a, Vec<float> b) {
#if HWY_TARGET == HWY_SCALAR
  return lanewise([](float base, float exponent) { return std::pow(base, exponent); }, a, b);
#else
  const hn::ScalableTag<double> dd;
  const hn::ScalableTag<float> df;
  const hn::Half<decltype(df)> dh;
  const Vec<double> low = power_of_size(Vec<double>(hn::PromoteTo(dd, hn::LowerHalf(dh, a.raw))),
                                        Vec<double>(hn::PromoteTo(dd, hn::LowerHalf(dh, b.raw))));
  const Vec<double> high = power_of_size(Vec<double>(hn::PromoteTo(dd, hn::UpperHalf(dh, a.raw))),
                                         Vec<double>(hn::PromoteTo(dd, hn::UpperHalf(dh, b.raw))));
  return hn::Combine(df, hn::DemoteTo(dh, high.raw), hn::DemoteTo(dh, low.raw));
#endif
}

/// high + low, the sum of which is more exact than a double.
struct Pair {
  Vec<double> high, low;
};

/// log(a) for finite a > 0, relative error 2^-64. Needs an exact fma.
HWY_INLINE Pair log_pair(Vec<double> a) {
  Vec<double> m;
  const Vec<double> e = split_exponent(a, m), f = m - 1;
  // log(m) = 2 atanh(s) with s = f / (2 + f), all of it in two parts.
  const Vec<double> d = 2 + f, d_low = f - (d - 2), inverse = 1 / d, s = f * inverse;
  const Vec<double> s_low = fma(-s, d_low, fma(-s, d, f)) * inverse;
  const Vec<double> z = s * s, z_low = fma(s + s, s_low, fma(s, s, -z));
  const Vec<double> t =
      z * polynomial<double>(z, 0.399999999999999998, 0.285714285714293713, 0.222222222216527653,
                             0.181818183360998462, 0.153845948870071794, 0.133348087988123387,
                             0.117061264645633972, 0.117243270608467466);
  constexpr double two_thirds = 2.0 / 3;
  const Vec<double> c = two_thirds + t, c_low = (two_thirds - c + t) + 3.70074341541718826e-17;
  const Vec<double> w = z * c, w_low = fma(z, c_low, fma(z_low, c, fma(z, c, -w)));
  const Vec<double> v = s * w, v_low = fma(s, w_low, fma(s_low, w, fma(s, w, -v)));
  const Vec<double> twice = s + s, sum = twice + v;
  const Vec<double> sum_low = (twice - sum) + v + fma(2, s_low, v_low);
  // Plus e log 2, whose high part times e is exact.
  const Vec<double> shift = e * 0x1.62e42fefa38p-1, high = shift + sum, part = high - shift;
  const Vec<double> lost = (shift - (high - part)) + (sum - part);
  const Vec<double> low = lost + fma(e, 0x1.ef35793c7673p-45, sum_low);
  const Vec<double> top = high + low;
  return {top, low - (top - high)};
}

HWY_INLINE Vec<double> exact_power_of_size(Vec<double> a, Vec<double> b) {
#if HWY_NATIVE_FMA
  const Pair log_a = log_pair(a);
  const Vec<double> x = log_a.high * b;
  const Vec<double> x_low = fma(log_a.low, b, fma(log_a.high, b, -x));
  const Vec<double> clamped = max_or_b(-746, min_or_b(Vec<double>(710), x));
  const Reduced<double> reduced(clamped, 2 * Bits<double>::kBias);
  const auto half = hn::ShiftRight<1>(reduced.n_bits);
  const Vec<double> r = reduced.r + where(abs(x) < 746, x_low, 0);
  return exp_reduced(r) * from_exponent<double>(half) *
         from_exponent<double>(hn::Sub(reduced.n_bits, half));
#else
  return lanewise([](double base, double exponent) HWY_ATTR { return std::pow(base, exponent); }, a,
                  b);
#endif
}
HWY_INLINE Vec<float> exact_power_of_size(Vec<float> a, Vec<float> b) {
  return power_of_size(a, b);
}

/// a^b with the special cases of std::pow; at most 1.1 ULP off.
template <class T>
HWY_INLINE Vec<T> pow(Vec<T> a, Vec<T> b) {
  const Vec<T> size = abs(a), half = b * 0.5;
  const Mask<T> whole = b == round(b), odd = whole & (half != round(half));
  // The sign of b where it decides between 0, 1 and infinity.
  const Mask<T> grows = b > 0;
  Vec<T> y = exact_power_of_size(size, b);
  y = where(size == 0, where(grows, 0, Vec<T>::kInf + Vec<T>(0)), y);
  y = where(size == Vec<T>::kInf, where(grows, Vec<T>::kInf, Vec<T>(0)), y);
  y = where(abs(b) == Vec<T>::kInf,
            where(size == 1, 1, where((size > 1) ^ grows, Vec<T>(0), Vec<T>::kInf)), y);
  y = where((a < 0) & !whole, where(size == Vec<T>::kInf, y, std::numeric_limits<T>::quiet_NaN()),
            y);
  y = where(odd, copysign(y, a), y);
  y = where((a != a) | (b != b), a + b, y);
  return where((b == 0) | (a == 1), 1, y);
}

// ---- quotients and remainders

/// a - trunc(a / b) b, exact, with the sign of a.
template <class T>
HWY_INLINE Vec<T> fmod(Vec<T> a, Vec<T> b) {
#if HWY_NATIVE_FMA
  const Vec<T> quotient = a / b;
  // Up to here the quotient is off by at most one, and the remainder has no more digits than a and
  // b.
  constexpr double largest = sizeof(T) == 4 ? 0x1p22 : 0x1p51;
  if (HWY_LIKELY(all(abs(quotient) < largest))) {
    const Vec<T> r = fma(-trunc(quotient), b, a);
    const Vec<T> mended = where((r != 0) & ((r < 0) ^ (a < 0)), r + copysign(b, a), r);
    return where(abs(b) == Vec<T>::kInf, a, copysign(mended, a));
  }
#endif
  return lanewise([](T x, T y) HWY_ATTR { return std::fmod(x, y); }, a, b);
}

/// a - floor(a / b) b, with the sign of b.
template <class T>
HWY_INLINE Vec<T> remainder(Vec<T> a, Vec<T> b) {
  const Vec<T> r = fmod(a, b);
  return where((r != 0) & ((r < 0) ^ (b < 0)), r + b, r);
}

/// floor(a / b) where a / b is not rounded first.
template <class T>
HWY_INLINE Vec<T> floor_divide(Vec<T> a, Vec<T> b) {
  const Vec<T> r = fmod(a, b), near = (a - r) / b;
  const Vec<T> quotient = where((r != 0) & ((r < 0) ^ (b < 0)), near - 1, near),
               below = floor(quotient);
  const Vec<T> y = where(quotient - below > 0.5, below + 1, below);
  const Vec<T> plain = a / b;
  return where(b == 0, plain, where(quotient == 0, copysign(Vec<T>(0), plain), y));
}

/// trunc(a / b).
template <class T>
HWY_INLINE Vec<T> div_trunc(Vec<T> a, Vec<T> b) {
  return trunc(a / b);
}

// ---- others

/// The number next to a in the direction of b: its bits, seen as an integer, plus or minus 1.
template <class T>
HWY_INLINE Vec<T> nextafter(Vec<T> a, Vec<T> b) {
  const typename Vec<T>::D d;
  const hn::RebindToSigned<decltype(d)> bits;
  const Mask<T> away_from_0 = (a < b) ^ (a < 0);
  const auto one = hn::Set(bits, 1), minus_one = hn::Set(bits, -1);
  const auto step = hn::IfThenElse(hn::RebindMask(bits, away_from_0.raw), one, minus_one);
  const Vec<T> next = hn::BitCast(d, hn::Add(hn::BitCast(bits, a.raw), step));
  const Vec<T> least = std::numeric_limits<T>::denorm_min();
  const Vec<T> moved = where(a == 0, copysign(least, b), next);
  return where((a != a) | (b != b), a + b, where(a == b, b, moved));
}

/// sqrt(a^2 + b^2) without overflow; at most 2 ULP off.
template <class T>
HWY_INLINE Vec<T> hypot(Vec<T> a, Vec<T> b) {
  const Vec<T> x = abs(a), y = abs(b), large = maximum(x, y), small = minimum(x, y);
  const Vec<T> ratio = small / large;
  const Vec<T> size = where(large == 0, 0, large * sqrt(fma(ratio, ratio, 1)));
  return where((x == Vec<T>::kInf) | (y == Vec<T>::kInf), Vec<T>::kInf, size);
}

/// a log(b), 0 where a is 0.
template <class T>
HWY_INLINE Vec<T> xlogy(Vec<T> a, Vec<T> b) {
  return where((a == 0) & (b == b), 0, a * log(b));
}

/// log(e^a + e^b).
template <class T>
HWY_INLINE Vec<T> logaddexp(Vec<T> a, Vec<T> b) {
  const Vec<T> large = maximum(a, b);
  return where((a == b) & (abs(a) == Vec<T>::kInf), a, large + log1p(exp(-abs(a - b))));
}

/// log2(2^a + 2^b).
template <class T>
HWY_INLINE Vec<T> logaddexp2(Vec<T> a, Vec<T> b) {
  const Vec<T> large = maximum(a, b);
  return where((a == b) & (abs(a) == Vec<T>::kInf), a,
               large + log1p(exp2(-abs(a - b))) * (1 / kLog2));
}

/// 0 for negative x (and NaN), 1 for positive x, at_zero for 0.
template <class T>
HWY_INLINE Vec<T> heaviside(Vec<T> x, Vec<T> at_zero) {
  return where(x == 0, at_zero, where(x > 0, 1, Vec<T>(0)));
}

/// a + w (b - a), from the nearer end, so that w = 1 gives b.
template <class T>
HWY_INLINE Vec<T> lerp(Vec<T> a, Vec<T> b, Vec<T> w) {
  const Vec<T> way = b - a;
  return where(abs(w) < 0.5, fma(w, way, a), b - way * (1 - w));
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
