// Linear algebra over the last two dims, float32 and float64; leading dims are a batch. Error
// (linalg) for matrices that have no result, Error (runtime) where sizes or dtypes do not fit.
#pragma once
#include <tuple>
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
/// The factor without checks, and per matrix 0 or the order of the leading minor that is not
/// positive (int32); what the factor holds from there on is unspecified.
std::pair<Tensor, Tensor> linalg_cholesky_ex(const Tensor& a, bool upper = false,
                                             bool check_errors = false);
/// The determinants, [...].
Tensor linalg_det(const Tensor& a);
/// Sign and log of the absolute value of the determinant.
std::pair<Tensor, Tensor> linalg_slogdet(const Tensor& a);
/// Q [.., m, k] of orthonormal columns and an upper triangular R [.., k, n] with Q R = a; k is
/// min(m, n), or m if complete. The gradient takes k <= n, and columns 1 to k that are independent.
std::pair<Tensor, Tensor> linalg_qr(const Tensor& a, bool complete = false);
/// Ascending eigenvalues w [.., n] and eigenvectors, the columns of V, of symmetric matrices of
/// which the lower (upper) half is read: V diag(w) V^T = a. Error (linalg) for NaN and infinity.
/// The gradient of V takes eigenvalues that differ.
std::pair<Tensor, Tensor> linalg_eigh(const Tensor& a, bool upper = false);
/// U, descending s [.., k] and Vh with U diag(s) Vh = a and k = min(m, n). U is [.., m, m] and Vh
/// [.., n, n] if full_matrices, else [.., m, k] and [.., k, n]. Error (linalg) for NaN and
/// infinity. The gradients of U and Vh take singular values that differ and are not 0.
std::tuple<Tensor, Tensor, Tensor> linalg_svd(const Tensor& a, bool full_matrices = true);
/// The s of linalg_svd alone; its gradient exists where some are equal or 0, too.
Tensor linalg_svdvals(const Tensor& a);
/// The pseudoinverse [.., n, m]; singular values up to max(atol, rtol * the largest) count as 0.
Tensor linalg_pinv(const Tensor& a, double atol, double rtol);
/// L (unit diagonal, strictly below it) and U (on it and above) in one [.., m, n], the rows that
/// were exchanged with rows 1 to k = min(m, n) (int32, from 1, [.., k]), and per matrix 0 or the
/// number of the first pivot that is 0 (int32), an Error (runtime) if check_errors.
std::tuple<Tensor, Tensor, Tensor> linalg_lu_factor_ex(const Tensor& a, bool check_errors = false);
/// P [.., m, m], L [.., m, k] and U [.., k, n] of a = P L U, from those.
std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& lu, const Tensor& pivots);
/// x with a x = b (x a = b if not left; with adjoint a is transposed) from the factors of a. b is a
/// matrix; batches broadcast but for those of lu and pivots.
Tensor linalg_lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left = true,
                       bool adjoint = false);
/// exp(a) = I + a + a^2 / 2 + ... by scaling, a quotient of polynomials and squaring (Higham 2005).
Tensor linalg_matrix_exp(const Tensor& a);
/// The x [.., n, k] of smallest norm among those with the least |a x - b| for b [.., m, k], and the
/// ranks of a (int64); singular values up to rtol * the largest count as 0. Batches broadcast.
/// Error (linalg) for NaN and infinity in a.
std::pair<Tensor, Tensor> linalg_lstsq(const Tensor& a, const Tensor& b, double rtol);
/// a to an integer power; a negative one inverts.
Tensor linalg_matrix_power(const Tensor& a, int64_t n);
/// The cross product of vectors of 3 along dim; other dims broadcast.
Tensor linalg_cross(const Tensor& a, const Tensor& b, int64_t dim = -1);

}  // namespace autograd
