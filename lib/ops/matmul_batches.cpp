// matmul of batches of matrices that broadcast.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/text.hpp"
#include "ops/broadcast.hpp"
#include "ops/matrices.hpp"
#include "ops/product_rules.hpp"

namespace autograd {
namespace detail {
namespace {

// The broadcast batch of a matmul, as one dim: [..., rows, cols] -> [B, rows, cols].
Tensor as_batch(const Tensor& t, const Shape& batch) {
  Shape sizes = batch;
  sizes.push_back(t.size(-2));
  sizes.push_back(t.size(-1));
  int64_t count = 1;
  for (int64_t size : batch) count *= size;
  const Tensor expanded = t.sizes() == sizes ? t : expand(t, sizes);
  return expanded.dim() == 3 ? expanded : reshape(expanded, {count, t.size(-2), t.size(-1)});
}

}  // namespace

Tensor batched_matmul(const Tensor& a, const Tensor& b) {
  const Shape left = batch_of(a.sizes()), right = batch_of(b.sizes());
  for (int d = 1; d <= std::min(left.size(), right.size()); ++d) {
    const int64_t x = left[left.size() - d], y = right[right.size() - d];
    if (x != y && x != 1 && y != 1)
      fail(ErrorCode::kRuntime, "matmul: The size of tensor a (", x,
           ") must match the size of tensor b (", y, ") at non-singleton dimension ",
           std::max(left.size(), right.size()) - d, "; got sizes ", a.sizes(), " and ", b.sizes());
  }
  const Shape batch = broadcast_sizes("matmul", left, right);
  Shape sizes = batch;
  sizes.push_back(a.size(-2));
  sizes.push_back(b.size(-1));
  return reshape(bmm(as_batch(a, batch), as_batch(b, batch)), sizes);
}

}  // namespace detail

}  // namespace autograd
