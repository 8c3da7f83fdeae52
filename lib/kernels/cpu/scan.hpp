// Running sums, products and extremes along one dim, over raw memory, one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// A row-major tensor [outer, n, inner] whose middle dim is walked along.
struct ScanShape {
  int64_t outer, n, inner;
};

/// y = x[0] + ... + x[j], or x[j] + ... + x[n-1] if reverse. float32, float64 (summed in float64),
/// int64 (wraps).
void cumsum(DType dtype, bool reverse, const void* x, void* y, const ScanShape& s);
/// y = x[0] * ... * x[j]; the same dtypes.
void cumprod(DType dtype, const void* x, void* y, const ScanShape& s);
/// y = x[0] * ... * x[n-1], one for each outer and inner; the same dtypes. `to` is the dtype of y:
/// int64 for int64, any float for a float.
void prod(DType dtype, const void* x, DType to, void* y, const ScanShape& s);
/// The largest (smallest) so far and the last place where it stood; NaN wins. Any dtype.
void cumulative_extreme(DType dtype, bool largest, const void* x, void* y, int64_t* index,
                        const ScanShape& s);
/// y = log(exp(x[0]) + ... + exp(x[j])); floats.
void logcumsumexp(DType dtype, const void* x, void* y, const ScanShape& s);
/// s[j] = b[j] + a[j] * s[j-1], or s[j] = b[j] + a[j+1] * s[j+1] if reverse; floats.
void linear_scan(DType dtype, bool reverse, const void* a, const void* b, void* out,
                 const ScanShape& s);
/// out[index[j]] += g[j] along the dim, out holding its start values; floats.
void add_along(DType dtype, const void* g, const int64_t* index, void* out, const ScanShape& s);
/// out[j] = x[index[j]] along the dim; floats.
void gather_along(DType dtype, const void* x, const int64_t* index, void* out, const ScanShape& s);

}  // namespace autograd::cpu
