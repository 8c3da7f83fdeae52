// Pointwise kernels: every op, dtype and instruction set against scalar formulas in long double.
// Over 600 lines: most of them are the table of formulas.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/simd_targets.hpp"
// Highway's headers come after the choice of targets.
#include <hwy/highway.h>

#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/pointwise_table.hpp"

namespace autograd::cpu {
namespace {

using Real = long double;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kParams[3] = {-0.75, 1.5, 0};

/// The inputs of one element as the row names them: (x), (g, x, y), (a, b) or (c, a, b).
struct Args {
  Real v[3];
};
using Formula = Real (*)(const Args&);

Real sgn(Real x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
Real max_nan(Real a, Real b) { return std::isnan(a) || std::isnan(b) ? kNaN : std::max(a, b); }
Real min_nan(Real a, Real b) { return std::isnan(a) || std::isnan(b) ? kNaN : std::min(a, b); }

enum Domain { kFloats = 1, kIntegers = 2, kBools = 4, kNumbers = 3, kAll = 7 };

/// What a row must compute. ulp: the allowed error of a float result in units of its last place.
struct Expected {
  int inputs;
  int domain;
  double ulp;
  Formula formula;
  bool bool_result = false;
  bool bool_condition = false;
  /// Float inputs are brought into [low, high].
  double low = -kInf, high = kInf;
  /// Errors are measured at this magnitude where it exceeds the result's.
  Formula scale = nullptr;
};

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
    {"exp", {1, kFloats, 1.1, [](const Args& i) { return std::exp(i.X); }}},
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
    {"sin", unary(kFloats, 2, [](const Args& i) -> Real { return std::sin(i.v[0]); })},
    {"cos", unary(kFloats, 2, [](const Args& i) -> Real { return std::cos(i.v[0]); })},
    {"tan", unary(kFloats, 3, [](const Args& i) -> Real { return std::tan(i.v[0]); })},
    {"asin", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::asin(i.v[0]); })},
    {"acos", unary(kFloats, 2.5, [](const Args& i) -> Real { return std::acos(i.v[0]); })},
    {"atan", unary(kFloats, 3, [](const Args& i) -> Real { return std::atan(i.v[0]); })},
    {"sinh", unary(kFloats, 3, [](const Args& i) -> Real { return std::sinh(i.v[0]); })},
    {"cosh", unary(kFloats, 4, [](const Args& i) -> Real { return std::cosh(i.v[0]); })},
    {"asinh", unary(kFloats, 3.5, [](const Args& i) -> Real { return std::asinh(i.v[0]); })},
    {"acosh", unary(kFloats, 3.5, [](const Args& i) -> Real { return std::acosh(i.v[0]); })},
    {"atanh", unary(kFloats, 3.5, [](const Args& i) -> Real { return std::atanh(i.v[0]); })},
    {"erf", unary(kFloats, 2, [](const Args& i) -> Real { return std::erf(i.v[0]); })},
    {"erfc", unary(kFloats, 8, [](const Args& i) -> Real { return std::erfc(i.v[0]); })},
    {"sinc", unary(kFloats, 4, [](const Args& i) -> Real { return i.v[0] == 0 ? 1 : std::sin(i.v[0] * 3.14159265358979323846264L) / (i.v[0] * 3.14159265358979323846264L); }, -1000, 1000, one)},
    {"erfinv", unary(kFloats, 8, [](const Args& i) -> Real { return erfinv(i.v[0]); }, -0.99, 0.99)},
    {"lgamma", unary(kFloats, 8, [](const Args& i) -> Real { return std::lgamma(i.v[0]); }, 0.01, 1000000.0)},
    {"digamma", unary(kFloats, 8, [](const Args& i) -> Real { return digamma(i.v[0]); }, 0.01, 1000000.0, one)},
    {"round_decimals", unary(kFloats, 4, [](const Args& i) -> Real { return std::nearbyint(i.v[0] * -0.75L / 1.5L) / -0.75L * 1.5L; }, -1e30, 1e30)},
    {"polygamma", unary(kFloats, 8, [](const Args& i) -> Real { return digamma(i.v[0]); }, 0.01, 1000000.0, one)},
    {"nan_to_num", unary(kAll, 0, [](const Args& i) -> Real { return std::isnan(i.v[0]) ? -0.75L : i.v[0] == kInf ? 1.5L : i.v[0] == -kInf ? 0 : i.v[0]; })},
    {"logit", unary(kFloats, 4, [](const Args& i) -> Real { return std::log(clamped(i.v[0], -0.75L, 1.5L) / (1 - clamped(i.v[0], -0.75L, 1.5L))); }, -kInf, kInf, one)},
    {"selu", unary(kFloats, 4, [](const Args& i) -> Real { return 1.0507009873554805L * (i.v[0] > 0 ? i.v[0] : 1.6732632423543772L * std::expm1(i.v[0])); })},
    {"gelu", unary(kFloats, 9, [](const Args& i) -> Real { return i.v[0] * cdf(i.v[0]); }, -kInf, kInf, tiny)},
    {"gelu_tanh", unary(kFloats, 2000, [](const Args& i) -> Real { return i.v[0] * logistic(i.v[0] * (1.59576912160573071L + 0.0713548162726009292L * i.v[0] * i.v[0])); }, -kInf, kInf, tiny)},
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

const std::vector<std::string>& op_names() {
  static const std::vector<std::string> names = {
#define UNARY(name, ...) #name, #name "_backward",
#define UNARY_FLAT(name, ...) #name,
#define PREDICATE(name, ...) #name,
#define BINARY(name, ...) #name,
#define BINARY_FLAT(name, ...) #name,
#define COMPARE(name, ...) #name,
#define TERNARY(name, ...) #name,
#define SELECT(name, ...) #name,
#include "ops/pointwise.def"
  };
  return names;
}

PointwiseOp op_of(const std::string& name) {
  for (size_t i = 0; i < op_names().size(); ++i) {
    if (op_names()[i] == name) return static_cast<PointwiseOp>(i);
  }
  ADD_FAILURE() << "no op " << name;
  return PointwiseOp::k_copy;
}

template <class T>
struct Type;
template <>
struct Type<float> {
  static constexpr DType dtype = DType::kFloat32;
  static constexpr int domain = kFloats;
};
template <>
struct Type<double> {
  static constexpr DType dtype = DType::kFloat64;
  static constexpr int domain = kFloats;
};
template <>
struct Type<int32_t> {
  static constexpr DType dtype = DType::kInt32;
  static constexpr int domain = kIntegers;
};
template <>
struct Type<int64_t> {
  static constexpr DType dtype = DType::kInt64;
  static constexpr int domain = kIntegers;
};
template <>
struct Type<uint8_t> {
  static constexpr DType dtype = DType::kUInt8;
  static constexpr int domain = kIntegers;
};
/// A bool as it lies in memory.
struct Byte {
  uint8_t value;
};
template <>
struct Type<Byte> {
  static constexpr DType dtype = DType::kBool;
  static constexpr int domain = kBools;
};

Real to_real(Byte b) { return b.value != 0; }
template <class T>
Real to_real(T x) {
  return x;
}

/// The result as T: floats round, integers wrap around, bools are 0 or 1.
template <class T>
T from_real(Real x) {
  if constexpr (std::is_same_v<T, Byte>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(static_cast<__int128>(x)));
  } else {
    return static_cast<T>(x);
  }
}

