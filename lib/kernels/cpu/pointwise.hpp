// Pointwise arithmetic: one kernel per op and dtype, generated from lib/ops/pointwise.def, and the
// loop that drives a kernel over strided, broadcast and mixed-dtype operands.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Ops of pointwise.def in file order; `<name>_backward` follows for every UNARY row that has a
/// gradient: inputs (g, x, y), output the gradient of x. Every value is `k_<name>`.
enum class PointwiseOp : int16_t {
#define UNARY(name, cls, forward, uses, gradient) k_##name, k_##name##_backward,
#define BINARY(name, cls, forward, uses_a, gradient_a, uses_b, gradient_b) k_##name,
#define COMPARE(name, forward) k_##name,
#define TERNARY(name, forward, uses_a, gradient_a, uses_b, gradient_b) k_##name,
#include "ops/pointwise.def"
  kCount
};

/// One contiguous run, out[i] = f(in[0][i], in[1][i], ...), i < n. Inputs are of the compute dtype
/// the kernel was asked for (the condition of `where` is bool); out is of the compute dtype, or
/// bool for comparisons. out may be the very same array as an input. p: the op's scalar parameters.
/// A NULL input pointer is allowed where the row's expression does not read that input.
using PointwiseKernel = void (*)(const void* const* in, void* out, int64_t n, const double* p);

/// The kernel for the running CPU, or nullptr where the op is not defined for `compute`.
PointwiseKernel pointwise_kernel(PointwiseOp op, DType compute);

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
/// in place and moves everything else through cache-sized buffers on the stack.
void pointwise_loop(PointwiseKernel kernel, const double* p, const Operand* operands, int inputs,
                    const int64_t* sizes, int ndim, int64_t begin, int64_t end);

/// Converts or copies n elements; strides in elements.
void convert(const void* src, DType src_type, int64_t src_stride, void* dst, DType dst_type,
             int64_t dst_stride, int64_t n);

}  // namespace autograd::cpu
