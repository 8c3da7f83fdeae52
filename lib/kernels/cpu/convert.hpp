// Conversion of two-dimensional blocks, the work-horse of the strided loop.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Converts rows x n elements; strides in elements, the row strides lead from one row to the next.
using ConvertBlock = void (*)(const void* src, int64_t src_row, int64_t src_stride, void* dst,
                              int64_t dst_row, int64_t dst_stride, int64_t rows, int64_t n);

ConvertBlock convert_block(DType from, DType to);

}  // namespace autograd::cpu