template <class T>
std::vector<T> special_values() {
  if constexpr (std::is_same_v<T, Byte>) {
    return {{0}, {1}, {2}, {255}};
  } else if constexpr (std::is_integral_v<T>) {
    return {T(0),
            T(1),
            T(2),
            T(-1),
            T(3),
            std::numeric_limits<T>::max(),
            std::numeric_limits<T>::min()};
  } else {
    using L = std::numeric_limits<T>;
    return {T(0),      T(-0.0),  T(1),      T(-1),           T(0.5),       T(-0.5),
            T(2),      T(3),     T(kInf),   T(-kInf),        T(kNaN),      L::max(),
            -L::max(), L::min(), -L::min(), L::denorm_min(), L::min() / 4, T(1000),
            T(-1000),  T(200),   T(-200),   T(88.5),         T(88.72),     T(-87.5),
            T(-103),   T(-0.75), T(1.5),    T(709.5),        T(-740),      T(1e-5)};
  }
}

std::mt19937_64& random_bits() {
  static std::mt19937_64 engine(20240607);
  return engine;
}

/// Values of all magnitudes, every third a special one.
template <class T>
T random_value() {
  static const std::vector<T> special = special_values<T>();
  const uint64_t bits = random_bits()();
  if (bits % 3 == 0) return special[(bits >> 8) % special.size()];
  if constexpr (std::is_same_v<T, Byte>) {
    return {static_cast<uint8_t>((bits >> 8) % 3)};
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(bits % 3 == 1 ? static_cast<int64_t>(bits >> 8) % 20
                                        : static_cast<int64_t>(bits));
  } else {
    const T unit = static_cast<T>(static_cast<double>(static_cast<int64_t>(bits)) * 0x1p-63);
    return bits % 3 == 1 ? unit * 10
                         : unit * std::ldexp(T(1), static_cast<int>(random_bits()() % 60) - 30);
  }
}

