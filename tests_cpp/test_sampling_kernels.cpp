// The incomplete gamma functions against identities and differences, and numbers drawn by rejection
// against the distributions' shares.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "kernel_test.hpp"
#include "kernels/cpu/gamma_functions.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/samplers.hpp"

namespace autograd::cpu {
namespace {

constexpr double kShapes[] = {0.01, 0.5, 1, 3.7, 9.99, 10.01, 250, 1e5};

/// Numbers in the middle and in both tails of the distribution of shape a.
std::vector<double> numbers(double a) {
  std::vector<double> all;
  for (const double z : {-2.5, -0.7, 0.0, 0.8, 2.5})
    all.push_back(a < 1 ? a * std::exp(2 * z)
                        : a * std::pow(1 - 1 / (9 * a) + z / (3 * std::sqrt(a)), 3));
  return all;
}

TEST(GammaFunctions, OfShapesWithClosedForms) {
  for (const double x : {1e-9, 0.01, 0.7, 1.9, 2.1, 8.0, 40.0}) {
    EXPECT_NEAR(regularized_lower_gamma(1, x), -std::expm1(-x), 1e-14);
    EXPECT_NEAR(regularized_upper_gamma(1, x) / std::exp(-x), 1, 1e-12);
    EXPECT_NEAR(regularized_lower_gamma(0.5, x), std::erf(std::sqrt(x)), 1e-14);
    EXPECT_NEAR(regularized_upper_gamma(0.5, x) / std::erfc(std::sqrt(x)), 1, 1e-12);
    EXPECT_NEAR(regularized_upper_gamma(3, x) / (std::exp(-x) * (1 + x + x * x / 2)), 1, 1e-12);
  }
}

TEST(GammaFunctions, SumToOneAndStepByOne) {
  for (const double a : kShapes)
    for (const double x : numbers(a)) {
      const double lower = regularized_lower_gamma(a, x);
      EXPECT_NEAR(lower + regularized_upper_gamma(a, x), 1, 1e-13) << a << " " << x;
      const double step = std::exp(a * std::log(x) - x - std::lgamma(a + 1));
      EXPECT_NEAR(lower - regularized_lower_gamma(a + 1, x), step, 1e-9) << a << " " << x;
    }
}

TEST(GammaFunctions, SlopeKeepsTheShare) {
  for (const double a : kShapes)
    for (const double x : numbers(a)) {
      const double h = 1e-5 * a, slope = gamma_number_slope(a, x);
      // Of the smaller share, which has the more digits.
      const bool lower = regularized_lower_gamma(a, x) < 0.5;
      const auto share = [&](double shape, double number) {
        return lower ? regularized_lower_gamma(shape, number)
                     : regularized_upper_gamma(shape, number);
      };
      const double up = share(a + h, x + h * slope), down = share(a - h, x - h * slope);
      const double moved = share(a + h, x) - share(a - h, x);
      EXPECT_NEAR((up - down) / moved, 0, 2e-5) << a << " " << x;
    }
}

TEST(GammaFunctions, Borders) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isnan(regularized_lower_gamma(-1, 2)));
  EXPECT_TRUE(std::isnan(regularized_upper_gamma(2, -1)));
  EXPECT_TRUE(std::isnan(regularized_lower_gamma(0, 0)));
  EXPECT_TRUE(std::isnan(regularized_lower_gamma(inf, inf)));
  EXPECT_EQ(regularized_lower_gamma(0, 1), 1);
  EXPECT_EQ(regularized_lower_gamma(inf, 1), 0);
  EXPECT_EQ(regularized_upper_gamma(2, inf), 0);
  EXPECT_EQ(regularized_upper_gamma(2, 0), 1);
  EXPECT_NEAR(regularized_lower_gamma(1e12, 1e12), 0.5, 1e-6);
  EXPECT_TRUE(std::isnan(gamma_number_slope(0, 1)) && std::isnan(gamma_number_slope(inf, 1)));
  EXPECT_NEAR(gamma_number_slope(1e12, 1.000001e12), 1.0000005, 1e-9);
}

/// Vectors of float32, some of which hold shapes that are computed one by one.
TEST(GammaFunctions, OfFloatsAreAsExactAsFloats) {
  std::vector<float> a, x;
  for (const double shape :
       {1e-3, 0.01, 0.04, 0.06, 0.3, 0.5, 1.0, 2.7, 9.99, 30.0, 250.0, 999.0, 1e5})
    for (const double factor :
         {1e-6, 0.03, 0.4, 0.8, 0.99, 1.01, 1.2, 2.0, 3.5, 8.0, 20.0, 300.0}) {
      a.push_back(static_cast<float>(shape));
      x.push_back(static_cast<float>(shape * factor));
    }
  const std::pair<PointwiseOp, double (*)(double, double)> ops[] = {
      {PointwiseOp::k_igamma, [](double s, double t) { return regularized_lower_gamma(s, t); }},
      {PointwiseOp::k_igammac, [](double s, double t) { return regularized_upper_gamma(s, t); }},
      {PointwiseOp::k_gamma_number_slope, gamma_number_slope}};
  for_each_target([&] {
    for (const auto& [op, exact] : ops) {
      std::vector<float> y(a.size());
      const void* in[] = {a.data(), x.data(), nullptr};
      pointwise_kernel(op, DType::kFloat32)(in, y.data(), static_cast<int64_t>(a.size()), nullptr);
      for (size_t i = 0; i < a.size(); ++i) {
        const double want = exact(a[i], x[i]);
        EXPECT_NEAR(y[i], want, 1e-7 * std::fabs(want) + 1e-45) << a[i] << " " << x[i];
      }
    }
  });
}

