// Vector forms of the error function, the gamma function and their relatives, and of the normal
// distribution.
#if defined(AUTOGRAD_KERNELS_CPU_VECTOR_SPECIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_VECTOR_SPECIAL_INL_H_
#undef AUTOGRAD_KERNELS_CPU_VECTOR_SPECIAL_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_VECTOR_SPECIAL_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/cpu/vector_math-inl.h"
#include "kernels/cpu/vector_trig-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

// ---- the error function

/// x^2 - square, where square is x * x rounded.
template <class T>
HWY_INLINE Vec<T> square_tail(Vec<T> x, Vec<T> square) {
#if HWY_NATIVE_FMA
  return fma(x, x, -square);
#else
  // The upper half of the digits and the rest: products of two of them are exact.
  const Vec<T> scaled = x * (sizeof(T) == 4 ? 4097.0 : 134217729.0), high = scaled - (scaled - x);
  const Vec<T> low = x - high;
  return ((high * high - square) + 2 * high * low) + low * low;
#endif
}

/// Where erfc and the tails of the normal distribution have become 0.
template <class T>
constexpr double kErfcEnd = sizeof(T) == 4 ? 10.6 : 27.6;
template <class T>
constexpr double kNormalEnd = kErfcEnd<T> * 1.4142135623730951;

/// (x + a) e^(x^2) erfc(x) for 0 <= x <= kErfcEnd, with a of scaled_erfc, in t = (a - b x) / (x +
/// a).
HWY_INLINE Vec<float> scaled_erfc_series(Vec<float> t) {
  return polynomial<float>(t, 1.301029007, 0.9310322245, 0.5063497823, 0.2029495599, 0.05429467305,
                           0.006301673817, -0.001424411799, -0.0005902742036, 2.237023978e-5,
                           3.540032987e-5);
}
HWY_INLINE Vec<double> scaled_erfc_series(Vec<double> t) {
  return polynomial<double>(
      t, 1.20200500839778118, 0.986780893862208754, 0.677016318336994975, 0.383979160417234896,
      0.175475504954586409, 0.0610858548804919156, 0.0139127549663733331, 0.000725804166736282744,
      -0.00078283351815702009, -0.000240782159690574251, 0.0000189812196719155426,
      0.0000245521837958988653, 1.1475564322170979e-6, -2.36184376860941688e-6,
      -2.55785824445977472e-7, 2.5138685160054738e-7, 2.99836224100254325e-8,
      -2.97993226188971034e-8, -2.50433369830447505e-9, 3.45218809522961745e-9,
      1.14702681293996745e-10, -2.68575612653905798e-10);
}

/// e^(x^2) erfc(x) for 0 <= x <= kErfcEnd.
template <class T>
HWY_INLINE Vec<T> scaled_erfc(Vec<T> x) {
  constexpr double a = sizeof(T) == 4 ? 3 : 3.5;
  constexpr double b = sizeof(T) == 4 ? 1.565504241 : 1.25353132922854039;  // t = -1 at kErfcEnd
  const Vec<T> inverse = 1 / (x + a);
  return scaled_erfc_series(fma(x, -b, a) * inverse) * inverse;
}

/// e^-(f x^2) for 0 <= f x^2 <= kErfcEnd^2, where f is a power of two, as exact as if x^2 were not
/// rounded.
template <class T>
HWY_INLINE Vec<T> exp_of_minus_square(Vec<T> x, double f) {
  const Vec<T> square = x * x;
  const Reduced<T> reduced(square * -f, 2 * Bits<T>::kBias);
  return exp_of_parts(fma(square_tail(x, square), -f, reduced.r), reduced.n_bits);
}

/// erfc(x) for x >= 0.
template <class T>
HWY_INLINE Vec<T> erfc_positive(Vec<T> x) {
  const Vec<T> near = min_or_b(Vec<T>(kErfcEnd<T>), x);
  return exp_of_minus_square(near, 1) * scaled_erfc(near);
}

