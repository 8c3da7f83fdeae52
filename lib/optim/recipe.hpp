// What an optimizer tells the frame that runs its steps.
#pragma once
#include <initializer_list>
#include <string_view>

#include "autograd/optim.hpp"
#include "core/op.hpp"
#include "kernels/cpu/optim.hpp"

namespace autograd::optim {

inline constexpr int kMaxStates = 4, kMaxCounters = 3;

/// The sizes of a state, beside those of its parameter.
enum class Extent : uint8_t {
  kNumber,   ///< 0-d, read and written by plan()
  kAll,      ///< the same
  kVector,   ///< the same; matrices have no such state
  kRows,     ///< one element per row, [..., n, 1]; vectors have no such state
  kColumns,  ///< one per column, [..., 1, m]
};

/// One tensor that is remembered per parameter.
struct State {
  const char* name = nullptr;
  Extent extent = Extent::kAll;
  bool is_used = true;
  double initial = 0;

  bool is_counter() const { return extent == Extent::kNumber; }
  /// Of a parameter with so many dims.
  bool is_used_for(int rank) const {
    const bool is_factor = extent == Extent::kRows || extent == Extent::kColumns;
    return name && is_used && (rank > 1 ? extent != Extent::kVector : !is_factor);
  }
  Shape sizes_for(const Shape& param) const {
    Shape sizes = is_counter() ? Shape() : param;
    if (extent == Extent::kRows) sizes[sizes.size() - 1] = 1;
    if (extent == Extent::kColumns) sizes[sizes.size() - 2] = 1;
    return sizes;
  }
};
inline State counter(const char* name, double initial = 0) {
  return {name, Extent::kNumber, true, initial};
}
inline State vector(const char* name, bool is_used = true, double initial = 0) {
  return {name, Extent::kAll, is_used, initial};
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

/// A parameter in contiguous memory, for optimizers whose steps look at it as a whole.
struct Whole {
  DType dtype;
  Shape sizes;
  int64_t numel;
  void* param;
  const void* grad;
  void* states[kMaxStates];  ///< by their places in the recipe; nullptr where there is none
};

struct Recipe {
  const char* name;
  const void* options;
  bool negate;
  double decay;  ///< joined to the gradient
  State states[kMaxStates];
  /// Advances the counters and chooses the rule and its numbers.
  void (*plan)(const void* options, Counters& counters, cpu::Update& update);
  /// In place of a rule: the step itself, after plan() has advanced the counters.
  void (*whole)(const void* options, const Counters& counters, const Whole& step) = nullptr;
  bool only_matrices = false;
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
  X(RpropOptions, "rprop_step") X(ASGDOptions, "asgd_step") \
  X(AdafactorOptions, "adafactor_step") X(MuonOptions, "muon_step")
// clang-format on
#define AG_DECLARE(Options, name)                         \
  template <>                                             \
  inline constexpr const char* kStepName<Options> = name; \
  Recipe recipe(const Options& o);                        \
  void check(const Options& o);
AG_OPTIMIZERS(AG_DECLARE)
#undef AG_DECLARE

}  // namespace autograd::optim
