// Softmax and its logarithm.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

/// exp(x) / sum exp(x) along dim, without overflow; floats only.
Tensor softmax(const Tensor& x, int64_t dim);
/// x - log sum exp(x) along dim.
Tensor log_softmax(const Tensor& x, int64_t dim);

}  // namespace autograd
