#include "kernels/cpu/gamma_functions.hpp"

#include <cmath>
#include <limits>

#include "kernels/cpu/pause.hpp"

namespace autograd::cpu {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kPrecision = 1e-17;
/// More terms than any shape up to kLargest takes.
constexpr int kTerms = 1 << 18;
/// From here on the form of Wilson and Hilferty is as exact as the sums.
constexpr double kLargest = 1e8;

/// A number and its derivative by the shape a.
struct Dual {
  double value = 0, slope = 0;
};

/// x^a e^-x / Gamma(a + 1).
double prefix(double a, double x) {
  if (a < 10) return std::exp(a * std::log(x) - x) / std::tgamma(a + 1);
  // Stirling's series, with a log(x / a) + a - x as one small number.
  const double z = 1 / (a * a), off = (x - a) / a;
  const double tail = (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z / 1680))) / a;
  const double power = std::fabs(off) < 0.5 ? std::log1p(off) - off : std::log(x / a) - off;
  return std::exp(a * power - tail) / std::sqrt(6.283185307179586 * a);
}

/// P(a, x) a / prefix: 1 + x / (a + 1) + x^2 / ((a + 1)(a + 2)) + ... times 1 / a.
Dual lower_sum(double a, double x) {
  double term = 1 / a, logarithm = -1 / a;  // the derivative of log(term)
  Dual sum{term, term * logarithm};
  int n = 1;
  for (; n < kTerms; ++n) {
    term *= x / (a + n);
    logarithm -= 1 / (a + n);
    sum.value += term;
    sum.slope += term * logarithm;
    if (term * -logarithm < kPrecision * std::fabs(sum.slope)) break;
  }
  pause_after(4 * n);
  return sum;
}

/// The value of lower_sum alone, to a relative precision.
double lower_value(double a, double x, double precision) {
  double term = 1 / a, sum = term;
  int n = 1;
  for (; n < kTerms && term > precision * sum; ++n) sum += term *= x / (a + n);
  pause_after(4 * n);
  return sum;
}

/// Q(a, x) a / prefix by Legendre's continued fraction 1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a -
/// ...)), evaluated from the front (Lentz, 1976), with derivatives.
Dual upper_fraction(double a, double x) {
  const double b0 = x + 1 - a;
  Dual d{1 / b0, 1 / (b0 * b0)};  // 1 / denominator
  Dual c{1e300, 0};               // numerator, infinite at first
  Dual f = d;
  int n = 1;
  for (; n < kTerms; ++n) {
    const double an = n * (a - n), bn = b0 + 2.0 * n;  // their derivatives: n and -1
    const double below = an * d.value + bn;
    const double below_slope = n * d.value + an * d.slope - 1;
    d = {1 / below, -below_slope / (below * below)};
    const double quotient = an / c.value;
    c = {bn + quotient, n / c.value - quotient * c.slope / c.value - 1};
    const Dual step{c.value * d.value, c.slope * d.value + c.value * d.slope};
    f = {f.value * step.value, f.slope * step.value + f.value * step.slope};
    if (std::fabs(step.value - 1) < 3e-16 &&
        std::fabs(f.value * step.slope) <= 1e-15 * std::fabs(f.slope))
      break;
  }
  pause_after(16 * n);
  return f;
}

/// Q(a, x) for x < 2: 1 - x^a / Gamma(a + 1), and what the alternating series leaves of the rest.
double upper_near_zero(double a, double x) {
  double term = 1, sum = 0;
  for (int n = 1; n < 100; ++n) {
    term *= -x / n;
    const double part = term * a / (a + n);
    sum += part;
    if (std::fabs(part) < kPrecision * std::fabs(sum)) break;
  }
  const double power = a * std::log(x) - std::lgamma(a + 1);
  return -std::expm1(power) - std::exp(power) * sum;
}

/// The derivative of log(Gamma(x)) for x > 0.
double digamma(double x) {
  double sum = 0;
  for (; x < 10; x += 1) sum -= 1 / x;
  const double z = 1 / (x * x);
  return sum + std::log(x) - 0.5 / x -
         z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132)))));
}

/// The normal number z with x = a (1 - 1 / (9 a) + z / (3 sqrt(a)))^3 (Wilson and Hilferty, "The
/// Distribution of Chi-Square", 1931), for large a.
double normal_of(double a, double x) {
  return 3 * std::sqrt(a) * (std::cbrt(x / a) - 1 + 1 / (9 * a));
}

/// dx/da for a fixed z.
double slope_of_large(double a, double x) {
  const double u = std::cbrt(x / a), z = normal_of(a, x);
  return u * u * (u + 3 * a * (1 / (9 * a * a) - z / (6 * a * std::sqrt(a))));
}

/// The share that both functions agree on outside the inside of the quadrant: P at its border.
bool at_border(double a, double x, double& lower) {
  if (a < 0 || x < 0) return lower = kNaN, true;
  if (a == 0) return lower = x > 0 ? 1 : kNaN, true;
  if (x == 0) return lower = 0, true;
  if (std::isinf(a)) return lower = std::isinf(x) ? kNaN : 0, true;
  if (std::isinf(x)) return lower = 1, true;
  return lower = kNaN, std::isnan(a + x);
}

}  // namespace

double regularized_lower_gamma(double a, double x, double precision) {
  double lower;
  if (at_border(a, x, lower)) return lower;
  if (a > kLargest) return 0.5 * std::erfc(-normal_of(a, x) * 0.7071067811865476);
  const double factor = prefix(a, x) * a;
  return x < a + 1 ? factor * lower_value(a, x, precision)
                   : 1 - factor * upper_fraction(a, x).value;
}

double regularized_upper_gamma(double a, double x, double precision) {
  double lower;
  if (at_border(a, x, lower)) return 1 - lower;
  if (a > kLargest) return 0.5 * std::erfc(normal_of(a, x) * 0.7071067811865476);
  if (a < 1 && x < a + 1) return upper_near_zero(a, x);
  const double factor = prefix(a, x) * a;
  return x < a + 1 ? 1 - factor * lower_value(a, x, precision)
                   : factor * upper_fraction(a, x).value;
}

double gamma_number_slope(double a, double x) {
  if (!(a > 0) || !(x >= 0) || std::isinf(a) || std::isinf(x)) return kNaN;
  if (x == 0) return 0;
  if (a > kLargest) return slope_of_large(a, x);
  const double growth = std::log(x) - digamma(a);
  const bool low = x < a + 1;
  const Dual part = low ? lower_sum(a, x) : upper_fraction(a, x);
  const double slope = x * (growth * part.value + part.slope);
  return low ? -slope : slope;
}

}  // namespace autograd::cpu
