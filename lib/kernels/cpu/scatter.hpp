// Elements picked, or written, along one dim by a tensor of positions; one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

enum class ScatterOp { kSet, kAdd, kMul, kMax, kMin };

/// rows x n positions; strides in elements. The element of x at (r, c) with position p is at
/// r * x_row + c * x_col + p * along.
struct Positions {
  int64_t rows, n;
  int64_t x_row, x_col, along;
  int64_t index_row, index_col;
  int64_t y_row, y_col;  ///< of the other tensor: result of gather, source of scatter
  int64_t size;          ///< positions are in [0, size)
};

/// y = the elements of x; nullptr, or the first position that is out of range.
const int64_t* gather(int64_t item_bytes, const void* x, const int64_t* index, void* y,
                      const Positions& p);
/// x = op(x, y) at the positions, in order; nullptr, or the first position that is out of range.
/// NaN wins for kMax and kMin.
const int64_t* scatter(ScatterOp op, DType dtype, void* x, const int64_t* index, const void* y,
                       const Positions& p);

}  // namespace autograd::cpu
