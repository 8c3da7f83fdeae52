// What runs while a hook or a gradient rule is called.
#pragma once
#include "autograd/grad_fn.hpp"

namespace autograd {

/// True if the innermost backward of this thread computes the gradient at this place: of an output
/// of place.fn or, if that is undefined, of place.leaf. False if there is no backward.
bool current_backward_reaches(const GradEdge& place);

}  // namespace autograd
