// What the checks of calls from elsewhere (Op::check) are made of. A graph from a file calls ops
// with any arguments: a check says what the public function of an op, or the gradient rule that
// calls it, sees to. `infer` runs after it and checks what it checks for everybody.
#pragma once
#include "core/op.hpp"

namespace autograd::detail {

/// No size, stride or count in a call from elsewhere is larger.
inline constexpr int64_t kMostElements = int64_t{1} << 31;

/// Throws Error (value) naming the op.
[[noreturn]] void refuse_call(const Call& call, const char* what);

inline void need(const Call& call, bool holds, const char* what) {
  if (!holds) refuse_call(call, what);
}

/// The number of inputs, absent optional ones included, and of outputs.
void need_counts(const Call& call, int least_inputs, int most_inputs, int outputs = 1);

/// Op::check of an op whose infer checks all but these numbers.
template <int kLeast, int kMost = kLeast, int kOutputs = 1>
void takes(const Call& call) {
  need_counts(call, kLeast, kMost, kOutputs);
}

/// ints[i] is a dim of a tensor of this rank; of one without dims, 0.
int need_dim(const Call& call, int i, int rank);
/// ints[0] is a mask of dims of input `input`: of one of them if `single`.
void need_mask(const Call& call, int rank, bool single = false);
/// ints[i] is a dtype; with `optional`, or -1.
void need_dtype_number(const Call& call, int i, bool optional = false);
/// ints[i] is in [low, high].
void need_number(const Call& call, int i, int64_t low, int64_t high);
/// lists[i] has so many entries, each in [low, high].
const Shape& need_list(const Call& call, int i, int length, int64_t low = 0,
                       int64_t high = kMostElements);
/// lists[i] are sizes that a tensor may have.
const Shape& need_sizes_list(const Call& call, int i);

/// Input i, if it is there, is a tensor of floats.
void need_float(const Call& call, int i);
void need_dtype(const Call& call, int i, DType dtype);
void need_rank(const Call& call, int i, int rank);
/// Input i, if it is there, has these sizes.
void need_sizes(const Call& call, int i, const Shape& sizes);
/// Input i, if it is there, has the dtype, or the sizes and the dtype, of input k.
void need_dtype_of(const Call& call, int i, int k);
void need_like(const Call& call, int i, int k);
/// Input i has its elements next to each other.
void need_dense(const Call& call, int i);
/// Input i has so many elements.
void need_numel(const Call& call, int i, int64_t numel);

/// For kernels that read or write where an int64 index says: throws Error (index) unless all of
/// them are in [0, size).
void check_positions(const Call& call, const Tensor& index, int64_t size);

}  // namespace autograd::detail
