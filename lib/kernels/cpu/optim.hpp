// Parameter updates over contiguous raw memory, one parameter at a time.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

struct SgdOptions {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
};

/// PyTorch's SGD update of n elements: d = (maximize ? -g : g) + weight_decay * w;
/// if momentum: b = first ? d : momentum * b + (1 - dampening) * d, d = nesterov ? d + momentum * b
/// : b; w -= lr * d. momentum_buffer is NULL when momentum is 0. One pass over memory.
void sgd_update(DType dtype, void* w, const void* g, void* momentum_buffer, int64_t n,
                const SgdOptions& options, bool first);

}  // namespace autograd::cpu