/// erf(x) for |x| <= 3/4.
HWY_INLINE Vec<float> erf_small(Vec<float> x) {
  return fma(x,
             polynomial<float>(x * x, 0.128379167069327108, -0.376126384466797394,
                               0.112837786429179855, -0.0268647718020523389, 0.00521678948992103975,
                               -0.000835692792001420565, 0.0000947046178159386662),
             x);
}
HWY_INLINE Vec<double> erf_small(Vec<double> x) {
  return fma(
      x,
      polynomial<double>(x * x, 0.128379167095512574, -0.37612638903183752, 0.112837916709550872,
                         -0.0268661706451184448, 0.00522397762522219187, -0.000854832700113594614,
                         0.000120553315452941164, -0.0000149255893838211429, 1.64603832098581487e-6,
                         -1.63332293434337e-7, 1.44138792890950289e-8, -9.50284089477470516e-10),
      x);
}

/// At most 2.5 ULP off.
template <class T>
HWY_INLINE Vec<T> erf(Vec<T> x) {
  const Vec<T> size = abs(x);
  return where(size < 0.75, erf_small(x), copysign(1 - erfc_positive(size), x));
}

/// 1 - erf(x), at most 8 ULP off.
template <class T>
HWY_INLINE Vec<T> erfc(Vec<T> x) {
  const Vec<T> size = abs(x), y = erfc_positive(size);
  return where(size < 0.5, 1 - erf_small(x), where(x < 0, 2 - y, y));
}

/// The probability that a normal number is below x: erfc(-x / sqrt 2) / 2.
template <class T>
HWY_INLINE Vec<T> normal_cdf(Vec<T> x) {
  const Vec<T> near = min_or_b(Vec<T>(kNormalEnd<T>), abs(x));
  const Vec<T> y =
      exp_of_minus_square(near, 0.5) * (scaled_erfc(near * 0.707106781186547524) * 0.5);
  return where(x > 0, 1 - y, y);
}

/// The density of the normal distribution: e^(-x^2 / 2) / sqrt(2 pi).
template <class T>
HWY_INLINE Vec<T> normal_density(Vec<T> x) {
  const Vec<T> near = min_or_b(Vec<T>(kNormalEnd<T>), abs(x));
  return exp_of_minus_square(near, 0.5) * 0.398942280401432678;
}

/// erfinv(x) / |x| by w = -log(1 - x^2), for w <= 16.7: all float32 below 1; the forms of Giles
/// (2010) with one more term.
HWY_INLINE Vec<float> erfinv_ratio(Vec<float> w) {
  const Vec<float> low = polynomial<float>(
      w - 2.5, 1.50140936, 0.246640286, -0.00417738678, -0.00125274187, 0.000218344442,
      -4.96335294e-06, -3.46270535e-06, 4.66171779e-07, 2.32326928e-08, -8.79113744e-09);
  const Mask<float> is_low = w < 5;
  if (HWY_LIKELY(all(is_low))) return low;
  const Vec<float> high = polynomial<float>(
      sqrt(w) - 3, 2.8329768, 1.00167497, 0.00944528661, -0.00763728879, 0.00568697247,
      -0.0035974056, 0.00148509514, -5.67774789e-05, -0.000309575299, 0.00011570538);
  return where(is_low, low, high);
}

/// The solution y >= 0 of erf(y) = size, where rest = 1 - size and w = -log(rest (1 + size)).
HWY_INLINE Vec<float> erfinv_positive(Vec<float> size, Vec<float>, Vec<float> w) {
  return erfinv_ratio(w) * size;
}
/// A near solution of Giles or, close to 1, of the asymptotic series, then steps of Halley's
/// method.
HWY_INLINE Vec<double> erfinv_positive(Vec<double> size, Vec<double> rest, Vec<double> w) {
  using V = Vec<double>;
  const V low = polynomial<double>(w - 2.5, 1.50140941, 0.246640727, -0.00417768164, -0.00125372503,
                                   0.00021858087, -4.39150654e-06, -3.5233877e-06, 3.43273939e-07,
                                   2.81022636e-08);
  const V high = polynomial<double>(sqrt(w) - 3, 2.83297682, 1.00167406, 0.00943887047,
                                    -0.0076224613, 0.00573950773, -0.00367342844, 0.00134934322,
                                    0.000100950558, -0.000200214257);
  const V far = kLog2 + w;  // -log(1 - |x|)
  V y = where(w < 5, low, high) * size;
  y = where(w > 16, sqrt(far - 0.5 * log(kPi * far)), y);
  for (int i = 0; i < 2; ++i) {
    const V square = y * y, growth = exp(square) * (1 + square_tail(y, square));
    // (erf(y) - |x|) / erf'(y), from the complement where erf_small does not reach (y > 3/4).
    const V difference =
        where(size < 0.7, (erf_small(y) - size) * growth, rest * growth - scaled_erfc(y));
    const V step = difference * 0.886226925452758014;
    y = y - step / fma(y, step, 1);
  }
  return y;
}

