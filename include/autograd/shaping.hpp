// Ops on shape, joins and copies: views where PyTorch gives views.
#pragma once
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

Tensor reshape(const Tensor& x, const Shape& sizes);  ///< one size may be -1
Tensor view(const Tensor& x, const Shape& sizes);  ///< Error (runtime) where a copy would be needed
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& x, const Shape& dims);
Tensor expand(const Tensor& x, const Shape& sizes);  ///< -1 keeps a size
Tensor squeeze(const Tensor& x, const Shape& dims = {});
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// x[..., start:end:step, ...] with Python's slice rules, step > 0.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step = 1);
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0);
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0);
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
Tensor contiguous(const Tensor& x);
Tensor clone(const Tensor& x);

}  // namespace autograd
