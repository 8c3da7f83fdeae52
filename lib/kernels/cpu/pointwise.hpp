// Pointwise arithmetic: one kernel per op and dtype, generated from lib/ops/pointwise.def, and the
// loop that drives a kernel over strided, broadcast and mixed-dtype operands.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Ops of pointwise.def in file order; `<name>_backward` follows every UNARY row: inputs (g, x, y),
/// output the gradient of x. Every value is `k_<name>`.
enum class PointwiseOp : int16_t {
#define UNARY(name, ...) k_##name, k_##name##_backward,
#define UNARY_FLAT(name, ...) k_##name,
#define PREDICATE(name, ...) k_##name,
#define BINARY(name, ...) k_##name,
#define BINARY_FLAT(name, ...) k_##name,
#define COMPARE(name, ...) k_##name,
#define TERNARY(name, ...) k_##name,
#define SELECT(name, ...) k_##name,
#include "ops/pointwise.def"
  kCount
};

/// Is the op's result bool, whatever it is computed from?
constexpr bool gives_bool(PointwiseOp op) {
  constexpr bool table[] = {
#define UNARY(name, ...) false, false,
#define UNARY_FLAT(name, ...) false,
#define PREDICATE(name, ...) true,
#define BINARY(name, ...) false,
#define BINARY_FLAT(name, ...) false,
#define COMPARE(name, ...) true,
#define TERNARY(name, ...) false,
#define SELECT(name, ...) false,
#include "ops/pointwise.def"
  };
  return table[static_cast<int>(op)];
}

/// One contiguous run, out[i] = f(in[0][i], in[1][i], ...), i < n. Inputs are of the compute dtype
/// the kernel was asked for (the condition of `where` is bool); out is of the compute dtype, or
/// bool if gives_bool. out may be the very same array as an input. p: the op's scalar parameters.
/// A NULL input pointer is allowed where the row's expression does not read that input.
using PointwiseKernel = void (*)(const void* const* in, void* out, int64_t n, const double* p);

/// The kernel for the running CPU, or nullptr where the op is not defined for `compute`.
PointwiseKernel pointwise_kernel(PointwiseOp op, DType compute);

/// Runs of n elements, rows of them: out[r][i] = f(in[0][r][i], in[1][r][i]). An input may be one
/// number per row. Strides from row to row are in elements. out may be the very same as an input.
struct BroadcastRows {
  const void* in[2];
  int64_t row[2];
  bool constant[2];
  void* out;
  int64_t out_row;
  int64_t rows, n;
};
using PointwiseRowsKernel = void (*)(const BroadcastRows& rows);

/// The kernel for the running CPU; nullptr for most ops, for which pointwise_kernel is as fast.
PointwiseRowsKernel pointwise_rows_kernel(PointwiseOp op, DType compute);

/// A strided operand of a loop. `stored` is the type in memory, `as` the type the kernel works on:
/// the loop converts on the way in or out, C++ static_cast semantics, != 0 for bool. strides are in
/// elements, one per dimension, 0 where the operand is broadcast.
struct Operand {
  void* data;
  DType stored;
  DType as;
  const int64_t* strides;
};

inline constexpr int kMaxPointwiseInputs = 4;

/// Runs `kernel` over the elements [begin, end), in row-major order, of the index space
/// `sizes[ndim]`. operands[0] is the output, operands[1..inputs] the inputs; an input with NULL
/// data is passed as NULL. ndim 0 is one element. Coalesces dimensions, runs contiguous stretches
/// in place and moves everything else through cache-sized buffers on the stack. by_rows may give
/// the op's kernel for rows.
void pointwise_loop(PointwiseKernel kernel, const double* p, const Operand* operands, int inputs,
                    const int64_t* sizes, int ndim, int64_t begin, int64_t end,
                    PointwiseRowsKernel by_rows = nullptr);

/// Converts or copies n elements; strides in elements.
void convert(const void* src, DType src_type, int64_t src_stride, void* dst, DType dst_type,
             int64_t dst_stride, int64_t n);

}  // namespace autograd::cpu
