// The values on which pointwise.def's floating-point expressions compile: Highway vectors of
// float32 or float64, their masks, and mathematics with PyTorch's results at NaN, infinities and
// zeros.
#if defined(AUTOGRAD_KERNELS_CPU_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_VECTOR_MATH_INL_H_
#undef AUTOGRAD_KERNELS_CPU_VECTOR_MATH_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_VECTOR_MATH_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// One truth value per lane of a Vec<T>.
template <class T>
struct Mask {
  using Raw = hn::Mask<hn::ScalableTag<T>>;
  Raw raw;

  friend HWY_INLINE Mask operator&(Mask a, Mask b) { return {hn::And(a.raw, b.raw)}; }
  friend HWY_INLINE Mask operator|(Mask a, Mask b) { return {hn::Or(a.raw, b.raw)}; }
  friend HWY_INLINE Mask operator^(Mask a, Mask b) { return {hn::Xor(a.raw, b.raw)}; }
  friend HWY_INLINE Mask operator!(Mask a) { return {hn::Not(a.raw)}; }
  friend HWY_INLINE bool all(Mask a) { return hn::AllTrue(hn::ScalableTag<T>(), a.raw); }
};

/// A full vector of T. Functions of several arguments are friends so that literals convert.
template <class T>
struct Vec {
  using D = hn::ScalableTag<T>;
  using Raw = hn::Vec<D>;
  static constexpr T kInf = std::numeric_limits<T>::infinity();
  Raw raw;

  Vec() = default;
  HWY_INLINE Vec(Raw raw) : raw(raw) {}
  HWY_INLINE Vec(double value) : raw(hn::Set(D(), static_cast<T>(value))) {}

  friend HWY_INLINE Vec operator-(Vec a) { return hn::Neg(a.raw); }
  friend HWY_INLINE Vec operator+(Vec a, Vec b) { return hn::Add(a.raw, b.raw); }
  friend HWY_INLINE Vec operator-(Vec a, Vec b) { return hn::Sub(a.raw, b.raw); }
  friend HWY_INLINE Vec operator*(Vec a, Vec b) { return hn::Mul(a.raw, b.raw); }
  friend HWY_INLINE Vec operator/(Vec a, Vec b) { return hn::Div(a.raw, b.raw); }

  friend HWY_INLINE Mask<T> operator==(Vec a, Vec b) { return {hn::Eq(a.raw, b.raw)}; }
  friend HWY_INLINE Mask<T> operator!=(Vec a, Vec b) { return !(a == b); }
  friend HWY_INLINE Mask<T> operator<(Vec a, Vec b) { return {hn::Lt(a.raw, b.raw)}; }
  friend HWY_INLINE Mask<T> operator<=(Vec a, Vec b) { return {hn::Le(a.raw, b.raw)}; }
  friend HWY_INLINE Mask<T> operator>(Vec a, Vec b) { return {hn::Gt(a.raw, b.raw)}; }
  friend HWY_INLINE Mask<T> operator>=(Vec a, Vec b) { return {hn::Ge(a.raw, b.raw)}; }

  friend HWY_INLINE Vec where(Mask<T> c, Vec a, Vec b) {
    return hn::IfThenElse(c.raw, a.raw, b.raw);
  }
  /// a * b + c, in one rounding where the CPU has it.
  friend HWY_INLINE Vec fma(Vec a, Vec b, Vec c) { return hn::MulAdd(a.raw, b.raw, c.raw); }
  /// a < b ? a : b and a > b ? a : b, hence b where either is NaN: what x86's instructions do.
  friend HWY_INLINE Vec min_or_b(Vec a, Vec b) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
    return hn::Min(a.raw, b.raw);
#else
    return where(a < b, a, b);
#endif
  }
  friend HWY_INLINE Vec max_or_b(Vec a, Vec b) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
    return hn::Max(a.raw, b.raw);
#else
    return where(a > b, a, b);
#endif
  }
  /// NaN if either is.
  friend HWY_INLINE Vec maximum(Vec a, Vec b) { return where(a != a, a, max_or_b(a, b)); }
  friend HWY_INLINE Vec minimum(Vec a, Vec b) { return where(a != a, a, min_or_b(a, b)); }
};

