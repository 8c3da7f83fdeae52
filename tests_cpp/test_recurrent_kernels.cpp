// Time steps of recurrent layers: every instruction set against plain loops, gradients against
// differences of the forward step in double.
#include "kernel_test.hpp"
#include "kernels/cpu/recurrent.hpp"

namespace autograd::cpu {
namespace {

constexpr int64_t kHidden[] = {1, 3, 8, 17};
constexpr int64_t kRows = 3;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

template <class T>
void check_lstm() {
  for (const int64_t h : kHidden) {
    const auto start = normal_numbers<T>(kRows * 4 * h, 1),
               before = normal_numbers<T>(kRows * h, 2);
    Guarded<T> gates(kRows * 4 * h), c(kRows * h), y(kRows * h);
    std::copy(start.begin(), start.end(), gates.data());
    lstm_step(dtype_of<T>(), kRows, h, gates.data(), before.data(), c.data(), y.data());
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t j = 0; j < h; ++j) {
        const T* g = &start[r * 4 * h];
        const double cell = sigmoid(g[h + j]) * before[r * h + j] +
                            sigmoid(g[j]) * std::tanh(static_cast<double>(g[2 * h + j]));
        const double tolerance = 32 * std::numeric_limits<T>::epsilon();
        EXPECT_TRUE(close(c[r * h + j], cell, tolerance));
        EXPECT_TRUE(close(y[r * h + j], sigmoid(g[3 * h + j]) * std::tanh(cell), tolerance));
      }
    for (Guarded<T>* g : {&gates, &c, &y}) g->expect_intact();
  }
}

TEST(RecurrentKernels, LstmStep) {
  for_each_target([] {
    check_lstm<float>();
    check_lstm<double>();
  });
}

/// <weights, y> + <weights, c> of one LSTM step.
double lstm_value(std::vector<double> gates, const std::vector<double>& before, int64_t h,
                  const std::vector<double>& dy, const std::vector<double>& dc) {
  std::vector<double> c(h), y(h);
  lstm_step(DType::kFloat64, 1, h, gates.data(), before.data(), c.data(), y.data());
  double total = 0;
  for (int64_t j = 0; j < h; ++j) total += dy[j] * y[j] + dc[j] * c[j];
  return total;
}

template <class F>
double slope(std::vector<double> x, size_t at, const F& value) {
  constexpr double kStep = 1e-6;
  x[at] += kStep;
  const double above = value(x);
  x[at] -= 2 * kStep;
  return (above - value(x)) / (2 * kStep);
}

TEST(RecurrentKernels, LstmGradient) {
  for_each_target([] {
    constexpr int64_t h = 5;
    const auto start = normal_numbers<double>(4 * h, 1), before = normal_numbers<double>(h, 2),
               dy = normal_numbers<double>(h, 3), weights = normal_numbers<double>(h, 4);
    std::vector<double> gates = start, c(h), y(h), dc = weights, dgates(4 * h);
    lstm_step(DType::kFloat64, 1, h, gates.data(), before.data(), c.data(), y.data());
    lstm_step_backward(DType::kFloat64, 1, h, gates.data(), before.data(), c.data(), dy.data(),
                       dc.data(), dgates.data());
    for (size_t i = 0; i < dgates.size(); ++i) {
      const double want =
          slope(start, i, [&](const auto& x) { return lstm_value(x, before, h, dy, weights); });
      EXPECT_TRUE(close(dgates[i], want, 1e-8)) << i;
    }
    for (size_t i = 0; i < dc.size(); ++i) {
      const double want =
          slope(before, i, [&](const auto& x) { return lstm_value(start, x, h, dy, weights); });
      EXPECT_TRUE(close(dc[i], want, 1e-8)) << i;
    }
  });
}

template <class T>
void check_gru() {
  for (const int64_t h : kHidden) {
    const auto x = normal_numbers<T>(kRows * 3 * h, 1), parts = normal_numbers<T>(kRows * 4 * h, 2),
               before = normal_numbers<T>(kRows * h, 3);
    Guarded<T> s(kRows * 4 * h), y(kRows * h);
    std::copy(parts.begin(), parts.end(), s.data());
    gru_step(dtype_of<T>(), kRows, h, x.data(), s.data(), before.data(), y.data());
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t j = 0; j < h; ++j) {
        const T *a = &x[r * 3 * h], *b = &parts[r * 4 * h];
        const double reset = sigmoid(double{a[j]} + b[j]), z = sigmoid(double{a[h + j]} + b[h + j]);
        const double n = std::tanh(a[2 * h + j] + reset * b[2 * h + j]);
        EXPECT_TRUE(close(y[r * h + j], (1 - z) * n + z * before[r * h + j],
                          32 * std::numeric_limits<T>::epsilon()));
      }
    s.expect_intact();
    y.expect_intact();
  }
}

TEST(RecurrentKernels, GruStep) {
  for_each_target([] {
    check_gru<float>();
    check_gru<double>();
  });
}

double gru_value(const std::vector<double>& x, std::vector<double> s,
                 const std::vector<double>& before, int64_t h, const std::vector<double>& dy) {
  std::vector<double> y(h);
  gru_step(DType::kFloat64, 1, h, x.data(), s.data(), before.data(), y.data());
  double total = 0;
  for (int64_t j = 0; j < h; ++j) total += dy[j] * y[j];
  return total;
}

TEST(RecurrentKernels, GruGradient) {
  for_each_target([] {
    constexpr int64_t h = 5;
    const auto x = normal_numbers<double>(3 * h, 1), parts = normal_numbers<double>(4 * h, 2),
               before = normal_numbers<double>(h, 3), dy = normal_numbers<double>(h, 4);
    std::vector<double> s = parts, y(h), dx(3 * h), ds(3 * h), d = dy;
    gru_step(DType::kFloat64, 1, h, x.data(), s.data(), before.data(), y.data());
    gru_step_backward(DType::kFloat64, 1, h, s.data(), before.data(), d.data(), dx.data(),
                      ds.data(), d.data());
    for (size_t i = 0; i < dx.size(); ++i) {
      EXPECT_TRUE(close(
          dx[i], slope(x, i, [&](const auto& v) { return gru_value(v, parts, before, h, dy); }),
          1e-8));
      EXPECT_TRUE(close(
          ds[i], slope(parts, i, [&](const auto& v) { return gru_value(x, v, before, h, dy); }),
          1e-8));
    }
    for (size_t i = 0; i < d.size(); ++i)
      EXPECT_TRUE(close(
          d[i], slope(before, i, [&](const auto& v) { return gru_value(x, parts, v, h, dy); }),
          1e-8));
  });
}

TEST(RecurrentKernels, RnnStep) {
  for_each_target([] {
    for (const int64_t n : {1, 7, 33}) {
      const auto x = normal_numbers<double>(n, 1), g = normal_numbers<double>(n, 2);
      for (const bool relu : {false, true}) {
        std::vector<double> y = x, dx(n);
        rnn_step(DType::kFloat64, relu, n, y.data());
        rnn_step_backward(DType::kFloat64, relu, n, y.data(), g.data(), dx.data());
        for (int64_t i = 0; i < n; ++i) {
          const double want = relu ? std::max(x[i], 0.0) : std::tanh(x[i]);
          EXPECT_TRUE(close(y[i], want, 1e-14));
          const double factor = relu ? (x[i] > 0 ? 1 : 0) : 1 - want * want;
          EXPECT_TRUE(close(dx[i], g[i] * factor, 1e-14));
        }
      }
    }
  });
}

}  // namespace
}  // namespace autograd::cpu
