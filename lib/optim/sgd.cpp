// Optimizers that follow the gradient itself or its sign: SGD, ASGD, Rprop.
#include <algorithm>
#include <cmath>

#include "autograd/runtime.hpp"
#include "core/text.hpp"
#include "optim/recipe.hpp"

namespace autograd::optim {

using cpu::Rule;

void check(const SGDOptions& o) {
  check_not_negative("learning rate", o.lr);
  check_not_negative("momentum value", o.momentum);
  check_not_negative("weight_decay value", o.weight_decay);
  if (o.nesterov && (o.momentum <= 0 || o.dampening != 0))
    fail(ErrorCode::kValue, "Nesterov momentum requires a momentum and zero dampening");
}

namespace {
void plan_sgd(const SGDOptions& o, Counters& counters, cpu::Update& update) {
  if (o.momentum == 0) return choose(update, Rule::sgd, {o.lr});
  const double keep = counters.is_first ? 0 : o.momentum;
  const double take = counters.is_first ? 1 : 1 - o.dampening;
  if (o.nesterov) return choose(update, Rule::sgd_nesterov, {o.lr, keep, take, o.momentum});
  choose(update, Rule::sgd_momentum, {o.lr, keep, take});
}
}  // namespace

Recipe recipe(const SGDOptions& o) {
  return {kStepName<SGDOptions>,
          &o,
          o.maximize,
          o.weight_decay,
          {vector("momentum_buffer", o.momentum != 0)},
          plan_of<SGDOptions, plan_sgd>};
}

void check(const ASGDOptions& o) {
  check_not_negative("learning rate", o.lr);
  check_not_negative("weight_decay value", o.weight_decay);
}

namespace {
/// PyTorch makes these numbers tensors of the default dtype before it keeps them.
double in_default_dtype(double value) {
  return default_dtype() == DType::kFloat32 ? static_cast<double>(static_cast<float>(value))
                                            : value;
}

void plan_asgd(const ASGDOptions& o, Counters& counters, cpu::Update& update) {
  const double step = counters.next_step(), eta = counters.values[1], mu = counters.values[2];
  update.shrink = 1 - o.lambd * eta;
  choose(update, Rule::asgd, {eta, mu});
  counters.set(1, in_default_dtype(o.lr / std::pow(1 + o.lambd * o.lr * step, o.alpha)));
  counters.set(2, in_default_dtype(1 / std::max(1.0, step - o.t0)));
}
}  // namespace

Recipe recipe(const ASGDOptions& o) {
  return {kStepName<ASGDOptions>,
          &o,
          o.maximize,
          o.weight_decay,
          {counter("step"), counter("eta", o.lr), counter("mu", 1), vector("ax")},
          plan_of<ASGDOptions, plan_asgd>};
}

void check(const RpropOptions& o) {
  check_not_negative("learning rate", o.lr);
  if (!(0 < o.eta_minus && o.eta_minus < 1 && 1 < o.eta_plus))
    fail(ErrorCode::kValue, "Invalid eta values: ", o.eta_minus, ", ", o.eta_plus);
}

namespace {
void plan_rprop(const RpropOptions& o, Counters& counters, cpu::Update& update) {
  counters.next_step();
  choose(update, Rule::rprop, {o.eta_minus, o.eta_plus, o.step_size_min, o.step_size_max});
}
}  // namespace

Recipe recipe(const RpropOptions& o) {
  return {kStepName<RpropOptions>,
          &o,
          o.maximize,
          0,
          {counter("step"), vector("prev"), vector("step_size", true, o.lr)},
          plan_of<RpropOptions, plan_rprop>};
}

}  // namespace autograd::optim
