// The parts of the pointwise kernel table: rows in the order of PointwiseOp.
#pragma once
#include "kernels/cpu/pointwise.hpp"

namespace autograd::cpu {

inline constexpr int kIntegerColumns = 4;  // int32, int64, uint8, bool

/// The kernels for the running CPU, row-major; each in a file of its own, so that they compile side
/// by side.
const PointwiseKernel* float32_pointwise_kernels();
const PointwiseKernel* float64_pointwise_kernels();
const PointwiseKernel* integer_pointwise_kernels();

/// Chooses the kernels for Highway's present target. pointwise_kernel does it once; tests that
/// change the target call it again.
void choose_pointwise_kernels();

}  // namespace autograd::cpu
