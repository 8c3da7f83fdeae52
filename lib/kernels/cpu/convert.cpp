// Conversion between element types over strided memory.
#include "kernels/cpu/convert.hpp"

#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/cpu/pointwise.hpp"

namespace autograd::cpu {
namespace {

/// A bool in memory: any byte other than 0 is true.
struct Bool {
  uint8_t byte;
};

/// x86's truncation: numbers that do not fit, and NaN, become the smallest integer.
template <class Int, class Float>
Int truncate(Float x) {
  constexpr Float end = static_cast<Float>(std::numeric_limits<Int>::max() / 2 + 1) * 2;
  const bool fits = x >= -end && x < end;
  return fits ? static_cast<Int>(x) : std::numeric_limits<Int>::min();
}

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, Bool>) {
    return static_cast<To>(x.byte != 0);
  } else if constexpr (std::is_same_v<To, Bool>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_floating_point_v<From> && std::is_same_v<To, uint8_t>) {
    return static_cast<To>(truncate<int64_t>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return truncate<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void convert_row(const From* from, int64_t from_stride, To* to, int64_t to_stride, int64_t n) {
  if (to_stride != 1) {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = converted<To>(from[i * from_stride]);
  } else if (from_stride == 0) {
    const To value = converted<To>(*from);
    for (int64_t i = 0; i < n; ++i) to[i] = value;
  } else if (from_stride != 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = converted<To>(from[i * from_stride]);
  } else if constexpr (std::is_same_v<From, To>) {
    std::memmove(to, from, static_cast<size_t>(n) * sizeof(To));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = converted<To>(from[i]);
  }
}

template <class From, class To>
void convert_rows(const void* src, int64_t src_row, int64_t src_stride, void* dst, int64_t dst_row,
                  int64_t dst_stride, int64_t rows, int64_t n) {
  if (n <= 0) return;
  const From* from = static_cast<const From*>(src);
  To* to = static_cast<To*>(dst);
  for (int64_t r = 0; r < rows; ++r, from += src_row, to += dst_row) {
    convert_row(from, src_stride, to, dst_stride, n);
  }
}

#define FROM(T)                                                                      \
  {                                                                                  \
    &convert_rows<T, float>, &convert_rows<T, double>, &convert_rows<T, int32_t>,    \
        &convert_rows<T, int64_t>, &convert_rows<T, uint8_t>, &convert_rows<T, Bool> \
  }
constexpr ConvertBlock kBlocks[kDTypeCount][kDTypeCount] = {
    FROM(float), FROM(double), FROM(int32_t), FROM(int64_t), FROM(uint8_t), FROM(Bool)};
#undef FROM

}  // namespace

ConvertBlock convert_block(DType from, DType to) {
  return kBlocks[static_cast<int>(from)][static_cast<int>(to)];
}

void convert(const void* src, DType src_type, int64_t src_stride, void* dst, DType dst_type,
             int64_t dst_stride, int64_t n) {
  convert_block(src_type, dst_type)(src, 0, src_stride, dst, 0, dst_stride, 1, n);
}

}  // namespace autograd::cpu
