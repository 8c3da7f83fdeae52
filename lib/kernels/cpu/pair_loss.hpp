// Losses of pairs (x, t), element by element or summed, and their slopes; float32 and float64, one
// thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// With d = x - t:
enum class PairLoss : int {
  kMse,         ///< d^2
  kL1,          ///< |d|
  kSmoothL1,    ///< d^2 / (2 p) where |d| < p, else |d| - p / 2
  kHuber,       ///< d^2 / 2 where |d| <= p, else p (|d| - p / 2)
  kBce,         ///< -t log(x) - (1 - t) log(1 - x), logarithms of at least -100
  kBceLogits,   ///< the same of sigmoid(x), stable for every x
  kSoftMargin,  ///< log(1 + exp(-t x)), stable
  kKl,          ///< t (log t - x), t log t being 0 at t = 0
  kKlLog,       ///< exp(t) (t - x)
};

/// out[i] = loss(x[i], t[i]).
void pair_loss(PairLoss kind, DType dtype, const void* x, const void* t, void* out, int64_t n,
               double p);
/// *out = the sum of all losses.
void pair_loss_sum(PairLoss kind, DType dtype, const void* x, const void* t, void* out, int64_t n,
                   double p);
/// dx[i] = d loss / d x * g[i * g_stride] * scale; g_stride 0 or 1. dx may be g if g_stride is 1.
void pair_loss_backward(PairLoss kind, DType dtype, const void* g, int64_t g_stride, double scale,
                        const void* x, const void* t, void* dx, int64_t n, double p);
/// True if every element lies in [0, 1].
bool is_probability(DType dtype, const void* x, int64_t n);

}  // namespace autograd::cpu
