// Softmax cross entropy over contiguous rows, float32 and float64, one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

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

/// Both in one: the losses, and dx for one g of all rows; bit for bit what cross_entropy and
/// cross_entropy_backward give one after the other. dx may be x.
void cross_entropy_step(DType dtype, double g, double scale, const void* x, const int64_t* target,
                        void* loss, void* dx, int64_t rows, int64_t n);
void cross_entropy_probs_step(DType dtype, double g, double scale, const void* x, const void* t,
                              void* loss, void* dx, int64_t rows, int64_t n);

}  // namespace autograd::cpu
