// Rules that the composite products share.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd::detail {

/// beta * input + alpha * product, where input broadcasts to the product's sizes and is not read if
/// beta is 0. Integers take whole factors only.
Tensor scaled_sum(const char* op, const Tensor& input, const Tensor& product, double beta,
                  double alpha);

}  // namespace autograd::detail
