// The exponential of small dense matrices: row-major, float64, one thread.
#pragma once
#include <cstddef>
#include <cstdint>

namespace autograd::cpu {

/// Bytes of scratch memory matrix_exp needs.
size_t matrix_exp_room(int64_t n);

/// a [n, n] becomes exp(a). With 2^s > |a|_1 / 5.4, exp(a / 2^s) is the quotient of the polynomials
/// of degree 13 that agree with it to order 26 (Pade), squared s times (Higham, "The scaling and
/// squaring method for the matrix exponential revisited", 2005). NaN throughout for elements that
/// are not finite. pivots has n numbers; room: 64-byte aligned, of matrix_exp_room(n) bytes.
void matrix_exp(int64_t n, double* a, int64_t* pivots, void* room);

}  // namespace autograd::cpu
