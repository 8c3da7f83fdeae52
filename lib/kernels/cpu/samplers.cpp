#include "kernels/cpu/samplers.hpp"

#include <cmath>
#include <iterator>

namespace autograd::cpu {

double Uniforms::next() {
  constexpr int64_t kPiece = std::size(decltype(ready_){});
  const int64_t at = taken_ % kPiece;
  if (at == 0) {
    if (taken_ == kReserved) {
      taken_ = 0;
      ++rng_.seed;
    }
    fill_uniform(DType::kFloat64, rng_, first_ + taken_, ready_, kPiece);
  }
  ++taken_;
  return ready_[at];
}

double Uniforms::normal() {
  const double radius = std::sqrt(-2 * std::log1p(-next()));
  return radius * std::cos(6.283185307179586 * next());
}

double draw_log_gamma(double a, Uniforms& uniforms) {
  // A draw of shape a is one of shape a + 1 times u^(1 / a).
  const double shift = a < 1 ? std::log1p(-uniforms.next()) / a : 0;
  const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = uniforms.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double log_v = 3 * std::log(root), v = root * root * root;
    if (std::log1p(-uniforms.next()) < 0.5 * x * x + d * (1 - v + log_v))
      return std::log(d) + log_v + shift;
  }
}

double draw_poisson(double rate, Uniforms& uniforms) {
  if (rate < 10) {
    double rest = uniforms.next(), share = std::exp(-rate);
    int k = 0;
    for (; rest >= share && k < 200; ++k) {
      rest -= share;
      share *= rate / (k + 1);
    }
    return k;
  }
  if (!(rate < 1e17)) return rate;  // the whole numbers there are farther apart than the draws
  const double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b;
  const double inverse = 1.1239 + 1.1328 / (b - 3.4), border = 0.9277 - 3.6224 / (b - 2);
  const double log_rate = std::log(rate);
  for (;;) {
    const double u = uniforms.next() - 0.5, v = 1 - uniforms.next(), outer = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / outer + b) * u + rate + 0.43);
    if (outer >= 0.07 && v <= border) return k;
    if (k < 0 || (outer < 0.013 && v > outer)) continue;
    if (std::log(v * inverse / (a / (outer * outer) + b)) <=
        k * log_rate - rate - std::lgamma(k + 1))
      return k;
  }
}

namespace {

/// For p <= 1/2.
double draw_binomial_low(double trials, double p, Uniforms& uniforms) {
  const double odds = p / (1 - p);
  if (trials * p < 10) {
    double rest = uniforms.next(), share = std::exp(trials * std::log1p(-p));
    double k = 0;
    for (; rest >= share && k < trials && k < 200; ++k) {
      rest -= share;
      share *= odds * (trials - k) / (k + 1);
    }
    return k;
  }
  const double deviation = std::sqrt(trials * p * (1 - p)), b = 1.15 + 2.53 * deviation;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p, center = trials * p + 0.5;
  const double border = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * deviation;
  const double mode = std::floor((trials + 1) * p), log_odds = std::log(odds);
  const double at_mode = std::lgamma(mode + 1) + std::lgamma(trials - mode + 1);
  for (;;) {
    const double u = uniforms.next() - 0.5, v = 1 - uniforms.next(), outer = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / outer + b) * u + center);
    if (outer >= 0.07 && v <= border) return k;
    if (k < 0 || k > trials) continue;
    const double chance = at_mode - std::lgamma(k + 1) - std::lgamma(trials - k + 1);
    if (std::log(v * alpha / (a / (outer * outer) + b)) <= chance + (k - mode) * log_odds) return k;
  }
}

}  // namespace

double draw_binomial(double trials, double p, Uniforms& uniforms) {
  return p <= 0.5 ? draw_binomial_low(trials, p, uniforms)
                  : trials - draw_binomial_low(trials, 1 - p, uniforms);
}

}  // namespace autograd::cpu