/// Runs `check` for every instruction set this CPU has, with the kernels chosen for it.
template <class Check>
void for_each_target(Check check) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    choose_pointwise_kernels();
    check();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  choose_pointwise_kernels();
}

/// Is `got` within `ulp` units in the last place of `want`, or the same special value?
template <class T>
::testing::AssertionResult close(T got, Real want, double ulp, Real scale) {
  if constexpr (std::is_floating_point_v<T>) {
    using L = std::numeric_limits<T>;
    if (std::isnan(want) && std::isnan(got)) return ::testing::AssertionSuccess();
    if (static_cast<Real>(got) == static_cast<Real>(static_cast<T>(want)))
      return ::testing::AssertionSuccess();
    const Real magnitude = std::min<Real>(std::max(std::fabs(want), scale), L::max());
    const Real unit = std::max<Real>(
        magnitude > 0 ? std::ldexp(Real(L::epsilon()), std::ilogb(magnitude)) : 0, L::denorm_min());
    if (std::isfinite(got) && std::fabs(got - want) <= ulp * unit)
      return ::testing::AssertionSuccess();
  } else {
    const T wanted = from_real<T>(want);
    if (std::memcmp(&got, &wanted, sizeof(T)) == 0) return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "got " << to_real(got) << ", expected " << want;
}

/// The formula, where T does not ask for something else.
template <class T>
Real expected_value(const std::string& name, const Expected& expected, const Args& args) {
  if constexpr (std::is_integral_v<T>) {
    // The bounds -0.75 and 1.5 become integers first; a product may not fit into a long double.
    if (name == "clamp") return std::min<Real>(std::max<Real>(args.v[0], 0), 1);
    if (name == "mul") {
      return static_cast<T>(static_cast<uint64_t>(static_cast<T>(args.v[0])) *
                            static_cast<uint64_t>(static_cast<T>(args.v[1])));
    }
  }
  if constexpr (std::is_integral_v<T>) {
    const bool by_zero = args.v[1] == 0;
    const bool divides = name == "remainder" || name == "fmod" || name == "div_trunc" ||
                         name == "div_floor" || name == "floor_divide";
    if (divides && by_zero) return 0;  // refused before a kernel is called
    if (name == "square") {
      const uint64_t x = static_cast<uint64_t>(static_cast<T>(args.v[0]));
      return static_cast<T>(x * x);
    }
    if (name == "threshold") return args.v[0] <= 0 ? 1 : args.v[0];
    if (name == "hardtanh") return std::min<Real>(std::max<Real>(args.v[0], 0), 1);
    if (name == "nan_to_num") return args.v[0];
    if (name == "addcmul") return args.v[0];  // -0.75 becomes 0
  }
  if constexpr (std::is_same_v<T, Byte>) {
    if (name == "bitwise_not") return args.v[0] == 0;
  }
  const Real want = expected.formula(args);
  if constexpr (std::is_floating_point_v<T>) {
    // The quotient is rounded before it is cut.
    if (name == "div_trunc")
      return std::trunc(static_cast<T>(args.v[0]) / static_cast<T>(args.v[1]));
    if (name == "addcdiv" && std::fabs(args.v[1] / args.v[2]) > std::numeric_limits<T>::max())
      return want * kInf;
  }
  // exp(-x) overflows where sigmoid is subnormal, in PyTorch too.
  if constexpr (std::is_floating_point_v<T>) {
    if (name == "silu" && std::exp(-args.v[0]) > std::numeric_limits<T>::max())
      return args.v[0] / kInf;
    if (name == "sigmoid" && std::exp(-args.v[0]) > std::numeric_limits<T>::max()) return 0;
  }
  return want;
}

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
    const bool in_bits = name.find("_shift") != std::string::npos || name == "gcd" || name == "lcm";
    if (!is_gradient && !in_bits) EXPECT_EQ(kExpected.count(name), 1u) << name;
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

/// Largest error of a unary kernel over `values`, in units in the last place of the exact result.
template <class T>
double largest_ulp(const std::string& name, const std::vector<T>& values) {
  std::vector<T> out(values.size());
  const void* in[1] = {values.data()};
  pointwise_kernel(op_of(name), Type<T>::dtype)(in, out.data(), static_cast<int64_t>(values.size()),
                                                nullptr);
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const Args args{{values[i], 0, 0}};
    const Real want = expected_value<T>(name, kExpected.at(name), args);
    const T rounded = static_cast<T>(want);
    if ((std::isnan(rounded) && std::isnan(out[i])) || rounded == out[i]) continue;
    if (!std::isfinite(out[i]) || !std::isfinite(rounded)) return kInf;
    const Real unit =
        std::max<Real>(std::ldexp(Real(std::numeric_limits<T>::epsilon()), std::ilogb(want)),
                       std::numeric_limits<T>::denorm_min());
    worst = std::max(worst, static_cast<double>(std::fabs(out[i] - want) / unit));
  }
  return worst;
}