/// erf(y) = x; at most 4 ULP (float32), 3 (float64) off.
template <class T>
HWY_INLINE Vec<T> erfinv(Vec<T> x) {
  const Vec<T> size = abs(x), rest = 1 - size;
  const Vec<T> y = erfinv_positive(size, rest, -log(rest * (1 + size)));
  const Vec<T> inside = where(size == 1, Vec<T>::kInf, y);
  return where(size > 1, std::numeric_limits<T>::quiet_NaN(), copysign(inside, x));
}

// ---- the gamma function

/// sin(pi x) and cos(pi x); exact zeros at whole and half numbers.
template <class T>
HWY_INLINE Vec<T> sin_pi(Vec<T> x) {
  const Vec<T> n = round(x), r = (x - n) * kPi, half = n * 0.5;
  const Vec<T> outer = abs(r);
  const Vec<T> y =
      copysign(where(outer > kPi / 4, cos_reduced(kPi / 2 - outer), sin_reduced(outer)), r);
  return where(half == round(half), y, -y);
}
template <class T>
HWY_INLINE Vec<T> cos_pi(Vec<T> x) {
  const Vec<T> n = round(x), r = abs(x - n) * kPi, half = n * 0.5;
  const Vec<T> y = where(r > kPi / 4, sin_reduced(kPi / 2 - r), cos_reduced(r));
  return where(half == round(half), y, -y);
}

/// log(gamma(2 + u)) / (u (1 + u)) for |u| <= 1.
HWY_INLINE Vec<float> lgamma_series(Vec<float> u) {
  return polynomial<float>(u, 0.422784335098467139, -0.100317303653881068, 0.0329650015629158006,
                           -0.0123841187401662933, 0.00499860622033525722, -0.00210891231415463034,
                           0.000915748674596721684, -0.000402083984655814882,
                           0.000180829187398531011, -0.0000915639300911546341,
                           0.0000421961700088446011, -7.41938472611259426e-6,
                           3.35335333415917927e-6, -9.63513228036091333e-6, 4.55724231986089221e-6);
}
HWY_INLINE Vec<double> lgamma_series(Vec<double> u) {
  return polynomial<double>(
      u, 0.42278433509846714, -0.100317301674353921, 0.0329650006211557423, -0.0123841921933712374,
      0.00499864116470352739, -0.00210813083395880478, 0.00091537692206969202,
      -0.000405707397420464989, 0.000182552641855940363, -0.0000830951276372239015,
      0.0000381688637878852256, -0.000017661664225560328, 8.22234245213981774e-6,
      -3.84739664827024295e-6, 1.80747753409127911e-6, -8.52658818852656296e-7,
      4.0551922127948148e-7, -1.92522863328506728e-7, 8.75360413423732095e-8,
      -4.17254430301382002e-8, 2.61545721644556108e-8, -1.25699454357206833e-8,
      -6.83039905279419106e-10, 3.61337159381574298e-10, 4.88576192268365507e-9,
      -2.37258062502341481e-9, -1.37643187181541193e-9, 6.70573702624782568e-10,
      4.22601667537743874e-10, -2.05424209915509052e-10);
}

