// Every pointwise kernel, by dtype and instruction set, against scalar formulas in long double.
#include "kernels/cpu/gamma_functions.hpp"
#include "pointwise_kernels.hpp"

namespace autograd::cpu::pointwise_test {
namespace {

Real sgn(Real x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
Real max_nan(Real a, Real b) { return std::isnan(a) || std::isnan(b) ? kNaN : std::max(a, b); }
Real min_nan(Real a, Real b) { return std::isnan(a) || std::isnan(b) ? kNaN : std::min(a, b); }

constexpr Expected unary(int domain, double ulp, Formula formula, double low = -kInf,
                         double high = kInf, Formula scale = nullptr) {
  return {1, domain, ulp, formula, false, false, low, high, scale};
}
constexpr Expected binary(int domain, double ulp, Formula formula, Formula scale = nullptr) {
  return {2, domain, ulp, formula, false, false, -kInf, kInf, scale};
}
constexpr Expected predicate(Formula formula) { return {1, kAll, 0, formula, true}; }
constexpr Expected comparison(Formula formula) { return {2, kAll, 0, formula, true}; }

Real one(const Args&) { return 1; }
Real tiny(const Args&) { return 1e-30L; }
Real inputs_size(const Args& i) { return 1 + std::fabs(i.v[0]) + std::fabs(i.v[1]); }
Real quotient_size(const Args& i) { return std::fabs(i.v[0] / i.v[1]); }

Real digamma(Real x) {
  Real sum = 0;
  for (; x < 20; x += 1) sum -= 1 / x;
  const Real z = 1 / (x * x);
  return sum + std::log(x) - 0.5L / x -
         z * (1.0L / 12 - z * (1.0L / 120 - z * (1.0L / 252 - z * (1.0L / 240 - z / 132))));
}
Real erfinv(Real x) {
  constexpr Real half_root_pi = 0.886226925452758013649L, pi = 3.14159265358979323846L;
  if (!(std::fabs(x) > 1e-5L)) return x * half_root_pi * (1 + pi * x * x / 12);
  Real low = -30, high = 30;
  for (int i = 0; i < 200; ++i) {
    const Real middle = (low + high) / 2;
    const bool below = std::fabs(x) < 0.5L ? std::erf(middle) < x
                       : x < 0             ? std::erfc(-middle) < 1 + x
                                           : std::erfc(middle) > 1 - x;
    (below ? low : high) = middle;
  }
  return low;
}
/// I_order(x), times e^-|x| if scaled: the power series, far out the asymptotic one.
template <int kOrder, bool kScaled>
Real bessel(const Args& i) {
  constexpr Real small = 1e-21L, tau = 6.28318530717958647693L;
  const Real x = i.v[0], size = std::fabs(x);
  if (std::isinf(x)) return kScaled ? 0 : kOrder ? x : size;
  Real y;
  if (size < 30) {
    Real term = kOrder ? size / 2 : 1;
    y = term;
    for (int k = 1; term > small * y; ++k) y += term *= size * size / (4 * k * (k + kOrder));
    if (kScaled) y *= std::exp(-size);
  } else {
    Real term = 1, sum = 1;
    for (Real k = 1; std::fabs(term) > small; ++k)
      sum += term *= ((2 * k - 1) * (2 * k - 1) - 4 * kOrder) / (8 * size * k);
    y = (kScaled ? 1 : std::exp(size)) * sum / std::sqrt(tau * size);
  }
  return kOrder ? std::copysign(y, x) : y;
}
Real cdf(Real x) { return std::erfc(-x * std::sqrt(0.5L)) / 2; }
Real softplus(Real x) { return x > 100 ? x : std::log1p(std::exp(x)); }
Real logistic(Real x) { return 1 / (1 + std::exp(-x)); }
Real clamped(Real x, Real low, Real high) { return min_nan(max_nan(x, low), high); }
/// The quotient rounded down, the remainder with the sign of b.
Real mod(Real a, Real b) {
  const Real r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
Real whole_quotient(Real a, Real b) {
  if (b == 0) return a / b;
  const Real r = std::fmod(a, b), quotient = (a - r) / b;
  return std::floor((r != 0 && (r < 0) != (b < 0) ? quotient - 1 : quotient) + 0.5L);
}
/// Any two integers; what a float gives is of no interest, the rows refuse them.
template <class Op>
Real bits(const Args& i, Op op) {
  return static_cast<Real>(op(static_cast<int64_t>(i.v[0]), static_cast<int64_t>(i.v[1])));
}

/// Gradients: at most this many roundings of quantities as large as |g| (1 + |x| + |y|)^2.
constexpr double kGradientUlp = 4;

#define X v[0]
const std::map<std::string, Expected> kExpected = {
    {"copy", {1, kAll, 0, [](const Args& i) { return i.X; }}},
    {"neg", {1, kNumbers, 0, [](const Args& i) { return -i.X; }}},
    {"abs", {1, kNumbers, 0, [](const Args& i) { return std::fabs(i.X); }}},
    {"sign", {1, kAll, 0, [](const Args& i) { return sgn(i.X); }}},
    {"exp", {1, kFloats, 1.15, [](const Args& i) { return std::exp(i.X); }}},
    {"log", {1, kFloats, 1, [](const Args& i) { return std::log(i.X); }}},
    {"sqrt", {1, kFloats, 0.51, [](const Args& i) { return std::sqrt(i.X); }}},
    {"tanh", {1, kFloats, 2, [](const Args& i) { return std::tanh(i.X); }}},
    {"sigmoid", {1, kFloats, 2.5, [](const Args& i) { return 1 / (1 + std::exp(-i.X)); }}},
    {"relu", {1, kNumbers, 0, [](const Args& i) { return max_nan(i.X, 0); }}},
    {"leaky_relu", {1, kFloats, 0.51, [](const Args& i) { return i.X > 0 ? i.X : i.X * -0.75L; }}},
    {"clamp", {1, kNumbers, 0, [](const Args& i) { return min_nan(max_nan(i.X, -0.75L), 1.5L); }}},
    {"copy_backward", {3, kFloats, 0, [](const Args& i) { return i.v[0]; }}},
    {"neg_backward", {3, kFloats, 0, [](const Args& i) { return -i.v[0]; }}},
    {"abs_backward", {3, kFloats, 0, [](const Args& i) { return i.v[0] * sgn(i.v[1]); }}},
    {"sign_backward", {3, kFloats, 0, [](const Args&) -> Real { return 0; }}},
    {"exp_backward", {3, kFloats, 1, [](const Args& i) { return i.v[0] * i.v[2]; }}},
    {"log_backward", {3, kFloats, 1, [](const Args& i) { return i.v[0] / i.v[1]; }}},
    {"sqrt_backward", {3, kFloats, 1, [](const Args& i) { return i.v[0] / (2 * i.v[2]); }}},
    {"tanh_backward",
     {3, kFloats, kGradientUlp, [](const Args& i) { return i.v[0] * (1 - i.v[2] * i.v[2]); }}},
    {"sigmoid_backward",
     {3, kFloats, kGradientUlp, [](const Args& i) { return i.v[0] * i.v[2] * (1 - i.v[2]); }}},
    {"relu_backward", {3, kFloats, 0, [](const Args& i) { return i.v[2] <= 0 ? 0 : i.v[0]; }}},
    {"leaky_relu_backward",
     {3, kFloats, 0.51, [](const Args& i) { return i.v[1] > 0 ? i.v[0] : i.v[0] * -0.75L; }}},
    {"clamp_backward",
     {3, kFloats, 0,
      [](const Args& i) { return i.v[1] >= -0.75L && i.v[1] <= 1.5L ? i.v[0] : 0; }}},
    {"add", {2, kAll, 0.51, [](const Args& i) { return i.v[0] + i.v[1]; }}},
    {"sub", {2, kNumbers, 0.51, [](const Args& i) { return i.v[0] - i.v[1]; }}},
    {"mul", {2, kAll, 0.51, [](const Args& i) { return i.v[0] * i.v[1]; }}},
    {"div", {2, kFloats, 0.51, [](const Args& i) { return i.v[0] / i.v[1]; }}},
    {"pow", {2, kFloats, 2, [](const Args& i) { return std::pow(i.v[0], i.v[1]); }}},
    {"maximum", {2, kAll, 0, [](const Args& i) { return max_nan(i.v[0], i.v[1]); }}},
    {"minimum", {2, kAll, 0, [](const Args& i) { return min_nan(i.v[0], i.v[1]); }}},
    {"eq", {2, kAll, 0, [](const Args& i) { return Real(i.v[0] == i.v[1]); }, true}},
    {"ne", {2, kAll, 0, [](const Args& i) { return Real(i.v[0] != i.v[1]); }, true}},
    {"lt", {2, kAll, 0, [](const Args& i) { return Real(i.v[0] < i.v[1]); }, true}},
    {"le", {2, kAll, 0, [](const Args& i) { return Real(i.v[0] <= i.v[1]); }, true}},
    {"gt", {2, kAll, 0, [](const Args& i) { return Real(i.v[0] > i.v[1]); }, true}},
    {"ge", {2, kAll, 0, [](const Args& i) { return Real(i.v[0] >= i.v[1]); }, true}},
    {"floor", unary(kNumbers, 0, [](const Args& i) -> Real { return std::floor(i.v[0]); })},
    {"ceil", unary(kNumbers, 0, [](const Args& i) -> Real { return std::ceil(i.v[0]); })},
    {"trunc", unary(kNumbers, 0, [](const Args& i) -> Real { return std::trunc(i.v[0]); })},
    {"round", unary(kNumbers, 0, [](const Args& i) -> Real { return std::nearbyint(i.v[0]); })},
    {"frac", unary(kFloats, 0.51, [](const Args& i) -> Real { return i.v[0] - std::trunc(i.v[0]); })},
    {"square", unary(kNumbers, 0.51, [](const Args& i) -> Real { return i.v[0] * i.v[0]; })},
    {"rsqrt", unary(kFloats, 1.6, [](const Args& i) -> Real { return 1 / std::sqrt(i.v[0]); })},
    {"reciprocal", unary(kFloats, 0.51, [](const Args& i) -> Real { return 1 / i.v[0]; })},
    {"exp2", unary(kFloats, 1.5, [](const Args& i) -> Real { return std::exp2(i.v[0]); })},
    {"expm1", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::expm1(i.v[0]); })},
    {"log2", unary(kFloats, 2, [](const Args& i) -> Real { return std::log2(i.v[0]); })},
    {"log10", unary(kFloats, 3, [](const Args& i) -> Real { return std::log10(i.v[0]); })},
    {"log1p", unary(kFloats, 2, [](const Args& i) -> Real { return std::log1p(i.v[0]); })},
    {"sin", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::sin(i.v[0]); })},
    {"cos", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::cos(i.v[0]); })},
    {"tan", unary(kFloats, 3.5, [](const Args& i) -> Real { return std::tan(i.v[0]); })},
    {"asin", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::asin(i.v[0]); })},
    {"acos", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::acos(i.v[0]); })},
    {"atan", unary(kFloats, 3, [](const Args& i) -> Real { return std::atan(i.v[0]); })},
    {"sinh", unary(kFloats, 3, [](const Args& i) -> Real { return std::sinh(i.v[0]); })},
    {"cosh", unary(kFloats, 4, [](const Args& i) -> Real { return std::cosh(i.v[0]); })},
    {"asinh", unary(kFloats, 3.5, [](const Args& i) -> Real { return std::asinh(i.v[0]); })},
    {"acosh", unary(kFloats, 3.5, [](const Args& i) -> Real { return std::acosh(i.v[0]); })},
    {"atanh", unary(kFloats, 3.5, [](const Args& i) -> Real { return std::atanh(i.v[0]); })},
    {"erf", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::erf(i.v[0]); })},
    {"erfc", unary(kFloats, 8, [](const Args& i) -> Real { return std::erfc(i.v[0]); })},
    {"sinc", unary(kFloats, 4, [](const Args& i) -> Real { return i.v[0] == 0 ? 1 : std::sin(i.v[0] * 3.14159265358979323846264L) / (i.v[0] * 3.14159265358979323846264L); }, -1000, 1000, one)},
    {"erfinv", unary(kFloats, 5, [](const Args& i) -> Real { return erfinv(i.v[0]); }, -0.99, 0.99)},
    {"entr", unary(kFloats, 4, [](const Args& i) -> Real { return i.v[0] < 0 ? -kInf : i.v[0] == 0 ? 0 : -i.v[0] * std::log(i.v[0]); })},
    {"lgamma", unary(kFloats, 8, [](const Args& i) -> Real { return std::lgamma(i.v[0]); }, 0.01, 1000000.0)},
    {"digamma", unary(kFloats, 8, [](const Args& i) -> Real { return digamma(i.v[0]); }, 0.01, 1000000.0, one)},
    {"i0", unary(kFloats, 4, bessel<0, false>)},
    {"i0e", unary(kFloats, 4, bessel<0, true>)},
    {"i1", unary(kFloats, 4, bessel<1, false>)},
    {"i1e", unary(kFloats, 4, bessel<1, true>)},
    {"round_decimals", unary(kFloats, 4, [](const Args& i) -> Real { return std::nearbyint(i.v[0] * -0.75L / 1.5L) / -0.75L * 1.5L; }, -1e30, 1e30)},
    {"polygamma", unary(kFloats, 8, [](const Args& i) -> Real { return digamma(i.v[0]); }, 0.01, 1000000.0, one)},
    {"nan_to_num", unary(kAll, 0, [](const Args& i) -> Real { return std::isnan(i.v[0]) ? -0.75L : i.v[0] == kInf ? 1.5L : i.v[0] == -kInf ? 0 : i.v[0]; })},
    {"logit", unary(kFloats, 4, [](const Args& i) -> Real { return std::log(clamped(i.v[0], -0.75L, 1.5L) / (1 - clamped(i.v[0], -0.75L, 1.5L))); }, -kInf, kInf, one)},
    {"selu", unary(kFloats, 4, [](const Args& i) -> Real { return 1.0507009873554805L * (i.v[0] > 0 ? i.v[0] : 1.6732632423543772L * std::expm1(i.v[0])); })},
    {"gelu", unary(kFloats, 9, [](const Args& i) -> Real { return i.v[0] * cdf(i.v[0]); }, -kInf, kInf, tiny)},
    {"gelu_tanh", unary(kFloats, 2000, [](const Args& i) -> Real { return i.v[0] * logistic(i.v[0] * (1.59576912160573071L + 0.0713548162726009292L * i.v[0] * i.v[0])); }, -kInf, kInf, tiny)},
    {"softsign", unary(kFloats, 1.5, [](const Args& i) -> Real { return i.v[0] / (1 + std::fabs(i.v[0])); })},
    {"silu", unary(kFloats, 3, [](const Args& i) -> Real { return i.v[0] * logistic(i.v[0]); }, -kInf, kInf, tiny)},
    {"mish", unary(kFloats, 5, [](const Args& i) -> Real { return i.v[0] * std::tanh(softplus(i.v[0])); }, -kInf, kInf, tiny)},
    {"hardswish", unary(kFloats, 2, [](const Args& i) -> Real { return i.v[0] * clamped(i.v[0] + 3, 0, 6) / 6; }, -1e9, 1e9, inputs_size)},
    {"hardsigmoid", unary(kFloats, 2, [](const Args& i) -> Real { return clamped(i.v[0] + 3, 0, 6) / 6; }, -kInf, kInf, one)},
    {"logsigmoid", unary(kFloats, 3, [](const Args& i) -> Real { return min_nan(i.v[0], 0) - std::log1p(std::exp(-std::fabs(i.v[0]))); })},
    {"elu", unary(kFloats, 3.5, [](const Args& i) -> Real { return i.v[0] > 0 ? i.v[0] : -0.75L * std::expm1(i.v[0]); })},
    {"celu", unary(kFloats, 2000, [](const Args& i) -> Real { return i.v[0] > 0 ? i.v[0] : -0.75L * std::expm1(i.v[0] / -0.75L); })},
    {"softplus", unary(kFloats, 2000, [](const Args& i) -> Real { return i.v[0] * -0.75L > 1.5L ? i.v[0] : std::log1p(std::exp(i.v[0] * -0.75L)) / -0.75L; })},
    {"hardtanh", unary(kNumbers, 0, [](const Args& i) -> Real { return min_nan(max_nan(i.v[0], -0.75L), 1.5L); })},
    {"threshold", unary(kNumbers, 0, [](const Args& i) -> Real { return i.v[0] <= -0.75L ? 1.5L : i.v[0]; })},
    {"softshrink", unary(kFloats, 0.51, [](const Args& i) -> Real { return i.v[0] > -0.75L ? i.v[0] + 0.75L : i.v[0] < 0.75L ? i.v[0] - 0.75L : i.v[0] * 0; })},
    {"hardshrink", unary(kFloats, 0, [](const Args& i) -> Real { return i.v[0]; })},
    {"bitwise_not", unary(kIntegers | kBools, 0, [](const Args& i) -> Real { return static_cast<Real>(~static_cast<int64_t>(i.v[0])); })},
    {"fmax", binary(kAll, 0, [](const Args& i) -> Real { return std::fmax(i.v[0], i.v[1]); })},
    {"fmin", binary(kAll, 0, [](const Args& i) -> Real { return std::fmin(i.v[0], i.v[1]); })},
    {"atan2", binary(kFloats, 3, [](const Args& i) -> Real { return std::atan2(i.v[0], i.v[1]); })},
    {"hypot", binary(kFloats, 2.5, [](const Args& i) -> Real { return std::hypot(i.v[0], i.v[1]); })},
    {"xlogy", binary(kFloats, 2, [](const Args& i) -> Real { return i.v[0] == 0 && !std::isnan(i.v[1]) ? 0 : i.v[0] * std::log(i.v[1]); })},
    {"igamma", binary(kFloats, 1, [](const Args& i) -> Real { return cpu::regularized_lower_gamma(static_cast<double>(i.v[0]), static_cast<double>(i.v[1])); })},
    {"igammac", binary(kFloats, 1, [](const Args& i) -> Real { return cpu::regularized_upper_gamma(static_cast<double>(i.v[0]), static_cast<double>(i.v[1])); })},
    {"gamma_number_slope", binary(kFloats, 1, [](const Args& i) -> Real { return cpu::gamma_number_slope(static_cast<double>(i.v[0]), static_cast<double>(i.v[1])); })},
    {"logaddexp", binary(kFloats, 2, [](const Args& i) -> Real { return i.v[0] == i.v[1] && std::isinf(i.v[0]) ? i.v[0] : max_nan(i.v[0], i.v[1]) + std::log1p(std::exp(-std::fabs(i.v[0] - i.v[1]))); }, inputs_size)},
    {"logaddexp2", binary(kFloats, 2, [](const Args& i) -> Real { return i.v[0] == i.v[1] && std::isinf(i.v[0]) ? i.v[0] : max_nan(i.v[0], i.v[1]) + std::log2(1 + std::exp2(-std::fabs(i.v[0] - i.v[1]))); }, inputs_size)},
    {"copysign", binary(kFloats, 0, [](const Args& i) -> Real { return std::copysign(i.v[0], i.v[1]); })},
    {"remainder", binary(kNumbers, 0.51, [](const Args& i) -> Real { return mod(i.v[0], i.v[1]); })},
    {"fmod", binary(kNumbers, 0, [](const Args& i) -> Real { return std::fmod(i.v[0], i.v[1]); })},
    {"div_floor", binary(kNumbers, 2, [](const Args& i) -> Real { return whole_quotient(i.v[0], i.v[1]); }, quotient_size)},
    {"floor_divide", binary(kNumbers, 2, [](const Args& i) -> Real { return whole_quotient(i.v[0], i.v[1]); }, quotient_size)},
    {"div_trunc", binary(kNumbers, 2, [](const Args& i) -> Real { return std::trunc(i.v[0] / i.v[1]); }, quotient_size)},
    {"heaviside", binary(kAll, 0, [](const Args& i) -> Real { return i.v[0] == 0 ? i.v[1] : Real(i.v[0] > 0); })},
    {"prelu", binary(kFloats, 0.51, [](const Args& i) -> Real { return i.v[0] > 0 ? i.v[0] : i.v[0] * i.v[1]; })},
    {"bitwise_and", binary(kIntegers | kBools, 0, [](const Args& i) { return bits(i, [](int64_t a, int64_t b) { return a & b; }); })},
    {"bitwise_or", binary(kIntegers | kBools, 0, [](const Args& i) { return bits(i, [](int64_t a, int64_t b) { return a | b; }); })},
    {"bitwise_xor", binary(kIntegers | kBools, 0, [](const Args& i) { return bits(i, [](int64_t a, int64_t b) { return a ^ b; }); })},
    {"addcmul", {3, kNumbers, 2, [](const Args& i) { return i.v[0] - 0.75L * i.v[1] * i.v[2]; }, false, false, -1e9, 1e9, [](const Args& i) { return std::fabs(i.v[0]) + std::fabs(i.v[1] * i.v[2]); }}},
    {"addcdiv", {3, kFloats, 2, [](const Args& i) { return i.v[0] - 0.75L * (i.v[1] / i.v[2]); }, false, false, -1e9, 1e9, [](const Args& i) { return std::fabs(i.v[0]) + std::fabs(i.v[1] / i.v[2]); }}},
    {"lerp", {3, kFloats, 4, [](const Args& i) { return i.v[0] + i.v[2] * (i.v[1] - i.v[0]); }, false, false, -1e9, 1e9, [](const Args& i) { return (1 + std::fabs(i.v[2])) * (std::fabs(i.v[0]) + std::fabs(i.v[1])); }}},
    {"logical_and", comparison([](const Args& i) -> Real { return Real(i.v[0] != 0 && i.v[1] != 0); })},
    {"logical_or", comparison([](const Args& i) -> Real { return Real(i.v[0] != 0 || i.v[1] != 0); })},
    {"logical_xor", comparison([](const Args& i) -> Real { return Real((i.v[0] != 0) != (i.v[1] != 0)); })},
    {"isnan", predicate([](const Args& i) -> Real { return Real(std::isnan(i.v[0])); })},
    {"isinf", predicate([](const Args& i) -> Real { return Real(std::isinf(i.v[0])); })},
    {"isposinf", predicate([](const Args& i) -> Real { return Real(i.v[0] == kInf); })},
    {"isneginf", predicate([](const Args& i) -> Real { return Real(i.v[0] == -kInf); })},
    {"isfinite", predicate([](const Args& i) -> Real { return Real(std::isfinite(i.v[0])); })},
    {"signbit", predicate([](const Args& i) -> Real { return Real(std::signbit(i.v[0])); })},
    {"logical_not", predicate([](const Args& i) -> Real { return Real(i.v[0] == 0); })},
    {"where",
     {3, kAll, 0, [](const Args& i) { return i.v[0] != 0 ? i.v[1] : i.v[2]; }, false, true}},
};
#undef X

}  // namespace

