// Factorisations and solves, every instruction set: factors multiplied give the matrix back.
#include "kernel_test.hpp"
#include "kernels/cpu/linalg.hpp"
#include "kernels/cpu/matrix_exp.hpp"

namespace autograd::cpu {
namespace {

constexpr int64_t kSizes[] = {1, 2, 3, 8, 17, 33};

template <class T>
std::vector<T> product(const std::vector<T>& a, const std::vector<T>& b, int64_t n, int64_t m) {
  std::vector<T> c(n * m);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < n; ++k)
      for (int64_t j = 0; j < m; ++j) c[i * m + j] += a[i * n + k] * b[k * m + j];
  return c;
}

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<T>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_TRUE(close(got[i], want[i], tolerance)) << i;
}

template <class T>
void check_solves() {
  const double eps = 4000 * std::numeric_limits<T>::epsilon();
  for (const int64_t n : kSizes)
    for (const int64_t m : {1, 5}) {
      std::vector<T> a = normal_numbers<T>(n * n, 1);
      for (int64_t i = 0; i < n; ++i) a[i * n + (i + 1) % n] += 2 * static_cast<T>(n);
      const std::vector<T> b = normal_numbers<T>(n * m, 2);
      std::vector<T> lu = a, x = b;
      std::vector<int64_t> pivots(n);
      int sign = 0;
      ASSERT_EQ(lu_factor(dtype_of<T>(), n, n, lu.data(), pivots.data(), &sign), 0);
      lu_solve(dtype_of<T>(), n, m, lu.data(), pivots.data(), x.data());
      expect_near(product(a, x, n, m), b, eps);
      for (const bool upper : {false, true})
        for (const bool unit : {false, true}) {
          std::vector<T> full = lu, t = b;
          for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j) {
              if (upper ? j < i : j > i) full[i * n + j] = 0;
              if (unit && i == j) full[i * n + j] = 1;
            }
          solve_triangular(dtype_of<T>(), n, m, lu.data(), upper, unit, t.data());
          if (!(upper && unit)) expect_near(product(full, t, n, m), b, 10 * eps);
        }
    }
}

TEST(LinalgKernels, Solves) {
  for_each_target([] {
    check_solves<float>();
    check_solves<double>();
  });
}

template <class T>
void check_factors(int64_t m, int64_t n) {
  const int64_t k = std::min(m, n);
  const std::vector<T> a = normal_numbers<T>(m * n, 3);
  std::vector<T> lu = a, back(m * n);
  std::vector<int64_t> pivots(k);
  int sign;
  ASSERT_EQ(lu_factor(dtype_of<T>(), m, n, lu.data(), pivots.data(), &sign), 0);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t r = 0; r <= std::min({i, j, k - 1}); ++r)
        back[i * n + j] += (r == i ? T{1} : lu[i * n + r]) * lu[r * n + j];
  for (int64_t r = k - 1; r >= 0; --r) {
    EXPECT_GE(pivots[r], r);
    std::swap_ranges(back.begin() + r * n, back.begin() + (r + 1) * n,
                     back.begin() + pivots[r] * n);
  }
  expect_near(back, a, 1000 * std::numeric_limits<T>::epsilon());
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < std::min(i, k); ++j) EXPECT_LE(std::abs(lu[i * n + j]), 1);
}

TEST(LinalgKernels, FactorsOfAnySizes) {
  for_each_target([] {
    for (const auto& [m, n] : {std::pair{5, 5}, {7, 3}, {3, 7}, {1, 9}, {9, 1}, {33, 18}}) {
      check_factors<float>(m, n);
      check_factors<double>(m, n);
    }
  });
}

/// exp(a) by its series, of a small part of a, which is then squared.
std::vector<double> exponential(int64_t n, const std::vector<double>& a) {
  constexpr int kSquarings = 6;
  std::vector<long double> sum(n * n), term(n * n), next(n * n);
  const auto multiply = [&](const std::vector<long double>& x, const auto& y, long double factor) {
    std::fill(next.begin(), next.end(), 0);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < n; ++k)
        for (int64_t j = 0; j < n; ++j)
          next[i * n + j] += x[i * n + k] * static_cast<long double>(y[k * n + j]) * factor;
  };
  for (int64_t i = 0; i < n; ++i) sum[i * (n + 1)] = term[i * (n + 1)] = 1;
  for (int power = 1; power < 40; ++power) {
    multiply(term, a, std::ldexp(1.0L, -kSquarings) / power);
    term = next;
    for (int64_t i = 0; i < n * n; ++i) sum[i] += term[i];
  }
  for (int i = 0; i < kSquarings; ++i) {
    multiply(sum, sum, 1);
    sum = next;
  }
  return {sum.begin(), sum.end()};
}

