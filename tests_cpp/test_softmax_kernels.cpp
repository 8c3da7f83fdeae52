// Softmax and cross entropy kernels: every instruction set against formulas in long double.
#include <algorithm>

#include "kernel_test.hpp"
#include "kernels/cpu/cross_entropy.hpp"
#include "kernels/cpu/softmax.hpp"

namespace autograd::cpu {
namespace {

using Real = long double;
constexpr int64_t kRowCounts[] = {1, 2, 3, 5, 8, 9, 17, 33};

/// All small widths and some larger odd ones.
std::vector<int64_t> widths() {
  std::vector<int64_t> w;
  for (int64_t n = 1; n <= 70; ++n) w.push_back(n);
  w.insert(w.end(), {127, 255, 1023});
  return w;
}

template <class T>
constexpr double kEpsilon = std::numeric_limits<T>::epsilon();

/// A few roundings, and those of a sum of n numbers where there is one lane only.
template <class T>
double roundings(int64_t n) {
  return (8 + n / 64) * kEpsilon<T>;
}

struct RowStats {
  Real max, log_sum;
};

template <class T>
RowStats stats(const T* x, int64_t n) {
  Real m = -kInf, s = 0;
  for (int64_t j = 0; j < n; ++j) m = std::isnan(x[j]) || x[j] > m ? Real(x[j]) : m;
  for (int64_t j = 0; j < n; ++j) s += std::exp(Real(x[j]) - m);
  return {m, std::log(s)};
}

/// In the order of PyTorch's steps, so that special values come out alike.
template <class T>
std::vector<Real> log_softmax(const std::vector<T>& x, int64_t rows, int64_t n) {
  std::vector<Real> result(rows * n);
  for (int64_t r = 0; r < rows; ++r) {
    const RowStats s = stats(&x[r * n], n);
    for (int64_t j = r * n; j < r * n + n; ++j) result[j] = (Real(x[j]) - s.max) - s.log_sum;
  }
  return result;
}

/// Calls test(rows, n) for many shapes under every instruction set.
template <class F>
void for_shapes(const F& test) {
  for_each_target([&] {
    for (const int64_t n : widths()) {
      for (const int64_t rows : kRowCounts) {
        if (n > 70 && rows > 3) continue;
        SCOPED_TRACE(::testing::Message() << "rows " << rows << " n " << n);
        test(rows, n);
        if (::testing::Test::HasFailure()) return;
      }
    }
  });
}

template <class T>
class SoftmaxKernel : public ::testing::Test {};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SoftmaxKernel, Floats);

TYPED_TEST(SoftmaxKernel, MatchesFormula) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t n) {
    const auto x = normal_numbers<T>(rows * n, 1);
    const auto logs = log_softmax(x, rows, n);
    for (const bool log : {false, true}) {
      Guarded<T> y(rows * n, n % 3);
      softmax(dtype_of<T>(), log, x.data(), y.data(), rows, n);
      y.expect_intact();
      for (int64_t i = 0; i < rows * n; ++i) {
        const double want = log ? logs[i] : std::exp(logs[i]);
        const double scale = log ? 4 + std::fabs(want) : want;
        ASSERT_TRUE(close(y[i], want, roundings<T>(n) * scale)) << "at " << i << " log " << log;
      }
      auto in_place = x;
      softmax(dtype_of<T>(), log, in_place.data(), in_place.data(), rows, n);
      ASSERT_EQ(0, std::memcmp(in_place.data(), y.data(), rows * n * sizeof(T)));
    }
  });
}