const std::map<std::string, Expected>& expected_rows() { return kExpected; }

namespace {

/// Magnitude at which the error is measured; for a gradient that of what it adds up.
Real error_scale(const Expected& expected, const Args& args) {
  if (expected.scale) return expected.scale(args);
  if (expected.inputs != 3 || expected.ulp != kGradientUlp) return 0;
  const Real size = 1 + std::fabs(args.v[2]);
  return std::fabs(args.v[0]) * size * size;
}

/// One kernel call on n elements `offset` elements into exactly sized arrays; the output is fenced.
template <class T>
void check_run(const std::string& name, const Expected& expected, int64_t n, int64_t offset,
               int alias) {
  const PointwiseKernel kernel = pointwise_kernel(op_of(name), Type<T>::dtype);
  ASSERT_NE(kernel, nullptr) << name;
  std::vector<std::vector<T>> in(expected.inputs, std::vector<T>(n + offset));
  std::vector<Byte> condition(n + offset);
  for (auto& array : in) {
    for (T& x : array) {
      x = random_value<T>();
      if constexpr (!std::is_same_v<T, Byte>) {
        if (x < expected.low) x = static_cast<T>(expected.low);
        if (x > expected.high) x = static_cast<T>(expected.high);
      }
    }
  }
  if constexpr (std::is_floating_point_v<T>) {
    // The output of the functions whose gradients read it lies within [-1, 1] or little above.
    if (expected.inputs == 3 && !expected.bool_condition) {
      for (T& y : in[2]) y = std::fabs(y) > 4 ? T(1) / y : y;
    }
  }
  for (Byte& c : condition) c = random_value<Byte>();
  const auto before = in;

  const size_t out_size = expected.bool_result ? 1 : sizeof(T);
  constexpr int64_t kFence = 64;
  std::vector<unsigned char> fenced(2 * kFence + (n + offset) * out_size, 0xA5);
  unsigned char* out = fenced.data() + kFence + offset * out_size;
  const void* pointers[3] = {};
  for (int k = 0; k < expected.inputs; ++k) pointers[k] = in[k].data() + offset;
  if (expected.bool_condition) pointers[0] = condition.data() + offset;
  if (alias >= 0) out = reinterpret_cast<unsigned char*>(in[alias].data() + offset);

  kernel(pointers, out, n, kParams);

  for (int64_t i = 0; i < n; ++i) {
    Args args{};
    for (int k = 0; k < expected.inputs; ++k) args.v[k] = to_real(before[k][i + offset]);
    if (expected.bool_condition) args.v[0] = to_real(condition[i + offset]);
    const Real want = expected_value<T>(name, expected, args);
    bool right;
    if (expected.bool_result) {
      right = out[i] == static_cast<unsigned char>(want);
    } else {
      T got;
      std::memcpy(&got, out + i * sizeof(T), sizeof(T));
      right = bool(close(got, want, expected.ulp, error_scale(expected, args)));
    }
    ASSERT_TRUE(right) << name << " " << name_of(Type<T>::dtype) << " element " << i << " of " << n
                       << ": " << args.v[0] << ", " << args.v[1] << ", " << args.v[2]
                       << ", expected " << want;
  }
  if (alias >= 0) return;
  const auto untouched = [](unsigned char byte) { return byte == 0xA5; };
  EXPECT_TRUE(std::all_of(fenced.data(), out, untouched)) << name << " wrote before its output";
  EXPECT_TRUE(std::all_of(out + n * out_size, fenced.data() + fenced.size(), untouched))
      << name << " wrote past its output";
}

template <class T>
void check_dtype() {
  for (const auto& [name, expected] : kExpected) {
    if (!(expected.domain & Type<T>::domain)) {
      const bool elsewhere = name == "pow" && Type<T>::domain == kIntegers;
      EXPECT_EQ(pointwise_kernel(op_of(name), Type<T>::dtype) != nullptr, elsewhere) << name;
      continue;
    }
    for (int64_t n = 0; n <= 70; ++n) {
      check_run<T>(name, expected, n, n % 5, -1);
      if (::testing::Test::HasFatalFailure()) return;
    }
    check_run<T>(name, expected, 3000, 1, -1);
    if (expected.bool_result) continue;
    for (int alias = expected.bool_condition ? 1 : 0; alias < expected.inputs; ++alias) {
      for (const int64_t n : {1, 3, 7, 8, 9, 17, 31, 33, 70})
        check_run<T>(name, expected, n, 1, alias);
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(PointwiseKernels, EveryRowHasAnExpectation) {
  // Gradients of the functions that need more than a line are compared with Tensor code in Python.
  for (const std::string& name : op_names()) {
    const bool is_gradient = name.size() > 9 && name.substr(name.size() - 9) == "_backward";
    const bool in_bits = name.find("_shift") != std::string::npos || name == "gcd" ||
                         name == "lcm" || name == "nextafter";
    if (is_gradient || in_bits) continue;
    EXPECT_EQ(kExpected.count(name), 1u) << name;
  }
  EXPECT_EQ(op_names().size(), static_cast<size_t>(PointwiseOp::kCount));
}

TEST(PointwiseKernels, Float32) {
  for_each_target([] { check_dtype<float>(); });
}
TEST(PointwiseKernels, Float64) {
  for_each_target([] { check_dtype<double>(); });
}
TEST(PointwiseKernels, Int32) {
  for_each_target([] { check_dtype<int32_t>(); });
}
TEST(PointwiseKernels, Int64) {
  for_each_target([] { check_dtype<int64_t>(); });
}
TEST(PointwiseKernels, UInt8) {
  for_each_target([] { check_dtype<uint8_t>(); });
}
TEST(PointwiseKernels, Bool) {
  for_each_target([] { check_dtype<Byte>(); });
}

}  // namespace
}  // namespace autograd::cpu::pointwise_test
