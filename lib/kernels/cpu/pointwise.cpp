// The look-up of all pointwise kernels.
#include "kernels/cpu/pointwise.hpp"

#include <atomic>

#include "kernels/cpu/pointwise_table.hpp"

namespace autograd::cpu {

namespace {
// Looked up by every op of eager mode, hence cached: one relaxed load instead of Highway's
// dispatch.
std::atomic<const PointwiseKernel*> chosen_float32{nullptr};
std::atomic<const PointwiseKernel*> chosen_float64{nullptr};
std::atomic<const PointwiseKernel*> chosen_integer{nullptr};
}  // namespace

void choose_pointwise_kernels() {
  chosen_integer.store(integer_pointwise_kernels());
  chosen_float64.store(float64_pointwise_kernels());
  chosen_float32.store(float32_pointwise_kernels());
}

PointwiseKernel pointwise_kernel(PointwiseOp op, DType compute) {
  const int row = static_cast<int>(op);
  if (chosen_float32.load(std::memory_order_relaxed) == nullptr) choose_pointwise_kernels();
  if (compute == DType::kFloat32) return chosen_float32.load(std::memory_order_relaxed)[row];
  if (compute == DType::kFloat64) return chosen_float64.load(std::memory_order_relaxed)[row];
  const int column = static_cast<int>(compute) - static_cast<int>(DType::kInt32);
  return chosen_integer.load(std::memory_order_relaxed)[row * kIntegerColumns + column];
}

}  // namespace autograd::cpu
