// Reductions of integers and bools: plain loops the compiler vectorises.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/reduce.hpp"

namespace autograd::cpu {

/// reduce() for int32, int64, uint8 and bool; sums wrap around. False for kVar, for the sum of
/// bools and for floats.
bool reduce_integer(ReduceOp op, DType dtype, const void* in, void* out, const ReduceShape& shape);

/// out[i] = in[i]. Not in the files compiled per instruction set: GCC 12 may widen in MMX
/// registers and leaves them so, which breaks long double elsewhere.
void copy_places(const int32_t* in, size_t n, int64_t* out);
void copy_places(const int64_t* in, size_t n, int64_t* out);

}  // namespace autograd::cpu
