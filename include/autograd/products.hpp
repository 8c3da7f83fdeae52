// Products of vectors, matrices and batches; Error (runtime) with PyTorch's text where sizes or
// dtypes do not fit.
#pragma once
#include <string>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

Tensor mm(const Tensor& a, const Tensor& b);     ///< [m, k] x [k, n]
Tensor bmm(const Tensor& a, const Tensor& b);    ///< [B, m, k] x [B, k, n]
Tensor mv(const Tensor& a, const Tensor& v);     ///< [m, k] x [k]
Tensor dot(const Tensor& a, const Tensor& b);    ///< [n] x [n], 0-d
Tensor vdot(const Tensor& a, const Tensor& b);   ///< the same: there are no complex numbers
Tensor outer(const Tensor& a, const Tensor& b);  ///< [m], [n]: [m, n]
Tensor inner(const Tensor& a, const Tensor& b);  ///< over the last dims of both
Tensor matmul(const Tensor& a,
              const Tensor& b);  ///< PyTorch's rules for vectors, matrices and batches

// beta * input + alpha * product; input broadcasts, and is not read if beta is 0.
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
             double alpha = 1);
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
               double alpha = 1);
/// The product is summed over the batch.
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
              double alpha = 1);
Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& v, double beta = 1,
             double alpha = 1);
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1,
            double alpha = 1);

/// Sums the product of the operands over all subscripts that the output lacks:
/// einsum("...ij,...jk->...ik", {a, b}). PyTorch's grammar.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands);
/// Contracts dims_a of a with dims_b of b; the other dims follow in order.
Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int64_t>& dims_a,
                 const std::vector<int64_t>& dims_b);
/// Contracts the last `dims` dims of a with the first of b.
Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims = 2);
/// Every element of a times all of b: sizes multiply.
Tensor kron(const Tensor& a, const Tensor& b);
Tensor trace(const Tensor& x);
/// The product of a chain of matrices in the cheapest order; the ends may be vectors.
Tensor multi_dot(const std::vector<Tensor>& matrices);

/// x [..., in] times weight [out, in] transposed, plus bias [out] (may be undefined).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor());
/// x1^T weight[k] x2 + bias[k], for x1 [..., in1], x2 [..., in2], weight [out, in1, in2].
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight,
                const Tensor& bias = Tensor());

}  // namespace autograd
