// Vector mathematics that is not in vector_math-inl.h: the other exponentials and logarithms,
// trigonometric and hyperbolic functions. The stated errors hold for finite arguments of any size.
#if defined(AUTOGRAD_KERNELS_CPU_VECTOR_TRIG_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_VECTOR_TRIG_INL_H_
#undef AUTOGRAD_KERNELS_CPU_VECTOR_TRIG_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_VECTOR_TRIG_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

constexpr double kPi = 3.14159265358979323846, kLog2 = 0.693147180559945309417,
                 kLog10 = 2.30258509299404568402;

// ---- exponentials and logarithms

/// 2^x, at most 1.5 ULP off.
template <class T>
HWY_INLINE Vec<T> exp2(Vec<T> x) {
  constexpr double lowest = sizeof(T) == 4 ? -151 : -1076, highest = sizeof(T) == 4 ? 129 : 1025;
  const Vec<T> clamped = max_or_b(lowest, min_or_b(Vec<T>(highest), x));
  const Vec<T> shifter = Bits<T>::kShifter + 2.0 * Bits<T>::kBias;
  const Vec<T> shifted = clamped + shifter, r = (clamped - (shifted - shifter)) * kLog2;
  const auto bits = hn::BitCast(typename Reduced<T>::D(), shifted.raw);
  const auto half = hn::ShiftRight<1>(bits);
  return exp_reduced(r) * from_exponent<T>(half) * from_exponent<T>(hn::Sub(bits, half));
}

/// e^x - 1, at most 2.5 ULP off.
template <class T>
HWY_INLINE Vec<T> expm1(Vec<T> x) {
  constexpr double lowest = sizeof(T) == 4 ? -25 : -45, highest = sizeof(T) == 4 ? 89 : 710;
  // With 2^(n-1) instead of 2^n nothing overflows before the result does.
  const Reduced<T> reduced(max_or_b(lowest, min_or_b(Vec<T>(highest), x)), Bits<T>::kBias - 1);
  const Vec<T> half_power = from_exponent<T>(reduced.n_bits);
  const Vec<T> y = fma(half_power, expm1_reduced(reduced.r), half_power - 0.5);
  return where(abs(x) < 1e-30, x, y + y);
}

/// log(1 + x), at most 2 ULP off.
template <class T>
HWY_INLINE Vec<T> log1p(Vec<T> x) {
  const Vec<T> u = 1 + x, lost = (x - (u - 1)) / u;
  return where(x == 0, x, log(u) + where((u > 0) & (u < Vec<T>::kInf), lost, 0));
}

/// log(x) / log(base); scale is 1 / log(base), base_2 is log(2) / log(base).
template <class T>
HWY_INLINE Vec<T> log_to_base(Vec<T> x, double scale, double base_2_high, double base_2_low) {
  Vec<T> m;
  const Vec<T> e = split_exponent(x, m), f = m - 1, tail = log1p_tail(f);
  const Vec<T> y = fma(e, base_2_high, fma(f + tail, scale, e * base_2_low));
  const Vec<T> special =
      where(x == 0, -Vec<T>::kInf, where(x < 0, std::numeric_limits<T>::quiet_NaN(), x));
  return where((x > 0) & (x < Vec<T>::kInf), y, special);
}

/// At most 2 ULP off; powers of 2 are exact.
template <class T>
HWY_INLINE Vec<T> log2(Vec<T> x) {
  return log_to_base(x, 1 / kLog2, 1, 0);
}

/// At most 3 ULP off.
template <class T>
HWY_INLINE Vec<T> log10(Vec<T> x) {
  constexpr double high = sizeof(T) == 4 ? 0x1.34p-2 : 0x1.34413508p-2;
  return log_to_base(x, 1 / kLog10, high, kLog2 / kLog10 - high);
}

// ---- sine, cosine, tangent

