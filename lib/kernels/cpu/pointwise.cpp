// Pointwise kernels of float32 and float64, and the look-up of all pointwise kernels.
#include "kernels/cpu/pointwise.hpp"

#include <atomic>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pointwise.cpp"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/pointwise_run-inl.h"
#include "kernels/cpu/pointwise_table.hpp"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

const PointwiseKernel* float_kernels() {
#define ROW(row) {kernel_of<row, float>(), kernel_of<row, double>()},
#define UNARY(name, ...) ROW(name##_row) ROW(name##_backward_row)
#define BINARY(name, ...) ROW(name##_row)
#define COMPARE(name, ...) ROW(name##_row)
#define TERNARY(name, ...) ROW(name##_row)
  static constexpr PointwiseKernel table[][kFloatColumns] = {
#include "ops/pointwise.def"
  };
#undef ROW
  return table[0];
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(float_kernels);

namespace {
// Looked up by every op of eager mode, hence cached: one relaxed load instead of Highway's
// dispatch.
std::atomic<const PointwiseKernel*> chosen_float{nullptr};
std::atomic<const PointwiseKernel*> chosen_integer{nullptr};
}  // namespace

void choose_pointwise_kernels() {
  chosen_integer.store(integer_pointwise_kernels());
  chosen_float.store(HWY_DYNAMIC_DISPATCH(float_kernels)());
}

PointwiseKernel pointwise_kernel(PointwiseOp op, DType compute) {
  const int row = static_cast<int>(op), column = static_cast<int>(compute);
  if (chosen_float.load(std::memory_order_relaxed) == nullptr) choose_pointwise_kernels();
  if (is_floating(compute)) {
    return chosen_float.load(std::memory_order_relaxed)[row * kFloatColumns + column];
  }
  return chosen_integer.load(
      std::memory_order_relaxed)[row * kIntegerColumns + column - kFloatColumns];
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