/// coefficients[0] + x * (coefficients[1] + x * (...)).
template <class T>
HWY_INLINE Vec<T> polynomial(Vec<T>, Vec<T> constant) {
  return constant;
}
template <class T, class... Rest>
HWY_INLINE Vec<T> polynomial(Vec<T> x, Vec<T> constant, Rest... rest) {
  return fma(polynomial(x, Vec<T>(rest)...), x, constant);
}

/// f(x) computed lane by lane: for functions not worth a vector form.
template <class T, class F, class... More>
HWY_INLINE Vec<T> lanewise(F f, Vec<T> x, More... more) {
  constexpr size_t kInputs = 1 + sizeof...(More);
  const hn::ScalableTag<T> d;
  HWY_ALIGN T lanes[kInputs][HWY_MAX_BYTES / sizeof(T)];
  size_t k = 0;
  hn::Store(x.raw, d, lanes[k++]);
  (hn::Store(more.raw, d, lanes[k++]), ...);
  for (size_t i = 0; i < hn::Lanes(d); ++i) {
    if constexpr (kInputs == 1) lanes[0][i] = f(lanes[0][i]);
    if constexpr (kInputs == 2) lanes[0][i] = f(lanes[0][i], lanes[1][i]);
  }
  return hn::Load(d, lanes[0]);
}

template <class T>
HWY_INLINE Vec<T> abs(Vec<T> x) {
  return hn::Abs(x.raw);
}
template <class T>
HWY_INLINE Vec<T> sqrt(Vec<T> x) {
  return hn::Sqrt(x.raw);
}
template <class T>
HWY_INLINE Vec<T> floor(Vec<T> x) {
  return hn::Floor(x.raw);
}
template <class T>
HWY_INLINE Vec<T> ceil(Vec<T> x) {
  return hn::Ceil(x.raw);
}
template <class T>
HWY_INLINE Vec<T> trunc(Vec<T> x) {
  return hn::Trunc(x.raw);
}
/// Halves go to the even neighbour.
template <class T>
HWY_INLINE Vec<T> round(Vec<T> x) {
  return hn::Round(x.raw);
}
/// The other number where one is NaN.
template <class T>
HWY_INLINE Vec<T> fmax(Vec<T> a, Vec<T> b) {
  return where(b != b, a, max_or_b(a, b));
}
template <class T>
HWY_INLINE Vec<T> fmin(Vec<T> a, Vec<T> b) {
  return where(b != b, a, min_or_b(a, b));
}
template <class T>
HWY_INLINE Mask<T> isfinite(Vec<T> x) {
  return abs(x) < Vec<T>::kInf;
}
template <class T>
HWY_INLINE Vec<T> nan_to_num(Vec<T> x, Vec<T> nan, Vec<T> posinf, Vec<T> neginf) {
  return where(x == Vec<T>::kInf, posinf, where(x == -Vec<T>::kInf, neginf, where(x != x, nan, x)));
}
/// The gradient of a function that is constant piece by piece.
template <class T>
HWY_INLINE Vec<T> zero(Vec<T>) {
  return 0;
}
/// -1, 0 or 1; the sign of NaN is 0.
template <class T>
HWY_INLINE Vec<T> sign(Vec<T> x) {
  return where(x > 0, 1, where(x < 0, -1, Vec<T>(0)));
}
template <class T>
HWY_INLINE Vec<T> copysign(Vec<T> magnitude, Vec<T> sign) {
  return hn::CopySign(magnitude.raw, sign.raw);
}

/// Numbers that describe T's bits. Adding kShifter to a small number leaves it, rounded to an
/// integer, in the low mantissa bits.
template <class T>
struct Bits;
template <>
struct Bits<float> {
  using Int = int32_t;
  static constexpr int kMantissa = 23, kBias = 127, kSubnormalScale = 25;
  static constexpr float kShifter = 0x1.8p23f;
  static constexpr Int kMantissaMask = 0x7fffff, kOne = 0x3f800000, kSqrtHalf = 0x3f3504f3;
};
template <>
struct Bits<double> {
  using Int = int64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kSubnormalScale = 54;
  static constexpr double kShifter = 0x1.8p52;
  static constexpr Int kMantissaMask = 0xfffffffffffff, kOne = 0x3ff0000000000000,
                       kSqrtHalf = 0x3fe6a09e667f3bcd;
};

