// Losses of pairs: every kind, dtype and instruction set against its formula, one number at a time.
#include <algorithm>

#include "kernel_test.hpp"
#include "kernels/cpu/pair_loss.hpp"

namespace autograd::cpu {
namespace {

struct LossFormula {
  PairLoss kind;
  double (*loss)(double x, double t);
  double (*slope)(double x, double t);
};

constexpr double kP = 0.7;

double sign(double d) { return d > 0 ? 1 : d < 0 ? -1 : 0; }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// x and t lie in (0, 1), where all of them are defined.
const LossFormula kFormulas[] = {
    {PairLoss::kMse, [](double x, double t) { return (x - t) * (x - t); },
     [](double x, double t) { return 2 * (x - t); }},
    {PairLoss::kL1, [](double x, double t) { return std::fabs(x - t); },
     [](double x, double t) { return sign(x - t); }},
    {PairLoss::kSmoothL1,
     [](double x, double t) {
       const double d = std::fabs(x - t);
       return d < kP ? d * d / (2 * kP) : d - kP / 2;
     },
     [](double x, double t) { return std::clamp((x - t) / kP, -1.0, 1.0); }},
    {PairLoss::kHuber,
     [](double x, double t) {
       const double d = std::fabs(x - t);
       return d <= kP ? d * d / 2 : kP * (d - kP / 2);
     },
     [](double x, double t) { return std::clamp(x - t, -kP, kP); }},
    {PairLoss::kBce, [](double x, double t) { return -t * std::log(x) - (1 - t) * std::log1p(-x); },
     [](double x, double t) { return (x - t) / (x * (1 - x)); }},
    {PairLoss::kBceLogits, [](double x, double t) { return (1 - t) * x + softplus(-x); },
     [](double x, double t) { return logistic(x) - t; }},
    {PairLoss::kSoftMargin, [](double x, double t) { return softplus(-t * x); },
     [](double x, double t) { return -t * logistic(-t * x); }},
    {PairLoss::kKl, [](double x, double t) { return t * (std::log(t) - x); },
     [](double, double t) { return -t; }},
    {PairLoss::kKlLog, [](double x, double t) { return std::exp(t) * (t - x); },
     [](double, double t) { return -std::exp(t); }},
};

template <class T>
std::vector<T> probabilities(size_t n, uint32_t seed) {
  std::vector<T> v = normal_numbers<T>(n, seed);
  for (T& x : v) x = static_cast<T>(0.02 + 0.96 * logistic(static_cast<double>(x) * 2));
  return v;
}

template <class T>
void check(const LossFormula& formula, size_t n) {
  SCOPED_TRACE(static_cast<int>(formula.kind));
  SCOPED_TRACE(n);
  const std::vector<T> x = probabilities<T>(n, 1), t = probabilities<T>(n, 2),
                       g = normal_numbers<T>(n, 3);
  const int64_t count = static_cast<int64_t>(n);
  const double tolerance = sizeof(T) == 4 ? 4e-6 : 1e-13;
  Guarded<T> out(n), dx(n), dx_of_one(n), sum(1);
  pair_loss(formula.kind, dtype_of<T>(), x.data(), t.data(), out.data(), count, kP);
  pair_loss_sum(formula.kind, dtype_of<T>(), x.data(), t.data(), sum.data(), count, kP);
  pair_loss_backward(formula.kind, dtype_of<T>(), g.data(), 1, 0.5, x.data(), t.data(), dx.data(),
                     count, kP);
  const T one = T(3);
  pair_loss_backward(formula.kind, dtype_of<T>(), &one, 0, 0.5, x.data(), t.data(),
                     dx_of_one.data(), count, kP);
  double total = 0;
  for (size_t i = 0; i < n; ++i) {
    const double loss = formula.loss(x[i], t[i]), slope = formula.slope(x[i], t[i]);
    const double scale = std::max(1.0, std::fabs(slope));
    total += loss;
    ASSERT_TRUE(close(out[i], loss, tolerance * std::max(1.0, std::fabs(loss))));
    ASSERT_TRUE(close(dx[i], slope * 0.5 * g[i], 4 * tolerance * scale));
    ASSERT_TRUE(close(dx_of_one[i], slope * 1.5, 4 * tolerance * scale));
  }
  ASSERT_TRUE(close(sum[0], total, tolerance * static_cast<double>(n + 1)));
  out.expect_intact();
  dx.expect_intact();
  sum.expect_intact();
}

TEST(PairLoss, EveryKindOnEveryTarget) {
  for_each_target([] {
    for (const LossFormula& formula : kFormulas)
      for (size_t n : {0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 100}) {
        check<float>(formula, n);
        check<double>(formula, n);
      }
  });
}

TEST(PairLoss, EdgesOfBinaryCrossEntropy) {
  for_each_target([] {
    const float x[4] = {0, 1, 0, 1}, t[4] = {0, 1, 1, 0};
    float out[4];
    pair_loss(PairLoss::kBce, DType::kFloat32, x, t, out, 4, 0);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[1], 0);
    EXPECT_EQ(out[2], 100);
    EXPECT_EQ(out[3], 100);
  });
}

TEST(PairLoss, Probabilities) {
  const float good[3] = {0, 0.5f, 1}, high[2] = {0, 1.5f}, low[1] = {-0.1f};
  const double nan[1] = {kNaN};
  EXPECT_TRUE(is_probability(DType::kFloat32, good, 3));
  EXPECT_FALSE(is_probability(DType::kFloat32, high, 2));
  EXPECT_FALSE(is_probability(DType::kFloat32, low, 1));
  EXPECT_FALSE(is_probability(DType::kFloat64, nan, 1));
}

}  // namespace
}  // namespace autograd::cpu
