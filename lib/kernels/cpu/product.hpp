// Products of floats along one dim, and their gradient; over raw memory, one thread.
#pragma once
#include "autograd/dtype.hpp"
#include "kernels/cpu/scan.hpp"

namespace autograd::cpu {

/// y = x[0] * ... * x[n-1], one for each outer and inner, of type `to`. Floats. Multiplied in
/// float64, or eight at a time in float32 and their products in float64: none overflows or vanishes
/// on the way whose like in float64 does not.
void float_products(DType dtype, const void* x, DType to, void* y, const ScanShape& s);
/// dx[j] = g * the product of all others; g [outer, inner]. Floats. Zeros are exact; products
/// beyond the range of float64 count as zero.
void float_products_backward(DType dtype, const void* g, const void* x, void* dx,
                             const ScanShape& s);

}  // namespace autograd::cpu
