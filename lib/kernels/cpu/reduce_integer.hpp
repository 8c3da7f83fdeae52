// Reductions of integers and bools: plain loops the compiler vectorises.
#pragma once
#include "kernels/cpu/reduce.hpp"

namespace autograd::cpu {

/// reduce() for int32, int64, uint8 and bool; sums wrap around. False for kVar, the sum of bools and floats.
bool reduce_integer(ReduceOp op, DType dtype, const void* in, void* out, const ReduceShape& shape);

}  // namespace autograd::cpu
