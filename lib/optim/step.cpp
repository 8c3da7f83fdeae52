// The frame of all optimizers: runs a recipe over a list of parameters.
#include <algorithm>
#include <string>
#include <vector>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/dispatch.hpp"
#include "core/interpreter_lock.hpp"
#include "core/parallel.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "optim/options.hpp"
#include "optim/recipe.hpp"

namespace autograd::optim {

using detail::body;
using detail::TensorBody;

namespace {

// Elements worth waking a thread for: a rule with states costs about twice a simple pointwise op.
int64_t grain(int states) { return states > 0 ? detail::kGrain / 2 : detail::kGrain; }

/// One parameter and its states; nullptr where the recipe uses none.
struct Target {
  TensorBody* param;
  TensorBody* states[kMaxStates] = {};
};

bool uses(const Recipe& recipe, int kind, const TensorBody& param) {
  return recipe.states[kind].is_used_for(param.sizes.size());
}

/// The list of parameters of one call, and where each finds its states.
struct List {
  const Tensor* params;
  Tensor* states;
  int64_t n;
  const Recipe& recipe;
  const detail::Op* op = nullptr;  ///< the record of the step
  Tensor options = {};

  Tensor& state(int kind, int64_t i) const { return states[kind * n + i]; }
  bool uses(int kind, int64_t i) const { return optim::uses(recipe, kind, *body(params[i])); }
};

void check_writable(const Recipe& recipe, const TensorBody& t) {
  for (int d = 0; t.numel && d < t.sizes.size(); ++d)
    if (t.strides[d] == 0 && t.sizes[d] > 1)
      fail(ErrorCode::kRuntime, recipe.name,
           ": unsupported operation: more than one element of the written-to tensor refers to a "
           "single memory location (sizes ",
           t.sizes, ", strides ", t.strides, ")");
}

void check_state(const Recipe& recipe, const State& state, const TensorBody& param,
                 const TensorBody& t) {
  const bool fits = state.is_counter()
                        ? t.numel == 1 && is_floating(t.dtype)
                        : t.sizes == state.sizes_for(param.sizes) && t.dtype == param.dtype;
  if (!fits)
    fail(ErrorCode::kRuntime, recipe.name, ": the state ", state.name, " ", name_of(t.dtype), " ",
         t.sizes, " does not fit the parameter ", name_of(param.dtype), " ", param.sizes);
  check_writable(recipe, t);
}

void check_rank(const Recipe& recipe, const TensorBody& param) {
  if (recipe.only_matrices && param.sizes.size() != 2)
    fail(ErrorCode::kValue, recipe.name,
         ": only supports 2D parameters whereas we found a parameter with size: ", param.sizes);
}

void check(const List& list, int64_t i) {
  const TensorBody& param = *body(list.params[i]);
  if (!param.grad) return;
  if (!is_floating(param.dtype))
    fail(ErrorCode::kRuntime, list.recipe.name, ": parameters must be floats, got ",
         name_of(param.dtype));
  if (param.grad->sizes != param.sizes || param.grad->dtype != param.dtype)
    fail(ErrorCode::kRuntime, list.recipe.name, ": the gradient ", param.grad->sizes,
         " does not fit the parameter ", param.sizes);
  check_rank(list.recipe, param);
  check_writable(list.recipe, param);
  for (int k = 0; k < kMaxStates; ++k)
    if (list.uses(k, i) && list.state(k, i).defined())
      check_state(list.recipe, list.recipe.states[k], param, *body(list.state(k, i)));
}

void fill(TensorBody& t, double value) {
  if (t.dtype == DType::kFloat32)
    std::fill_n(reinterpret_cast<float*>(t.data), t.numel, static_cast<float>(value));
  else
    std::fill_n(reinterpret_cast<double*>(t.data), t.numel, value);
}

double read_number(const TensorBody& t) {
  return t.dtype == DType::kFloat32 ? static_cast<double>(*reinterpret_cast<const float*>(t.data))
                                    : *reinterpret_cast<const double*>(t.data);
}

void read_counters(const Recipe& recipe, const Target& target, Counters& counters) {
  int count = 0;
  for (int k = 0; k < kMaxStates && recipe.states[k].name; ++k) {
    if (!recipe.states[k].is_counter() || !recipe.states[k].is_used) continue;
    counters.values[count] = read_number(*target.states[k]);
    counters.is_single[count++] = target.states[k]->dtype == DType::kFloat32;
  }
}

/// Makes the states that a parameter lacks and reads its counters.
Target open_states(const List& list, int64_t i, Counters& counters) {
  Target target{body(list.params[i])};
  for (int k = 0; k < kMaxStates; ++k) {
    if (!list.uses(k, i)) continue;
    const State& state = list.recipe.states[k];
    Tensor& t = list.state(k, i);
    if (!t.defined()) {
      counters.is_first |= !state.is_counter();
      t = detail::make_tensor(state.sizes_for(target.param->sizes),
                              state.is_counter() ? default_dtype() : target.param->dtype);
      fill(*body(t), state.initial);
    }
    target.states[k] = body(t);
  }
  read_counters(list.recipe, target, counters);
  return target;
}

void write_counters(const Recipe& recipe, const Target& target, const Counters& counters,
                    const detail::Op& changed_by) {
  int count = 0;
  for (int k = 0; k < kMaxStates && recipe.states[k].name; ++k) {
    if (!recipe.states[k].is_counter() || !recipe.states[k].is_used) continue;
    fill(*target.states[k], counters.values[count++]);
    target.states[k]->storage->mark_changed(changed_by);
  }
}

/// Chooses the updates; parameters whose counters are alike, as they mostly are, share one.
class Planner {
 public:
  explicit Planner(const Recipe& recipe) : recipe_(recipe) {}

