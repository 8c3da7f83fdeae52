// Softmax and its logarithm.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);

}  // namespace autograd