TYPED_TEST(SoftmaxKernel, BackwardMatchesFormula) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t n) {
    const auto x = normal_numbers<T>(rows * n, 2), g = normal_numbers<T>(rows * n, 3);
    for (const bool log : {false, true}) {
      std::vector<T> y(rows * n);
      softmax(dtype_of<T>(), log, x.data(), y.data(), rows, n);
      Guarded<T> dx(rows * n, n % 5);
      softmax_backward(dtype_of<T>(), log, g.data(), y.data(), dx.data(), rows, n);
      dx.expect_intact();
      for (int64_t r = 0; r < rows; ++r) {
        Real sum = 0, size = 0;
        for (int64_t j = r * n; j < r * n + n; ++j) {
          sum += log ? Real(g[j]) : Real(g[j]) * y[j];
          size += std::fabs(log ? Real(g[j]) : Real(g[j]) * y[j]);
        }
        for (int64_t j = r * n; j < r * n + n; ++j) {
          const Real want = log ? g[j] - std::exp(Real(y[j])) * sum : y[j] * (g[j] - sum);
          const double p = log ? std::exp(y[j]) : y[j];
          const double tolerance = roundings<T>(n) * (std::fabs(g[j]) * (log ? 1 : p) + p * size);
          ASSERT_TRUE(close(dx[j], want, tolerance)) << "at " << j << " log " << log;
        }
      }
    }
  });
}

TYPED_TEST(SoftmaxKernel, CrossEntropyMatchesFormula) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t n) {
    const auto x = normal_numbers<T>(rows * n, 4), g = normal_numbers<T>(3 * rows, 5);
    const auto logs = log_softmax(x, rows, n);
    std::vector<int64_t> target(rows);
    for (int64_t r = 0; r < rows; ++r) target[r] = (r * 7 + 3) % n;
    Guarded<T> loss(rows, 1), lse(rows, 2);
    cross_entropy(dtype_of<T>(), x.data(), target.data(), loss.data(), lse.data(), rows, n);
    loss.expect_intact();
    lse.expect_intact();
    for (const int64_t stride : {0, 1, 3}) {
      Guarded<T> dx(rows * n, 3);
      cross_entropy_backward(dtype_of<T>(), g.data(), stride, 0.25, x.data(), target.data(),
                             lse.data(), dx.data(), rows, n);
      dx.expect_intact();
      for (int64_t r = 0; r < rows; ++r) {
        const RowStats s = stats(&x[r * n], n);
        const double tolerance = roundings<T>(n) * (4 + std::fabs(s.max));
        ASSERT_TRUE(close(lse[r], s.max + s.log_sum, tolerance));
        ASSERT_TRUE(close(loss[r], -logs[r * n + target[r]], tolerance));
        const Real weight = Real(g[r * stride]) / 4;
        for (int64_t j = 0; j < n; ++j) {
          const Real p = std::exp(logs[r * n + j]);
          const Real hot = j == target[r];
          ASSERT_TRUE(close(dx[r * n + j], (p - hot) * weight,
                            roundings<T>(n) * std::fabs(weight) * (p + hot)));
        }
      }
    }
  });
}

TYPED_TEST(SoftmaxKernel, CrossEntropyOfProbabilitiesMatchesFormula) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t n) {
    const auto x = normal_numbers<T>(rows * n, 6), g = normal_numbers<T>(3 * rows, 7);
    const auto logs = log_softmax(x, rows, n);
    auto t = normal_numbers<T>(rows * n, 8);
    for (T& v : t) v = v < 0 ? 0 : v;
    Guarded<T> loss(rows, 1), lse(rows, 2);
    cross_entropy_probs(dtype_of<T>(), x.data(), t.data(), loss.data(), lse.data(), rows, n);
    loss.expect_intact();
    lse.expect_intact();
    for (const int64_t stride : {0, 1, 3}) {
      Guarded<T> dx(rows * n, 3);
      cross_entropy_probs_backward(dtype_of<T>(), g.data(), stride, 0.25, x.data(), t.data(),
                                   lse.data(), dx.data(), rows, n);
      dx.expect_intact();
      for (int64_t r = 0; r < rows; ++r) {
        const RowStats s = stats(&x[r * n], n);
        Real want = 0, total = 0;
        for (int64_t j = 0; j < n; ++j) {
          total += t[r * n + j];
          want -= Real(t[r * n + j]) * logs[r * n + j];
        }
        ASSERT_TRUE(close(lse[r], s.max + s.log_sum, roundings<T>(n) * (4 + std::fabs(s.max))));
        ASSERT_TRUE(close(loss[r], want, roundings<T>(n) * (want + 4 * total)));
        const Real weight = Real(g[r * stride]) / 4;
        for (int64_t j = 0; j < n; ++j) {
          const Real p = std::exp(logs[r * n + j]) * total, tj = t[r * n + j];
          ASSERT_TRUE(close(dx[r * n + j], (p - tj) * weight,
                            roundings<T>(n) * std::fabs(weight) * (p + tj)));
        }
      }
    }
  });
}

