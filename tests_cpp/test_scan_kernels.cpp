// Scans and products along a dim against plain loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernel_test.hpp"
#include "kernels/cpu/product.hpp"
#include "kernels/cpu/scan.hpp"

namespace autograd::cpu {
namespace {

constexpr ScanShape kScans[] = {{1, 1, 1},  {3, 7, 1},  {2, 100, 1}, {1, 513, 1}, {2, 5, 3},
                                {1, 9, 16}, {2, 4, 37}, {1, 3, 300}, {5, 2, 1},   {0, 4, 2}};

template <class T>
std::vector<T> numbers(const ScanShape& s, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> draw(0.5, 1.5);
  std::vector<T> x(static_cast<size_t>(s.outer * s.n * s.inner));
  for (T& v : x) v = static_cast<T>(random() % 2 ? draw(random) : -draw(random));
  return x;
}

/// The product of column (o, i), without element `left_out`.
template <class T>
double product(const std::vector<T>& x, const ScanShape& s, int64_t o, int64_t i,
               int64_t left_out = -1) {
  double p = 1;
  for (int64_t j = 0; j < s.n; ++j)
    if (j != left_out)
      p *= static_cast<double>(x[static_cast<size_t>((o * s.n + j) * s.inner + i)]);
  return p;
}

template <class T>
void expect_products(const ScanShape& s, const std::vector<T>& x) {
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-13;
  std::vector<T> y(static_cast<size_t>(s.outer * s.inner)), g(y.size()), dx(x.size());
  for (size_t k = 0; k < g.size(); ++k) g[k] = static_cast<T>(k % 3) - T{1};
  prod(dtype_of<T>(), x.data(), dtype_of<T>(), y.data(), s);
  float_products_backward(dtype_of<T>(), g.data(), x.data(), dx.data(), s);
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      const size_t column = static_cast<size_t>(o * s.inner + i);
      const double expected = product(x, s, o, i);
      EXPECT_NEAR(static_cast<double>(y[column]), expected, tolerance * std::abs(expected));
      for (int64_t j = 0; j < s.n; ++j) {
        const double gradient = static_cast<double>(g[column]) * product(x, s, o, i, j);
        EXPECT_NEAR(static_cast<double>(dx[static_cast<size_t>((o * s.n + j) * s.inner + i)]),
                    gradient, tolerance * std::abs(gradient))
            << o << ' ' << j << ' ' << i;
      }
    }
}

TEST(ScanKernels, products_and_their_gradients) {
  for_each_target([] {
    for (const ScanShape& s : kScans) {
      expect_products(s, numbers<float>(s, 1));
      expect_products(s, numbers<double>(s, 2));
    }
  });
}

TEST(ScanKernels, products_with_zeros_leave_a_gradient_at_the_only_zero) {
  for_each_target([] {
    for (const ScanShape& s : kScans) {
      std::vector<double> x = numbers<double>(s, 3);
      for (size_t k = 0; k < x.size(); k += 11) x[k] = 0;
      expect_products(s, x);
    }
  });
}

TEST(ScanKernels, products_beyond_the_range_of_float64_have_gradients_of_zero) {
  const ScanShape s{1, 2000, 1};
  const std::vector<double> x(2000, 0.5), g = {1};
  std::vector<double> dx(2000, 7);
  float_products_backward(DType::kFloat64, g.data(), x.data(), dx.data(), s);
  EXPECT_EQ(dx, std::vector<double>(2000, 0));
}

/// Products of n float32 numbers, o of them of number(o, 0), number(o, 1), ..., against a plain
/// loop in float64, whose lanes the kernel's are like. All of them in rows, or in columns.
template <class Number>
void expect_long_products(const ScanShape& s, const Number& number) {
  const bool in_rows = s.inner == 1;
  const int64_t n = s.n, count = s.outer * s.inner;
  const auto place = [&](int64_t o, int64_t j) {
    return static_cast<size_t>(in_rows ? o * n + j : j * s.inner + o);
  };
  std::vector<float> x(static_cast<size_t>(count * n)), y(static_cast<size_t>(count));
  for (int64_t o = 0; o < count; ++o)
    for (int64_t j = 0; j < n; ++j) x[place(o, j)] = number(o, j);
  prod(DType::kFloat32, x.data(), DType::kFloat32, y.data(), s);
  std::vector<double> wide(y.size());
  prod(DType::kFloat32, x.data(), DType::kFloat64, wide.data(), s);
  for (int64_t o = 0; o < count; ++o) {
    double expected = 1;
    for (int64_t j = 0; j < n; ++j) expected *= static_cast<double>(x[place(o, j)]);
    const float rounded = static_cast<float>(expected);
    ASSERT_TRUE(close(wide[static_cast<size_t>(o)], expected,
                      std::abs(expected) * static_cast<double>(n) * 6e-8))
        << o << " of " << n;
    const float got = y[static_cast<size_t>(o)];
    ASSERT_TRUE(
        close(static_cast<double>(got), static_cast<double>(rounded),
              std::abs(static_cast<double>(rounded)) * static_cast<double>(n) * 6e-8 + 2e-45))
        << o << " of " << n;
    if (expected == 0) {
      ASSERT_EQ(std::signbit(got), std::signbit(expected)) << o << " of " << n;
    }
  }
}

/// Numbers of all kinds, in every place that a kernel may treat in its own way.
void expect_long_products(const ScanShape& s) {
  constexpr float kTiny = 1e-42f, kHuge = 3e38f;  // the first is denormal
  const int64_t n = s.n;
  const auto one = [](int64_t j) { return j % 2 ? -1.25f : 0.8f; };
  expect_long_products(s, [&](int64_t, int64_t j) { return one(j); });
  // Neighbours in a chain lie one apart, or up to 64 in a row: both orders of large and small ones.
  for (const int64_t apart : {1, 8, 64, 100, 128})
    for (const float x : {1e30f, 1e-30f, kTiny, kHuge})
      expect_long_products(s, [&](int64_t o, int64_t j) {
        if (j == o) return x;
        return j == o + apart ? 1 / x : one(j);
      });
  // One number that is not like the others, at the ends and in the middle.
  for (const int64_t place : {int64_t{0}, n / 2, n - 1})
    for (const float x : {0.0f, -0.0f, kTiny, -kTiny, HUGE_VALF, -HUGE_VALF, NAN}) {
      expect_long_products(s,
                           [&](int64_t o, int64_t j) { return j == place && o > 1 ? x : one(j); });
      // An infinite one beside 0 is NaN, a denormal one is not 0.
      expect_long_products(s, [&](int64_t, int64_t j) {
        return j == place ? x : j == (place + 64) % n ? 0.0f : one(j);
      });
      expect_long_products(s, [&](int64_t, int64_t j) {
        return j == place ? x : j == (place + 64) % n ? HUGE_VALF : one(j);
      });
    }
  // Chains that are never enough, until the kernel does without them. (A row's lanes would not be.)
  if (s.inner > 1)
    expect_long_products(s, [&](int64_t, int64_t j) { return j / 8 % 2 ? 1e-20f : 1e20f; });
  expect_long_products(s, [&](int64_t o, int64_t j) { return (o + j) % 4 ? one(j) : 0.0f; });
}

TEST(ScanKernels, long_products_of_float32_keep_to_the_range_of_float64) {
  for_each_target([] {
    for (const int64_t n : {255, 256, 1024, 1025, 2047, 5000}) expect_long_products({5, n, 1});
    for (const int64_t n : {31, 32, 203, 1300}) expect_long_products({1, n, 70});
  });
}

TEST(ScanKernels, integer_products_wrap_around) {
  const std::vector<int64_t> x = {INT64_MAX, 3, 2, -1, 5, 7};
  std::vector<int64_t> y(2);
  prod(DType::kInt64, x.data(), DType::kInt64, y.data(), {1, 3, 2});
  EXPECT_EQ(y, (std::vector<int64_t>{static_cast<int64_t>(static_cast<uint64_t>(INT64_MAX) * 2 * 5),
                                     -21}));
}

TEST(ScanKernels, running_sums_and_extremes) {
  for (const ScanShape& s : kScans) {
    const std::vector<double> x = numbers<double>(s, 4);
    std::vector<double> sums(x.size()), behind(x.size()), largest(x.size());
    std::vector<int64_t> places(x.size());
    cumsum(DType::kFloat64, false, x.data(), sums.data(), s);
    cumsum(DType::kFloat64, true, x.data(), behind.data(), s);
    cumulative_extreme(DType::kFloat64, true, x.data(), largest.data(), places.data(), s);
    for (int64_t o = 0; o < s.outer; ++o)
      for (int64_t i = 0; i < s.inner; ++i) {
        const auto at = [&](int64_t j) { return static_cast<size_t>((o * s.n + j) * s.inner + i); };
        for (int64_t j = 0; j < s.n; ++j) {
          double before = 0, after = 0, best = -kInf;
          for (int64_t k = 0; k <= j; ++k) before += x[at(k)], best = std::max(best, x[at(k)]);
          for (int64_t k = j; k < s.n; ++k) after += x[at(k)];
          EXPECT_NEAR(sums[at(j)], before, 1e-12);
          EXPECT_NEAR(behind[at(j)], after, 1e-12);
          EXPECT_EQ(largest[at(j)], best);
          EXPECT_EQ(x[at(places[at(j)])], best);
        }
      }
  }
}

TEST(ScanKernels, linear_scans_run_both_ways) {
  const std::vector<float> a = {2, 3, 4}, b = {1, 1, 1};
  std::vector<float> y(3);
  linear_scan(DType::kFloat32, false, a.data(), b.data(), y.data(), {1, 3, 1});
  EXPECT_EQ(y, (std::vector<float>{1, 4, 17}));
  linear_scan(DType::kFloat32, true, a.data(), b.data(), y.data(), {1, 3, 1});
  EXPECT_EQ(y, (std::vector<float>{16, 5, 1}));
}

}  // namespace
}  // namespace autograd::cpu
