// The rules of optim.def: every rule and instruction set against its formula, one number at a time.
#include <algorithm>

#include "kernel_test.hpp"
#include "kernels/cpu/optim.hpp"

namespace autograd::cpu {
namespace {

/// A rule on one weight: w, g, states and numbers in the order of optim.def.
struct StepFormula {
  Rule rule;
  const char* name;
  std::vector<double> numbers;
  void (*step)(double& w, double g, double* s, const double* p);
};

double lerp(double a, double b, double rate) { return a + rate * (b - a); }
double squares(double v, double keep, double take, double g) { return keep * v + take * g * g; }

double clamp_step(double s, double turn, const double* p) {
  return std::min(std::max(s * (turn > 0 ? p[1] : turn < 0 ? p[0] : 1), p[2]), p[3]);
}

std::vector<StepFormula> all_formulas() {
  return {
      {Rule::sgd,
       "sgd",
       {0.1},
       [](double& w, double g, double*, const double* p) { w -= p[0] * g; }},
      {Rule::sgd_momentum,
       "sgd_momentum",
       {0.1, 0.9, 0.7},
       [](double& w, double g, double* s, const double* p) {
         s[0] = p[1] * s[0] + p[2] * g;
         w -= p[0] * s[0];
       }},
      {Rule::sgd_nesterov,
       "sgd_nesterov",
       {0.1, 0.9, 1, 0.9},
       [](double& w, double g, double* s, const double* p) {
         s[0] = p[1] * s[0] + p[2] * g;
         w -= p[0] * (g + p[3] * s[0]);
       }},
      {Rule::adam,
       "adam",
       {0.1, 0.99, 0.01, 2.5, 1e-3, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] = lerp(s[0], g, p[0]);
         s[1] = squares(s[1], p[1], p[2], g);
         w -= p[5] * s[0] / (std::sqrt(s[1]) * p[3] + p[4]);
       }},
      // A rate above 1/2 takes the other branch of lerp.
      {Rule::adam_amsgrad,
       "adam_amsgrad",
       {0.75, 0.99, 0.01, 2.5, 1e-3, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] = lerp(s[0], g, p[0]);
         s[1] = squares(s[1], p[1], p[2], g);
         s[2] = std::max(s[2], s[1]);
         w -= p[5] * s[0] / (std::sqrt(s[2]) * p[3] + p[4]);
       }},
      {Rule::adamax,
       "adamax",
       {0.1, 0.99, 1e-3, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] = lerp(s[0], g, p[0]);
         s[1] = std::max(s[1] * p[1], std::fabs(g) + p[2]);
         w -= p[3] * s[0] / s[1];
       }},
      {Rule::nadam,
       "nadam",
       {0.1, 0.99, 0.01, 0.3, 1e-3, 0.02, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] = lerp(s[0], g, p[0]);
         s[1] = squares(s[1], p[1], p[2], g);
         w -= (p[5] * g + p[6] * s[0]) / (std::sqrt(s[1] / p[3]) + p[4]);
       }},
      {Rule::radam_plain,
       "radam_plain",
       {0.1, 0.99, 0.01, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] = lerp(s[0], g, p[0]);
         s[1] = squares(s[1], p[1], p[2], g);
         w -= p[3] * s[0];
       }},
      {Rule::radam,
       "radam",
       {0.1, 0.99, 0.01, 0.05, 1e-3},
       [](double& w, double g, double* s, const double* p) {
         s[0] = lerp(s[0], g, p[0]);
         s[1] = squares(s[1], p[1], p[2], g);
         w -= p[3] * s[0] / (std::sqrt(s[1]) + p[4]);
       }},
      {Rule::rmsprop,
       "rmsprop",
       {0.9, 0.1, 1e-3, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] = squares(s[0], p[0], p[1], g);
         w -= p[3] * g / (std::sqrt(s[0]) + p[2]);
       }},
      {Rule::rmsprop_momentum,
       "rmsprop_momentum",
       {0.9, 0.1, 1e-3, 0.05, 0.8},
       [](double& w, double g, double* s, const double* p) {
         s[0] = squares(s[0], p[0], p[1], g);
         s[1] = p[4] * s[1] + g / (std::sqrt(s[0]) + p[2]);
         w -= p[3] * s[1];
       }},
      {Rule::rmsprop_centered,
       "rmsprop_centered",
       {0.9, 0.1, 0.1, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] = squares(s[0], p[0], p[1], g);
         s[1] = lerp(s[1], g, p[1]);
         w -= p[3] * g / (std::sqrt(s[0] - s[1] * s[1]) + p[2]);
       }},
      {Rule::rmsprop_centered_momentum,
       "rmsprop_centered_momentum",
       {0.9, 0.1, 0.1, 0.05, 0.8},
       [](double& w, double g, double* s, const double* p) {
         s[0] = squares(s[0], p[0], p[1], g);
         s[2] = lerp(s[2], g, p[1]);
         s[1] = p[4] * s[1] + g / (std::sqrt(s[0] - s[2] * s[2]) + p[2]);
         w -= p[3] * s[1];
       }},
      {Rule::adagrad,
       "adagrad",
       {1e-3, 0.05},
       [](double& w, double g, double* s, const double* p) {
         s[0] += g * g;
         w -= p[1] * g / (std::sqrt(s[0]) + p[0]);
       }},
      {Rule::adadelta,
       "adadelta",
       {0.9, 0.1, 1e-3, 0.5},
       [](double& w, double g, double* s, const double* p) {
         s[0] = squares(s[0], p[0], p[1], g);
         const double step = std::sqrt(s[1] + p[2]) / std::sqrt(s[0] + p[2]) * g;
         s[1] = squares(s[1], p[0], p[1], step);
         w -= p[3] * step;
       }},
      {Rule::rprop,
       "rprop",
       {0.5, 1.2, 1e-3, 0.1},
       [](double& w, double g, double* s, const double* p) {
         const double turn = g * s[0];
         s[1] = clamp_step(s[1], turn, p);
         s[0] = turn < 0 ? 0 : g;
         w -= (s[0] > 0 ? 1 : s[0] < 0 ? -1 : 0) * s[1];
       }},
      {Rule::asgd,
       "asgd",
       {0.05, 0.25},
       [](double& w, double g, double* s, const double* p) {
         w -= p[0] * g;
         s[0] += (w - s[0]) * p[1];
       }},
      {Rule::asgd,
       "asgd before averaging",
       {0.05, 1},
       [](double& w, double g, double* s, const double* p) {
         w -= p[0] * g;
         s[0] = w;
       }},
  };
}

