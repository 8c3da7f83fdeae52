// Reductions. `dims` empty means all dims.
#pragma once
#include <optional>
#include <utility>

#include "autograd/tensor.hpp"

namespace autograd {

Tensor sum(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
           std::optional<DType> dtype = std::nullopt);
Tensor mean(const Tensor& x, const Shape& dims = {}, bool keepdim = false,
            std::optional<DType> dtype = std::nullopt);
/// sum (x - mean)^2 / max(0, N - correction)
Tensor var(const Tensor& x, const Shape& dims = {}, double correction = 1, bool keepdim = false);
Tensor amax(const Tensor& x, const Shape& dims = {},
            bool keepdim = false);  ///< ties share the gradient
Tensor amin(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
/// Values and int64 positions along one dim; the gradient goes to the position.
std::pair<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
std::pair<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
/// Position of the first maximum along dim, or in the flattened tensor; int64, no gradient.
Tensor argmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);
Tensor argmin(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);

}  // namespace autograd
