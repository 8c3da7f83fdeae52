// Class indices: checks, weights, picked log probabilities, margins. Plain loops over the rows.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Number of targets equal to `ignore`, or -1 - i for the first one, number i, that is no class.
int64_t count_ignored(const int64_t* t, int64_t n, int64_t classes, int64_t ignore);

/// out[i] = w[t[i]] (w NULL: 1), 0 for ignored targets. Returns their sum.
double class_weights(DType dtype, const int64_t* t, const void* w, void* out, int64_t n,
                     int64_t ignore);
/// out[i] = -x[i][t[i]] * w[i]; ignored targets give 0.
void nll(DType dtype, const void* x, const int64_t* t, const void* w, void* out, int64_t n,
         int64_t classes, int64_t ignore);
/// dx[i] = 0, but -w[i] * g[i * g_stride] at t[i]; dx has been cleared.
void nll_backward(DType dtype, const void* g, int64_t g_stride, const int64_t* t, const void* w,
                  void* dx, int64_t n, int64_t classes, int64_t ignore);

/// out[i] = w[t] (w NULL: 1) times the mean over all classes of max(0, margin - x[i][t] +
/// x[i][j])^p, which counts as 0 for j = t = t[i]; p is 1 or 2.
void multi_margin(DType dtype, const void* x, const int64_t* t, const void* w, void* out, int64_t n,
                  int64_t classes, int64_t p, double margin);
/// dx[i] = its slope times g[i * g_stride] * scale.
void multi_margin_backward(DType dtype, const void* g, int64_t g_stride, double scale,
                           const void* x, const int64_t* t, const void* w, void* dx, int64_t n,
                           int64_t classes, int64_t p, double margin);

}  // namespace autograd::cpu
