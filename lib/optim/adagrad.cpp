// Optimizers that divide by the size of past gradients: Adagrad, Adadelta, RMSprop.
#include "core/text.hpp"
#include "optim/recipe.hpp"

namespace autograd::optim {

using cpu::Rule;

void check(const AdagradOptions& o) {
  check_not_negative("learning rate", o.lr);
  check_not_negative("lr_decay value", o.lr_decay);
  check_not_negative("weight_decay value", o.weight_decay);
  check_not_negative("initial_accumulator_value value", o.initial_accumulator_value);
  check_not_negative("epsilon value", o.eps);
}

namespace {
void plan_adagrad(const AdagradOptions& o, Counters& counters, cpu::Update& update) {
  const double step = counters.next_step();
  choose(update, Rule::adagrad, {o.eps, o.lr / (1 + (step - 1) * o.lr_decay)});
}
}  // namespace

Recipe recipe(const AdagradOptions& o) {
  return {kStepName<AdagradOptions>,
          &o,
          o.maximize,
          o.weight_decay,
          {counter("step"), vector("sum", true, o.initial_accumulator_value)},
          plan_of<AdagradOptions, plan_adagrad>};
}

void check(const AdadeltaOptions& o) {
  check_not_negative("learning rate", o.lr);
  if (!(o.rho >= 0 && o.rho <= 1)) fail(ErrorCode::kValue, "Invalid rho value: ", o.rho);
  check_not_negative("epsilon value", o.eps);
  check_not_negative("weight_decay value", o.weight_decay);
}

namespace {
void plan_adadelta(const AdadeltaOptions& o, Counters& counters, cpu::Update& update) {
  counters.next_step();
  choose(update, Rule::adadelta, {o.rho, 1 - o.rho, o.eps, o.lr});
}
}  // namespace

Recipe recipe(const AdadeltaOptions& o) {
  return {kStepName<AdadeltaOptions>,
          &o,
          o.maximize,
          o.weight_decay,
          {counter("step"), vector("square_avg"), vector("acc_delta")},
          plan_of<AdadeltaOptions, plan_adadelta>};
}

void check(const RMSpropOptions& o) {
  check_not_negative("learning rate", o.lr);
  check_not_negative("epsilon value", o.eps);
  check_not_negative("momentum value", o.momentum);
  check_not_negative("weight_decay value", o.weight_decay);
  check_not_negative("alpha value", o.alpha);
}

namespace {
void plan_rmsprop(const RMSpropOptions& o, Counters& counters, cpu::Update& update) {
  counters.next_step();
  const Rule plain = o.centered ? Rule::rmsprop_centered : Rule::rmsprop;
  const Rule heavy = o.centered ? Rule::rmsprop_centered_momentum : Rule::rmsprop_momentum;
  choose(update, o.momentum > 0 ? heavy : plain,
         {o.alpha, 1 - o.alpha, o.eps, o.lr, o.momentum > 0 ? o.momentum : 0});
}
}  // namespace

Recipe recipe(const RMSpropOptions& o) {
  return {kStepName<RMSpropOptions>,
          &o,
          o.maximize,
          o.weight_decay,
          {counter("step"), vector("square_avg"), vector("momentum_buffer", o.momentum > 0),
           vector("grad_avg", o.centered)},
          plan_of<RMSpropOptions, plan_rmsprop>};
}

}  // namespace autograd::optim