/// Each special row in several widths and among ordinary rows: a row never touches its neighbours.
TYPED_TEST(SoftmaxKernel, CrossEntropyStepIsBothInOne) {
  using T = TypeParam;
  for_shapes([](int64_t rows, int64_t n) {
    std::vector<T> x = normal_numbers<T>(rows * n, 1), t = normal_numbers<T>(rows * n, 2);
    x[0] *= 40;
    t[0] = 0;
    std::vector<int64_t> target(rows);
    for (int64_t r = 0; r < rows; ++r) target[r] = (r * 7 + 3) % n;
    const T g = T(0.75);
    for (const bool has_classes : {false, true}) {
      std::vector<T> loss(rows), lse(rows), dx(rows * n);
      Guarded<T> losses(rows, 1), gradient(rows * n, 2);
      if (has_classes) {
        cross_entropy(dtype_of<T>(), x.data(), target.data(), loss.data(), lse.data(), rows, n);
        cross_entropy_backward(dtype_of<T>(), &g, 0, 0.25, x.data(), target.data(), lse.data(),
                               dx.data(), rows, n);
        cross_entropy_step(dtype_of<T>(), 0.75, 0.25, x.data(), target.data(), losses.data(),
                           gradient.data(), rows, n);
      } else {
        cross_entropy_probs(dtype_of<T>(), x.data(), t.data(), loss.data(), lse.data(), rows, n);
        cross_entropy_probs_backward(dtype_of<T>(), &g, 0, 0.25, x.data(), t.data(), lse.data(),
                                     dx.data(), rows, n);
        cross_entropy_probs_step(dtype_of<T>(), 0.75, 0.25, x.data(), t.data(), losses.data(),
                                 gradient.data(), rows, n);
      }
      losses.expect_intact();
      gradient.expect_intact();
      EXPECT_EQ(std::memcmp(losses.data(), loss.data(), loss.size() * sizeof(T)), 0);
      EXPECT_EQ(std::memcmp(gradient.data(), dx.data(), dx.size() * sizeof(T)), 0);
      // The gradient may lie where the logits lay.
      std::vector<T> both = x;
      if (has_classes)
        cross_entropy_step(dtype_of<T>(), 0.75, 0.25, both.data(), target.data(), losses.data(),
                           both.data(), rows, n);
      else
        cross_entropy_probs_step(dtype_of<T>(), 0.75, 0.25, both.data(), t.data(), losses.data(),
                                 both.data(), rows, n);
      EXPECT_EQ(std::memcmp(losses.data(), loss.data(), loss.size() * sizeof(T)), 0);
      EXPECT_EQ(std::memcmp(both.data(), dx.data(), dx.size() * sizeof(T)), 0);
      both = x;
      if (has_classes) {
        cross_entropy_backward(dtype_of<T>(), &g, 0, 0.25, both.data(), target.data(), lse.data(),
                               both.data(), rows, n);
        EXPECT_EQ(std::memcmp(both.data(), dx.data(), dx.size() * sizeof(T)), 0);
      }
    }
  });
}

