// Conversion between element types over strided memory.
#include "kernels/cpu/convert.hpp"

#include "kernels/cpu/converted.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/runs.hpp"

namespace autograd::cpu {
namespace {

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, Bool>) return DType::kBool;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::kUInt8;
  if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
  return sizeof(T) == 4 ? DType::kInt32 : DType::kInt64;
}

template <class From, class To>
void convert_row(const From* from, int64_t from_stride, To* to, int64_t to_stride, int64_t n) {
  constexpr int64_t kLong = 32;  // worth a call of what is made for the machine's vectors
  if (to_stride != 1) {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = converted<To>(from[i * from_stride]);
  } else if (from_stride == 0) {
    const To value = converted<To>(*from);
    if (n >= kLong) return fill_run(&value, sizeof(To), to, n);
    for (int64_t i = 0; i < n; ++i) to[i] = value;
  } else if (from_stride != 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = converted<To>(from[i * from_stride]);
  } else {
    if (n >= kLong) return convert_run(dtype_of<From>(), dtype_of<To>())(from, to, n);
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
