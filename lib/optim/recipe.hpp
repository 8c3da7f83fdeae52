// What an optimizer tells the frame that runs its steps.
#pragma once
#include <initializer_list>
#include <string_view>

#include "autograd/optim.hpp"
#include "core/op.hpp"
#include "kernels/cpu/optim.hpp"

namespace autograd::optim {

inline constexpr int kMaxStates = 4, kMaxCounters = 3;

/// One tensor that is remembered per parameter.
struct State {
  const char* name = nullptr;
  bool is_counter = false;  ///< 0-d, read and written by plan()
  bool is_used = true;
  double initial = 0;
};
inline State counter(const char* name, double initial = 0) { return {name, true, true, initial}; }
inline State vector(const char* name, bool is_used = true, double initial = 0) {
  return {name, false, is_used, initial};
}

/// The 0-d states of one parameter in the order of the recipe, and how they round.
struct Counters {
  double values[kMaxCounters] = {};
  bool is_single[kMaxCounters] = {};
  bool is_first = false;  ///< a vector of states was made just now

  double rounded(int i, double value) const {
    return is_single[i] ? static_cast<double>(static_cast<float>(value)) : value;
  }
  double set(int i, double value) { return values[i] = rounded(i, value); }
  /// The usual first counter, the number of the step, counted up.
  double next_step() { return set(0, values[0] + 1); }
  bool operator==(const Counters&) const = default;
};

struct Recipe {
  const char* name;
  const void* options;
  bool negate;
  double decay;  ///< joined to the gradient
  State states[kMaxStates];
  /// Advances the counters and chooses the rule and its numbers.
  void (*plan)(const void* options, Counters& counters, cpu::Update& update);
};

/// A plan from a function of the optimizer's own options.
template <class Options, void (*kPlan)(const Options&, Counters&, cpu::Update&)>
void plan_of(const void* options, Counters& counters, cpu::Update& update) {
  kPlan(*static_cast<const Options*>(options), counters, update);
}

/// The rule and its numbers, in the order of optim.def.
inline void choose(cpu::Update& update, cpu::Rule rule, std::initializer_list<double> numbers) {
  update.rule = rule;
  int i = 0;
  for (double number : numbers) update.numbers[i++] = number;
}

/// The record that stands for a step of one parameter in a captured graph; nullptr if there is none
/// of that name.
const detail::Op* find_step_op(std::string_view name);
/// The same for the records of clip.cpp.
const detail::Op* find_clip_op(std::string_view name);

/// value must be >= 0; throws Error (value) "Invalid <what>: <value>".
void check_not_negative(const char* what, double value);
/// Checks what Adam and its relatives share.
void check_adam_family(double lr, double beta1, double beta2, double eps, double weight_decay);

template <class Options>
inline constexpr const char* kStepName = "";

// One of each per optimizer.
// clang-format off
#define AG_OPTIMIZERS(X) \
  X(SGDOptions, "sgd_step") X(AdamOptions, "adam_step") X(AdamaxOptions, "adamax_step") \
  X(NAdamOptions, "nadam_step") X(RAdamOptions, "radam_step") X(RMSpropOptions, "rmsprop_step") \
  X(AdagradOptions, "adagrad_step") X(AdadeltaOptions, "adadelta_step") \
  X(RpropOptions, "rprop_step") X(ASGDOptions, "asgd_step")
// clang-format on
#define AG_DECLARE(Options, name)                         \
  template <>                                             \
  inline constexpr const char* kStepName<Options> = name; \
  Recipe recipe(const Options& o);                        \
  void check(const Options& o);
AG_OPTIMIZERS(AG_DECLARE)
#undef AG_DECLARE

}  // namespace autograd::optim
