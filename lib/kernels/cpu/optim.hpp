// Parameter updates over contiguous raw memory, one parameter at a time.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// The rows of optim.def.
enum class Rule : uint8_t {
#define RULE(name, ...) name,
#include "kernels/cpu/optim.def"
#undef RULE
};

inline constexpr int kMaxOptimStates = 3, kMaxOptimNumbers = 7;

/// One step of one parameter.
struct Update {
  Rule rule;
  bool negate = false;  ///< g = -g, first of all
  double decay = 0;     ///< then g += decay * w
  double shrink = 1;    ///< then w *= shrink
  double numbers[kMaxOptimNumbers] = {};
};

/// Applies the update to n weights w with gradients g and the states of the rule, in one pass.
void optim_update(const Update& update, DType dtype, void* w, const void* g, void* const* states,
                  int64_t n);
/// How many states the rule has.
int optim_states(Rule rule);

}  // namespace autograd::cpu
