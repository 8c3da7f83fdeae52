// One dim given another size: each output position is a weighted sum of input positions.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Output position i reads the input positions from[k], weighted with weight[k], for
/// begin[i] <= k < begin[i + 1].
struct Taps {
  int64_t n_in, n_out;
  const int64_t* begin;
  const int64_t* from;
  const double* weight;
};

/// out[o][i][:] = sum_k weight[k] x[o][from[k]][:], for [outer][n_in][inner] elements.
void resample(DType dtype, const void* x, void* out, const Taps& taps, int64_t outer,
              int64_t inner);
/// The transpose: dx[o][from[k]][:] += weight[k] g[o][i][:]; dx has been cleared.
void resample_backward(DType dtype, const void* g, void* dx, const Taps& taps, int64_t outer,
                       int64_t inner);

}  // namespace autograd::cpu
