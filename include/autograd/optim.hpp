// Optimizers: one call updates all parameters. Formulas, options and defaults are PyTorch's.
#pragma once
#include <cstdint>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd::optim {

// ---- options
//
// kStates is the number of tensors that an optimizer remembers for each parameter; the comment
// names them in order. `step` and other numbers are 0-d, the rest has the parameter's sizes unless
// it is said otherwise. Below,
// g is the gradient (negated if `maximize`) plus weight_decay w, m a running mean of g and v one of
// g^2.

/// b = momentum b + (1 - dampening) g, but b = g at first; w -= lr (nesterov ? g + momentum b : b).
struct SGDOptions {
  static constexpr int kStates = 1;  // momentum_buffer, if momentum is not 0
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

/// w -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps); amsgrad takes the largest v so far.
/// A decoupled weight decay shrinks w by lr weight_decay instead of joining g.
struct AdamOptions {
  static constexpr int kStates = 4;  // step, exp_avg, exp_avg_sq, max_exp_avg_sq if amsgrad
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
  bool maximize = false;
  bool decoupled_weight_decay = false;
};

/// Adam with decoupled weight decay.
struct AdamWOptions : AdamOptions {
  AdamWOptions() {
    weight_decay = 1e-2;
    decoupled_weight_decay = true;
  }
};

/// u = max(beta2 u, |g| + eps); w -= lr / (1 - beta1^t) m / u.
struct AdamaxOptions {
  static constexpr int kStates = 3;  // step, exp_avg, exp_inf
  double lr = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
};

/// Adam with Nesterov momentum: mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), M_t their product;
/// w -= lr ((1 - mu_t) / (1 - M_t) g + mu_{t+1} / (1 - M_{t+1}) m) / (sqrt(v / (1 - beta2^t)) +
/// eps).
struct NAdamOptions {
  static constexpr int kStates = 4;  // step, mu_product, exp_avg, exp_avg_sq
  double lr = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
  bool maximize = false;
  bool decoupled_weight_decay = false;
};

/// Adam whose step is rectified by how far the variance of v can be trusted, and plain at first.
struct RAdamOptions {
  static constexpr int kStates = 3;  // step, exp_avg, exp_avg_sq
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
  bool decoupled_weight_decay = false;
};

/// d = g / (sqrt(v - (centered ? m^2 : 0)) + eps), both means with rate 1 - alpha;
/// b = momentum b + d; w -= lr b.
struct RMSpropOptions {
  static constexpr int kStates = 4;  // step, square_avg, momentum_buffer and grad_avg if used
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;
};

/// s += g^2; w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps).
struct AdagradOptions {
  static constexpr int kStates = 2;  // step, sum
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
};

/// d = sqrt(u + eps) / sqrt(v + eps) g; u is a running mean of d^2; w -= lr d.
struct AdadeltaOptions {
  static constexpr int kStates = 3;  // step, square_avg, acc_delta
  double lr = 1;
  double rho = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;
};

/// Each weight moves against the sign of g by a step of its own, which grows by eta_plus while the
/// sign stays and shrinks by eta_minus when it changes.
struct RpropOptions {
  static constexpr int kStates = 3;  // step, prev, step_size
  double lr = 1e-2;
  double eta_minus = 0.5;
  double eta_plus = 1.2;
  double step_size_min = 1e-6;
  double step_size_max = 50;
  bool maximize = false;
};

/// w = (1 - lambd eta) w - eta g with eta = lr / (1 + lambd lr t)^alpha; ax averages w from step
/// t0.
struct ASGDOptions {
  static constexpr int kStates = 4;  // step, eta, mu, ax
  double lr = 1e-2;
  double lambd = 1e-4;
  double alpha = 0.75;
  double t0 = 1e6;
  double weight_decay = 0;
  bool maximize = false;
};

/// v = r c / max(mean(r), eps1) with running means r and c of g^2 over rows and columns, or, of
/// vectors, a running mean of g^2; the rate is t^beta2_decay. u = g / max(sqrt(v), eps1);
/// w -= max(eps2, rms(w)) min(lr, 1 / sqrt(t)) u / max(1, rms(u) / d). The weight decay is
/// decoupled (Shazeer and Stern, 2018).
struct AdafactorOptions {
  static constexpr int kStates = 4;  // step, row_var and col_var of matrices, variance of vectors
  double lr = 1e-2;
  double beta2_decay = -0.8;
  double eps1 = -1;  ///< negative: the spacing of the parameter's dtype at 1
  double eps2 = 1e-3;
  double d = 1;
  double weight_decay = 0;
  bool maximize = false;
};

/// What lr is multiplied by for a matrix [n, m]: sqrt(max(1, n / m)), 0.2 sqrt(max(n, m)), or 1.
enum class MuonScale : int32_t { kOriginal = 0, kMatchRmsAdamW = 1, kNone = 2 };

/// For matrices only: w -= lr scale X, X = U V^T nearly, where U S V^T is m (nesterov: the mean of
/// g and m), by ns_steps iterations X = a X + (b G + c G G) X, G = X X^T. The weight decay is
/// decoupled (Jordan, 2024). Throws Error (value) for parameters that are no matrices.
struct MuonOptions {
  static constexpr int kStates = 1;  // momentum_buffer
  double lr = 1e-3;
  double weight_decay = 0.1;
  double momentum = 0.95;
  bool nesterov = true;
  double a = 3.4445, b = -4.775, c = 2.0315;
  double eps = 1e-7;
  int64_t ns_steps = 5;  ///< at most 99 are done
  MuonScale scale = MuonScale::kOriginal;
};

// ---- steps

/// One step of n parameters; those without a gradient are passed over. states holds
/// Options::kStates rows of n tensors; an undefined one is made at its first step, unused rows are
/// not touched. Throws Error (runtime) for integer parameters and for states that do not fit,
/// before anything is changed. Options are taken as they are.
template <class Options>
void step(const Tensor* params, Tensor* states, int64_t n, const Options& options);

/// Parameters with their options and states.
template <class Options>
class Optimizer {
 public:
  /// Throws Error (value) for options that make no sense, for no parameters, and for parameters
  /// that are not leaves.
  explicit Optimizer(std::vector<Tensor> params, const Options& options = Options());
  void step();
  void zero_grad();
  /// State number `kind` (see Options) of parameter i, undefined before its first step.
  Tensor state(int kind, int64_t i) const;
  Options options;

 private:
  std::vector<Tensor> params_;
  std::vector<Tensor> states_;
};

/// The number in a tensor of one element, read as an option: captured calls allow it where they
/// refuse other reads. Throws Error (runtime) unless there is one element.
double number(const Tensor& t);

using SGD = Optimizer<SGDOptions>;
using Adam = Optimizer<AdamOptions>;
using AdamW = Optimizer<AdamWOptions>;
using Adamax = Optimizer<AdamaxOptions>;
using NAdam = Optimizer<NAdamOptions>;
using RAdam = Optimizer<RAdamOptions>;
using RMSprop = Optimizer<RMSpropOptions>;
using Adagrad = Optimizer<AdagradOptions>;
using Adadelta = Optimizer<AdadeltaOptions>;
using Rprop = Optimizer<RpropOptions>;
using ASGD = Optimizer<ASGDOptions>;
using Adafactor = Optimizer<AdafactorOptions>;
using Muon = Optimizer<MuonOptions>;

}  // namespace autograd::optim
