// Linear algebra over the last two dims, float32 and float64; leading dims are a batch. Error
// (linalg) for matrices that have no result, Error (runtime) where sizes or dtypes do not fit.
#pragma once
#include <utility>

#include "autograd/tensor.hpp"

namespace autograd {

/// The inverse of each matrix, [..., n, n].
Tensor linalg_inv(const Tensor& a);
/// The inverse without checks, and per matrix 0 or the number of the pivot that is 0 (int32).
std::pair<Tensor, Tensor> linalg_inv_ex(const Tensor& a, bool check_errors = false);
/// x with a x = b (x a = b if not left). b [..., n, k], or a vector [n], or a batch of vectors of
/// the sizes of a without its last dim. Batches of matrices broadcast.
Tensor linalg_solve(const Tensor& a, const Tensor& b, bool left = true);
/// The same for a triangular a; b is a matrix.
Tensor linalg_solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left = true,
                               bool unitriangular = false);
/// L with L L^T = a (U with U^T U = a), from the lower (upper) half of a.
Tensor linalg_cholesky(const Tensor& a, bool upper = false);
/// The determinants, [...].
Tensor linalg_det(const Tensor& a);
/// Sign and log of the absolute value of the determinant.
std::pair<Tensor, Tensor> linalg_slogdet(const Tensor& a);
/// a to an integer power; a negative one inverts.
Tensor linalg_matrix_power(const Tensor& a, int64_t n);
/// The cross product of vectors of 3 along dim; other dims broadcast.
Tensor linalg_cross(const Tensor& a, const Tensor& b, int64_t dim = -1);

}  // namespace autograd
