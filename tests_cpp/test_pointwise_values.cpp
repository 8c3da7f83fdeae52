// Floating-point pointwise kernels: their largest errors in units in the last place, and PyTorch's
// results where functions change their nature.
#include "pointwise_kernels.hpp"

namespace autograd::cpu::pointwise_test {
namespace {

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
    const Real want = expected_value<T>(name, expected_rows().at(name), args);
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

// The values do not depend on what other tests have drawn.

/// Bit patterns spread evenly over all numbers of T, so over all exponents.
template <class T, class Bits>
std::vector<T> spread_values(int count) {
  std::mt19937_64 bits_of(1);
  std::vector<T> values(count);
  const Bits step = ~Bits(0) / static_cast<Bits>(count);
  for (int i = 0; i < count; ++i) {
    const Bits bits = static_cast<Bits>(i) * step + static_cast<Bits>(bits_of()) % step;
    std::memcpy(&values[i], &bits, sizeof(T));
  }
  std::uniform_real_distribution<T> usual(-12, 12), range(-110, 110), near_one(T(0.5), T(2));
  for (int i = 0; i < count; i += 2) {
    values[i] = (i % 8 == 0 ? range : i % 8 == 2 ? near_one : usual)(bits_of);
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
      EXPECT_LE(f, expected_rows().at(name).ulp) << name << " float32";
      EXPECT_LE(d, expected_rows().at(name).ulp) << name << " float64";
      RecordProperty(name, std::to_string(f) + " " + std::to_string(d));
    }
  });
}

/// Close to 1 and in all the rest of (-1, 1), small numbers included.
template <class T>
std::vector<T> numbers_below_one(int count) {
  std::mt19937_64 bits_of(1);
  std::uniform_real_distribution<double> exponent(0, sizeof(T) == 4 ? 24 : 53), all(-1, 1);
  constexpr T kMost = T(1) - std::numeric_limits<T>::epsilon() / 2;
  std::vector<T> values = {0, -T(0), kMost, -kMost};
  for (int i = 0; i < count; ++i) {
    const double small = std::exp2(-exponent(bits_of));
    values.push_back(static_cast<T>(i % 3 == 0 ? 1 - small : i % 3 == 1 ? -small : all(bits_of)));
    values.back() = std::min(std::max(values.back(), -kMost), kMost);
  }
  return values;
}

TEST(PointwiseKernels, ErrorBoundsOfErfinv) {
  const auto floats = numbers_below_one<float>(3000);
  const auto doubles = numbers_below_one<double>(3000);
  for_each_target([&] {
    EXPECT_LE(largest_ulp("erfinv", floats), 4) << "float32";
    EXPECT_LE(largest_ulp("erfinv", doubles), 3) << "float64";
  });
}

/// Around 5 and 8, where the Bessel functions change their form, up to where they overflow, and
/// small ones.
template <class T>
std::vector<T> arguments_of_bessel(int count) {
  std::mt19937_64 bits_of(1);
  constexpr T far = sizeof(T) == 4 ? 5 : 8;
  const double end = sizeof(T) == 4 ? 92.5 : 714.5, least = sizeof(T) == 4 ? -149 : -1074;
  std::uniform_real_distribution<double> usual(-9, 9), close(0.99, 1.01), all(-end, end),
      exponent(least, 10);
  std::vector<T> values = {far, std::nextafter(far, T(0)), static_cast<T>(kInf)};
  for (int i = 0; i < count; ++i)
    values.push_back(static_cast<T>(i % 4 == 0   ? close(bits_of) * far
                                    : i % 4 == 1 ? all(bits_of)
                                    : i % 4 == 2 ? std::exp2(exponent(bits_of))
                                                 : usual(bits_of)));
  return values;
}

TEST(PointwiseKernels, ErrorBoundsOfBesselFunctions) {
  const auto floats = arguments_of_bessel<float>(8000);
  const auto doubles = arguments_of_bessel<double>(8000);
  for_each_target([&] {
    for (const std::string name : {"i0", "i0e", "i1", "i1e"}) {
      const double f = largest_ulp(name, floats), d = largest_ulp(name, doubles);
      EXPECT_LE(f, 4) << name << " float32";
      EXPECT_LE(d, 4) << name << " float64";
      RecordProperty(name, std::to_string(f) + " " + std::to_string(d));
    }
  });
}

template <class T>
void check_odd(const std::string& name) {
  const T small = std::numeric_limits<T>::denorm_min();
  const std::vector<T> x = {0, small, 2 * small, 3 * small, T(1e-30), 8, static_cast<T>(kInf)};
  for (const int count : {1, 7}) {  // near ones alone, too
    for (const T sign : {T(1), T(-1)}) {
      std::vector<T> at, y(x.size());
      for (const T each : x) at.push_back(sign * each);
      for (size_t i = 0; i < x.size(); i += static_cast<size_t>(count)) {
        const void* in[1] = {at.data() + i};
        pointwise_kernel(op_of(name), Type<T>::dtype)(in, y.data() + i, count, nullptr);
      }
      for (size_t i = 0; i < x.size(); ++i) {
        EXPECT_EQ(std::signbit(y[i]), sign < 0) << name << "(" << at[i] << ")";
        if (x[i] < 1) {
          EXPECT_EQ(y[i], at[i] / 2) << name;
        }
      }
    }
  }
}

