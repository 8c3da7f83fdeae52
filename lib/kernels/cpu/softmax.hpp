// Softmax over contiguous rows, float32 and float64, one thread.
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

}  // namespace autograd::cpu
