// Matrix products.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

Tensor mm(const Tensor& a, const Tensor& b);   ///< [m, k] x [k, n]
Tensor bmm(const Tensor& a, const Tensor& b);  ///< [B, m, k] x [B, k, n]
Tensor matmul(const Tensor& a,
              const Tensor& b);  ///< PyTorch's rules for vectors, matrices and batches
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
             double alpha = 1);
/// x [..., in] times weight [out, in] transposed, plus bias [out] (may be undefined).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor());

}  // namespace autograd