TYPED_TEST(SoftmaxKernel, SpecialValuesAsPyTorch) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T huge = std::numeric_limits<T>::max();
  const std::vector<std::vector<T>> fills = {
      {-inf},          {inf},          {nan},       {-inf, 0},      {inf, 0},
      {nan, 0},        {nan, -inf},    {inf, -inf}, {huge, -huge},  {-huge, -huge},
      {1000, 0, -800}, {0, -95, -103}, {inf, nan},  {-inf, -inf, 3}};
  for_each_target([&] {
    for (const int64_t n : {3, 4, 16, 17, 37}) {
      const int64_t rows = 3 * fills.size();
      auto x = normal_numbers<T>(rows * n, 9);
      for (size_t k = 0; k < fills.size(); ++k) {
        for (int64_t j = 0; j < n; ++j) x[(3 * k + 1) * n + j] = fills[k][j % fills[k].size()];
      }
      const auto logs = log_softmax(x, rows, n);
      std::vector<T> y(rows * n), l(rows * n), loss(rows), lse(rows), dx(rows * n);
      std::vector<int64_t> target(rows, 1);
      const T one = 1;
      softmax(dtype_of<T>(), false, x.data(), y.data(), rows, n);
      softmax(dtype_of<T>(), true, x.data(), l.data(), rows, n);
      cross_entropy(dtype_of<T>(), x.data(), target.data(), loss.data(), lse.data(), rows, n);
      cross_entropy_backward(dtype_of<T>(), &one, 0, 1, x.data(), target.data(), lse.data(),
                             dx.data(), rows, n);
      for (int64_t i = 0; i < rows * n; ++i) {
        SCOPED_TRACE(::testing::Message() << "n " << n << " row " << i / n << " x " << x[i]);
        const double p = std::exp(logs[i]), hot = i % n == 1;
        // As a float the difference of the largest numbers overflows.
        const double as_t = static_cast<T>(logs[i]);
        EXPECT_TRUE(close(l[i], as_t, roundings<T>(n) * (4 + std::fabs(as_t))));
        EXPECT_TRUE(close(y[i], p, roundings<T>(n) * p + std::numeric_limits<T>::denorm_min()));
        EXPECT_TRUE(close(dx[i], p - hot, roundings<T>(n)));
        if (hot == 1) {
          EXPECT_TRUE(close(loss[i / n], -as_t, roundings<T>(n) * (4 + std::fabs(as_t))));
        }
      }
    }
  });
}

/// The faults to pin: 0 * log 0, and a gradient from a log sum whose rounding is as large as 1.
TYPED_TEST(SoftmaxKernel, SaturatedLogitsGiveFiniteLoss) {
  using T = TypeParam;
  for_each_target([] {
    const T inf = std::numeric_limits<T>::infinity();
    const T x[] = {0, 200, 0, -inf}, t[] = {0, 1, 1, 0};
    const int64_t target[] = {0, 0};
    T loss[2], lse[2], dx[4];
    const T one = 1;
    for (const int64_t rows : {1, 2}) {
      cross_entropy(dtype_of<T>(), x, target, loss, lse, rows, 2);
      EXPECT_EQ(loss[0], 200);
      cross_entropy_probs(dtype_of<T>(), x, t, loss, lse, rows, 2);
      EXPECT_EQ(loss[0], 0);
      cross_entropy_probs_backward(dtype_of<T>(), &one, 0, 1, x, t, lse, dx, rows, 2);
      EXPECT_NEAR(dx[0], 0, 1e-30);
      EXPECT_EQ(dx[1], 0);
    }
    EXPECT_EQ(loss[1], 0);
    EXPECT_EQ(dx[3], 0);
  });
}

TYPED_TEST(SoftmaxKernel, GradientIsExactForLargeLogits) {
  using T = TypeParam;
  for_each_target([] {
    for (const int64_t n : {3, 40}) {
      for (const double base : {1e4, 1e8, 1e12, -1e12, 1e30}) {
        std::vector<T> x(2 * n, static_cast<T>(base)), dx(2 * n);
        const int64_t target[] = {0, 1};
        const T one = 1;
        T loss[2], lse[2];
        cross_entropy(dtype_of<T>(), x.data(), target, loss, lse, 2, n);
        cross_entropy_backward(dtype_of<T>(), &one, 0, 1, x.data(), target, lse, dx.data(), 2, n);
        for (int64_t i = 0; i < 2 * n; ++i) {
          const double want = 1.0 / n - (i % n == target[i / n]);
          EXPECT_TRUE(close(dx[i], want, 4 * kEpsilon<T>)) << "base " << base << " n " << n;
        }
        EXPECT_TRUE(close(loss[0], std::log(n), roundings<T>(n) * std::log(n)));
      }
    }
  });
}

TEST(SoftmaxKernels, NoRowsAreNoWork) {
  softmax(DType::kFloat32, false, nullptr, nullptr, 0, 4);
  softmax_backward(DType::kFloat64, true, nullptr, nullptr, nullptr, 0, 4);
  softmax(DType::kFloat32, true, nullptr, nullptr, 4, 0);
}

}  // namespace
}  // namespace autograd::cpu
