#include "kernels/cpu/simd_targets.hpp"

#include <hwy/highway.h>

namespace autograd::cpu {

int64_t compiled_targets() { return HWY_TARGETS; }

const char* processor_lacks() {
#if HWY_ARCH_X86 && defined(__SSE4_2__)
  if (!__builtin_cpu_supports("sse4.2")) return "SSE4.2";
  if (!__builtin_cpu_supports("popcnt")) return "POPCNT";
#endif
  return nullptr;
}

}  // namespace autograd::cpu
