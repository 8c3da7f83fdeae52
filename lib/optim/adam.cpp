// Adam and its relatives: Adamax, NAdam, RAdam.
#include <cmath>

#include "core/text.hpp"
#include "optim/recipe.hpp"

namespace autograd::optim {

using cpu::Rule;

void check_adam_family(double lr, double beta1, double beta2, double eps, double weight_decay) {
  check_not_negative("learning rate", lr);
  check_not_negative("epsilon value", eps);
  if (!(beta1 >= 0 && beta1 < 1))
    fail(ErrorCode::kValue, "Invalid beta parameter at index 0: ", beta1);
  if (!(beta2 >= 0 && beta2 < 1))
    fail(ErrorCode::kValue, "Invalid beta parameter at index 1: ", beta2);
  check_not_negative("weight_decay value", weight_decay);
}

namespace {
/// A weight decay either joins the gradient or, decoupled from it, shrinks the weight.
double joined_decay(double weight_decay, bool decoupled) { return decoupled ? 0 : weight_decay; }
double shrink_by(double lr, double weight_decay, bool decoupled) {
  return decoupled && weight_decay != 0 ? 1 - lr * weight_decay : 1;
}
}  // namespace

void check(const AdamOptions& o) {
  check_adam_family(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay);
}

namespace {
void plan_adam(const AdamOptions& o, Counters& counters, cpu::Update& update) {
  const double step = counters.next_step();
  const double correction1 = 1 - std::pow(o.beta1, step);
  const double correction2 = 1 - std::pow(o.beta2, step);
  update.shrink = shrink_by(o.lr, o.weight_decay, o.decoupled_weight_decay);
  choose(
      update, o.amsgrad ? Rule::adam_amsgrad : Rule::adam,
      {1 - o.beta1, o.beta2, 1 - o.beta2, 1 / std::sqrt(correction2), o.eps, o.lr / correction1});
}
}  // namespace

Recipe recipe(const AdamOptions& o) {
  return {kStepName<AdamOptions>,
          &o,
          o.maximize,
          joined_decay(o.weight_decay, o.decoupled_weight_decay),
          {counter("step"), vector("exp_avg"), vector("exp_avg_sq"),
           vector("max_exp_avg_sq", o.amsgrad)},
          plan_of<AdamOptions, plan_adam>};
}

void check(const AdamaxOptions& o) {
  check_adam_family(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay);
}

namespace {
void plan_adamax(const AdamaxOptions& o, Counters& counters, cpu::Update& update) {
  const double step = counters.next_step();
  choose(update, Rule::adamax, {1 - o.beta1, o.beta2, o.eps, o.lr / (1 - std::pow(o.beta1, step))});
}
}  // namespace

Recipe recipe(const AdamaxOptions& o) {
  return {kStepName<AdamaxOptions>,
          &o,
          o.maximize,
          o.weight_decay,
          {counter("step"), vector("exp_avg"), vector("exp_inf")},
          plan_of<AdamaxOptions, plan_adamax>};
}

void check(const NAdamOptions& o) {
  check_adam_family(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay);
  check_not_negative("momentum_decay value", o.momentum_decay);
}

namespace {
void plan_nadam(const NAdamOptions& o, Counters& counters, cpu::Update& update) {
  const double step = counters.next_step();
  const auto mu_at = [&](double t) {
    return o.beta1 * (1 - 0.5 * std::pow(0.96, t * o.momentum_decay));
  };
  const double mu = mu_at(step), next_mu = mu_at(step + 1);
  const double product = counters.set(1, counters.values[1] * counters.rounded(1, mu));
  update.shrink = shrink_by(o.lr, o.weight_decay, o.decoupled_weight_decay);
  choose(update, Rule::nadam,
         {1 - o.beta1, o.beta2, 1 - o.beta2, 1 - std::pow(o.beta2, step), o.eps,
          o.lr * (1 - mu) / (1 - product), o.lr * next_mu / (1 - product * next_mu)});
}
}  // namespace

Recipe recipe(const NAdamOptions& o) {
  return {kStepName<NAdamOptions>,
          &o,
          o.maximize,
          joined_decay(o.weight_decay, o.decoupled_weight_decay),
          {counter("step"), counter("mu_product", 1), vector("exp_avg"), vector("exp_avg_sq")},
          plan_of<NAdamOptions, plan_nadam>};
}

void check(const RAdamOptions& o) {
  check_adam_family(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay);
}

namespace {
void plan_radam(const RAdamOptions& o, Counters& counters, cpu::Update& update) {
  const double step = counters.next_step();
  const double power2 = std::pow(o.beta2, step);
  const double correction1 = 1 - std::pow(o.beta1, step), correction2 = 1 - power2;
  // Lengths of the simple moving average that stands for v: in the limit, and now.
  const double limit = 2 / (1 - o.beta2) - 1;
  const double length = limit - 2 * step * power2 / correction2;
  const double size = o.lr / correction1;
  update.shrink = shrink_by(o.lr, o.weight_decay, o.decoupled_weight_decay);
  if (!(length > 5))
    return choose(update, Rule::radam_plain, {1 - o.beta1, o.beta2, 1 - o.beta2, size});
  const double rectification =
      std::sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length));
  choose(update, Rule::radam,
         {1 - o.beta1, o.beta2, 1 - o.beta2, size * std::sqrt(correction2) * rectification, o.eps});
}
}  // namespace

Recipe recipe(const RAdamOptions& o) {
  return {kStepName<RAdamOptions>,
          &o,
          o.maximize,
          joined_decay(o.weight_decay, o.decoupled_weight_decay),
          {counter("step"), vector("exp_avg"), vector("exp_avg_sq")},
          plan_of<RAdamOptions, plan_radam>};
}

}  // namespace autograd::optim
