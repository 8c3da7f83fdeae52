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

/// (1 + 2 x) e^(x^2) erfc(x) for 0 <= x <= 10.3 (float32), 27.5 (float64), in t = (x - 2) / (x +
/// 2).
HWY_INLINE Vec<float> scaled_erfc_series(Vec<float> t) {
  return polynomial<float>(t, 1.27697839183285849, -0.0927639143684598325, -0.166031350783665083,
                           0.164053537939182047, -0.0542051172025716314, -0.0080467754572422674,
                           0.00863755772613624206, 0.00127791164142880125, -0.00125057866991894875,
                           -0.000367562037190986004, 0.0000243036321480227777);
}
HWY_INLINE Vec<double> scaled_erfc_series(Vec<double> t) {
  return polynomial<double>(
      t, 1.2769783815525288, -0.0927638265857467765, -0.166030397615312875, 0.164051280033633493,
      -0.0542200009908063923, -0.00803401509163937802, 0.00872265384798926439,
      0.00127133914352453158, -0.00145681359376310015, -0.000454342599461803491,
      0.00020636436375755616, 0.000151049445106189874, -1.49465612651411445e-6,
      -0.0000364601942430544139, -0.0000135473387152660638, 3.79376483117021549e-6,
      5.35499697574347856e-6, 1.39013161014653615e-6, -9.04121667804065323e-7,
      -7.52603387812885872e-7, -5.21611486495254062e-8, 1.28142664989740808e-7,
      3.93031812855372943e-8);
}

/// e^(x^2) erfc(x) for x >= 0; beyond the range of erfc a constant.
template <class T>
HWY_INLINE Vec<T> scaled_erfc(Vec<T> x) {
  const Vec<T> c = min_or_b(Vec<T>(sizeof(T) == 4 ? 10.3 : 27.5), x);
  return scaled_erfc_series((c - 2) / (c + 2)) / fma(2, c, 1);
}

/// e^-(square + tail) for a small tail.
template <class T>
HWY_INLINE Vec<T> exp_of_minus(Vec<T> square, Vec<T> tail) {
  return exp(-square) * where(square < 1e4, 1 - tail, 1);
}

/// erfc(x) for x >= 0.
template <class T>
HWY_INLINE Vec<T> erfc_positive(Vec<T> x) {
  const Vec<T> square = x * x;
  return exp_of_minus(square, square_tail(x, square)) * scaled_erfc(x);
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

/// At most 2 ULP off.
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
  const Vec<T> size = abs(x), square = x * x;
  const Vec<T> e = exp_of_minus(square * 0.5, square_tail(x, square) * 0.5);
  const Vec<T> y = e * scaled_erfc(size * 0.707106781186547524) * 0.5;
  return where(x > 0, 1 - y, y);
}

/// The density of the normal distribution: e^(-x^2 / 2) / sqrt(2 pi).
template <class T>
HWY_INLINE Vec<T> normal_density(Vec<T> x) {
  const Vec<T> square = x * x;
  return exp_of_minus(square * 0.5, square_tail(x, square) * 0.5) * 0.398942280401432678;
}

/// erf(y) = x: a near solution of Giles (2010) or, close to 1, of the asymptotic series, then steps
/// of Halley's method.
template <class T>
HWY_INLINE Vec<T> erfinv(Vec<T> x) {
  const Vec<T> size = abs(x), rest = 1 - size, w = -log(rest * (1 + size));
  const Vec<T> low =
      polynomial<T>(w - 2.5, 1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087,
                    -4.39150654e-06, -3.5233877e-06, 3.43273939e-07, 2.81022636e-08);
  const Vec<T> high =
      polynomial<T>(sqrt(w) - 3, 2.83297682, 1.00167406, 0.00943887047, -0.0076224613,
                    0.00573950773, -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257);
  Vec<T> y = where(w < 5, low, high) * size;
  if constexpr (sizeof(T) == 8) {
    const Vec<T> far = kLog2 + w;  // -log(1 - |x|)
    y = where(w > 16, sqrt(far - 0.5 * log(kPi * far)), y);
  }
  for (int i = 0; i < (sizeof(T) == 4 ? 1 : 2); ++i) {
    const Vec<T> square = y * y, growth = exp(square) * (1 + square_tail(y, square));
    // (erf(y) - |x|) / erf'(y), from the complement where erf is close to 1.
    const Vec<T> difference =
        where(size < 0.5, (erf_small(y) - size) * growth, rest * growth - scaled_erfc(y));
    const Vec<T> step = difference * 0.886226925452758014;
    y = y - step / fma(y, step, 1);
  }
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
  Vec<T> z = where(reflect, 1 - x, x), sum = 0;
  // psi(z) = psi(z + 1) - 1 / z.
  for (int i = 0; i < 10; ++i) {
    const Mask<T> near = z < 10;
    if (all(!near)) break;
    sum = where(near, sum - 1 / z, sum);
    z = where(near, z + 1, z);
  }
  const Vec<T> inverse = 1 / z, square = inverse * inverse;
  const Vec<T> series =
      polynomial<T>(square, 0.0833333333333333333, -0.00833333333333333333, 0.00396825396825396825,
                    -0.00416666666666666667, 0.00757575757575757576, -0.0210927960927960928,
                    0.0833333333333333333);
  Vec<T> y = where(z == Vec<T>::kInf, z, sum + (log(z) - 0.5 * inverse - square * series));
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
