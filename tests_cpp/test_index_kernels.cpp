// Kernels of indexing, scattering and sorting against plain loops.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kernel_test.hpp"
#include "kernels/cpu/index.hpp"
#include "kernels/cpu/mask.hpp"
#include "kernels/cpu/scatter.hpp"
#include "kernels/cpu/search.hpp"
#include "kernels/cpu/sort.hpp"

namespace autograd::cpu {
namespace {

TEST(IndexKernels, blocks_are_taken_put_and_added_with_any_strides) {
  const std::vector<int64_t> offsets = {6, 0, 6};
  for (const int64_t inner : {1, 2, 3, 9})
    for (const int64_t step : {1, 2}) {
      std::vector<float> x(200);
      std::iota(x.begin(), x.end(), 1.0f);
      const Blocks blocks{2, 3, inner, 40, step, 3 * inner, inner, 1};
      std::vector<float> y(static_cast<size_t>(2 * 3 * inner), -1);
      take_blocks(4, x.data(), offsets.data(), y.data(), blocks);
      std::vector<float> put = x, added = x, expected_put = x, expected_added = x;
      for (int64_t o = 0, at = 0; o < 2; ++o)
        for (int64_t j = 0; j < 3; ++j)
          for (int64_t i = 0; i < inner; ++i, ++at) {
            const size_t from = static_cast<size_t>(o * 40 + offsets[j] + i * step);
            EXPECT_EQ(y[static_cast<size_t>(at)], x[from]);
          }
      std::iota(y.begin(), y.end(), 0.5f);
      put_blocks(4, put.data(), offsets.data(), y.data(), blocks);
      add_blocks(DType::kFloat32, added.data(), offsets.data(), y.data(), blocks);
      for (int64_t o = 0, at = 0; o < 2; ++o)
        for (int64_t j = 0; j < 3; ++j)
          for (int64_t i = 0; i < inner; ++i, ++at) {
            const size_t to = static_cast<size_t>(o * 40 + offsets[j] + i * step);
            expected_put[to] = y[static_cast<size_t>(at)];
            expected_added[to] += y[static_cast<size_t>(at)];
          }
      EXPECT_EQ(put, expected_put);
      EXPECT_EQ(added, expected_added);
    }
}

TEST(IndexKernels, true_bytes_are_counted_and_found) {
  std::mt19937 random(1);
  for (const int64_t n : {0, 1, 15, 16, 17, 4080, 4081, 9000}) {
    std::vector<uint8_t> mask(static_cast<size_t>(n));
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < n; ++i) {
      mask[static_cast<size_t>(i)] = n > 4080 ? 1 : random() & 1;
      if (mask[static_cast<size_t>(i)]) expected.push_back(i + 7);
    }
    const int64_t count = count_true(mask.data(), n);
    ASSERT_EQ(count, static_cast<int64_t>(expected.size()));
    std::vector<int64_t> found(expected.size());
    true_positions(mask.data(), count, 7, found.data());
    EXPECT_EQ(found, expected);
  }
}

TEST(IndexKernels, masked_elements_are_taken_in_order) {
  std::mt19937 random(3);
  for (const int64_t n : {0, 1, 7, 100})
    for (const int64_t spare : {0, 3}) {
      std::vector<uint8_t> mask(n);
      for (uint8_t& m : mask) m = static_cast<uint8_t>(random() % 3);  // any byte but 0 is true
      const int64_t given = count_true(mask.data(), n) + spare;
      const std::vector<float> x = normal_numbers<float>(n, 1), y = normal_numbers<float>(given, 2);
      Guarded<float> out(n);
      put_where_true(4, mask.data(), n, x.data(), y.data(), given, out.data());
      for (int64_t i = 0, at = 0; i < n; ++i) EXPECT_EQ(out[i], mask[i] ? y[at++] : x[i]) << i;
      out.expect_intact();
    }
  const uint8_t none[3] = {};
  const uint64_t x[] = {1, 2, 3};
  uint64_t out[3] = {};
  put_where_true(8, none, 3, x, nullptr, 0, out);
  EXPECT_TRUE(std::equal(x, x + 3, out));
}

TEST(IndexKernels, scatter_stops_at_a_position_out_of_range) {
  const std::vector<int64_t> index = {0, 2, 3, 1};
  std::vector<double> x(3, 1), y = {10, 20, 30, 40};
  const Positions p{1, 4, 0, 0, 1, 4, 1, 4, 1, 3};
  EXPECT_EQ(scatter(ScatterOp::kAdd, DType::kFloat64, x.data(), index.data(), y.data(), p),
            index.data() + 2);
  EXPECT_EQ(x, (std::vector<double>{11, 1, 21}));
  EXPECT_EQ(gather(8, x.data(), index.data(), y.data(), p), index.data() + 2);
}

template <class T>
void expect_sorted(DType dtype, const std::vector<T>& x, int64_t k, bool descending) {
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<int64_t> expected(x.size());
  std::iota(expected.begin(), expected.end(), int64_t{0});
  const auto less = [](T a, T b) { return a < b || (b != b && a == a); };
  std::stable_sort(expected.begin(), expected.end(), [&](int64_t a, int64_t b) {
    const T p = x[static_cast<size_t>(a)], q = x[static_cast<size_t>(b)];
    return descending ? less(q, p) : less(p, q);
  });
  expected.resize(static_cast<size_t>(k));
  std::vector<int64_t> found(static_cast<size_t>(k));
  std::vector<uint64_t> scratch(sort_scratch(dtype, n) / 8 + 1);
  sort_rows(dtype, x.data(), found.data(), 1, n, k, descending, scratch.data());
  EXPECT_EQ(found, expected) << "n = " << n << ", k = " << k;
}

TEST(SortKernels, equal_a_stable_sort) {
  std::mt19937 random(2);
  const double odd[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 1e-310, -1e-310};
  for (const int64_t n : {1, 2, 47, 48, 49, 127, 128, 129, 300, 1024})
    for (const int64_t k : {int64_t{1}, (n + 15) / 16, n})
      for (const bool descending : {false, true}) {
        std::vector<float> f;
        std::vector<double> d;
        std::vector<int32_t> i;
        std::vector<int64_t> l;
        for (int64_t j = 0; j < n; ++j) {
          const int draw = static_cast<int>(random() % 50) - 25;
          const double value = j % 5 == 0 ? odd[random() % 7] : draw / 8.0;
          f.push_back(static_cast<float>(value));
          d.push_back(value);
          i.push_back(j % 7 ? draw : std::numeric_limits<int32_t>::min());
          l.push_back(j % 7 ? draw * (int64_t{1} << 40) : std::numeric_limits<int64_t>::max());
        }
        expect_sorted(DType::kFloat32, f, k, descending);
        expect_sorted(DType::kFloat64, d, k, descending);
        expect_sorted(DType::kInt32, i, k, descending);
        expect_sorted(DType::kInt64, l, k, descending);
      }
}

TEST(SortKernels, the_nth_is_where_a_sort_would_put_it) {
  const std::vector<int32_t> x = {5, -1, 3, 9, 0};
  std::vector<uint64_t> scratch(sort_scratch(DType::kInt32, 5) / 8 + 1);
  for (int64_t k = 0; k < 5; ++k) {
    int64_t at = -1;
    nth_of_rows(DType::kInt32, x.data(), &at, 1, 5, k, scratch.data());
    EXPECT_EQ(x[static_cast<size_t>(at)],
              (std::vector<int32_t>{-1, 0, 3, 5, 9})[static_cast<size_t>(k)]);
  }
}

template <class T>
void check_nth_of_many() {
  // Numbers that occur often: the first of equal ones comes first.
  for (int64_t n : {16, 17, 64, 1000, 5000}) {
    std::vector<T> x = normal_numbers<T>(static_cast<size_t>(n), 4);
    for (T& v : x) v = std::round(v * 8);
    std::vector<int64_t> order(x.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
      return x[static_cast<size_t>(i)] < x[static_cast<size_t>(j)];
    });
    std::vector<uint64_t> scratch(sort_scratch(dtype_of<T>(), n) / 8);
    for (int64_t k : {int64_t{0}, int64_t{1}, n / 3, n / 2, n - 2, n - 1}) {
      int64_t at = -1;
      nth_of_rows(dtype_of<T>(), x.data(), &at, 1, n, k, scratch.data());
      EXPECT_EQ(at, order[static_cast<size_t>(k)]) << n << " " << k;
    }
  }
}

