// Options as lists of numbers, so that a captured step can be given others each time.
#pragma once
#include <type_traits>

#include "autograd/optim.hpp"

namespace autograd::optim {

inline constexpr int kMaxOptions = 10;

// The fields in the order of the struct.
inline auto fields(SGDOptions& o, auto f) {
  f(o.lr, o.momentum, o.dampening, o.weight_decay, o.nesterov, o.maximize);
}
inline auto fields(AdamOptions& o, auto f) {
  f(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.amsgrad, o.maximize, o.decoupled_weight_decay);
}
inline auto fields(AdamaxOptions& o, auto f) {
  f(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.maximize);
}
inline auto fields(NAdamOptions& o, auto f) {
  f(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.momentum_decay, o.maximize,
    o.decoupled_weight_decay);
}
inline auto fields(RAdamOptions& o, auto f) {
  f(o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, o.maximize, o.decoupled_weight_decay);
}
inline auto fields(RMSpropOptions& o, auto f) {
  f(o.lr, o.alpha, o.eps, o.weight_decay, o.momentum, o.centered, o.maximize);
}
inline auto fields(AdagradOptions& o, auto f) {
  f(o.lr, o.lr_decay, o.weight_decay, o.initial_accumulator_value, o.eps, o.maximize);
}
inline auto fields(AdadeltaOptions& o, auto f) {
  f(o.lr, o.rho, o.eps, o.weight_decay, o.maximize);
}
inline auto fields(RpropOptions& o, auto f) {
  f(o.lr, o.eta_minus, o.eta_plus, o.step_size_min, o.step_size_max, o.maximize);
}
inline auto fields(ASGDOptions& o, auto f) {
  f(o.lr, o.lambd, o.alpha, o.t0, o.weight_decay, o.maximize);
}

inline auto fields(AdafactorOptions& o, auto f) {
  f(o.lr, o.beta2_decay, o.eps1, o.eps2, o.d, o.weight_decay, o.maximize);
}
inline auto fields(MuonOptions& o, auto f) {
  f(o.lr, o.weight_decay, o.momentum, o.nesterov, o.a, o.b, o.c, o.eps, o.ns_steps, o.scale);
}

/// Writes the options to numbers[kMaxOptions]; returns how many there are.
template <class Options>
int to_numbers(const Options& options, double* numbers) {
  Options copy = options;
  int n = 0;
  fields(copy, [&](auto&... each) { ((numbers[n++] = static_cast<double>(each)), ...); });
  return n;
}

/// An option out of a number; counts and choices of a file's may be anything.
template <class Option>
Option from_number(double number) {
  if constexpr (!std::is_same_v<Option, double> && !std::is_same_v<Option, bool>)
    if (!(number >= 0 && number < 100)) number = 0;
  return static_cast<Option>(number);
}

template <class Options>
Options from_numbers(const double* numbers) {
  Options options;
  fields(options, [&](auto&... each) {
    ((each = from_number<std::remove_reference_t<decltype(each)>>(*numbers++)), ...);
  });
  return options;
}

}  // namespace autograd::optim
