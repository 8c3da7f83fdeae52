// Second and higher orders of fused ops: the same function composed of public ops is run again and
// differentiated.
#pragma once
#include <functional>
#include <vector>

#include "core/node.hpp"

namespace autograd::detail {

/// Takes the inputs of an op (undefined where absent) and gives its outputs.
using Composite = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

/// Sets the gradients of a fused op's inputs as tensors with a history. The op's rule must read all
/// inputs; outputs of `composite` are its first ones.
void differentiate_composite(Backward& r, const Composite& composite);

/// True where a gradient rule has to be in public ops: a second order is wanted, or the gradients
/// stand for examples, for which fused gradients have no rule.
bool wants_composite(const Backward& r);

}  // namespace autograd::detail
