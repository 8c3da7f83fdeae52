// The pooling ops; attributes as the records in pool.cpp say, checked by the callers in
// pooling.cpp.
#pragma once
#include <utility>

#include "core/op.hpp"

namespace autograd::detail {

std::pair<Tensor, Tensor> pool_max(const Tensor& x, const Attrs& attrs);
Tensor pool_mean(const Tensor& x, const Attrs& attrs);

}  // namespace autograd::detail
