// Distances of rows and their slopes: every norm, dtype and instruction set against plain loops.
#include <algorithm>

#include "kernel_test.hpp"
#include "kernels/cpu/distance.hpp"

namespace autograd::cpu {
namespace {

double distance(const double* a, const double* b, int64_t size, double p) {
  double total = 0;
  for (int64_t c = 0; c < size; ++c) {
    const double d = std::fabs(a[c] - b[c]);
    if (p == kInf)
      total = std::max(total, d);
    else
      total += p == 0 ? d != 0 : std::pow(d, p);
  }
  return p == 0 || p == kInf ? total : std::pow(total, 1 / p);
}

// d distance / d difference.
double slope(double difference, double distance, double p) {
  if (p == 0 || difference == 0) return 0;
  const double sign = difference > 0 ? 1 : -1, size = std::fabs(difference);
  if (p == kInf) return size == distance ? sign : 0;
  return sign * std::pow(size / distance, p - 1);
}

template <class T>
std::vector<double> widened(const std::vector<T>& v) {
  return {v.begin(), v.end()};
}

template <class T>
void check(const RowPairs& pairs, double p) {
  SCOPED_TRACE(p);
  SCOPED_TRACE(pairs.size);
  const DType dtype = dtype_of<T>();
  const auto count = [&](int64_t rows) { return static_cast<size_t>(rows * pairs.size); };
  const size_t n_pairs = static_cast<size_t>(pairs.at(pairs.rows1));
  std::vector<T> a = normal_numbers<T>(count(pairs.rows1), 1),
                 b = pairs.above ? a : normal_numbers<T>(count(pairs.rows2), 2);
  if (pairs.size > 0 && !pairs.above) b[0] = a[0];  // a difference of 0
  const std::vector<T> g = normal_numbers<T>(n_pairs, 3);
  const std::vector<double> x = widened(a), y = widened(b);

  Guarded<T> d(n_pairs);
  const int64_t half = pairs.rows1 / 2;
  distances(dtype, p, pairs, a.data(), b.data(), 0, half, d.data());
  distances(dtype, p, pairs, a.data(), b.data(), half, pairs.rows1, d.data());
  Guarded<T> da(a.size()), db(b.size());
  std::fill_n(da.data(), da.size(), T{1});
  std::fill_n(db.data(), db.size(), T{2});
  T* const second = pairs.above ? da.data() : db.data();
  const int64_t middle = pairs.size / 3;
  for (const auto& [begin, end] : {std::pair{int64_t{0}, middle}, std::pair{middle, pairs.size}})
    distances_backward(dtype, p, pairs, a.data(), b.data(), d.data(), g.data(), begin, end,
                       da.data(), second);

  const double tolerance = sizeof(T) == 4 ? 1e-4 : 1e-12;
  std::vector<double> wanted_a(a.size(), 1), wanted_b(b.size(), 2);
  std::vector<double>& other = pairs.above ? wanted_a : wanted_b;
  for (int64_t i = 0; i < pairs.rows1; ++i)
    for (int64_t j = pairs.first(i); j < pairs.rows2; ++j) {
      const size_t at = static_cast<size_t>(pairs.at(i) + j - pairs.first(i));
      const double want =
          distance(x.data() + i * pairs.size, y.data() + j * pairs.size, pairs.size, p);
      ASSERT_TRUE(close(d[at], want, tolerance * (1 + want)));
      for (int64_t c = 0; c < pairs.size; ++c) {
        const size_t left = static_cast<size_t>(i * pairs.size + c),
                     right = static_cast<size_t>(j * pairs.size + c);
        const T difference = a[left] - b[right];
        const double each = g[at] * slope(difference, d[at], p);
        wanted_a[left] += each;
        other[right] -= each;
      }
    }
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_TRUE(close(da[i], wanted_a[i], 100 * tolerance)) << i;
  for (size_t i = 0; i < b.size(); ++i)
    ASSERT_TRUE(close(db[i], wanted_b[i], 100 * tolerance)) << i;
  d.expect_intact();
  da.expect_intact();
  db.expect_intact();
}

TEST(Distance, EveryNormOnEveryTarget) {
  for_each_target([] {
    for (double p : {0.0, 1.0, 1.5, 2.0, 3.0, kInf})
      for (int64_t size : {0, 1, 3, 8, 17, 70})
        for (const RowPairs& pairs : {RowPairs{5, 7, size, false}, RowPairs{6, 6, size, true},
                                      RowPairs{2, 70, size, false}, RowPairs{1, 1, size, true}}) {
          check<float>(pairs, p);
          check<double>(pairs, p);
        }
  });
}

TEST(Distance, NothingIsLostOfNan) {
  for_each_target([] {
    const double a[3] = {1, kNaN, 2}, b[3] = {0, 0, 0};
    for (double p : {1.0, 2.0, 2.5, kInf}) {
      double d = 0;
      distances(DType::kFloat64, p, {1, 1, 3, false}, a, b, 0, 1, &d);
      EXPECT_TRUE(std::isnan(d)) << p;
    }
  });
}

}  // namespace
}  // namespace autograd::cpu
