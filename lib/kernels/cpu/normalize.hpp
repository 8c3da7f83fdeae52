// Normalization over raw memory, float32 and float64, one thread. Rows are contiguous.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Rows of n numbers, each normalized by itself. weight and bias [n] may be nullptr.
struct NormRows {
  int64_t rows, n;
  const void* weight;
  const void* bias;
  double eps;
};

/// y = (x - mean) * rstd * weight + bias with rstd = 1 / sqrt(mean (x - mean)^2 + eps); mean and
/// rstd [rows] are written.
void layer_norm(DType dtype, const NormRows& r, const void* x, void* y, void* mean, void* rstd);

/// dx = rstd * (gw - mean(gw) - xhat * mean(gw * xhat)), gw = g * weight, xhat = (x - mean) * rstd.
/// dx may be nullptr; dweight += g * xhat and dbias += g, summed over the rows, unless nullptr.
void layer_norm_backward(DType dtype, const NormRows& r, const void* g, const void* x,
                         const void* mean, const void* rstd, void* dx, void* dweight, void* dbias);

/// y = x * rstd * weight with rstd = 1 / sqrt(mean x^2 + eps); rstd [rows] is written.
void rms_norm(DType dtype, const NormRows& r, const void* x, void* y, void* rstd);

/// dx = rstd * (gw - xhat * mean(gw * xhat)), xhat = x * rstd; dweight as in layer_norm_backward.
void rms_norm_backward(DType dtype, const NormRows& r, const void* g, const void* x,
                       const void* rstd, void* dx, void* dweight);

/// mean[r] and the sum of squared deviations m2[r] of each row of n >= 1.
void row_moments(DType dtype, const void* x, void* mean, void* m2, int64_t rows, int64_t n);
/// The same of each column of [rows, cols], rows >= 1; rows start `stride` numbers apart.
void column_moments(DType dtype, const void* x, void* mean, void* m2, int64_t rows, int64_t cols,
                    int64_t stride);

/// Channels of a tensor [outer, channels, inner]. A piece of work is `rows` rows from `first` on;
/// a row is one of the outer * channels runs of `inner` numbers, or, if inner is 1, one of the
/// outer runs of `channels` numbers.
struct ChannelRows {
  int64_t channels, inner, first, rows;
};

/// y = (x - mean[c]) * scale[c] + bias[c]; pointers are to the whole tensors.
void scale_channels(DType dtype, const ChannelRows& r, const void* x, const void* mean,
                    const void* scale, const void* bias, void* y);
/// dx = g * a[c] + (x - mean[c]) * b[c] + k[c].
void combine_channels(DType dtype, const ChannelRows& r, const void* g, const void* x,
                      const void* mean, const void* a, const void* b, const void* k, void* dx);

/// sum g and sum g * (x - mean[row % channels]) of each row of n; x and g start at row `first`.
void row_products(DType dtype, const ChannelRows& r, const void* g, const void* x, const void* mean,
                  void* sum_g, void* sum_gx);
/// sum g and sum g * (x - mean[c]) of each column of [rows, cols], rows `stride` numbers apart.
void column_products(DType dtype, const void* g, const void* x, const void* mean, void* sum_g,
                     void* sum_gx, int64_t rows, int64_t cols, int64_t stride);

}  // namespace autograd::cpu