/// Bit patterns spread evenly over all numbers of T, so over all exponents.
template <class T, class Bits>
std::vector<T> spread_values(int count) {
  std::vector<T> values(count);
  const Bits step = ~Bits(0) / static_cast<Bits>(count);
  for (int i = 0; i < count; ++i) {
    const Bits bits = static_cast<Bits>(i) * step + static_cast<Bits>(random_bits()()) % step;
    std::memcpy(&values[i], &bits, sizeof(T));
  }
  std::uniform_real_distribution<T> usual(-12, 12), range(-110, 110), near_one(T(0.5), T(2));
  for (int i = 0; i < count; i += 2) {
    values[i] = (i % 8 == 0 ? range : i % 8 == 2 ? near_one : usual)(random_bits());
  }
  return values;
}

TEST(PointwiseKernels, ErrorBounds) {
  const auto floats = spread_values<float, uint32_t>(100000);
  const auto doubles = spread_values<double, uint64_t>(50000);
  for_each_target([&] {
    for (const std::string name :
         {"exp",   "log",   "sqrt",  "tanh",  "sigmoid", "exp2", "expm1", "log2",
          "log10", "log1p", "sin",   "cos",   "tan",     "asin", "acos",  "atan",
          "sinh",  "cosh",  "asinh", "acosh", "atanh",   "erf",  "erfc"}) {
      const double f = largest_ulp(name, floats), d = largest_ulp(name, doubles);
      EXPECT_LE(f, kExpected.at(name).ulp) << name << " float32";
      EXPECT_LE(d, kExpected.at(name).ulp) << name << " float64";
      RecordProperty(name, std::to_string(f) + " " + std::to_string(d));
    }
  });
}

/// PyTorch's results where functions change their nature.
TEST(PointwiseKernels, SpecialValues) {
  struct Row {
    const char* name;
    double a, b, want;
  };
  const Row rows[] = {
      {"exp", 1000, 0, kInf},     {"exp", -1000, 0, 0},       {"exp", kInf, 0, kInf},
      {"exp", -kInf, 0, 0},       {"exp", kNaN, 0, kNaN},     {"log", 0, 0, -kInf},
      {"log", -0.0, 0, -kInf},    {"log", -1, 0, kNaN},       {"log", -kInf, 0, kNaN},
      {"log", kInf, 0, kInf},     {"log", kNaN, 0, kNaN},     {"log", 1, 0, 0},
      {"tanh", kInf, 0, 1},       {"tanh", -kInf, 0, -1},     {"tanh", kNaN, 0, kNaN},
      {"tanh", 1000, 0, 1},       {"sigmoid", -200, 0, 0},    {"sigmoid", -kInf, 0, 0},
      {"sigmoid", kInf, 0, 1},    {"sigmoid", kNaN, 0, kNaN}, {"relu", kNaN, 0, kNaN},
      {"clamp", kNaN, 0, kNaN},   {"sign", kNaN, 0, 0},       {"sqrt", -1, 0, kNaN},
      {"maximum", kNaN, 1, kNaN}, {"maximum", 1, kNaN, kNaN}, {"minimum", kNaN, 1, kNaN},
      {"minimum", 1, kNaN, kNaN}, {"abs", -kInf, 0, kInf},    {"abs", kNaN, 0, kNaN}};
  for_each_target([&] {
    for (const Row& row : rows) {
      float a[19], b[19], out[19];
      std::fill_n(a, 19, static_cast<float>(row.a));
      std::fill_n(b, 19, static_cast<float>(row.b));
      const void* in[2] = {a, b};
      pointwise_kernel(op_of(row.name), DType::kFloat32)(in, out, 19, kParams);
      for (const float y : out) {
        EXPECT_TRUE(close<float>(y, row.want, 0, 0))
            << row.name << "(" << row.a << ", " << row.b << ")";
      }
    }
  });
}