/// What comes before each rule.
struct Prelude {
  bool negate;
  double decay, shrink;
};

template <class T>
void expect_formula(const StepFormula& f, const Prelude& prelude, size_t n) {
  SCOPED_TRACE(::testing::Message() << f.name << ", n " << n << ", decay " << prelude.decay);
  const int states = optim_states(f.rule);
  Update update;
  update.rule = f.rule;
  update.negate = prelude.negate;
  update.decay = prelude.decay;
  update.shrink = prelude.shrink;
  std::copy(f.numbers.begin(), f.numbers.end(), update.numbers);

  Guarded<T> w(n, 1), first(n, 3), second(n, 0), third(n, 2);
  Guarded<T>* all[] = {&first, &second, &third};
  void* pointers[] = {first.data(), second.data(), third.data()};
  std::vector<double> want_w(n), want_s(n * kMaxOptimStates, 0.01);
  const auto start = normal_numbers<T>(n, 1);
  for (size_t i = 0; i < n; ++i) {
    want_w[i] = w[i] = start[i];
    for (Guarded<T>* s : all) (*s)[i] = T(0.01);
  }
  for (int round = 0; round < 3; ++round) {
    const auto g = normal_numbers<T>(n, static_cast<uint32_t>(2 + round));
    optim_update(update, dtype_of<T>(), w.data(), g.data(), pointers, static_cast<int64_t>(n));
    for (size_t i = 0; i < n; ++i) {
      double* s = &want_s[i * kMaxOptimStates];
      const double gradient = (prelude.negate ? -g[i] : g[i]) + prelude.decay * want_w[i];
      want_w[i] *= prelude.shrink;
      f.step(want_w[i], gradient, s, f.numbers.data());
      const double eps = 64 * std::numeric_limits<T>::epsilon();
      ASSERT_TRUE(close(w[i], want_w[i], eps * (1 + std::fabs(want_w[i])))) << "w " << i;
      for (int k = 0; k < states; ++k) {
        ASSERT_TRUE(close((*all[k])[i], s[k], eps * (1 + std::fabs(s[k])))) << "state " << k;
        // Rounding must not add up over the rounds.
        s[k] = (*all[k])[i];
      }
      want_w[i] = w[i];
    }
  }
  w.expect_intact();
  for (Guarded<T>* s : all) s->expect_intact();
  for (int k = states; k < kMaxOptimStates; ++k)
    for (size_t i = 0; i < n; ++i) ASSERT_EQ((*all[k])[i], T(0.01)) << "unused state " << k;
}