TEST(PointwiseKernels, BesselFunctionsOfOrder1KeepSignsAndSmallNumbers) {
  for_each_target([] {
    for (const std::string name : {"i1", "i1e"}) {
      check_odd<float>(name);
      check_odd<double>(name);
    }
  });
}

/// PyTorch's results where functions change their nature.
TEST(PointwiseKernels, SpecialValues) {
  struct Row {
    const char* name;
    double a, b, want;
  };
  const Row rows[] = {{"exp", 1000, 0, kInf},     {"exp", -1000, 0, 0},
                      {"exp", kInf, 0, kInf},     {"exp", -kInf, 0, 0},
                      {"exp", kNaN, 0, kNaN},     {"log", 0, 0, -kInf},
                      {"log", -0.0, 0, -kInf},    {"log", -1, 0, kNaN},
                      {"log", -kInf, 0, kNaN},    {"log", kInf, 0, kInf},
                      {"log", kNaN, 0, kNaN},     {"log", 1, 0, 0},
                      {"tanh", kInf, 0, 1},       {"tanh", -kInf, 0, -1},
                      {"tanh", kNaN, 0, kNaN},    {"tanh", 1000, 0, 1},
                      {"sigmoid", -200, 0, 0},    {"sigmoid", -kInf, 0, 0},
                      {"sigmoid", kInf, 0, 1},    {"sigmoid", kNaN, 0, kNaN},
                      {"relu", kNaN, 0, kNaN},    {"clamp", kNaN, 0, kNaN},
                      {"sign", kNaN, 0, 0},       {"sqrt", -1, 0, kNaN},
                      {"maximum", kNaN, 1, kNaN}, {"maximum", 1, kNaN, kNaN},
                      {"minimum", kNaN, 1, kNaN}, {"minimum", 1, kNaN, kNaN},
                      {"abs", -kInf, 0, kInf},    {"abs", kNaN, 0, kNaN},
                      {"erfinv", 1, 0, kInf},     {"erfinv", -1, 0, -kInf},
                      {"erfinv", 1.5, 0, kNaN},   {"erfinv", kNaN, 0, kNaN},
                      {"erfinv", 0, 0, 0},        {"erfc", kInf, 0, 0},
                      {"erfc", -kInf, 0, 2},      {"erfc", kNaN, 0, kNaN},
                      {"erf", kInf, 0, 1},        {"erf", -kInf, 0, -1},
                      {"erf", kNaN, 0, kNaN},     {"gelu", kInf, 0, kInf},
                      {"gelu", kNaN, 0, kNaN},    {"gelu", -40, 0, 0},
                      {"gelu", 40, 0, 40},        {"i0", 0, 0, 1},
                      {"i0", -kInf, 0, kInf},     {"i0", kNaN, 0, kNaN},
                      {"i0", 93, 0, kInf},        {"i0e", kInf, 0, 0},
                      {"i0e", kNaN, 0, kNaN},     {"i1", -kInf, 0, -kInf},
                      {"i1", kNaN, 0, kNaN},      {"i1", -93, 0, -kInf},
                      {"i1e", -kInf, 0, 0},       {"i1e", kNaN, 0, kNaN}};
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

/// Every number at which the steps change, from and towards every other one.
template <class T>
void check_neighbours() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> numbers = {0,
                            Limits::denorm_min(),
                            Limits::min(),
                            1,
                            Limits::max(),
                            Limits::infinity(),
                            Limits::quiet_NaN()};
  numbers.push_back(std::nextafter(Limits::min(), T(0)));
  for (size_t i = numbers.size(); i-- > 0;) numbers.push_back(-numbers[i]);
  std::vector<T> a, b;
  for (const T x : numbers)
    for (const T y : numbers) a.push_back(x), b.push_back(y);
  std::vector<T> out(a.size());
  const void* in[] = {a.data(), b.data()};
  pointwise_kernel(op_of("nextafter"), Type<T>::dtype)(in, out.data(),
                                                       static_cast<int64_t>(a.size()), nullptr);
  for (size_t i = 0; i < a.size(); ++i) {
    const T want = std::nextafter(a[i], b[i]);
    if (std::isnan(want))
      EXPECT_TRUE(std::isnan(out[i])) << a[i] << " towards " << b[i];
    else
      EXPECT_EQ(std::memcmp(&out[i], &want, sizeof(T)), 0)
          << a[i] << " towards " << b[i] << " gives " << out[i];
  }
}

TEST(PointwiseKernels, NeighboursOfFloats) {
  for_each_target([] {
    check_neighbours<float>();
    check_neighbours<double>();
  });
}

}  // namespace
}  // namespace autograd::cpu::pointwise_test
