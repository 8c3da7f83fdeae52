// The instruction sets the kernels are compiled for; included before anything of Highway.
#pragma once
#include <cstdint>

#ifdef HWY_TARGETS
#error "kernels/cpu/simd_targets.hpp must come before the first Highway header"
#endif

// x86 keeps the baseline, which is SSE4, AVX2 and AVX3, Arm keeps NEON. SSSE3 and AVX3_DL gain
// nothing here; SVE vectors have no size at compile time, so the kernels could not hold them in
// arrays.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

namespace autograd::cpu {
/// Bits of Highway's targets: all of the above, or one where HWY_COMPILE_ONLY_STATIC is defined, as
/// with sanitizers.
int64_t compiled_targets();

/// What the kernels need and this processor does not have, nullptr if there is nothing. On x86-64
/// they are compiled for x86-64-v2: processors since 2009.
const char* processor_lacks();
}  // namespace autograd::cpu
