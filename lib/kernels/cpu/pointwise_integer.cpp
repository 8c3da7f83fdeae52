// Pointwise kernels of int32, int64, uint8 and bool.
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pointwise_integer.cpp"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/pointwise_run-inl.h"
#include "kernels/cpu/pointwise_table.hpp"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

const PointwiseKernel* integer_kernels() {
#define AUTOGRAD_TABLE_ROW(row)                                                     \
  {kernel_of<row, int32_t>(), kernel_of<row, int64_t>(), kernel_of<row, uint8_t>(), \
   kernel_of<row, bool>()},
  static constexpr PointwiseKernel table[][kIntegerColumns] = {
#include "kernels/cpu/pointwise_entries.hpp"
  };
  return table[0];
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(integer_kernels);

const PointwiseKernel* integer_pointwise_kernels() {
  return HWY_DYNAMIC_DISPATCH(integer_kernels)();
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
