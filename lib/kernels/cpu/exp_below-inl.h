// The exponential function where arguments are known to be bounded above.

// Included once per instruction set, hence the toggling guard (see Highway's quick reference).
#if defined(AUTOGRAD_KERNELS_CPU_EXP_BELOW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_EXP_BELOW_INL_H_
#undef AUTOGRAD_KERNELS_CPU_EXP_BELOW_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_EXP_BELOW_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace exponential {

namespace hn = hwy::HWY_NAMESPACE;

/// exp(x) for x below 60, within 1.5 ulp; 0 from -104 (float) or -746 (double) down, NaN for NaN.
/// Arguments here are differences to a maximum, so the test for overflow is spared.
/// x = q ln 2 + r; polynomials of SLEEF 3 (Shibata and Petrogalli), even and odd part apart.
HWY_INLINE hn::Vec<hn::ScalableTag<float>> exp_below(hn::Vec<hn::ScalableTag<float>> x) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<hn::ScalableTag<float>> di;
  // Adding 1.5 * 2^23 rounds to an integer in the low bits; 159 biases the exponent by 127 + 32.
  const auto magic = hn::Set(d, 12582912.0f + 159.0f);
  const auto shifted = hn::MulAdd(x, hn::Set(d, 1.442695040888963407f), magic);
  const auto q = hn::Sub(shifted, magic);
  auto r = hn::MulAdd(q, hn::Set(d, -0.693145751953125f), x);
  r = hn::MulAdd(q, hn::Set(d, -1.428606765330187045e-6f), r);
  const auto r2 = hn::Mul(r, r);
  auto odd = hn::MulAdd(hn::Set(d, 0.000198527617612853646278381f), r2,
                        hn::Set(d, 0.00833336077630519866943359f));
  odd = hn::MulAdd(odd, r2, hn::Set(d, 0.166666671633720397949219f));
  auto even = hn::MulAdd(hn::Set(d, 0.00139304355252534151077271f), r2,
                         hn::Set(d, 0.0416664853692054748535156f));
  even = hn::MulAdd(even, r2, hn::Set(d, 0.5f));
  const auto poly = hn::MulAdd(hn::MulAdd(odd, r, even), r2, r);
  // Scaling by 2^(q + 32) and then 2^-32 keeps subnormal results right.
  const auto scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted)));
  const auto y = hn::Mul(hn::MulAdd(poly, scale, scale), hn::Set(d, 0x1p-32f));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -104.0f)), y);
}

HWY_INLINE hn::Vec<hn::ScalableTag<double>> exp_below(hn::Vec<hn::ScalableTag<double>> x) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<hn::ScalableTag<double>> di;
  const auto magic = hn::Set(d, 6755399441055744.0 + 1087.0);
  const auto shifted = hn::MulAdd(x, hn::Set(d, 1.442695040888963407359924681), magic);
  const auto q = hn::Sub(shifted, magic);
  auto r = hn::MulAdd(q, hn::Set(d, -0.6931471805596629565116018), x);
  r = hn::MulAdd(q, hn::Set(d, -0.28235290563031577122588448175e-12), r);
  const auto r2 = hn::Mul(r, r);
  auto odd = hn::MulAdd(hn::Set(d, 2.51112930892876518610661e-8), r2,
                        hn::Set(d, 2.75572362911928827629423e-6));
  odd = hn::MulAdd(odd, r2, hn::Set(d, 0.000198412698960509205564975));
  odd = hn::MulAdd(odd, r2, hn::Set(d, 0.00833333333331652721664984));
  odd = hn::MulAdd(odd, r2, hn::Set(d, 0.166666666666666851703837));
  auto even = hn::MulAdd(hn::Set(d, 2.08860621107283687536341e-9), r2,
                         hn::Set(d, 2.75573911234900471893338e-7));
  even = hn::MulAdd(even, r2, hn::Set(d, 2.4801587159235472998791e-5));
  even = hn::MulAdd(even, r2, hn::Set(d, 0.00138888888889774492207962));
  even = hn::MulAdd(even, r2, hn::Set(d, 0.0416666666666665047591422));
  even = hn::MulAdd(even, r2, hn::Set(d, 0.5));
  const auto poly = hn::MulAdd(hn::MulAdd(odd, r, even), r2, r);
  const auto scale = hn::BitCast(d, hn::ShiftLeft<52>(hn::BitCast(di, shifted)));
  const auto y = hn::Mul(hn::MulAdd(poly, scale, scale), hn::Set(d, 0x1p-64));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -746.0)), y);
}

}  // namespace exponential
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // AUTOGRAD_KERNELS_CPU_EXP_BELOW_INL_H_
