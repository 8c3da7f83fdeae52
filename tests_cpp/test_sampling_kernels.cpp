// The incomplete gamma functions against identities and differences, and numbers drawn by rejection
// against the distributions' shares.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "kernel_test.hpp"
#include "kernels/cpu/gamma_functions.hpp"
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

/// n draws; element i has its own part of the stream.
template <class Draw>
std::vector<double> drawn(int n, const Draw& draw) {
  std::vector<double> all;
  for (int i = 0; i < n; ++i) {
    Uniforms uniforms({3, 40}, i);
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
    const auto draws = drawn(kDraws, [&](Uniforms& u) { return std::exp(draw_log_gamma(a, u)); });
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

TEST(Samplers, AnElementThatTakesMoreThanItsPartGoesOn) {
  Uniforms uniforms({3, 0}, 7);
  std::vector<double> taken;
  for (int i = 0; i < 3 * Uniforms::kReserved; ++i) taken.push_back(uniforms.next());
  std::sort(taken.begin(), taken.end());
  EXPECT_EQ(std::adjacent_find(taken.begin(), taken.end()), taken.end());
  Uniforms next({3, 0}, 8);
  EXPECT_FALSE(std::binary_search(taken.begin(), taken.end(), next.next()));
}

}  // namespace
}  // namespace autograd::cpu
