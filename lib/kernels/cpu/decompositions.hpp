// Orthogonal decompositions of small dense matrices: row-major, float64, one thread.
#pragma once
#include <cstdint>

namespace autograd::cpu {

/// The matrix [m, n] whose columns are the rows of a [n, m] is Q R: they become the columns of R,
/// and the rows of q [k, m] the first k columns of Q, min(m, n) <= k <= m. Householder (1958), with
/// the signs of LAPACK's geqrf. room has 2 min(m, n) numbers.
void column_qr(int64_t m, int64_t n, int64_t k, double* a, double* q, double* room);

/// The eigenvalues of a symmetric a [n, n], of which the lower triangle is read and which is
/// destroyed: ascending in w [n], eigenvector i in row i of v [n, n]. Tridiagonal by reflections,
/// then QL with implicit shifts (Martin, Reinsch and Wilkinson 1968; Dubrulle, Martin and Wilkinson
/// 1968). room has 2 n numbers. False if that does not converge, as for NaN.
bool symmetric_eigen(int64_t n, double* a, double* w, double* v, double* room);

/// The singular values of the matrix [m, n], m >= n, whose columns are the rows of a [n, m]:
/// descending in s [n]. Right singular vectors go to the rows of v [n, n], left ones to those of u
/// [n_left, m], n <= n_left <= m, unless v and u are nullptr; a is destroyed. Bidiagonal by
/// reflections (Golub and Kahan 1965), then QR with implicit shifts (Demmel and Kahan 1990). room
/// has singular_values_room numbers. False if that does not converge, as for NaN.
bool singular_values(int64_t m, int64_t n, int64_t n_left, double* a, double* s, double* v,
                     double* u, double* room);
int64_t singular_values_room(int64_t m, int64_t n);

}  // namespace autograd::cpu
