// The user's own code in the backward pass: hooks on gradients, and gradient rules given at run
// time.
#pragma once
#include <functional>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

/// Sees the gradient of a tensor, summed over all its uses, and returns the gradient to go on with;
/// an undefined tensor means: the same. The result must have the gradient's sizes and dtype.
using GradientHook = std::function<Tensor(const Tensor& grad)>;

/// Calls `hook` whenever the gradient of `t` has been computed, before it is used; hooks run in the
/// order of registration. It goes with the present history of `t`: a later in-place change of `t`
/// leaves it with the value before. Throws Error (runtime) if `t` does not require grad.
void register_hook(const Tensor& t, GradientHook hook);

/// Gets the gradients of a function's outputs, undefined where none flowed, and returns those of
/// its inputs; undefined, or left out at the end, for zero. A gradient has the input's sizes or
/// broadcasts from them.
using GradientRule = std::function<std::vector<Tensor>(const std::vector<Tensor>& grads)>;

/// The values of `outputs`, with a history that says: computed from `inputs` by a function whose
/// gradient is `rule`. Without a gradient to record they are plain aliases. Outputs that share
/// memory with an input can't be changed in place.
std::vector<Tensor> record_function(const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& outputs, GradientRule rule);

}  // namespace autograd