/// log(gamma(x)) for x > 0.
template <class T>
HWY_INLINE Vec<T> lgamma_positive(Vec<T> x) {
  // Into [1, 3]: gamma(x) = gamma(x + 1) / x, and gamma(x) = (x - 1) gamma(x - 1), at most 7 times.
  const Mask<T> low = x < 1, high = x >= 10;
  Vec<T> u = where(low, x - 1, x - 2), factor = where(low, x, Vec<T>(1));
  for (int i = 0; i < 7; ++i) {
    const Mask<T> far = (u > 1) & !high;
    if (all(!far)) break;
    factor = where(far, factor * (u + 1), factor);
    u = where(far, u - 1, u);
  }
  // Stirling's series from 10 on.
  const Vec<T> inverse = 1 / x, z = inverse * inverse;
  const Vec<T> stirling = inverse * polynomial<T>(z, 0.0833333333333333333, -0.00277777777777777778,
                                                  0.000793650793650793651, -0.000595238095238095238,
                                                  0.000841750841750841751, -0.00191752691752691753,
                                                  0.00641025641025641026, -0.0295506535947712418);
  const Vec<T> logarithm = log(where(high, x, factor));
  const Vec<T> large = (x - 0.5) * (logarithm - 1) + (0.418938533204672742 + stirling);
  const Vec<T> series = u * (u + 1) * lgamma_series(u);
  const Vec<T> y = where(high, large, series + where(low, -logarithm, logarithm));
  return where(x == Vec<T>::kInf, x, y);
}

/// log |gamma(x)|.
template <class T>
HWY_INLINE Vec<T> lgamma(Vec<T> x) {
  if (HWY_LIKELY(all(x > 0))) return lgamma_positive(x);
  const Vec<T> size = abs(x), y = lgamma_positive(size);
  // gamma(-x) gamma(x) = -pi / (x sin(pi x)).
  const Vec<T> reflected = (1.14472988584940017 - log(abs(sin_pi(size)))) - (log(size) + y);
  const Mask<T> pole = (x <= 0) & (x == floor(x));
  return where(x > 0, y, where(pole, Vec<T>::kInf, where(x != x, x, reflected)));
}

/// The derivative of lgamma.
template <class T>
HWY_INLINE Vec<T> digamma(Vec<T> x) {
  const Mask<T> reflect = x < 0;
  Vec<T> z = where(reflect, 1 - x, x), sum = 0, lost = 0;
  // psi(z) = psi(z + 1) - 1 / z. The logarithm takes away most of the sum, so what its additions
  // round off is kept; each term is smaller than the sum of those before.
  for (int i = 0; i < 10; ++i) {
    const Mask<T> near = z < 10;
    if (all(!near)) break;
    const Vec<T> term = 1 / z, next = sum - term;
    const Vec<T> rounded = (sum - next) - term;  // NaN where a term is infinite
    lost = where(near & (rounded == rounded), lost + rounded, lost);
    sum = where(near, next, sum);
    z = where(near, z + 1, z);
  }
  const Vec<T> inverse = 1 / z, square = inverse * inverse;
  const Vec<T> series =
      polynomial<T>(square, 0.0833333333333333333, -0.00833333333333333333, 0.00396825396825396825,
                    -0.00416666666666666667, 0.00757575757575757576, -0.0210927960927960928,
                    0.0833333333333333333);
  Vec<T> y = where(z == Vec<T>::kInf, z, sum + (lost + (log(z) - 0.5 * inverse - square * series)));
  if (!all(!reflect)) y = where(reflect, y - kPi * cos_pi(x) / sin_pi(x), y);
  const Mask<T> pole = reflect & (x == floor(x));
  y = where(pole, std::numeric_limits<T>::quiet_NaN(), y);
  return where(x == 0, copysign(Vec<T>(Vec<T>::kInf), -x), y);
}

/// sum over k >= 0 of 1 / (k + x)^s for s > 1: the first terms, then the Euler-Maclaurin formula.
inline double hurwitz_zeta(double s, double x) {
  if (x <= 0) {
    if (x == std::floor(x)) return std::numeric_limits<double>::infinity();
    if (s != std::floor(s)) return std::numeric_limits<double>::quiet_NaN();
  }
  double sum = 0, z = x;
  if (z < -1e5) z += std::floor(-1e5 - z);  // what is left out is nothing beside the rest
  for (int i = 0; i < 9 || z <= 9; ++i, z += 1) {
    const double term = std::pow(z, -s);
    sum += term;
    if (std::fabs(term) <= std::fabs(sum) * 1e-17) return sum;
  }
  // B_2k / (2k)!
  constexpr double terms[] = {1.0 / 12,          -1.0 / 720,
                              1.0 / 30240,       -1.0 / 1209600,
                              1.0 / 47900160,    -691.0 / 1307674368000,
                              1.0 / 74724249600, -3617.0 / 10670622842880000};
  double power = std::pow(z, -s), factor = s;
  sum += z * power / (s - 1) + 0.5 * power;
  for (int k = 0; k < 8; ++k) {
    power /= z;
    sum += terms[k] * factor * power;
    factor *= (s + 2 * k + 1) * (s + 2 * k + 2);
    power /= z;
  }
  return sum;
}

