// Softmax and cross entropy over contiguous rows, float32 and float64, one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// y = softmax(x) or log(softmax(x)) of each of `rows` rows of n. Stable: the row maximum is
/// subtracted first. A row of -inf gives NaN and +inf gives NaN, as in PyTorch. y may be x.
/// inner not 1: `rows` columns of a row-major [n, inner] take the place of the rows.
void softmax(DType dtype, bool log, const void* x, void* y, int64_t rows, int64_t n,
             int64_t inner = 1);

/// dx from g and the *output* y: softmax: y * (g - sum(g * y)); log softmax: g - exp(y) * sum(g).
void softmax_backward(DType dtype, bool log, const void* g, const void* y, void* dx, int64_t rows,
                      int64_t n, int64_t inner = 1);

/// y[row] = log(sum exp(x[row])); -inf for n = 0 and rows of -inf, inf for rows with inf, NaN
/// first. inner as in softmax.
void logsumexp(DType dtype, const void* x, void* y, int64_t rows, int64_t n, int64_t inner = 1);

/// loss[row] = logsumexp(x[row]) - x[row][target[row]], lse[row] = logsumexp(x[row]).
/// Targets have been checked to be in [0, n) by the caller. Never computes 0 * log 0.
void cross_entropy(DType dtype, const void* x, const int64_t* target, void* loss, void* lse,
                   int64_t rows, int64_t n);

/// dx[row] = (exp(x[row] - lse[row]) - onehot(target[row])) * g[row * g_stride] * scale. g_stride
/// 0: one g for all rows.
void cross_entropy_backward(DType dtype, const void* g, int64_t g_stride, double scale,
                            const void* x, const int64_t* target, const void* lse, void* dx,
                            int64_t rows, int64_t n);

/// The same with target probabilities t [rows, n]: loss = sum_j t_j * (lse - x_j), a t_j of exactly
/// 0 contributing exactly 0 even where x_j is -inf.
void cross_entropy_probs(DType dtype, const void* x, const void* t, void* loss, void* lse,
                         int64_t rows, int64_t n);
/// dx[row] = (exp(x - lse) * sum(t[row]) - t) * g * scale.
void cross_entropy_probs_backward(DType dtype, const void* g, int64_t g_stride, double scale,
                                  const void* x, const void* t, const void* lse, void* dx,
                                  int64_t rows, int64_t n);

}  // namespace autograd::cpu
