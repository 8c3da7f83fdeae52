#include "kernels/cpu/simd_targets.hpp"

#include <hwy/highway.h>

namespace autograd::cpu {

int64_t compiled_targets() { return HWY_TARGETS; }

}  // namespace autograd::cpu
