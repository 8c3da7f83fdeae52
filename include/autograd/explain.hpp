// Why a gradient is missing or zero, and where numbers turn non-finite.
#pragma once
#include <string>
#include <vector>

#include "autograd/location.hpp"
#include "autograd/tensor.hpp"

namespace autograd {

/// What became of a gradient on its way; the values are those of `ag_grad_reason`.
enum class GradReason : int32_t {
  kHealthy = 0,          ///< it arrives and is not zero
  kNotReached = 1,       ///< the loss was not computed from the tensor
  kDetached = 2,         ///< detach() or .data on the way
  kNoGrad = 3,           ///< something on the way was made while nothing was recorded
  kInteger = 4,          ///< turned into integers or bools on the way, or the tensor holds some
  kNoRule = 5,           ///< an op on the way has no gradient
  kNonLeaf = 6,          ///< it arrives, but only leaves keep theirs
  kRequiresGradOff = 7,  ///< the tensor does not require grad
  kZeroFactor = 8,       ///< multiplied by exact zeros
  kDead = 9,             ///< all elements lie where the op's derivative is zero: a dead relu
  kFlat = 10,            ///< the op's derivative is zero everywhere: rounding, sign
  kOverwritten = 11,     ///< the elements were overwritten in place before they were used
  kCustomFunction = 12,  ///< the rule of a function gave none, or zeros
  kNotUsed = 13,         ///< an op on the way used none of the elements
  kCancelled = 14,       ///< several contributions add up to zero
  kFreed = 15            ///< the graph was freed by an earlier backward
};

/// The reason's name in lower case, with underscores: "not_reached".
const char* name_of(GradReason reason);

struct PathStep {
  std::string op;
  uint32_t location = 0;
};

struct GradExplanation {
  GradReason reason = GradReason::kHealthy;
  std::string sentence;   ///< with lines and what to do
  uint32_t location = 0;  ///< the line to look at
  std::vector<PathStep>
      path;  ///< the ops from the loss to where the gradient ends, or to the tensor
};

/// Why `t` has no gradient, or one of zeros, of `loss`, which has one element. Runs a backward that
/// accumulates nothing and frees nothing; hooks and rules of functions are called. Throws Error
/// (runtime) if loss has more than one element.
GradExplanation explain_grad(const Tensor& t, const Tensor& loss);

}  // namespace autograd
