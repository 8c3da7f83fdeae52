// Matrix product over strided raw memory, one thread.
#pragma once
#include <cstddef>
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// A matrix in memory; element (i, j) is at data + i * row_stride + j * col_stride, strides in
/// elements, any value (0 and negative included).
struct MatrixView {
  const void* data;
  int64_t row_stride;
  int64_t col_stride;
};

/// Up to this k an element of the product is one chain of multiply-adds in the order of k, to which
/// what it accumulates on and the bias are added at the end.
inline constexpr int64_t kGemmDepth = 256;

/// What happens to the product on its way into C.
struct GemmEpilogue {
  bool accumulate = false;     ///< C += A B instead of C = A B
  const void* bias = nullptr;  ///< length n, contiguous, added to every row; nullptr for none
};

/// Bytes of scratch memory `gemm` needs for this problem; 0 for most small ones.
size_t gemm_workspace(DType dtype, int64_t m, int64_t n, int64_t k, const MatrixView& a,
                      const MatrixView& b);

/// C[m, n] (+)= A[m, k] B[k, n] (+ bias). C has unit column stride and row stride c_row_stride; it
/// does not overlap A or B. k = 0 gives zeros (plus bias). float32 and float64 are vectorised;
/// int32, int64 and uint8 are plain loops (wrap-around arithmetic); bool is not defined. workspace:
/// 64-byte aligned, at least gemm_workspace(...) bytes. For a given shape the result does not
/// depend on the layout's memory address, and rows are computed in the same order whatever m is.
void gemm(DType dtype, int64_t m, int64_t n, int64_t k, const MatrixView& a, const MatrixView& b,
          void* c, int64_t c_row_stride, const GemmEpilogue& epilogue, void* workspace);

/// A product of floats that is computed again and again without a workspace: which way to compute
/// it has been chosen. C = A B (+ bias); the addresses may be set anew before each run.
struct GemmCall {
  int64_t m, n, k;
  MatrixView a, b;
  void* c;
  int64_t c_row_stride;
  const void* bias;
  void (*compute)(const GemmCall& call) = nullptr;

  void operator()() const { compute(*this); }
};

/// Chooses `compute`. The dtype is float32 or float64, m, n and k are positive, and
/// gemm_workspace(...) is 0; the result is that of gemm.
void prepare_gemm(DType dtype, GemmCall& call);

/// C[m, n] = A[m, k] B[k, n] + A2[m, k2] B2[k2, n]: bit for bit what gemm of the first and then of
/// the second, accumulating, give. workspace: enough for each of them.
void gemm_pair(DType dtype, int64_t m, int64_t n, int64_t k, const MatrixView& a,
               const MatrixView& b, int64_t k2, const MatrixView& a2, const MatrixView& b2, void* c,
               int64_t c_row_stride, void* workspace);

}  // namespace autograd::cpu
