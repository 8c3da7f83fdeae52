// From a dtype, or the size of one, to the C++ type of the elements.
#pragma once
#include <cstdint>
#include <type_traits>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// An element of a bool tensor: any byte but 0 is true, as memory that nobody has written may hold.
struct Truth {
  uint8_t byte;
  Truth() = default;
  Truth(bool value) : byte(value) {}
  operator bool() const { return byte != 0; }
};

/// The element type that by_dtype, by_float or by_size chose.
template <class Pointer>
using Element = std::remove_pointer_t<Pointer>;

/// Calls work with a null pointer of the element type.
template <class Work>
void by_dtype(DType dtype, const Work& work) {
  switch (dtype) {
    case DType::kFloat32:
      return work(static_cast<float*>(nullptr));
    case DType::kFloat64:
      return work(static_cast<double*>(nullptr));
    case DType::kInt32:
      return work(static_cast<int32_t*>(nullptr));
    case DType::kInt64:
      return work(static_cast<int64_t*>(nullptr));
    case DType::kUInt8:
      return work(static_cast<uint8_t*>(nullptr));
    case DType::kBool:
      return work(static_cast<Truth*>(nullptr));
  }
}

/// The same of float32 and float64.
template <class Work>
void by_float(DType dtype, const Work& work) {
  if (dtype == DType::kFloat32)
    work(static_cast<float*>(nullptr));
  else
    work(static_cast<double*>(nullptr));
}

/// Calls work with a null pointer of an unsigned type of 1, 4 or 8 bytes: for copies.
template <class Work>
void by_size(int64_t bytes, const Work& work) {
  if (bytes == 1) return work(static_cast<uint8_t*>(nullptr));
  if (bytes == 4) return work(static_cast<uint32_t*>(nullptr));
  return work(static_cast<uint64_t*>(nullptr));
}

/// a + b as the dtype adds: integers wrap around, bool is or.
template <class T>
T add(T a, T b) {
  if constexpr (std::is_same_v<T, Truth>)
    return a || b;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else
    return a + b;
}

/// a * b, likewise; bool is and.
template <class T>
T mul(T a, T b) {
  if constexpr (std::is_same_v<T, Truth>)
    return a && b;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  else
    return a * b;
}

}  // namespace autograd::cpu