/// e^r - 1 for |r| <= log(2)/2; near-minimax, error 1.1e-8 (float32), 1.9e-17 (float64) of e^r.
HWY_INLINE Vec<float> expm1_reduced(Vec<float> r) {
  // In the order that gives the shortest chain of dependent operations.
  const Vec<float> square = r * r, low = fma(r, 0.1666657338, 0.5);
  const Vec<float> high = fma(square, 0.001392692661, fma(r, 0.008363773874, 0.04166655011));
  return fma(fma(square, high, low), square, r);
}
HWY_INLINE Vec<double> expm1_reduced(Vec<double> r) {
  const Vec<double> tail =
      polynomial<double>(r, 0.5, 0.166666666666666675, 0.0416666666666206386, 0.0083333333333297935,
                         0.00138888889189391678, 0.000198412698643805133, 0.0000248015186413959936,
                         2.75572664186123037e-6, 2.76213386691429238e-7, 2.51013469283503402e-8);
  return fma(tail, r * r, r);
}
template <class T>
HWY_INLINE Vec<T> exp_reduced(Vec<T> r) {
  return expm1_reduced(r) + 1;
}

/// x = n log 2 + r, and the bits of n + bias plus a constant whose low bits are 0.
template <class T>
struct Reduced {
  using D = hn::RebindToUnsigned<hn::ScalableTag<T>>;
  using Unsigned = hn::Vec<D>;
  Vec<T> r;
  Unsigned n_bits;

  HWY_INLINE Reduced(Vec<T> x, int bias) {
    const Vec<T> shifter = Bits<T>::kShifter + static_cast<T>(bias);
    const Vec<T> shifted = fma(x, 1.442695040888963407, shifter), n = shifted - shifter;
    // log 2 in two parts, the first so short that its product with n is exact.
    constexpr double high = sizeof(T) == 4 ? 0x1.63p-1 : 0x1.62e4p-1;
    constexpr double low = sizeof(T) == 4 ? -2.12194440054690583e-4 : 1.42860682030941723212e-6;
    r = fma(n, -low, fma(n, -high, x));
    n_bits = hn::BitCast(D(), shifted.raw);
  }
};

/// The number whose biased exponent is in the low bits of `n`.
template <class T>
HWY_INLINE Vec<T> from_exponent(typename Reduced<T>::Unsigned n) {
  return hn::BitCast(hn::ScalableTag<T>(), hn::ShiftLeft<Bits<T>::kMantissa>(n));
}

/// e^x where the result is a normal number (NaN stays NaN).
template <class T>
HWY_INLINE Vec<T> exp_normal(Vec<T> x) {
  const Reduced<T> reduced(x, Bits<T>::kBias);
  return exp_reduced(reduced.r) * from_exponent<T>(reduced.n_bits);
}

/// e^r 2^n with the bits of n + 2 bias, subnormal results included.
template <class T>
HWY_INLINE Vec<T> exp_of_parts(Vec<T> r, typename Reduced<T>::Unsigned n_bits) {
  // 2^n may lie outside the normal numbers; its two halves do not.
  const auto half = hn::ShiftRight<1>(n_bits);
  return exp_reduced(r) * from_exponent<T>(half) * from_exponent<T>(hn::Sub(n_bits, half));
}

/// e^x for every x; at most 1.15 ULP off.
template <class T>
HWY_INLINE Vec<T> exp(Vec<T> x) {
  constexpr double lowest = sizeof(T) == 4 ? -104 : -746, highest = sizeof(T) == 4 ? 89 : 710;
  const Reduced<T> reduced(max_or_b(lowest, min_or_b(Vec<T>(highest), x)), 2 * Bits<T>::kBias);
  return exp_of_parts(reduced.r, reduced.n_bits);
}

