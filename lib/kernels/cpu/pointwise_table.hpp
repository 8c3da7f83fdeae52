// The parts of the pointwise kernel table: rows in the order of PointwiseOp, one column per dtype.
#pragma once
#include "kernels/cpu/pointwise.hpp"

namespace autograd::cpu {

inline constexpr int kFloatColumns = 2;    // float32, float64
inline constexpr int kIntegerColumns = 4;  // int32, int64, uint8, bool

/// The integer kernels for the running CPU, row-major.
const PointwiseKernel* integer_pointwise_kernels();

/// Chooses the kernels for Highway's present target. pointwise_kernel does it once; tests that
/// change the target call it again.
void choose_pointwise_kernels();

}  // namespace autograd::cpu
