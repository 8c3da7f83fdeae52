// Pointwise kernels of float64.
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pointwise_float64.cpp"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/pointwise_run-inl.h"
#include "kernels/cpu/pointwise_table.hpp"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

const PointwiseKernel* float64_kernels() {
#define AUTOGRAD_TABLE_ROW(row) kernel_of<row, double>(),
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

HWY_EXPORT(float64_kernels);

const PointwiseKernel* float64_pointwise_kernels() {
  return HWY_DYNAMIC_DISPATCH(float64_kernels)();
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
