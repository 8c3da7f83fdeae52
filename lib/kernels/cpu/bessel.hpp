// Modified Bessel functions of the first kind, of one number and over raw memory.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// I_order(x), times exp(-|x|) if scaled; order is 0 or 1.
double bessel_i(int order, bool scaled, double x);
/// The same of the floats x[i], computed in float64, to y[i].
void bessel_i(DType dtype, int order, bool scaled, const void* x, void* y, int64_t n);

}  // namespace autograd::cpu
