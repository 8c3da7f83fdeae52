// Vector forms of the modified Bessel functions of the first kind, of order 0 and 1, plain and
// times e^-|x|.
//
// The polynomials are least squares of the relative error at 60 Chebyshev points of their range,
// solved with 50 digits; the functions are sums of their series (Abramowitz and Stegun, 9.6.10 and,
// far out, 9.7.1). Relative errors: at most 4.3e-9 for float32, 3e-17 for float64.
#if defined(AUTOGRAD_KERNELS_CPU_VECTOR_BESSEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_VECTOR_BESSEL_INL_H_
#undef AUTOGRAD_KERNELS_CPU_VECTOR_BESSEL_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_VECTOR_BESSEL_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// Up to here I(x) is a polynomial in x^2, from here on sqrt(x) e^-x I(x) is one in 1 / x.
template <class T>
constexpr double kBesselFar = sizeof(T) == 4 ? 5 : 8;

/// I(x) / x^order by z = x^2, for 0 <= x <= kBesselFar.
template <int kOrder>
HWY_INLINE Vec<float> bessel_near(Vec<float> z) {
  if constexpr (kOrder == 0)
    return polynomial<float>(z, 1, 0.2499999988, 0.01562500211, 4.340265825e-4, 6.781996389e-6,
                             6.777334308e-8, 4.743691921e-10, 2.251692361e-12, 1.283034019e-14);
  else
    return polynomial<float>(z, 0.5, 0.0625000046, 0.002604160907, 5.425581452e-5, 6.777318068e-7,
                             5.693688043e-9, 3.145200033e-11, 2.065226846e-13);
}
template <int kOrder>
HWY_INLINE Vec<double> bessel_near(Vec<double> z) {
  if constexpr (kOrder == 0)
    return polynomial<double>(
        z, 1, 0.250000000000000008, 0.015624999999999981, 4.34027777777793023e-4,
        6.78168402777185097e-6, 6.78168402791006599e-8, 4.70950279520413652e-10,
        2.40280756710574368e-12, 9.38596583715506616e-15, 2.89690877449647043e-17,
        7.24207763153029769e-20, 1.49677212091364537e-22, 2.59025947507622212e-25,
        3.93281828404627984e-28, 4.2028741990915065e-31, 8.55877704707883156e-34);
  else
    return polynomial<double>(
        z, 0.5, 0.0625000000000000005, 0.00260416666666666557, 5.42534722222230107e-5,
        6.78168402777497183e-7, 5.65140335653956512e-9, 3.36393056856725027e-11,
        1.50175472529206359e-13, 5.21442567867205346e-16, 1.4484536048864976e-18,
        3.29187394908049161e-21, 6.23617047796978958e-24, 9.96741435942075749e-27,
        1.40046177246785008e-29, 1.4214906324044064e-32, 2.62876034149664702e-35);
}

/// sqrt(x) e^-x I(x) by t = 2 kBesselFar / x - 1, for x >= kBesselFar.
template <int kOrder>
HWY_INLINE Vec<float> bessel_far(Vec<float> t) {
  if constexpr (kOrder == 0)
    return polynomial<float>(t, 0.4042445079, 0.005660125315, 4.104945972e-4, 6.722050245e-5,
                             2.207428301e-5, 9.909554675e-6, -1.567174303e-7, -4.177484421e-6,
                             -9.141560573e-7, 6.48817222e-7);
  else
    return polynomial<float>(t, 0.3834662667, -0.0160492453, -6.432709562e-4, -8.767177252e-5,
                             -2.614327445e-5, -1.144769643e-5, -2.217325701e-7, 4.459409481e-6,
                             1.078393131e-6, -6.673271269e-7);
}
template <int kOrder>
HWY_INLINE Vec<double> bessel_far(Vec<double> t) {
  if constexpr (kOrder == 0)
    return polynomial<double>(
        t, 0.402176509445008084, 0.00336055198366775047, 1.3621607438985734e-4,
        1.11430338007075083e-5, 1.48384766472542938e-6, 2.97359604688050421e-7,
        8.87203500676184662e-8, 3.93288934362669579e-8, 2.15662015720609618e-8,
        7.53435755867835449e-9, -6.84910538890750374e-9, -1.33261000195978344e-8,
        -5.03878377644429158e-9, 7.33598022909168786e-9, 6.5614041003206087e-9,
        -3.1346425649540297e-9, -4.57707194376107617e-9, 1.1050677314973501e-9,
        2.1980236470712198e-9, -2.80343468248208496e-10, -6.63805160256777396e-10,
        3.62945559643176343e-11, 9.37374999839095493e-11);
  else
    return polynomial<double>(
        t, 0.389398459025872321, -0.00974957719323563466, -2.19235763831696146e-4,
        -1.50385472095028277e-5, -1.83491023702182774e-6, -3.48385343782797755e-7,
        -1.00010939025646168e-7, -4.31319651075385103e-8, -2.33926443179411165e-8,
        -8.40918090881936333e-9, 6.84079500757335079e-9, 1.3958547296525964e-8,
        5.59146166637140835e-9, -7.44443387502717072e-9, -6.98027434474945019e-9,
        3.0868768872863507e-9, 4.80631899294855834e-9, -1.05944659244051639e-9,
        -2.29381627468324912e-9, 2.63404233000089781e-10, 6.90366641889004953e-10,
        -3.36536559285190793e-11, -9.72799165959368958e-11);
}

/// I(x), times e^-|x| if scaled; at most 4 ULP off.
template <int kOrder, bool kScaled, class T>
HWY_INLINE Vec<T> bessel_i(Vec<T> x) {
  Vec<T> size = abs(x), near = bessel_near<kOrder>(x * x);
  if constexpr (kScaled) near = near * exp_normal(-size);
  if constexpr (kOrder == 1) near = near * x;  // last, so that the smallest numbers are halved once
  const Mask<T> is_near = size < kBesselFar<T>;
  if (HWY_LIKELY(all(is_near))) return near;
  if constexpr (!kScaled)
    size = min_or_b(Vec<T>(sizeof(T) == 4 ? 95 : 715), size);  // infinite there
  Vec<T> far = bessel_far<kOrder>(2 * kBesselFar<T> / size - 1) / sqrt(size);
  if constexpr (!kScaled) {
    // e^x / 256 is finite wherever I(x) is.
    const Reduced<T> parts(size, 2 * Bits<T>::kBias - 8);
    far = exp_of_parts(parts.r, parts.n_bits) * (far * 256);
  }
  return where(is_near, near, kOrder == 1 ? copysign(far, x) : far);
}

template <class T>
HWY_INLINE Vec<T> i0(Vec<T> x) {
  return bessel_i<0, false>(x);
}
template <class T>
HWY_INLINE Vec<T> i0e(Vec<T> x) {
  return bessel_i<0, true>(x);
}
template <class T>
HWY_INLINE Vec<T> i1(Vec<T> x) {
  return bessel_i<1, false>(x);
}
template <class T>
HWY_INLINE Vec<T> i1e(Vec<T> x) {
  return bessel_i<1, true>(x);
}
/// y / x for y = i1(x) or i1e(x).
template <class T>
HWY_INLINE Vec<T> i1_over_x(Vec<T> y, Vec<T> x) {
  return where(x == 0, 0.5, y / x);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