TEST(SortKernels, the_nth_of_many) {
  check_nth_of_many<float>();
  check_nth_of_many<double>();
}

// Bisection step by step, which is what counts where NaN or an order that is none make it matter.
template <class T>
int64_t bisected(const std::vector<T>& sorted, T value, bool right) {
  int64_t low = 0, high = static_cast<int64_t>(sorted.size());
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const T at = sorted[middle];
    (right ? !(at > value) : !(at >= value)) ? low = middle + 1 : high = middle;
  }
  return low;
}

template <class T>
void check_places(int64_t n, int64_t m, bool sorts) {
  std::vector<T> sorted = normal_numbers<T>(n, 1), values = normal_numbers<T>(m, 2);
  for (T& x : sorted) x = std::round(x * 8);  // some equal ones
  for (T& x : values) x = std::round(x * 16) / 2;
  if (sorts) std::sort(sorted.begin(), sorted.end());
  if (n > 3) sorted[n - 1] = sorted[n - 2] = std::numeric_limits<T>::quiet_NaN();
  if (m > 2) values[m - 1] = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> reversed(sorted.rbegin(), sorted.rend());
  std::vector<int64_t> order(n);
  for (int64_t i = 0; i < n; ++i) order[i] = n - 1 - i;
  for (const bool right : {false, true}) {
    Guarded<int64_t> direct(m), ordered(m);
    search_sorted(dtype_of<T>(), sorted.data(), nullptr, n, values.data(), m, right, direct.data());
    search_sorted(dtype_of<T>(), reversed.data(), order.data(), n, values.data(), m, right,
                  ordered.data());
    for (int64_t i = 0; i < m; ++i) {
      ASSERT_EQ(direct[i], bisected(sorted, values[i], right)) << n << " " << values[i];
      ASSERT_EQ(ordered[i], direct[i]) << n << " " << values[i];
    }
    direct.expect_intact();
    ordered.expect_intact();
  }
}

TEST(SearchKernels, places_in_rows_of_all_lengths) {
  for (int64_t n = 0; n < 40; ++n) {
    check_places<float>(n, n % 19, true);
    check_places<double>(n, 17, n % 3 != 0);
  }
  check_places<float>(5000, 100, true);
}

}  // namespace
}  // namespace autograd::cpu
