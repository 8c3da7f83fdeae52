// The values on which pointwise.def's expressions compile for integers, for bool and, where a
// result or a condition is bool, for floats: one plain number, in loops that the compiler
// vectorises.
#if defined(AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_
#undef AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_
#endif

#include <cstdint>
#include <limits>
#include <type_traits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// The type T's arithmetic is done in: unsigned for integers, where overflow wraps around.
template <class T>
struct Wrapping {
  using Type = T;
};
template <>
struct Wrapping<int32_t> {
  using Type = uint32_t;
};
template <>
struct Wrapping<int64_t> {
  using Type = uint64_t;
};
template <>
struct Wrapping<uint8_t> {
  using Type = uint32_t;
};

/// A number of type T with PyTorch's arithmetic.
template <class T>
struct Scalar {
  using W = typename Wrapping<T>::Type;
  T value;

  Scalar() = default;
  /// From a literal or a parameter; integers saturate, NaN becomes 0.
  HWY_INLINE Scalar(double number) : value(saturated(number)) {}
  static HWY_INLINE Scalar of(W number) {
    Scalar s;
    s.value = static_cast<T>(number);
    return s;
  }
  static HWY_INLINE Scalar load(const T* from) { return of(static_cast<W>(*from)); }
  HWY_INLINE void store(T* to) const { *to = value; }
  HWY_INLINE W wide() const { return static_cast<W>(value); }

  static HWY_INLINE T saturated(double number) {
    if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(number);
    } else {
      using Limits = std::numeric_limits<T>;
      // One more than the largest T: a power of two, so exact where max() may not be.
      constexpr double end = 2.0 * (Limits::max() / 2 + 1);
      if (number >= end) return Limits::max();
      if (number < static_cast<double>(Limits::min())) return Limits::min();
      return number == number ? static_cast<T>(number) : T(0);
    }
  }

  friend HWY_INLINE Scalar operator-(Scalar a) { return of(W(0) - a.wide()); }
  friend HWY_INLINE Scalar operator+(Scalar a, Scalar b) { return of(a.wide() + b.wide()); }
  friend HWY_INLINE Scalar operator-(Scalar a, Scalar b) { return of(a.wide() - b.wide()); }
  friend HWY_INLINE Scalar operator*(Scalar a, Scalar b) { return of(a.wide() * b.wide()); }

  friend HWY_INLINE bool operator==(Scalar a, Scalar b) { return a.value == b.value; }
  friend HWY_INLINE bool operator!=(Scalar a, Scalar b) { return a.value != b.value; }
  friend HWY_INLINE bool operator<(Scalar a, Scalar b) { return a.value < b.value; }
  friend HWY_INLINE bool operator<=(Scalar a, Scalar b) { return a.value <= b.value; }
  friend HWY_INLINE bool operator>(Scalar a, Scalar b) { return a.value > b.value; }
  friend HWY_INLINE bool operator>=(Scalar a, Scalar b) { return a.value >= b.value; }

  friend HWY_INLINE Scalar where(bool c, Scalar a, Scalar b) { return c ? a : b; }
  friend HWY_INLINE Scalar maximum(Scalar a, Scalar b) { return a.value > b.value ? a : b; }
  friend HWY_INLINE Scalar minimum(Scalar a, Scalar b) { return a.value < b.value ? a : b; }
  friend HWY_INLINE Scalar abs(Scalar a) { return a.value < T(0) ? -a : a; }
  friend HWY_INLINE Scalar sign(Scalar a) {
    return of(static_cast<W>((a.value > T(0)) - (a.value < T(0))));
  }
  friend HWY_INLINE Scalar pow(Scalar a, Scalar b) { return integer_power(a, b); }

  /// Repeated squaring, wrapping around. A negative exponent gives the truncated quotient 1 /
  /// a^|b|.
  static HWY_INLINE Scalar integer_power(Scalar a, Scalar b) {
    if (b.value < T(0)) {
      if (a.value == T(1)) return 1;
      if (a.wide() == W(0) - W(1)) return b.wide() & 1 ? -Scalar(1) : Scalar(1);
      return 0;
    }
    W result = 1, square = a.wide();
    for (W exponent = b.wide(); exponent != 0; exponent >>= 1, square *= square) {
      if (exponent & 1) result *= square;
    }
    return of(result);
  }
};

/// PyTorch's bool arithmetic: + is or, * is and. Any byte other than 0 reads as true.
template <>
struct Scalar<bool> {
  uint8_t value;

  Scalar() = default;
  HWY_INLINE Scalar(double number) : value(number != 0) {}
  static HWY_INLINE Scalar of(int bit) {
    Scalar s;
    s.value = static_cast<uint8_t>(bit);
    return s;
  }
  static HWY_INLINE Scalar load(const uint8_t* from) { return of(*from != 0); }
  HWY_INLINE void store(uint8_t* to) const { *to = value; }

  friend HWY_INLINE Scalar operator+(Scalar a, Scalar b) { return of(a.value | b.value); }
  friend HWY_INLINE Scalar operator*(Scalar a, Scalar b) { return of(a.value & b.value); }
  friend HWY_INLINE Scalar maximum(Scalar a, Scalar b) { return a + b; }
  friend HWY_INLINE Scalar sign(Scalar a) { return a; }
  friend HWY_INLINE Scalar minimum(Scalar a, Scalar b) { return a * b; }
  friend HWY_INLINE Scalar where(bool c, Scalar a, Scalar b) { return c ? a : b; }

  friend HWY_INLINE bool operator==(Scalar a, Scalar b) { return a.value == b.value; }
  friend HWY_INLINE bool operator!=(Scalar a, Scalar b) { return a.value != b.value; }
  friend HWY_INLINE bool operator<(Scalar a, Scalar b) { return a.value < b.value; }
  friend HWY_INLINE bool operator<=(Scalar a, Scalar b) { return a.value <= b.value; }
  friend HWY_INLINE bool operator>(Scalar a, Scalar b) { return a.value > b.value; }
  friend HWY_INLINE bool operator>=(Scalar a, Scalar b) { return a.value >= b.value; }
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
