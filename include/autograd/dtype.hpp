// Element types, their sizes and PyTorch's promotion rules.
#pragma once
#include <cstddef>
#include <cstdint>

namespace autograd {

/// Element type of a tensor. The values are those of `ag_dtype` in autograd.h and never change.
enum class DType : int32_t {
  kFloat32 = 0,
  kFloat64 = 1,
  kInt32 = 2,
  kInt64 = 3,
  kUInt8 = 4,
  kBool = 5
};
inline constexpr int kDTypeCount = 6;

/// Bytes of one element.
constexpr size_t size_of(DType t) {
  constexpr size_t sizes[kDTypeCount] = {4, 8, 4, 8, 1, 1};
  return sizes[static_cast<int>(t)];
}

/// True for float32 and float64, the only types that can carry gradients.
constexpr bool is_floating(DType t) { return t == DType::kFloat32 || t == DType::kFloat64; }

/// The name users see: "float32", "bool", ...
constexpr const char* name_of(DType t) {
  constexpr const char* names[kDTypeCount] = {"float32", "float64", "int32",
                                              "int64",   "uint8",   "bool"};
  return names[static_cast<int>(t)];
}

/// The smallest type both convert to without changing category (bool < integer < float), as in
/// PyTorch: promote(uint8, int32) is int32, promote(int64, float32) is float32.
constexpr DType promote(DType a, DType b) {
  constexpr DType f4 = DType::kFloat32, f8 = DType::kFloat64, i4 = DType::kInt32,
                  i8 = DType::kInt64, u1 = DType::kUInt8, b1 = DType::kBool;
  constexpr DType table[kDTypeCount][kDTypeCount] = {
      {f4, f8, f4, f4, f4, f4}, {f8, f8, f8, f8, f8, f8}, {f4, f8, i4, i8, i4, i4},
      {f4, f8, i8, i8, i8, i8}, {f4, f8, i4, i8, u1, u1}, {f4, f8, i4, i8, u1, b1}};
  return table[static_cast<int>(a)][static_cast<int>(b)];
}

}  // namespace autograd
