// Factorisations and solves of small dense matrices, row-major, float32 and float64, one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// a [m, n] becomes its factors L (unit diagonal) and U, rows exchanged: row k with pivots[k] at
/// each of min(m, n) steps. Returns k + 1 for the first pivot k that is 0, or 0. `sign` is -1 for
/// an odd number of exchanges.
int64_t lu_factor(DType dtype, int64_t m, int64_t n, void* a, int64_t* pivots, int* sign);

/// b [n, m] becomes the solution of A x = b, from the factors of A.
void lu_solve(DType dtype, int64_t n, int64_t m, const void* lu, const int64_t* pivots, void* b);

/// det A, or sign and log of its absolute value, from the factors.
void lu_determinant(DType dtype, int64_t n, const void* lu, int sign, void* det);
void lu_log_determinant(DType dtype, int64_t n, const void* lu, int sign, void* sign_out,
                        void* log);
/// Pivots of 0 become the distance from 1 to the next number.
void lu_lift(DType dtype, int64_t n, void* lu);

/// The lower triangle of a [n, n] becomes L with A = L L^T, the rest 0. Returns the order of the
/// first leading minor that is not positive, or 0.
int64_t cholesky_factor(DType dtype, int64_t n, void* a);

/// b [n, m] becomes the solution of A x = b for a triangular A [n, n], whose other half is not
/// read, nor is its diagonal if it is `unit`.
void solve_triangular(DType dtype, int64_t n, int64_t m, const void* a, bool upper, bool unit,
                      void* b);

/// out = a x b for vectors of 3: contiguous [outer, 3, inner] each; every dtype but bool.
void cross(DType dtype, int64_t outer, int64_t inner, const void* a, const void* b, void* out);

/// out[k] = the sum of x[k * step + i * stride] for i < n: floats, added in float64, keep their
/// dtype, integers become int64.
void traces(DType dtype, const void* x, void* out, int64_t count, int64_t step, int64_t n,
            int64_t stride);

}  // namespace autograd::cpu
