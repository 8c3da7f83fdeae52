#include "ops/minors.hpp"

#include <vector>

#include "autograd/ops.hpp"

namespace autograd::detail {

Tensor cofactors_by_minors(const Tensor& a) {
  const int64_t n = a.size(-1);
  if (n < 2) return expand(ones({}, a.dtype()), a.sizes());
  std::vector<int64_t> others;  // for each place in a row, all others
  std::vector<float> signs;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      if (i != j) others.push_back(j);
      signs.push_back((i + j) % 2 ? -1.0f : 1.0f);
    }
  const Tensor places = tensor(others);
  Shape sizes = Shape(a.sizes().data(), a.dim() - 2), order;
  for (int d = 0; d < sizes.size(); ++d) order.push_back(d);
  const int batch = sizes.size();
  for (const int64_t size : {n, n - 1, n, n - 1}) sizes.push_back(size);
  for (const int d : {2, 0, 3, 1}) order.push_back(batch + d);  // [column, row, ...]: transposed
  const Tensor parts = reshape(index_select(index_select(a, -2, places), -1, places), sizes);
  const Tensor minors = linalg_det(transpose(permute(parts, order), -1, -2));
  return minors * to(tensor(signs, {n, n}), a.dtype());
}

}  // namespace autograd::detail
