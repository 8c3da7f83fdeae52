// Windows of two by two elements side by side, the most frequent ones.
#pragma once
#include <cstdint>

namespace autograd::cpu {

/// Planes of rows; the windows of a plane are [out_rows, out_row].
struct SquareWindows {
  int64_t planes, plane, row, out_rows, out_row;
};

/// max_windows of such windows. False, and nothing done, where they are too few to fill a vector.
bool max_squares(const SquareWindows& w, const float* x, float* values, int64_t* indices);

}  // namespace autograd::cpu