  const cpu::Update& plan(Counters& counters) {
    if (!planned_ || !(counters == before_)) {
      before_ = after_ = counters;
      update_ = cpu::Update{};
      update_.negate = recipe_.negate;
      update_.decay = recipe_.decay;
      recipe_.plan(recipe_.options, after_, update_);
      planned_ = true;
    }
    counters = after_;
    return update_;
  }

 private:
  const Recipe& recipe_;
  bool planned_ = false;
  Counters before_, after_;
  cpu::Update update_;
};

/// A tensor as contiguous memory; what was written to a copy goes back with close().
class Dense {
 public:
  Dense() = default;
  explicit Dense(TensorBody& t) : original_(&t) {
    if (!t.is_contiguous) copy_ = detail::dense(t);
  }
  char* data() const { return copy_.defined() ? body(copy_)->data : original_->data; }
  void close(const detail::Op& changed_by) {
    if (copy_.defined()) detail::copy_into(*original_, *body(copy_));
    original_->storage->mark_changed(changed_by);
  }

 private:
  TensorBody* original_ = nullptr;
  Tensor copy_;
};

/// The arrays that a step writes: the parameter's and those of its states.
int arrays_of(const Recipe& recipe, const Target& target, TensorBody* (&arrays)[1 + kMaxStates]) {
  int count = 0;
  arrays[count++] = target.param;
  for (int k = 0; k < kMaxStates && recipe.states[k].name; ++k)
    if (uses(recipe, k, *target.param) && !recipe.states[k].is_counter())
      arrays[count++] = target.states[k];
  return count;
}

/// A step over memory in any order, by way of copies where it is not contiguous.
[[gnu::noinline]] void apply_any(const cpu::Update& update, const detail::Op& op,
                                 TensorBody& gradient, TensorBody* const* bodies, int count) {
  const DType dtype = bodies[0]->dtype;
  const Dense grad(gradient);
  Dense arrays[1 + kMaxStates];
  for (int k = 0; k < count; ++k) arrays[k] = Dense(*bodies[k]);
  const int64_t item = static_cast<int64_t>(size_of(dtype));
  detail::parallel_for(bodies[0]->numel, grain(count - 1), [&](int64_t begin, int64_t end) {
    void* at[1 + kMaxStates];
    for (int k = 0; k < count; ++k) at[k] = arrays[k].data() + begin * item;
    cpu::optim_update(update, dtype, at[0], grad.data() + begin * item, at + 1, end - begin);
  });
  for (int k = 0; k < count; ++k) arrays[k].close(op);
}

/// A step that looks at the parameter as a whole.
[[gnu::noinline]] void apply_whole(const Recipe& recipe, const detail::Op& op, const Target& target,
                                   TensorBody& gradient, const Counters& counters) {
  const Dense grad(gradient);
  Dense param(*target.param), states[kMaxStates];
  Whole step{target.param->dtype, target.param->sizes, target.param->numel,
             param.data(),        grad.data(),         {}};
  for (int k = 0; k < kMaxStates; ++k) {
    if (!uses(recipe, k, *target.param) || recipe.states[k].is_counter()) continue;
    states[k] = Dense(*target.states[k]);
    step.states[k] = states[k].data();
  }
  if (step.numel > 0) recipe.whole(recipe.options, counters, step);
  param.close(op);
  for (int k = 0; k < kMaxStates; ++k)
    if (step.states[k]) states[k].close(op);
}

void apply(const Recipe& recipe, const detail::Op& op, const Target& target, TensorBody& gradient,
           Counters counters, Planner& planner) {
  const cpu::Update& update = planner.plan(counters);
  write_counters(recipe, target, counters, op);
  if (recipe.whole) return apply_whole(recipe, op, target, gradient, counters);
  TensorBody* arrays[1 + kMaxStates];
  const int count = arrays_of(recipe, target, arrays);
  bool is_plain = gradient.is_contiguous && target.param->numel <= grain(count - 1);
  for (int k = 0; k < count; ++k) is_plain = is_plain && arrays[k]->is_contiguous;
  if (!is_plain) return apply_any(update, op, gradient, arrays, count);
  void* at[1 + kMaxStates];
  for (int k = 0; k < count; ++k) at[k] = arrays[k]->data;
  cpu::optim_update(update, target.param->dtype, at[0], gradient.data, at + 1, target.param->numel);
  for (int k = 0; k < count; ++k) arrays[k]->storage->mark_changed(op);
}

/// The same step as a call of its op: (param, grad, states..., options), of which all but the
/// gradient and the options are written to.
[[gnu::noinline]] void apply_observed(const List& list, int64_t i, const Target& target,
                                      TensorBody& gradient, const Counters& counters,
                                      Planner& planner) {
  const detail::Arg none(nullptr);
  detail::Arg inputs[] = {list.params[i], detail::Arg(&gradient), none, none, none, none, none};
  static_assert(std::size(inputs) == 3 + kMaxStates);
  Tensor outputs[1 + kMaxStates] = {list.params[i]};
  int n_inputs = 2, n_outputs = 1;
  for (int k = 0; k < kMaxStates; ++k) {
    if (!list.recipe.states[k].name) continue;
    inputs[n_inputs++] = detail::Arg(list.uses(k, i) ? body(list.state(k, i)) : nullptr);
    if (list.uses(k, i)) outputs[n_outputs++] = list.state(k, i);
  }
  inputs[n_inputs++] = list.options;
  detail::Attrs attrs;
  attrs.reals[0] = list.options.data_as<double>()[0];
  const detail::Call call{*list.op, inputs, n_inputs, attrs, outputs, n_outputs};
  detail::observer()->before_in_place(call);
  {
    const detail::Unobserved pause;
    apply(list.recipe, *list.op, target, gradient, counters, planner);
  }
  detail::show_call(call);
}

void run(const List& list) {
  for (int64_t i = 0; i < list.n; ++i) check(list, i);
  Planner planner(list.recipe);
  const detail::LocationScope once(detail::known_here());
  int64_t elements = 0;
  for (int64_t i = 0; i < list.n; ++i) elements += list.params[i].numel();
  const detail::Unlocked unlocked(elements > 4 * detail::kLongWork);
  for (int64_t i = 0; i < list.n; ++i) {
    TensorBody& param = *body(list.params[i]);
    if (detail::observer()) detail::observer()->on_grad_read(param);
    if (!param.grad) continue;
    Counters counters;
    const Target target = open_states(list, i, counters);
    if (detail::observer()) [[unlikely]]
      apply_observed(list, i, target, *param.grad, counters, planner);
    else
      apply(list.recipe, *list.op, target, *param.grad, counters, planner);
  }
}

void infer_step(const detail::Call& call, detail::OutputMetas& outputs) {
  for (int i = 0; i < call.n_outputs; ++i) {
    outputs.add().dtype = call.out(i).dtype;
    outputs[i].sizes = call.out(i).sizes;
  }
}

/// Inputs: (param, grad, states...) for each parameter, then the options. ints[0] parameters, or
/// one.
template <class Options>
void forward_step(const detail::Call& call) {
  const detail::TensorBody& numbers = call.in(call.n_inputs - 1);
  const Options options = from_numbers<Options>(reinterpret_cast<const double*>(numbers.data));
  const Recipe how = recipe(options);
  Planner planner(how);
  const int count = std::max(1, static_cast<int>(call.attrs.ints[0]));
  const int each = (call.n_inputs - 1) / count;
  for (int i = 0; i < count; ++i) {
    const int first = i * each;
    Target target{&call.in(first)};
    for (int k = 0; k < each - 2; ++k) {
      if (call.has(first + 2 + k)) target.states[k] = &call.in(first + 2 + k);
      if (uses(how, k, *target.param) && !target.states[k])
        fail(ErrorCode::kRuntime, how.name, ": the step was captured without ", how.states[k].name,
             ", which its options ask for now");
    }
    Counters counters;
    read_counters(how, target, counters);
    apply(how, call.op, target, call.in(first + 1), counters, planner);
  }
}

/// Steps of one parameter or, joined, of several: (param, grad, states...) of each, options.
template <class Options>
void check_step(const detail::Call& call) {
  using detail::need;
  double numbers[kMaxOptions];
  const int options = to_numbers<Options>(Options{}, numbers);
  const Options defaults;
  const Recipe how = recipe(defaults);
  int each = 2;
  while (each - 2 < kMaxStates && how.states[each - 2].name) ++each;
  const int64_t count = std::max<int64_t>(1, call.attrs.ints[0]);
  need(call, count <= call.n_inputs && call.n_inputs == count * each + 1,
       "another number of arguments than the operation takes");
  const int last = call.n_inputs - 1;
  detail::need_dtype(call, last, DType::kFloat64);
  detail::need_sizes(call, last, {options});
  detail::need_dense(call, last);
  int outputs = 0;
  for (int at = 0; at < last; at += each) {
    need(call, call.has(at) && call.has(at + 1), "an argument is missing");
    detail::need_float(call, at);
    detail::need_like(call, at + 1, at);
    check_rank(how, call.in(at));
    check_writable(how, call.in(at));
    ++outputs;
    for (int k = 0; k < each - 2; ++k) {
      if (!call.has(at + 2 + k)) continue;
      need(call, how.states[k].is_used_for(call.in(at).sizes.size()) || !how.whole,
           "a state that the parameter has not");
      check_state(how, how.states[k], call.in(at), call.in(at + 2 + k));
      ++outputs;
    }
  }
  need(call, call.n_outputs == outputs, "another number of results than the operation has");
}

/// The record under which a step of one parameter is seen and repeated.
template <class Options>
const detail::Op& step_op() {
  static const std::string inputs = [] {
    std::string names = "param,grad";
    const Options options;
    for (const State& state : recipe(options).states)
      if (state.name) names.append(",").append(state.name);
    return names + ",options";
  }();
  static const detail::Op op = {.name = kStepName<Options>,
                                .traits = detail::kInPlace | detail::kUpdate,
                                .infer = infer_step,
                                .forward = {forward_step<Options>},
                                .attrs = ";lr",
                                .doc = "one step of an optimizer for one parameter",
                                .optional_inputs = ~3u,
                                .inputs = inputs.c_str(),
                                .check = check_step<Options>};
  return op;
}

Tensor options_tensor(const double* numbers, int n) {
  const Tensor t = from_data(numbers, DType::kFloat64, {n});
  detail::observer()->on_options(*body(t));
  return t;
}

}  // namespace

void check_not_negative(const char* what, double value) {
  if (!(value >= 0)) fail(ErrorCode::kValue, "Invalid ", what, ": ", value);
}

namespace {
/// The options that say which recipe is used: AdamW's are Adam's with other defaults.
template <class Options>
struct StepOf {
  using type = Options;
};
template <>
struct StepOf<AdamWOptions> {
  using type = AdamOptions;
};
}  // namespace

double number(const Tensor& t) {
  const detail::Unobserved pause;
  return t.item();
}

const detail::Op* find_step_op(std::string_view name) {
#define AG_FIND(Options, name_of) \
  if (name == name_of) return &step_op<Options>();
  AG_OPTIMIZERS(AG_FIND)
#undef AG_FIND
  return nullptr;
}

namespace {
// At the start, lest a fork fall into the making of one in another thread.
[[maybe_unused]] const bool all_made = [] {
#define AG_MAKE(Options, name) (void)step_op<Options>();
  AG_OPTIMIZERS(AG_MAKE)
#undef AG_MAKE
  return true;
}();
}  // namespace

template <class Options>
void step(const Tensor* params, Tensor* states, int64_t n, const Options& options) {
  const Recipe how = recipe(options);
  List list{params, states, n, how};
  list.op = &step_op<typename StepOf<Options>::type>();
  if (detail::observer()) [[unlikely]] {
    double numbers[kMaxOptions];
    const int count = to_numbers<typename StepOf<Options>::type>(options, numbers);
    list.options = options_tensor(numbers, count);
  }
  run(list);
}

template <class Options>
Optimizer<Options>::Optimizer(std::vector<Tensor> params, const Options& options_in)
    : options(options_in), params_(std::move(params)) {
  check(options);
  if (params_.empty()) fail(ErrorCode::kValue, "optimizer got an empty parameter list");
  for (const Tensor& p : params_)
    if (!p.is_leaf()) fail(ErrorCode::kValue, "can't optimize a non-leaf Tensor");
  states_.resize(params_.size() * Options::kStates);
}

template <class Options>
void Optimizer<Options>::step() {
  optim::step(params_.data(), states_.data(), static_cast<int64_t>(params_.size()), options);
}

template <class Options>
void Optimizer<Options>::zero_grad() {
  autograd::zero_grad(params_);
}

template <class Options>
Tensor Optimizer<Options>::state(int kind, int64_t i) const {
  const int64_t n = static_cast<int64_t>(params_.size());
  if (kind < 0 || kind >= Options::kStates || i < 0 || i >= n)
    fail(ErrorCode::kIndex, "no state ", kind, " of parameter ", i);
  return states_[static_cast<size_t>(kind * n + i)];
}

#define AG_INSTANTIATE(Options, name)                                           \
  template void step<Options>(const Tensor*, Tensor*, int64_t, const Options&); \
  template class Optimizer<Options>;
AG_OPTIMIZERS(AG_INSTANTIATE)
AG_INSTANTIATE(AdamWOptions, "")
#undef AG_INSTANTIATE

}  // namespace autograd::optim
