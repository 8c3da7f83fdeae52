// Batches of rows for training on data in memory.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

/// Copies the same rows (slices along dim 0) of n tensors: out[i] = tensors[i][index[start : start
/// + count]], or rows start to start + count if index is undefined. index is int64, 1-d,
/// contiguous. No history is recorded. Throws Error (index) for rows that a tensor does not have
/// and for a range that does not fit, Error (runtime) for an index of another kind.
void take_batch(const Tensor* tensors, int64_t n, const Tensor& index, int64_t start, int64_t count,
                Tensor* out);

}  // namespace autograd
