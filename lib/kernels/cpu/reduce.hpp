// Reductions over raw memory, one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

enum class ReduceOp : int16_t { kSum, kMax, kMin, kArgmax, kArgmin, kVar, kSumAbs, kSumSquares };

/// Where the numbers are: element (o, r, i) of the input is at o * outer_stride + r * reduce_stride
/// + i; the innermost index always has unit stride. Strides in elements.
struct ReduceShape {
  int64_t outer, reduce, inner;
  int64_t outer_stride, reduce_stride;
};

/// out[o * inner + i] = op over r of in(o, r, i); out is contiguous [outer, inner].
/// kSum: same dtype as in (int32, uint8 and bool are converted to int64 by the caller before);
/// float sums are as accurate as pairwise summation. An empty sum is 0. kMax, kMin: NaN wins;
/// reduce >= 1. kArgmax, kArgmin: out is int64, the first of equal values, the first NaN if there
/// is one; reduce >= 1. kVar: floats only, sum of squared deviations from the mean (two passes or
/// Welford, never E[x^2]-E[x]^2) divided by (reduce - p[0]), p[0] being the correction; NaN when
/// reduce == 0 and p[0] = 0, as in PyTorch. Defined for every dtype where the op makes sense;
/// returns false where it does not.
bool reduce(ReduceOp op, DType dtype, const void* in, void* out, const ReduceShape& shape,
            const double* p);

}  // namespace autograd::cpu
