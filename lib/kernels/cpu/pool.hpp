// Pooling over windows of up to three spatial dims.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// What one window covers of one dim: begin, begin + step, ... below end.
struct PoolRange {
  int64_t begin, end;
  int64_t count;  ///< what the divisor of a mean counts
};

/// The windows of one dim.
struct PoolDim {
  int64_t in, out, step;
  const PoolRange* ranges;  // [out]
};

/// values[plane, window] = the maximum, indices[plane, window] = its position in the plane. NaN is
/// larger than all numbers, the first of equal ones wins.
void max_windows(DType dtype, const PoolDim (&dims)[3], int64_t planes, const void* x, void* values,
                 int64_t* indices);

/// out[plane, window] = sum / (divisor, or the product of the counts if that is 0).
void mean_windows(DType dtype, const PoolDim (&dims)[3], int64_t divisor, int64_t planes,
                  const void* x, void* out);
/// The transposed map: x[plane, ...] is set. Floats only.
void spread_windows(DType dtype, const PoolDim (&dims)[3], int64_t divisor, int64_t planes,
                    const void* g, void* x);

/// x[plane, index] += g, from zero. Positions must lie in [0, size). Floats only.
void scatter_planes(DType dtype, const void* g, const int64_t* index, int64_t planes, int64_t count,
                    int64_t size, void* x);
/// out = x[plane, index]. Floats only.
void gather_planes(DType dtype, const void* x, const int64_t* index, int64_t planes, int64_t count,
                   int64_t size, void* out);

}  // namespace autograd::cpu