/// The second derivative of lgamma.
inline double trigamma(double x) {
  double sign = 1, sum = 0;
  if (x < 0.5) {
    sign = -1;
    const double s = std::sin(kPi * (x - std::nearbyint(x)));
    sum = -kPi * kPi / (s * s);
    x = 1 - x;
  }
  for (; x < 10; x += 1) sum += 1 / (x * x);
  const double z = 1 / (x * x);
  sum += (1 + 1 / (2 * x) +
          z * (1.0 / 6 - z * (1.0 / 30 -
                              z * (1.0 / 42 - z * (1.0 / 30 - z * (5.0 / 66 - z * 691 / 2730)))))) /
         x;
  return sign * sum;
}

/// The derivative of order n of digamma.
template <class T>
HWY_INLINE Vec<T> polygamma(Vec<T> n, Vec<T> x) {
  const int order = static_cast<int>(hn::GetLane(n.raw));
  if (order == 0) return digamma(x);
  if (order == 1) return lanewise([](T value) { return static_cast<T>(trigamma(value)); }, x);
  return lanewise(
      [](T value, T k) {
        const double factorial = std::tgamma(static_cast<double>(k) + 1);
        const double sign = std::fmod(static_cast<double>(k), 2) == 0 ? -1 : 1;
        return static_cast<T>(sign * factorial * hurwitz_zeta(static_cast<double>(k) + 1, value));
      },
      x, n);
}

template <class T>
HWY_INLINE Vec<T> polygamma(double n, Vec<T> x) {
  return polygamma(Vec<T>(n), x);
}

/// log(x / (1 - x)).
template <class T>
HWY_INLINE Vec<T> log_odds(Vec<T> x) {
  return log(x / (1 - x));
}

/// sin(pi x) / (pi x).
template <class T>
HWY_INLINE Vec<T> sinc(Vec<T> x) {
  const Vec<T> angle = x * kPi;
  return where(x == 0, 1, sin(angle) / angle);
}
/// Its derivative.
template <class T>
HWY_INLINE Vec<T> sinc_slope(Vec<T> x) {
  const Vec<T> angle = x * kPi;
  return where(x == 0, 0, (cos(angle) - sin(angle) / angle) / x);
}

// ---- activations

template <class T>
HWY_INLINE Vec<T> sigmoid(Vec<T> x) {
  return 1 / (1 + exp(-x));
}

/// gelu_tanh(x) = x (1 + tanh(u / 2)) / 2 = x sigmoid(u) with this u.
template <class T>
HWY_INLINE Vec<T> gelu_angle(Vec<T> x) {
  return x * fma(x * x, 0.0713548162726009292, 1.59576912160573071);
}
/// Its derivative; s is sigmoid(u).
template <class T>
HWY_INLINE Vec<T> gelu_tanh_slope(Vec<T> x, Vec<T> s) {
  return s * fma(x * (1 - s), fma(x * x, 0.214064448817802788, 1.59576912160573071), 1);
}

/// tanh(log(1 + e^x)) = n (n + 2) / (n (n + 2) + 2) with n = e^x.
template <class T>
HWY_INLINE Vec<T> tanh_softplus(Vec<T> x) {
  const Vec<T> n = exp(min_or_b(Vec<T>(22), x)), w = n * (n + 2);
  return w / (w + 2);
}
/// The derivative of x t, where t is tanh_softplus(x).
template <class T>
HWY_INLINE Vec<T> mish_slope(Vec<T> x, Vec<T> t) {
  return fma(x * (1 - t * t), sigmoid(x), t);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
