// Cofactors of matrices without an inverse.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd::detail {

/// det(a) a^-1 of each matrix in a [..., n, n] from the determinants of its parts without a row and
/// a column, whatever its rank is; differentiable to every order.
Tensor cofactors_by_minors(const Tensor& a);

}  // namespace autograd::detail
