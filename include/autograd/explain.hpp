// Why a gradient is missing or zero, and where numbers turn non-finite.
#pragma once
#include <string>
#include <vector>

#include "autograd/graph.hpp"
#include "autograd/location.hpp"
#include "autograd/tensor.hpp"

namespace autograd {

/// What became of a gradient on its way.
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
  kFreed = 15,           ///< the graph was freed by an earlier backward
  kHook = 16             ///< a hook turned it into zeros
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

/// How a value became infinite or no number.
enum class NonfiniteReason : int32_t {
  kHealthy = 0,            ///< the loss and all gradients are finite
  kLeaf = 1,               ///< a leaf holds it
  kConstant = 2,           ///< data without gradient holds it, or an op was told to put it there
  kOverflow = 3,           ///< too large for the dtype
  kSingular = 4,           ///< the op is infinite, or 0 / 0, at exactly these inputs
  kUndefined = 5,          ///< the op has no value there: sqrt(-1)
  kInfinities = 6,         ///< infinities that were put there on purpose met: softmax of all -inf
  kCustomFunction = 7,     ///< made inside a function of the user's, or by its gradient
  kUnknownInput = 8,       ///< an input, which was not kept, must hold it
  kDerivative = 9,         ///< all values are finite, the derivative of the op is not
  kGradientOverflow = 10,  ///< a gradient became too large for the dtype
  kHook = 11,              ///< a hook returned it
  kFreed = 12,             ///< the graph was freed by an earlier backward
  kNotRecorded = 13        ///< the loss has no history
};

/// The reason's name in lower case, with underscores: "unknown_input".
const char* name_of(NonfiniteReason reason);

/// An input of the op that made the first bad value.
struct NonfiniteInput {
  std::string op;         ///< that made it; "leaf", "constant"
  uint32_t location = 0;  ///< of that op
  Shape sizes;
  bool is_known = false;  ///< its values were kept, or could be computed again
  bool has_value = false;
  double value = 0;          ///< of the element that the bad value was computed from, if it is one
  double low = 0, high = 0;  ///< of all its elements that are numbers
};

struct NonfiniteExplanation {
  NonfiniteReason reason = NonfiniteReason::kHealthy;
  bool in_backward = false;  ///< the value is that of a gradient
  std::string sentence;      ///< with lines and what to do
  std::string op;            ///< that made the first bad value, or last changed its tensor; or ""
  uint32_t location = 0;     ///< the line to look at
  double value = 0;          ///< the first bad value
  /// Its place, in the op's output or, in backward, in the op's input that the gradient is of.
  bool has_element = false;
  Shape element;
  std::vector<NonfiniteInput> inputs;
  /// The parameter that it comes from or, in backward, flows to.
  std::string parameter;  ///< "" if it has no name, or there is none
  uint32_t parameter_at = 0;
  std::vector<PathStep> path;  ///< the ops from the loss to this one
};

/// Where `loss`, or the gradient of a leaf, turned non-finite: the first bad value. What the graph
/// has not kept is computed again from what it has. To be asked before backward() frees the graph,
/// and before the leaves are changed. Names: of leaves; other tensors stand for themselves where
/// they were used. Runs a backward that accumulates and frees nothing; hooks and rules of functions
/// are called.
NonfiniteExplanation explain_nonfinite(const Tensor& loss, const GraphNames& names = {});

}  // namespace autograd
