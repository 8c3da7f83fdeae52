// Dropout over raw memory, one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// mask[i] = u[i] >= p, for u uniform in [0, 1); y[i] = x[i] * (mask[i] ? scale : 0). Floats.
void dropout(DType dtype, const void* x, const float* u, double p, double scale, void* y,
             uint8_t* mask, int64_t n);
/// y[i] = x[i] * (mask[i] ? scale : 0). Floats.
void apply_mask(DType dtype, const void* x, const uint8_t* mask, double scale, void* y, int64_t n);

}  // namespace autograd::cpu