template <class T>
class OptimKernel : public ::testing::Test {};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(OptimKernel, Floats);

TYPED_TEST(OptimKernel, MatchesItsFormula) {
  std::vector<size_t> sizes = {127, 301};
  for (size_t n = 0; n <= 35; ++n) sizes.push_back(n);
  for_each_target([&] {
    for (const StepFormula& formula : all_formulas())
      for (const Prelude& prelude : {Prelude{false, 0, 1}, Prelude{true, 0.1, 0.9}})
        for (const size_t n : sizes) expect_formula<TypeParam>(formula, prelude, n);
  });
}

/// With decay 0 an infinite weight must not make 0 * inf, nor a step of 0 move anything.
TYPED_TEST(OptimKernel, ZeroOptionsTouchNothing) {
  using T = TypeParam;
  for_each_target([] {
    std::vector<T> w(19, std::numeric_limits<T>::infinity()), g(19, 1);
    Update update;
    update.rule = Rule::sgd;
    update.numbers[0] = 0.1;
    optim_update(update, dtype_of<T>(), w.data(), g.data(), nullptr, 19);
    for (const T x : w) EXPECT_EQ(x, std::numeric_limits<T>::infinity());
    std::fill(w.begin(), w.end(), T(0.25));
    update.numbers[0] = 0;
    update.decay = 0.5;
    optim_update(update, dtype_of<T>(), w.data(), g.data(), nullptr, 19);
    for (const T x : w) EXPECT_EQ(x, T(0.25));
  });
}

/// A NaN gradient reaches the weight through every rule.
TYPED_TEST(OptimKernel, NaNIsNotLost) {
  using T = TypeParam;
  for_each_target([] {
    for (const StepFormula& f : all_formulas()) {
      Update update;
      update.rule = f.rule;
      std::copy(f.numbers.begin(), f.numbers.end(), update.numbers);
      std::vector<T> w(5, 1), g(5, static_cast<T>(kNaN)), a(5, 1), b(5, 1), c(5, 1);
      void* states[] = {a.data(), b.data(), c.data()};
      optim_update(update, dtype_of<T>(), w.data(), g.data(), states, 5);
      for (const T x : w) EXPECT_TRUE(std::isnan(x)) << f.name;
    }
  });
}

/// torch.optim.SGD([w], 0.1, momentum=0.9, dampening=0.2, weight_decay=0.01), three steps from
/// w = 1 with gradients 0.5, -0.25 and 2 (PyTorch 2.13, float64).
TEST(OptimKernels, AgreesWithPyTorch) {
  for_each_target([] {
    Update update;
    update.rule = Rule::sgd_momentum;
    update.decay = 0.01;
    double w = 1, b = 0;
    void* states[] = {&b};
    bool first = true;
    for (const double g : {0.5, -0.25, 2.0}) {
      update.numbers[0] = 0.1;
      update.numbers[1] = first ? 0 : 0.9;
      update.numbers[2] = first ? 1 : 0.8;
      optim_update(update, DType::kFloat64, &w, &g, states, 1);
      first = false;
    }
    EXPECT_NEAR(w, 0.7376096473599999, 1e-15);
  });
}

}  // namespace
}  // namespace autograd::cpu