/// sin(r) and cos(r) for |r| <= pi/4.
HWY_INLINE Vec<float> sin_reduced(Vec<float> r) {
  const Vec<float> z = r * r;
  const Vec<float> p =
      polynomial<float>(z, -0.166666646563122088, 0.00833274710466453002, -0.000195876390987376193);
  return fma(p * z, r, r);
}
HWY_INLINE Vec<double> sin_reduced(Vec<double> r) {
  const Vec<double> z = r * r;
  const Vec<double> p =
      polynomial<double>(z, -0.166666666666666667, 0.00833333333333333148, -0.00019841269841265041,
                         2.75573192193205798e-6, -2.50521062259944007e-8, 1.60585305966459547e-10,
                         -7.58663688482515965e-13);
  return fma(p * z, r, r);
}
HWY_INLINE Vec<float> cos_reduced(Vec<float> r) {
  const Vec<float> z = r * r;
  const Vec<float> p =
      polynomial<float>(z, 0.0416666646534887929, -0.00138883018675623691, 0.000024547689772460029);
  const Vec<float> half = z * 0.5, first = 1 - half;
  return first + fma(z * z, p, (1 - first) - half);
}
HWY_INLINE Vec<double> cos_reduced(Vec<double> r) {
  const Vec<double> z = r * r;
  const Vec<double> p =
      polynomial<double>(z, 0.0416666666666666667, -0.00138888888888888879,
                         0.0000248015873015846331, -2.75573192213924907e-7, 2.08767557874926059e-9,
                         -1.14704603192095118e-11, 4.74583841253102296e-14);
  const Vec<double> half = z * 0.5, first = 1 - half;
  return first + fma(z * z, p, (1 - first) - half);
}

/// x = n pi/2 + r, |r| <= pi/4, for |x| up to kLargest; quadrant is n, of which only the lowest two
/// bits count.
template <class T>
struct Quadrant {
  static constexpr double kLargest = sizeof(T) == 4 ? 8192 : 1e6;
  using D = hn::RebindToUnsigned<hn::ScalableTag<T>>;
  using U = hn::TFromD<D>;
  Vec<T> r;
  hn::Vec<D> n;

  HWY_INLINE explicit Quadrant(Vec<T> x) {
    const Vec<T> shifter = Bits<T>::kShifter, shifted = fma(x, 2 / kPi, shifter);
    const Vec<T> quotient = shifted - shifter;
    // pi/2 in parts, all but the last so short that their products with n are exact.
    constexpr double high = sizeof(T) == 4 ? 0x1.92p0 : 1.57079632673412561417;
    constexpr double middle = sizeof(T) == 4 ? 0x1.fb4p-12 : 6.07710050630396597660e-11;
    constexpr double low = sizeof(T) == 4 ? 2.5633440682570896e-12 : 2.02226624879595063154e-21;
    r = fma(quotient, -middle, fma(quotient, -high, x));
    if constexpr (sizeof(T) == 4) {
      // r is rounded here where it is large: what that takes away is exact, and comes back with the
      // last part.
      const Vec<T> part = 0x1.444000p-24, rounded = fma(quotient, -part, r);
      r = rounded + fma(quotient, -low, fma(quotient, -part, r - rounded));
    } else {
      r = fma(quotient, -low, r);
    }
    n = hn::BitCast(D(), shifted.raw);
  }
  /// Is bit 0 of n + shift set: sine and cosine change places.
  HWY_INLINE Mask<T> is_odd() const {
    return {hn::RebindMask(hn::ScalableTag<T>(), hn::TestBit(n, hn::Set(D(), U(1))))};
  }
  /// y with its sign changed where bit 1 of n + shift is set.
  HWY_INLINE Vec<T> with_sign(Vec<T> y, int shift) const {
    const auto bit = hn::And(hn::Add(n, hn::Set(D(), static_cast<U>(shift))), hn::Set(D(), U(2)));
    const auto sign = hn::ShiftLeft<sizeof(T) * 8 - 2>(bit);
    return Vec<T>(hn::BitCast(hn::ScalableTag<T>(), hn::Xor(hn::BitCast(D(), y.raw), sign)));
  }
};

/// Can all lanes go through Quadrant? NaN and infinities may: they give NaN.
template <class T>
HWY_INLINE bool small_angles(Vec<T> x) {
  const Vec<T> size = abs(x);
  return all((size <= Quadrant<T>::kLargest) | !(size < Vec<T>::kInf));
}

/// At most 2.5 ULP off.
template <class T>
HWY_INLINE Vec<T> sin(Vec<T> x) {
  if (HWY_UNLIKELY(!small_angles(x)))
    return lanewise([](T angle) HWY_ATTR { return std::sin(angle); }, x);
  const Quadrant<T> q(x);
  const Vec<T> y = where(q.is_odd(), cos_reduced(q.r), sin_reduced(q.r));
  return where(x == 0, x, q.with_sign(y, 0));
}

