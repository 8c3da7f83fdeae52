// What products share with each other and with ops made of products.
#pragma once
#include "autograd/tensor.hpp"
#include "kernels/cpu/gemm.hpp"

namespace autograd::detail {

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