void run_exponential(int64_t n, double* a) {
  std::vector<int64_t> pivots(n);
  std::vector<char> memory(matrix_exp_room(n) + 64);
  matrix_exp(n, a, pivots.data(),
             memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64);
}

TEST(LinalgKernels, Exponential) {
  for (const int64_t n : {1, 2, 3, 8, 17})
    for (const double size : {0.0, 1e-3, 0.3, 1.0, 4.0, 25.0}) {
      std::vector<double> a = normal_numbers<double>(n * n, 5);
      for (double& x : a) x *= size / static_cast<double>(n);
      const std::vector<double> want = exponential(n, a);
      run_exponential(n, a.data());
      const double largest = std::abs(*std::max_element(
          want.begin(), want.end(), [](double x, double y) { return std::abs(x) < std::abs(y); }));
      for (int64_t i = 0; i < n * n; ++i)
        ASSERT_NEAR(a[i], want[i], 1e-14 * largest) << n << ", " << size;
    }
}

TEST(LinalgKernels, ExponentialOfWhatIsNotFinite) {
  for (const double bad : {kInf, -kInf, std::nan("")}) {
    double a[] = {1, bad, 0, 1};
    run_exponential(2, a);
    for (const double x : a) EXPECT_TRUE(std::isnan(x));
  }
}

TEST(LinalgKernels, Determinants) {
  for_each_target([] {
    double a[] = {0, 2, 3, 4}, det, log, s;
    int64_t pivots[2];
    int sign;
    EXPECT_EQ(lu_factor(DType::kFloat64, 2, 2, a, pivots, &sign), 0);
    lu_determinant(DType::kFloat64, 2, a, sign, &det);
    lu_log_determinant(DType::kFloat64, 2, a, sign, &s, &log);
    EXPECT_DOUBLE_EQ(det, -6);
    EXPECT_EQ(s, -1);
    EXPECT_DOUBLE_EQ(log, std::log(6.0));
    double flat[] = {1, 2, 2, 4};
    EXPECT_EQ(lu_factor(DType::kFloat64, 2, 2, flat, pivots, &sign), 2);
    lu_log_determinant(DType::kFloat64, 2, flat, sign, &s, &log);
    EXPECT_EQ(s, 0);
    EXPECT_EQ(log, -kInf);
    lu_lift(DType::kFloat64, 2, flat);
    EXPECT_GT(flat[3], 0);
  });
}

template <class T>
void check_cholesky() {
  for (const int64_t n : kSizes) {
    const std::vector<T> half = normal_numbers<T>(n * n, 3);
    std::vector<T> a(n * n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t k = 0; k < n; ++k) a[i * n + j] += half[i * n + k] * half[j * n + k];
        a[i * n + j] += i == j ? static_cast<T>(n) : T{0};
      }
    std::vector<T> l = a, lt(n * n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) l[i * n + j] = static_cast<T>(kNaN);  // not read
    ASSERT_EQ(cholesky_factor(dtype_of<T>(), n, l.data()), 0);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) lt[i * n + j] = l[j * n + i];
    expect_near(product(l, lt, n, n), a, 200 * n * std::numeric_limits<T>::epsilon());
  }
}

TEST(LinalgKernels, Cholesky) {
  for_each_target([] {
    check_cholesky<float>();
    check_cholesky<double>();
    double bad[] = {1, 2, 2, 1};
    EXPECT_EQ(cholesky_factor(DType::kFloat64, 2, bad), 2);
    double nan[] = {kNaN};
    EXPECT_EQ(cholesky_factor(DType::kFloat64, 1, nan), 1);
  });
}

}  // namespace
}  // namespace autograd::cpu