/// At most 2.5 ULP off.
template <class T>
HWY_INLINE Vec<T> cos(Vec<T> x) {
  if (HWY_UNLIKELY(!small_angles(x)))
    return lanewise([](T angle) HWY_ATTR { return std::cos(angle); }, x);
  const Quadrant<T> q(x);
  return q.with_sign(where(q.is_odd(), sin_reduced(q.r), cos_reduced(q.r)), 1);
}

/// At most 3.5 ULP off.
template <class T>
HWY_INLINE Vec<T> tan(Vec<T> x) {
  if (HWY_UNLIKELY(!small_angles(x)))
    return lanewise([](T angle) HWY_ATTR { return std::tan(angle); }, x);
  const Quadrant<T> q(x);
  const Vec<T> s = sin_reduced(q.r), c = cos_reduced(q.r);
  const Mask<T> odd = q.is_odd();
  return where(x == 0, x, where(odd, -c, s) / where(odd, s, c));
}

// ---- the inverses

/// atan(x) - x for |x| <= tan(pi/8).
HWY_INLINE Vec<float> atan_tail(Vec<float> x) {
  const Vec<float> z = x * x;
  const Vec<float> p =
      polynomial<float>(z, -0.333333317538169689, 0.199995387947719215, -0.142638971125986755,
                        0.107430996676745703, -0.0644983522459149592);
  return p * z * x;
}
HWY_INLINE Vec<double> atan_tail(Vec<double> x) {
  const Vec<double> z = x * x;
  const Vec<double> p = polynomial<double>(
      z, -0.333333333333333332, 0.199999999999998025, -0.142857142856593273, 0.111111111051067051,
      -0.0909090875107663588, 0.0769229630497447006, -0.0666642362806925758, 0.058789145444006217,
      -0.0523034787301607418, 0.0455110812632517188, -0.0345580925514137961, 0.0162719447516240604);
  return p * z * x;
}

/// What T's rounding of multiples of pi has lost: pi/4 = T(pi/4) + kLost<T>.
template <class T>
constexpr double kLost = sizeof(T) == 4 ? kPi / 4 - static_cast<double>(static_cast<float>(kPi / 4))
                                        : 3.06161699786838301793e-17;

/// The angle of the point (x, y); at most 3 ULP off.
template <class T>
HWY_INLINE Vec<T> atan2(Vec<T> y, Vec<T> x) {
  const Vec<T> ax = abs(x), ay = abs(y);
  const Mask<T> steep = ay > ax, both = (ax == Vec<T>::kInf) & (ay == Vec<T>::kInf);
  // small + large must not overflow.
  const Vec<T> scale = where(max_or_b(ax, ay) > std::numeric_limits<T>::max() / 4, 0.25, Vec<T>(1));
  const Vec<T> small = where(both, 1, where(steep, ax, ay) * scale);
  const Vec<T> large = where(both, 1, where(steep, ay, ax) * scale);
  // atan(small / large) = pi/4 + atan((small - large) / (small + large)) beyond tan(pi/8).
  const Mask<T> beyond = small > large * 0.414213562373095049;
  const Vec<T> t = where(large == 0, 0,
                         where(beyond, small - large, small) / where(beyond, small + large, large));
  const Vec<T> first =
      where(beyond, kPi / 4, Vec<T>(0)) + (t + (atan_tail(t) + where(beyond, kLost<T>, Vec<T>(0))));
  const Vec<T> upper = where(steep, kPi / 2 - (first - 2 * kLost<T>), first);
  const Mask<T> left = copysign(Vec<T>(1), x) < 0;
  const Vec<T> angle = where(left, kPi - (upper - 4 * kLost<T>), upper);
  return where((x != x) | (y != y), x + y, copysign(angle, y));
}

/// At most 3 ULP off.
template <class T>
HWY_INLINE Vec<T> atan(Vec<T> x) {
  const Vec<T> size = abs(x);
  const Mask<T> beyond = size > 0.414213562373095049, far = size > 2.41421356237309505;
  const Vec<T> top = where(far, -1, where(beyond, size - 1, size));
  const Vec<T> t = where(beyond, top / where(far, size, size + 1), size);
  const Vec<T> base = where(far, kPi / 2, where(beyond, kPi / 4, Vec<T>(0)));
  const Vec<T> low = where(far, 2 * kLost<T>, where(beyond, kLost<T>, Vec<T>(0)));
  return copysign(base + (t + (atan_tail(t) + low)), x);
}

