// Gradient clipping over lists of parameters, one call for all.
#pragma once
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd::optim {

/// The norm of the norms of all tensors, 0-d, float64 if one of them is; 0 for an empty list.
/// Throws Error (runtime) if it is not finite and that is asked for.
Tensor total_norm(const std::vector<Tensor>& tensors, double norm_type = 2,
                  bool error_if_nonfinite = false);

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), in place; norm has one element.
void scale_grads(const std::vector<Tensor>& params, double max_norm, const Tensor& norm);

/// Both for the gradients of params: returns their norm before.
Tensor clip_grad_norm(const std::vector<Tensor>& params, double max_norm, double norm_type = 2,
                      bool error_if_nonfinite = false);

/// Limits all elements of the gradients to [-clip_value, clip_value].
void clip_grad_value(const std::vector<Tensor>& params, double clip_value);

}  // namespace autograd::optim
