// How one element becomes one of another dtype.
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>

namespace autograd::cpu {

/// A bool in memory: any byte other than 0 is true.
struct Bool {
  uint8_t byte;
};

/// x86's truncation: numbers that do not fit, and NaN, become the smallest integer.
template <class Int, class Float>
inline Int truncate(Float x) {
  constexpr Float end = static_cast<Float>(std::numeric_limits<Int>::max() / 2 + 1) * 2;
  const bool fits = x >= -end && x < end;
  return fits ? static_cast<Int>(x) : std::numeric_limits<Int>::min();
}

template <class To, class From>
inline To converted(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, Bool>) {
    return static_cast<To>(x.byte != 0);
  } else if constexpr (std::is_same_v<To, Bool>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_same_v<From, float> && std::is_same_v<To, uint8_t>) {
    return static_cast<To>(truncate<int32_t>(x));  // what does not fit is a multiple of 256, too
  } else if constexpr (std::is_floating_point_v<From> && std::is_same_v<To, uint8_t>) {
    return static_cast<To>(truncate<int64_t>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return truncate<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace autograd::cpu
