// What products share with each other and with ops made of products.
#pragma once
#include "core/op.hpp"
#include "kernels/cpu/gemm.hpp"

namespace autograd::detail {

/// How mm reads its factors, as ops made of products note it: bit 0: a transposed, bit 1: b.
inline int64_t transposes_of(const Attrs& mm) {
  return (mm.ints[0] ? 1 : 0) | (mm.ints[1] ? 2 : 0);
}

/// The factors a and b of a product: two inputs of a call, from `first` on, read as told.
struct Factors {
  Factors(const Call& call, int first, int64_t transposes) {
    const TensorBody &x = call.in(first), &y = call.in(first + 1);
    const int ta = transposes & 1, tb = transposes >> 1 & 1;
    a = {x.data, x.strides[ta], x.strides[1 - ta]};
    b = {y.data, y.strides[tb], y.strides[1 - tb]};
    rows = x.sizes[ta];
    depth = x.sizes[1 - ta];
    depth_of_b = y.sizes[tb];
    columns = y.sizes[1 - tb];
  }

  cpu::MatrixView a, b;
  int64_t rows, columns, depth, depth_of_b;
};

/// beta * input + alpha * product, where input broadcasts to the product's sizes and is not read if
/// beta is 0. Integers take whole factors only.
Tensor scaled_sum(const char* op, const Tensor& input, const Tensor& product, double beta,
                  double alpha);

/// cpu::gemm with memory of its own, on several threads if the product is large.
void multiply_matrices(DType dtype, int64_t m, int64_t n, int64_t k, const cpu::MatrixView& a,
                       const cpu::MatrixView& b, void* c, int64_t c_row_stride,
                       const cpu::GemmEpilogue& epilogue = {});

/// Multiply-adds below which a second thread costs more than it brings; from
/// bench/thread_cutoffs.py.
inline constexpr int64_t kThreadWork = 1 << 22;

/// True if a product of these sizes runs on the caller, without memory of its own.
bool is_small_product(int64_t m, int64_t n, int64_t k);

/// a [..., m, k] times b [..., k, n], whose leading dims broadcast.
Tensor batched_matmul(const Tensor& a, const Tensor& b);

/// True if addmm of this depth gives, bit for bit, input + (a b): the product is one sum that is
/// added as a whole.
bool adds_in_order(int64_t depth);

}  // namespace autograd::detail