/// (asin(s) - s) / s as a function of z = s^2 <= 1/4.
HWY_INLINE Vec<float> asin_tail(Vec<float> z) {
  return z * polynomial<float>(z, 0.166666663374309071, 0.0750009454349742348,
                               0.0445994015285121837, 0.0311006627354945679, 0.0171492383576772532,
                               0.0336908472028301195);
}
HWY_INLINE Vec<double> asin_tail(Vec<double> z) {
  return z * polynomial<double>(z, 0.166666666666666678, 0.0749999999999843293,
                                0.0446428571463554298, 0.0303819441385312473, 0.0223721729421498879,
                                0.0173523927208699729, 0.0139712129735529333, 0.0114791774151849059,
                                0.0103228143501857793, 0.0054575067186403583, 0.0174008794426940224,
                                -0.0148518870712472032, 0.0287578513674215647);
}

/// With s = sqrt((1 - |x|) / 2): asin(|x|) = pi/2 - 2 asin(s) where |x| > 1/2.
template <class T>
HWY_INLINE Vec<T> asin_of_half(Vec<T> size, Mask<T> upper) {
  const Vec<T> z = where(upper, (1 - size) * 0.5, size * size);
  const Vec<T> s = where(upper, sqrt(z), size);
  return fma(s, asin_tail(z), s);
}

/// At most 2.5 ULP off.
template <class T>
HWY_INLINE Vec<T> asin(Vec<T> x) {
  const Vec<T> size = abs(x);
  const Mask<T> upper = size > 0.5;
  const Vec<T> y = asin_of_half(size, upper);
  return copysign(where(upper, kPi / 2 - (y + y - 2 * kLost<T>), y), x);
}

/// At most 2.5 ULP off.
template <class T>
HWY_INLINE Vec<T> acos(Vec<T> x) {
  const Vec<T> size = abs(x);
  const Mask<T> upper = size > 0.5;
  const Vec<T> y = asin_of_half(size, upper), twice = y + y;
  const Vec<T> inner = kPi / 2 - (copysign(y, x) - 2 * kLost<T>);
  return where(upper, where(x < 0, kPi - (twice - 4 * kLost<T>), twice), inner);
}

// ---- hyperbolic functions and their inverses

/// At most 3 ULP off.
template <class T>
HWY_INLINE Vec<T> sinh(Vec<T> x) {
  constexpr double large = sizeof(T) == 4 ? 88 : 709;
  const Vec<T> size = abs(x), q = expm1(min_or_b(Vec<T>(large), size));
  const Vec<T> root = exp(size * 0.5);
  const Vec<T> y = where(size > large, root * (root * 0.5), (q + q / (q + 1)) * 0.5);
  return copysign(where(x != x, x, y), x);
}

/// At most 4 ULP off.
template <class T>
HWY_INLINE Vec<T> cosh(Vec<T> x) {
  const Vec<T> root = exp(abs(x) * 0.5), e = root * (root * 0.5);
  return e + 0.25 / e;
}

/// At most 3 ULP off.
template <class T>
HWY_INLINE Vec<T> asinh(Vec<T> x) {
  constexpr double large = sizeof(T) == 4 ? 1e10 : 1e20;
  const Vec<T> size = abs(x), square = size * size;
  const Mask<T> huge = size > large;
  const Vec<T> t = where(huge, size, size + square / (1 + sqrt(square + 1)));
  return where(x == 0, x, copysign(log1p(t) + where(huge, kLog2, Vec<T>(0)), x));
}

/// At most 3 ULP off; NaN below 1.
template <class T>
HWY_INLINE Vec<T> acosh(Vec<T> x) {
  constexpr double large = sizeof(T) == 4 ? 1e10 : 1e20;
  const Mask<T> huge = x > large;
  const Vec<T> t = x - 1, near = t + sqrt(t * (t + 2));
  const Vec<T> y = log1p(where(huge, t, near)) + where(huge, kLog2, Vec<T>(0));
  return where(x < 1, std::numeric_limits<T>::quiet_NaN(), y);
}

/// At most 3 ULP off; NaN beyond 1.
template <class T>
HWY_INLINE Vec<T> atanh(Vec<T> x) {
  const Vec<T> size = abs(x);
  return copysign(log1p((size + size) / (1 - size)) * 0.5, x);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
