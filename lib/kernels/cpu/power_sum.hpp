// Norms of long vectors.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// What the p-norm of n floats is made of: sum |x|^p; max |x| for p = inf, min |x| for -inf, the
/// number of nonzeros for p = 0. NaN if an element is NaN (but for p = 0). n = 0 gives 0, infinity
/// for -inf.
double power_sum(DType dtype, const void* x, int64_t n, double p);

}  // namespace autograd::cpu