/// log(1 + f) - f for sqrt(1/2) - 1 <= f <= sqrt(2) - 1.
HWY_INLINE Vec<float> log1p_tail(Vec<float> f) {
  const Vec<float> cubic =
      polynomial<float>(f, 0.3333333106, -0.2499999628, 0.2000074551, -0.1666790079, 0.1424803968,
                        -0.1242236598, 0.1169272952, -0.1150942766, 0.06989834475);
  const Vec<float> square = f * f;
  return fma(square, -0.5, cubic * f * square);
}
HWY_INLINE Vec<double> log1p_tail(Vec<double> f) {
  // With s = f / (2 + f): log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + s^2 R(s^2))).
  const Vec<double> s = f / (2 + f), z = s * s, half_square = f * f * 0.5;
  const Vec<double> series = polynomial<double>(
      z, 0.666666666666667014, 0.399999999998865452, 0.285714286317944755, 0.22222210194440617,
      0.181829569526034093, 0.153294895266816131, 0.146437646529313539);
  return s * fma(series, z, half_square) - half_square;
}

/// x = m * 2^e with sqrt(1/2) <= m < sqrt(2), for finite positive x (elsewhere anything).
template <class T>
HWY_INLINE Vec<T> split_exponent(Vec<T> x, Vec<T>& m) {
  using B = Bits<T>;
  const hn::ScalableTag<T> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  using U = hn::TFromD<decltype(du)>;
  const Mask<T> subnormal = x < std::numeric_limits<T>::min();
  x = where(subnormal, x * std::ldexp(1.0, B::kSubnormalScale), x);
  const auto biased =
      hn::Add(hn::BitCast(du, x.raw), hn::Set(du, static_cast<U>(B::kOne - B::kSqrtHalf)));
  m = Vec<T>(hn::BitCast(d, hn::Add(hn::And(biased, hn::Set(du, static_cast<U>(B::kMantissaMask))),
                                    hn::Set(du, static_cast<U>(B::kSqrtHalf)))));
  // The exponent becomes a number by writing it into the mantissa of 2^kMantissa.
  const T base = static_cast<T>(std::ldexp(1.0, B::kMantissa));
  const auto digits =
      hn::Or(hn::ShiftRight<B::kMantissa>(biased), hn::BitCast(du, hn::Set(d, base)));
  const Vec<T> e = Vec<T>(hn::BitCast(d, digits)) - (base + B::kBias);
  return where(subnormal, e - static_cast<double>(B::kSubnormalScale), e);
}

/// Natural logarithm: log(0) = -inf, of a negative number NaN; at most 1 ULP (float32, float64)
/// off.
template <class T>
HWY_INLINE Vec<T> log(Vec<T> x) {
  Vec<T> m;
  const Vec<T> e = split_exponent(x, m), f = m - 1;
  constexpr double high = sizeof(T) == 4 ? 0x1.63p-1 : 0x1.62e42feep-1;
  constexpr double low = sizeof(T) == 4 ? -2.12194440054690583e-4 : 1.90821492927058770002e-10;
  const Vec<T> y = fma(e, high, f + fma(e, low, log1p_tail(f)));
  const Vec<T> special =
      where(x == 0, -Vec<T>::kInf, where(x < 0, std::numeric_limits<T>::quiet_NaN(), x));
  return where((x > 0) & (x < Vec<T>::kInf), y, special);
}

/// tanh(x) for |x| < 0.625.
HWY_INLINE Vec<float> tanh_small(Vec<float> x) {
  const Vec<float> z = x * x;
  const Vec<float> tail = polynomial<float>(z, -0.3333332894, 0.1333276974, -0.05385090958,
                                            0.020997179, -0.006096714166);
  return fma(tail * z, x, x);
}
HWY_INLINE Vec<double> tanh_small(Vec<double> x) {
  // Rational form of the Cephes library.
  const Vec<double> z = x * x;
  const Vec<double> top = polynomial<double>(z, -1614.68768441708447952, -99.2877231001918586564,
                                             -0.964399179425052238628);
  const Vec<double> bottom = polynomial<double>(z, 4844.06305325125486048, 2235.48839060100448583,
                                                112.811678491632931402, 1);
  return fma(top / bottom * z, x, x);
}

/// At most 2 ULP (float32, float64) off.
template <class T>
HWY_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> magnitude = min_or_b(Vec<T>(20), abs(x));
  const Vec<T> large = 1 - 2 / (exp_normal(magnitude + magnitude) + 1);
  return copysign(where(abs(x) < 0.625, tanh_small(x), large), x);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