template <class T>
void check_constant_exponents() {
  std::vector<T> base;
  for (int i = 0; i < 100; ++i) base.push_back(random_value<T>());
  for (const T exponent : special_values<T>()) {
    const std::vector<T> exponents(base.size(), exponent);
    std::vector<T> out(base.size());
    const void* in[2] = {base.data(), exponents.data()};
    pointwise_kernel(PointwiseOp::k_pow, Type<T>::dtype)(in, out.data(), 100, nullptr);
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(close<T>(out[i], std::pow(Real(base[i]), Real(exponent)), 2, 0))
          << base[i] << "^" << exponent;
    }
  }
}

TEST(PointwiseKernels, PowOfOneExponent) {
  for_each_target([] {
    check_constant_exponents<float>();
    check_constant_exponents<double>();
  });
}

template <class T>
void check_integer_power(std::vector<T> base, std::vector<T> exponent, std::vector<T> want) {
  std::vector<T> out(base.size());
  const void* in[2] = {base.data(), exponent.data()};
  pointwise_kernel(PointwiseOp::k_pow, Type<T>::dtype)(in, out.data(),
                                                       static_cast<int64_t>(base.size()), nullptr);
  EXPECT_EQ(out, want);
}

TEST(PointwiseKernels, IntegerPowWrapsAround) {
  for_each_target([] {
    check_integer_power<int32_t>({2, -3, 7, 0, 0, 1, -1, -1, 2, 0, 3},
                                 {31, 3, 1, 0, 5, -7, -3, -2, -1, -2, 40},
                                 {INT32_MIN, -27, 7, 1, 0, 1, -1, 1, 0, 0, 689956897});
    check_integer_power<int64_t>({2, 3, -5}, {62, 39, 3},
                                 {int64_t{1} << 62, 4052555153018976267, -125});
    check_integer_power<uint8_t>({2, 3, 255, 255}, {8, 5, 2, 255}, {0, 243, 1, 255});
  });
}

TEST(PointwiseKernels, ParametersSaturateForIntegers) {
  for_each_target([] {
    const double bounds[2] = {-kInf, kInf};
    std::vector<int64_t> x = {INT64_MIN, -1, 0, INT64_MAX}, out(4);
    const void* in[1] = {x.data()};
    pointwise_kernel(PointwiseOp::k_clamp, DType::kInt64)(in, out.data(), 4, bounds);
    EXPECT_EQ(out, x);
  });
}

TEST(PointwiseKernels, UnreadInputsMayBeNull) {
  struct Row {
    const char* name;
    bool reads[3];
    float want;
  };
  const Row rows[] = {{"neg_backward", {true, false, false}, -2},
                      {"exp_backward", {true, false, true}, 4},
                      {"abs_backward", {true, true, false}, 2}};
  const std::vector<float> two(37, 2);
  for_each_target([&] {
    for (const Row& row : rows) {
      std::vector<float> out(37);
      const void* in[3];
      for (int k = 0; k < 3; ++k) in[k] = row.reads[k] ? two.data() : nullptr;
      for (const int64_t n : {1, 5, 8, 37}) {
        pointwise_kernel(op_of(row.name), DType::kFloat32)(in, out.data(), n, nullptr);
      }
      EXPECT_EQ(out, std::vector<float>(37, row.want)) << row.name;
    }
  });
}

}  // namespace
}  // namespace autograd::cpu
