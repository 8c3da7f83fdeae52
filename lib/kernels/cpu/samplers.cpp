#include "kernels/cpu/samplers.hpp"

#include <array>
#include <cmath>

namespace autograd::cpu {

double Uniforms::made(int64_t k) {
  if (k < kReady) {
    fill(k, first_, count_, ready_[k]);
    made_ |= uint32_t{1} << k;
    return ready_[k][at_];
  }
  double number;
  fill(k, first_ + at_, 1, &number);
  return number;
}

void Uniforms::fill(int64_t k, int64_t first, int64_t count, double* out) const {
  Philox rng = rng_;
  rng.seed += static_cast<uint64_t>(k / kReserved);
  const auto fill = k % 2 == 0 ? fill_normal : fill_uniform;
  fill(DType::kFloat64, rng, k % kReserved * row_ + first, out, count);
}

double draw_gamma(double a, Uniforms& uniforms) {
  // A draw of shape a is one of shape a + 1 times u^(1 / a).
  const double factor = a < 1 ? std::exp(std::log1p(-uniforms.next()) / a) : 1;
  const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = uniforms.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root, u = 1 - uniforms.next(), square = x * x;
    // Below this bound the logarithms need no look.
    if (u < 1 - 0.0331 * (square * square) ||
        std::log(u) < 0.5 * square + d * (1 - v + 3 * std::log(root)))
      return d * v * factor;
  }
}

namespace {

constexpr double kInverted = 10;  // rates below
constexpr int kMostEvents = 200;  // of such a rate
constexpr auto kInverses = [] {
  std::array<double, kMostEvents> inverses{};
  for (size_t k = 0; k < kMostEvents; ++k) inverses[k] = 1 / static_cast<double>(k + 1);
  return inverses;
}();

}  // namespace

double draw_poisson(double rate, Uniforms& uniforms) {
  if (rate < kInverted) {
    double rest = uniforms.next(), share = std::exp(-rate);
    size_t k = 0;
    for (; rest >= share && k < kMostEvents; ++k) {
      rest -= share;
      share *= rate * kInverses[k];
    }
    return static_cast<double>(k);
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

void draw_poissons(const double* rates, int64_t i, int64_t end, Uniforms& uniforms, double* out) {
  // Side by side, so that no branch depends on a number drawn.
  constexpr int kLanes = 8;
  for (; i + kLanes <= end; i += kLanes) {
    double rest[kLanes], share[kLanes], rate[kLanes], events[kLanes] = {};
    bool low = true;
    for (int l = 0; l < kLanes; ++l) {
      rate[l] = rates[i + l];
      low = low && rate[l] < kInverted;
    }
    if (!low) {
      for (int l = 0; l < kLanes; ++l) {
        uniforms.start(i + l, end);
        out[i + l] = draw_poisson(rate[l], uniforms);
      }
      continue;
    }
    for (int l = 0; l < kLanes; ++l) {
      uniforms.start(i + l, end);
      rest[l] = uniforms.next();
      share[l] = std::exp(-rate[l]);
    }
    double more = 1;
    for (size_t k = 0; k < kMostEvents && more > 0; ++k) {
      more = 0;
      for (int l = 0; l < kLanes; ++l) {
        const bool one = rest[l] >= share[l];
        rest[l] = one ? rest[l] - share[l] : -1;  // which is less than any share
        events[l] += one ? 1.0 : 0.0;
        more += one ? 1.0 : 0.0;
        share[l] *= rate[l] * kInverses[k];
      }
    }
    for (int l = 0; l < kLanes; ++l) out[i + l] = events[l];
  }
  for (; i < end; ++i) {
    uniforms.start(i, end);
    out[i] = draw_poisson(rates[i], uniforms);
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
