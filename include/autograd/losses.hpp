// Losses.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

enum class Reduction : int32_t { kNone = 0, kMean = 1, kSum = 2 };

/// logsumexp(x) - x[target] (class indices, int64) or sum_j t_j (logsumexp(x) - x_j)
/// (probabilities), over dim 1 (dim 0 if logits are 1-d).
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     Reduction reduction = Reduction::kMean);
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::kMean);

}  // namespace autograd
