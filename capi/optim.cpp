// C functions of the optimizers.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

/// One step. A handle is the one pointer that a Tensor consists of, so that the caller's arrays are
/// used as they are; a NULL state becomes the reference that the caller then owns.
template <class Options>
void step_in(Arguments in, ag_tensor* const* params, ag_tensor** states, int64_t n,
             const Options& options, bool has_states = true) {
  static_assert(sizeof(Tensor) == sizeof(ag_tensor*));
  in.array(params, n, "params");
  if (has_states) in.array(states, n, "states");
  for (int64_t i = 0; i < n; ++i) in.pointer(params[i], "params");
  optim::step(reinterpret_cast<const Tensor*>(params), reinterpret_cast<Tensor*>(states), n,
              options);
}

template <class Options>
ag_status step(const char* function, ag_tensor* const* params, ag_tensor** states, int64_t n,
               const Options& options, bool has_states = true) {
  return run(function, [&](Arguments in) { step_in(in, params, states, n, options, has_states); });
}

}  // namespace

ag_status ag_optim_number(const ag_tensor* t, double* out) {
  return run(__func__,
             [&](Arguments in) { *in.pointer(out, "out") = optim::number(*in.tensor(t, "t")); });
}

ag_status ag_sgd_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                      double momentum, double dampening, double weight_decay, int32_t nesterov,
                      int32_t maximize) {
  const optim::SGDOptions options = {lr,           momentum,      dampening,
                                     weight_decay, nesterov != 0, maximize != 0};
  return step(__func__, params, states, n, options, momentum != 0);
}

ag_status ag_adam_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                       double beta1, double beta2, double eps, double weight_decay, int32_t amsgrad,
                       int32_t maximize, int32_t decoupled_weight_decay) {
  const optim::AdamOptions options = {
      lr,           beta1,        beta2,         eps,
      weight_decay, amsgrad != 0, maximize != 0, decoupled_weight_decay != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_adamax_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                         double beta1, double beta2, double eps, double weight_decay,
                         int32_t maximize) {
  const optim::AdamaxOptions options = {lr, beta1, beta2, eps, weight_decay, maximize != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_nadam_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                        double beta1, double beta2, double eps, double weight_decay,
                        double momentum_decay, int32_t maximize, int32_t decoupled_weight_decay) {
  const optim::NAdamOptions options = {
      lr,           beta1,          beta2,         eps,
      weight_decay, momentum_decay, maximize != 0, decoupled_weight_decay != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_radam_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                        double beta1, double beta2, double eps, double weight_decay,
                        int32_t maximize, int32_t decoupled_weight_decay) {
  const optim::RAdamOptions options = {
      lr, beta1, beta2, eps, weight_decay, maximize != 0, decoupled_weight_decay != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_rmsprop_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                          double alpha, double eps, double weight_decay, double momentum,
                          int32_t centered, int32_t maximize) {
  const optim::RMSpropOptions options = {lr,       alpha,         eps,          weight_decay,
                                         momentum, centered != 0, maximize != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_adagrad_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                          double lr_decay, double weight_decay, double initial_accumulator_value,
                          double eps, int32_t maximize) {
  const optim::AdagradOptions options = {lr,  lr_decay,     weight_decay, initial_accumulator_value,
                                         eps, maximize != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_adadelta_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                           double rho, double eps, double weight_decay, int32_t maximize) {
  const optim::AdadeltaOptions options = {lr, rho, eps, weight_decay, maximize != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_adafactor_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                            double beta2_decay, double eps1, double eps2, double d,
                            double weight_decay, int32_t maximize) {
  const optim::AdafactorOptions options = {lr, beta2_decay,  eps1,         eps2,
                                           d,  weight_decay, maximize != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_muon_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                       double weight_decay, double momentum, int32_t nesterov, double a, double b,
                       double c, double eps, int64_t ns_steps, ag_muon_scale scale) {
  return run(__func__, [&](Arguments in) {
    const optim::MuonOptions options = {lr, weight_decay, momentum, nesterov != 0,       a, b,
                                        c,  eps,          ns_steps, in.muon_scale(scale)};
    step_in(in, params, states, n, options);
  });
}

ag_status ag_rprop_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                        double eta_minus, double eta_plus, double step_size_min,
                        double step_size_max, int32_t maximize) {
  const optim::RpropOptions options = {
      lr, eta_minus, eta_plus, step_size_min, step_size_max, maximize != 0};
  return step(__func__, params, states, n, options);
}

ag_status ag_asgd_step(ag_tensor* const* params, ag_tensor** states, int64_t n, double lr,
                       double lambd, double alpha, double t0, double weight_decay,
                       int32_t maximize) {
  const optim::ASGDOptions options = {lr, lambd, alpha, t0, weight_decay, maximize != 0};
  return step(__func__, params, states, n, options);
}