/// n draws; element i has its own part of the stream.
template <class Draw>
std::vector<double> drawn(int n, const Draw& draw) {
  std::vector<double> all;
  Uniforms uniforms({3, 41}, n);
  for (int i = 0; i < n; ++i) {
    uniforms.start(i, n);
    all.push_back(draw(uniforms));
  }
  return all;
}

constexpr int kDraws = 60000;

/// The share of draws up to a number, five deviations around the expected one.
void expect_share(const std::vector<double>& draws, double most, double p, double parameter) {
  const double found = static_cast<double>(std::count_if(draws.begin(), draws.end(),
                                                         [&](double x) { return x <= most; })) /
                       kDraws;
  EXPECT_NEAR(found, p, 5 * std::sqrt(p * (1 - p) / kDraws) + 1e-12) << parameter << ": " << most;
}

TEST(Samplers, GammaShares) {
  for (const double a : {0.02, 0.6, 1.0, 4.0, 300.0}) {
    const auto draws = drawn(kDraws, [&](Uniforms& u) { return draw_gamma(a, u); });
    for (const double x : numbers(a)) expect_share(draws, x, regularized_lower_gamma(a, x), a);
  }
}

TEST(Samplers, PoissonShares) {
  for (const double rate : {0.0, 0.3, 4.0, 9.9, 10.1, 35.0, 4000.0}) {
    const auto draws = drawn(kDraws, [&](Uniforms& u) { return draw_poisson(rate, u); });
    for (const double z : {-1.5, -0.4, 0.0, 0.6, 1.7}) {
      const double most = std::max(0.0, std::floor(rate + z * std::sqrt(rate)));
      expect_share(draws, most, regularized_upper_gamma(most + 1, rate), rate);
    }
  }
}

TEST(Samplers, PoissonSideBySide) {
  for (const double top : {0.0, 3.0, 9.9, 14.0}) {
    std::vector<double> rates(67), one_by_one(67), together(67);
    for (size_t i = 0; i < rates.size(); ++i) rates[i] = top * static_cast<double>(i % 7) / 6;
    Uniforms uniforms({3, 5}, 67);
    draw_poissons(rates.data(), 0, 67, uniforms, together.data());
    for (int i = 0; i < 67; ++i) {
      uniforms.start(i, 67);
      one_by_one[i] = draw_poisson(rates[i], uniforms);
    }
    EXPECT_EQ(together, one_by_one) << top;
  }
}

TEST(Samplers, BinomialShares) {
  for (const double n : {1.0, 12.0, 60.0, 3000.0})
    for (const double p : {0.004, 0.3, 0.5, 0.9}) {
      const auto draws = drawn(kDraws, [&](Uniforms& u) { return draw_binomial(n, p, u); });
      double sum = 0, k = 0;
      std::map<double, double> shares;
      for (; k <= n; ++k)
        shares[k] = sum +=
            std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                     k * std::log(p) + (n - k) * std::log1p(-p));
      for (const double z : {-1.5, -0.4, 0.0, 0.6, 1.7}) {
        const double most = std::floor(n * p + z * std::sqrt(n * p * (1 - p)));
        if (most >= 0 && most <= n) expect_share(draws, most, std::min(1.0, shares[most]), p);
      }
    }
}

/// What elements 0 .. 66 take, whose numbers are made in pieces of any length.
std::vector<std::vector<double>> taken(int piece, int count) {
  constexpr int kElements = 67;
  std::vector<std::vector<double>> all(kElements);
  for (int first = 0; first < kElements; first += piece) {
    Uniforms uniforms({3, 5}, kElements);
    for (int i = first; i < std::min(first + piece, kElements); ++i) {
      uniforms.start(i, std::min(first + piece, kElements));
      for (int k = 0; k < count; ++k)
        all[i].push_back(k % 3 == 0 ? uniforms.normal() : uniforms.next());
    }
  }
  return all;
}

TEST(Samplers, NumbersDependOnNothingButTheirPlace) {
  const auto whole = taken(67, 100);
  for (const int piece : {1, 2, 7, 64, 65}) EXPECT_EQ(taken(piece, 100), whole) << piece;
}

TEST(Samplers, NoNumberIsTakenTwice) {
  const auto elements = taken(67, 3 * Uniforms::kReserved);
  std::vector<double> all;
  for (const auto& one : elements) all.insert(all.end(), one.begin(), one.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

TEST(Samplers, NormalNumbersAreOfNoUniformOnesTaken) {
  // A normal number is made of two uniform ones, which lie in its own row.
  constexpr int kElements = 67;
  Uniforms uniforms({3, 5}, kElements);
  std::vector<double> drawn;
  for (int i = 0; i < kElements; ++i) {
    uniforms.start(i, kElements);
    for (int k = 0; k < 40; ++k) drawn.push_back(uniforms.next());
  }
  std::sort(drawn.begin(), drawn.end());
  for (int row = 0; row < Uniforms::kReserved; row += 2) {
    std::vector<double> behind(kElements + 1);
    fill_uniform(DType::kFloat64, {3, 6}, row * (kElements + 1), behind.data(), kElements + 1);
    for (const double u : behind) EXPECT_FALSE(std::binary_search(drawn.begin(), drawn.end(), u));
  }
}

}  // namespace
}  // namespace autograd::cpu
