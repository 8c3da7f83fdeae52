// QR, symmetric eigenvalues and singular values: the parts multiplied give the matrix back.
#include <algorithm>
#include <cmath>

#include "kernel_test.hpp"
#include "kernels/cpu/decompositions.hpp"

namespace autograd::cpu {
namespace {

using Numbers = std::vector<double>;

constexpr double kTolerance = 1e-12;

/// a [m, k] times b [k, n]
Numbers product(const Numbers& a, const Numbers& b, int64_t m, int64_t k, int64_t n) {
  Numbers c(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t r = 0; r < k; ++r)
      for (int64_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + r] * b[r * n + j];
  return c;
}

Numbers transposed(const Numbers& a, int64_t m, int64_t n) {
  Numbers out(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) out[j * m + i] = a[i * n + j];
  return out;
}

void expect_near(const Numbers& got, const Numbers& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], kTolerance) << i;
}

/// rows [n, m] are orthonormal.
void expect_orthonormal(const Numbers& rows, int64_t n, int64_t m) {
  Numbers identity(n * n);
  for (int64_t i = 0; i < n; ++i) identity[i * (n + 1)] = 1;
  expect_near(product(rows, transposed(rows, n, m), n, m, n), identity);
}

TEST(DecompositionKernels, Qr) {
  for (const auto& [m, n] : {std::pair{1, 1}, {4, 4}, {9, 3}, {3, 9}, {17, 16}, {2, 0}})
    for (const int64_t k : {std::min(m, n), m}) {
      for_each_target([m = m, n = n, k] {
        const Numbers columns = normal_numbers<double>(n * m, 1);
        Numbers r = columns, q(k * m), room(2 * std::min(m, n));
        column_qr(m, n, k, r.data(), q.data(), room.data());
        expect_orthonormal(q, k, m);
        Numbers upper(n * k);
        for (int64_t j = 0; j < n; ++j)
          for (int64_t i = 0; i < m; ++i) {
            if (i > j) {
              EXPECT_EQ(r[j * m + i], 0);
            }
            if (i < k) upper[j * k + i] = r[j * m + i];
          }
        expect_near(product(upper, q, n, k, m), columns);
      });
    }
}

TEST(DecompositionKernels, SymmetricEigenvalues) {
  for (const int64_t n : {1, 2, 3, 8, 33}) {
    Numbers a = normal_numbers<double>(n * n, 2);
    Numbers w(n), v(n * n), room(2 * n), destroyed = a;
    ASSERT_TRUE(symmetric_eigen(n, destroyed.data(), w.data(), v.data(), room.data()));
    EXPECT_TRUE(std::is_sorted(w.begin(), w.end()));
    expect_orthonormal(v, n, n);
    Numbers scaled = v;  // diag(w) V, rows are eigenvectors
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) scaled[i * n + j] *= w[i];
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) a[i * n + j] = a[j * n + i];  // what was read
    expect_near(product(transposed(v, n, n), scaled, n, n, n), a);
  }
  Numbers a(4, std::nan("")), w(2), v(4), room(4);
  EXPECT_FALSE(symmetric_eigen(2, a.data(), w.data(), v.data(), room.data()));
}

/// `columns` [n, m] are those of the matrix.
void expect_singular_values(int64_t m, int64_t n, int64_t n_left, const Numbers& columns) {
  Numbers s(n), v(n * n), u(n_left * m), room(singular_values_room(m, n));
  Numbers alone(n), destroyed = columns, destroyed_too = columns;
  ASSERT_TRUE(
      singular_values(m, n, n_left, destroyed.data(), s.data(), v.data(), u.data(), room.data()));
  EXPECT_TRUE(std::is_sorted(s.rbegin(), s.rend()));
  expect_orthonormal(v, n, n);
  expect_orthonormal(u, n_left, m);
  Numbers scaled(u.begin(), u.begin() + n * m);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) scaled[i * m + j] *= s[i];
  expect_near(product(transposed(v, n, n), scaled, n, n, m), columns);
  ASSERT_TRUE(singular_values(m, n, n_left, destroyed_too.data(), alone.data(), nullptr, nullptr,
                              room.data()));
  expect_near(alone, s);
}

TEST(DecompositionKernels, SingularValues) {
  for_each_target([] {
    for (const auto& [m, n] :
         {std::pair{1, 1}, {2, 2}, {4, 4}, {9, 3}, {33, 32}, {40, 30}, {64, 17}, {3, 0}})
      for (const int64_t rank : {n, n / 2})
        for (const int64_t n_left : {n, m}) {
          // Only `rank` of the columns are independent.
          Numbers columns = normal_numbers<double>(n * m, 3);
          for (int64_t i = rank; i < n; ++i)
            for (int64_t j = 0; j < m; ++j) columns[i * m + j] = rank ? columns[j] * (1.0 + i) : 0;
          expect_singular_values(m, n, n_left, columns);
        }
  });
}

TEST(DecompositionKernels, SingularValuesOfBidiagonalMatrices) {
  // Zeros and numbers of all sizes on the diagonal, growing and shrinking, and beside it.
  constexpr int64_t n = 9;
  const double numbers[] = {0, 1, -1, 1e-8, 1e-16, 1e-170};
  std::mt19937 random(4);
  for (int repeat = 0; repeat < 300; ++repeat) {
    Numbers columns(n * n);
    for (int64_t i = 0; i < n; ++i) {
      columns[i * (n + 1)] = numbers[random() % 6];
      if (i > 0) columns[i * (n + 1) - 1] = numbers[random() % 6];
    }
    expect_singular_values(n, n, n, columns);
  }
}

TEST(DecompositionKernels, SingularValuesOfNaN) {
  Numbers a(4, std::nan("")), s(2), v(4), u(4), room(singular_values_room(2, 2));
  EXPECT_FALSE(singular_values(2, 2, 2, a.data(), s.data(), v.data(), u.data(), room.data()));
}

}  // namespace
}  // namespace autograd::cpu
