// The values on which pointwise.def's expressions compile for integers, for bool and, where a
// result or a condition is bool, for floats: one plain number, in loops that the compiler
// vectorises.
#if defined(AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_
#undef AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_SCALAR_MATH_INL_H_
#endif

#include <cmath>
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
  friend HWY_INLINE Scalar fmax(Scalar a, Scalar b) { return maximum(a, b); }
  friend HWY_INLINE Scalar fmin(Scalar a, Scalar b) { return minimum(a, b); }
  friend HWY_INLINE Scalar heaviside(Scalar x, Scalar at_zero) {
    return x.value == T(0) ? at_zero : of(static_cast<W>(x.value > T(0)));
  }

  // Integers are whole and finite.
  friend HWY_INLINE Scalar floor(Scalar a) { return a; }
  friend HWY_INLINE Scalar ceil(Scalar a) { return a; }
  friend HWY_INLINE Scalar trunc(Scalar a) { return a; }
  friend HWY_INLINE Scalar round(Scalar a) { return a; }
  friend HWY_INLINE Scalar nan_to_num(Scalar a, Scalar, Scalar, Scalar) { return a; }

  // Division by 0, which the op refuses before, gives 0; the least number by -1 wraps around.
  friend HWY_INLINE Scalar div_trunc(Scalar a, Scalar b) {
    if (b.value == T(0)) return 0;
    return is_minus_one(b) ? -a : of(static_cast<W>(a.value / b.value));
  }
  friend HWY_INLINE Scalar fmod(Scalar a, Scalar b) {
    if (b.value == T(0) || is_minus_one(b)) return 0;
    return of(static_cast<W>(a.value % b.value));
  }
  friend HWY_INLINE Scalar floor_divide(Scalar a, Scalar b) {
    const Scalar r = fmod(a, b), quotient = div_trunc(a, b);
    return r.value != T(0) && (r.value < T(0)) != (b.value < T(0)) ? quotient - 1 : quotient;
  }
  friend HWY_INLINE Scalar remainder(Scalar a, Scalar b) {
    const Scalar r = fmod(a, b);
    return r.value != T(0) && (r.value < T(0)) != (b.value < T(0)) ? r + b : r;
  }
  static HWY_INLINE bool is_minus_one(Scalar a) {
    return std::is_signed_v<T> && a.value == static_cast<T>(-1);
  }

  friend HWY_INLINE Scalar operator&(Scalar a, Scalar b) { return of(a.wide() & b.wide()); }
  friend HWY_INLINE Scalar operator|(Scalar a, Scalar b) { return of(a.wide() | b.wide()); }
  friend HWY_INLINE Scalar operator^(Scalar a, Scalar b) { return of(a.wide() ^ b.wide()); }
  friend HWY_INLINE Scalar operator~(Scalar a) { return of(~a.wide()); }
  /// A shift by a negative number or by all digits leaves nothing but the sign, to the left not
  /// even that.
  friend HWY_INLINE Scalar operator<<(Scalar a, Scalar b) {
    return shifts_out(b) ? Scalar(0) : of(a.wide() << static_cast<int>(b.value));
  }
  friend HWY_INLINE Scalar operator>>(Scalar a, Scalar b) {
    constexpr int most = static_cast<int>(sizeof(T)) * 8 - (std::is_signed_v<T> ? 1 : 0);
    if (!std::is_signed_v<T> && shifts_out(b)) return 0;
    const int steps = shifts_out(b) ? most : static_cast<int>(b.value);
    return of(static_cast<W>(a.value >> steps));
  }
  static HWY_INLINE bool shifts_out(Scalar b) {
    return b.value < T(0) || b.value >= static_cast<T>(sizeof(T) * 8);
  }

  friend HWY_INLINE Scalar gcd(Scalar a, Scalar b) {
    W x = abs(a).wide(), y = abs(b).wide();
    while (y != 0) {
      const W rest = x % y;
      x = y;
      y = rest;
    }
    return of(x);
  }
  friend HWY_INLINE Scalar lcm(Scalar a, Scalar b) {
    const W divisor = gcd(a, b).wide();
    return divisor == 0 ? Scalar(0) : abs(of(abs(a).wide() / divisor * abs(b).wide()));
  }

  friend HWY_INLINE bool isnan(Scalar a) { return a.value != a.value; }
  friend HWY_INLINE bool isposinf(Scalar a) {
    return std::is_floating_point_v<T> && a.value == std::numeric_limits<T>::infinity();
  }
  friend HWY_INLINE bool isneginf(Scalar a) {
    return std::is_floating_point_v<T> && a.value == -std::numeric_limits<T>::infinity();
  }
  friend HWY_INLINE bool isinf(Scalar a) { return isposinf(a) || isneginf(a); }
  friend HWY_INLINE bool isfinite(Scalar a) {
    return !std::is_floating_point_v<T> || (!isnan(a) && !isinf(a));
  }
  friend HWY_INLINE bool signbit(Scalar a) {
    if constexpr (std::is_floating_point_v<T>)
      return std::signbit(a.value);
    else
      return a.value < T(0);
  }

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
  friend HWY_INLINE Scalar fmax(Scalar a, Scalar b) { return a + b; }
  friend HWY_INLINE Scalar fmin(Scalar a, Scalar b) { return a * b; }
  friend HWY_INLINE Scalar where(bool c, Scalar a, Scalar b) { return c ? a : b; }
  friend HWY_INLINE Scalar heaviside(Scalar x, Scalar at_zero) { return x + at_zero; }
  friend HWY_INLINE Scalar nan_to_num(Scalar a, Scalar, Scalar, Scalar) { return a; }

  friend HWY_INLINE Scalar operator&(Scalar a, Scalar b) { return a * b; }
  friend HWY_INLINE Scalar operator|(Scalar a, Scalar b) { return a + b; }
  friend HWY_INLINE Scalar operator^(Scalar a, Scalar b) { return of(a.value ^ b.value); }
  friend HWY_INLINE Scalar operator~(Scalar a) { return of(a.value ^ 1); }

  friend HWY_INLINE bool operator==(Scalar a, Scalar b) { return a.value == b.value; }
  friend HWY_INLINE bool operator!=(Scalar a, Scalar b) { return a.value != b.value; }
  friend HWY_INLINE bool operator<(Scalar a, Scalar b) { return a.value < b.value; }
  friend HWY_INLINE bool operator<=(Scalar a, Scalar b) { return a.value <= b.value; }
  friend HWY_INLINE bool operator>(Scalar a, Scalar b) { return a.value > b.value; }
  friend HWY_INLINE bool operator>=(Scalar a, Scalar b) { return a.value >= b.value; }

  friend HWY_INLINE bool isnan(Scalar) { return false; }
  friend HWY_INLINE bool isinf(Scalar) { return false; }
  friend HWY_INLINE bool isposinf(Scalar) { return false; }
  friend HWY_INLINE bool isneginf(Scalar) { return false; }
  friend HWY_INLINE bool isfinite(Scalar) { return true; }
  friend HWY_INLINE bool signbit(Scalar) { return false; }
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
