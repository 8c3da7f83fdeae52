// Pointwise kernels of float32.
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pointwise_float32.cpp"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/pointwise_run-inl.h"
#include "kernels/cpu/pointwise_table.hpp"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

const PointwiseKernel* float32_kernels() {
#define AUTOGRAD_TABLE_ROW(row) kernel_of<row, float>(),
  static constexpr PointwiseKernel table[] = {
#include "kernels/cpu/pointwise_entries.hpp"
  };
  return table;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(float32_kernels);

const PointwiseKernel* float32_pointwise_kernels() {
  return HWY_DYNAMIC_DISPATCH(float32_kernels)();
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
