// Vector forms of the integer rows that a compiler makes slow loops of.
#if defined(AUTOGRAD_KERNELS_CPU_VECTOR_INTEGER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_VECTOR_INTEGER_INL_H_
#undef AUTOGRAD_KERNELS_CPU_VECTOR_INTEGER_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_VECTOR_INTEGER_INL_H_
#endif

#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/cpu/pointwise_rows-inl.h"
#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// t / 2^n, odd, for t other than 0. D is of unsigned numbers of 4 or 8 bytes.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V without_twos(D d, V t) {
  using U = hn::TFromD<D>;
  using F = std::conditional_t<sizeof(U) == 4, float, double>;
  // The lowest bit as a number with a point: its exponent is n.
  const hn::RebindToSigned<D> di;
  const auto lowest = hn::And(t, hn::Sub(hn::Zero(d), t));
  const auto digits = hn::BitCast(d, hn::ConvertTo(hn::Rebind<F, D>(), hn::BitCast(di, lowest)));
  constexpr U kExponents = sizeof(U) == 4 ? 0xff : 0x7ff;
  const auto exponent = hn::And(hn::ShiftRight<Bits<F>::kMantissa>(digits), hn::Set(d, kExponents));
  return hn::Shr(t, hn::Sub(exponent, hn::Set(d, static_cast<U>(Bits<F>::kBias))));
}

/// Rows that have a vector form of integers of type T: `of(d, a, b)`, in unsigned numbers.
template <class Row, class T>
struct IntegerForm {
  static constexpr bool kExists = false;
};

template <class T>
requires(sizeof(T) >= 4) struct IntegerForm<gcd_row, T> {
  static constexpr bool kExists = HWY_TARGET != HWY_SCALAR;

  /// Stein's method: the difference of odd numbers is even, and its twos are none of the divisor's.
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V a, V b) {
    const hn::RebindToSigned<D> di;
    const auto zero = hn::Zero(d), one = hn::Set(d, 1);
    a = hn::BitCast(d, hn::Abs(hn::BitCast(di, a)));
    b = hn::BitCast(d, hn::Abs(hn::BitCast(di, b)));
    const auto either = hn::Or(a, b);
    // gcd(a, 0) = gcd(a, a); of two zeros: of ones, times zero.
    const auto x = hn::Or(a, hn::IfThenElseZero(hn::Eq(a, zero), hn::Max(b, one)));
    const auto y = hn::Or(b, hn::IfThenElseZero(hn::Eq(b, zero), hn::Max(a, one)));
    const auto common = hn::And(either, hn::Sub(zero, either));  // the twos of both
    auto odd = without_twos(d, x), other = without_twos(d, y);
    while (!hn::AllTrue(d, hn::Eq(odd, other))) {
      const auto small = hn::Min(odd, other), rest = hn::Sub(hn::Max(odd, other), small);
      odd = without_twos(d, hn::IfThenElse(hn::Eq(rest, zero), small, rest));
      other = small;
    }
    return hn::Mul(odd, common);
  }
};

template <class T>
requires(sizeof(T) >= 4) struct IntegerForm<bitwise_left_shift_row, T> {
  static constexpr bool kExists = HWY_TARGET != HWY_SCALAR;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V a, V steps) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
    (void)d;  // the instruction gives 0 for too many steps
    return hn::Shl(a, steps);
#else
    const auto end = hn::Set(d, static_cast<hn::TFromD<D>>(8 * sizeof(T)));
    const auto fits = hn::Lt(steps, end);
    return hn::IfThenElseZero(fits, hn::Shl(a, hn::IfThenElseZero(fits, steps)));
#endif
  }
};

template <class T>
requires(sizeof(T) >= 4) struct IntegerForm<bitwise_right_shift_row, T> {
  static constexpr bool kExists = HWY_TARGET != HWY_SCALAR;

  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V a, V steps) {
    const hn::RebindToSigned<D> di;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
    // The instruction gives 0 for too many steps, so that the sign is left.
    const auto sign = hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(di, a)));
    return hn::Xor(hn::Shr(hn::Xor(a, sign), steps), sign);
#else
    // All digits but the sign; seen without sign, a negative number of steps is more than that.
    const auto most = hn::Set(d, static_cast<hn::TFromD<D>>(8 * sizeof(T) - 1));
    const auto valid = hn::BitCast(di, hn::Min(steps, most));
    return hn::BitCast(d, hn::Shr(hn::BitCast(di, a), valid));
#endif
  }
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
