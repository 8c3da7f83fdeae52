// Modified Bessel functions of the first kind, over raw memory.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// y[i] = I_order(x[i]), times exp(-|x[i]|) if scaled; order is 0 or 1. Floats, computed in
/// float64.
void bessel_i(DType dtype, int order, bool scaled, const void* x, void* y, int64_t n);

}  // namespace autograd::cpu
