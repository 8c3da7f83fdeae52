// Kernels that pick, weigh or drop elements (classes, masks, taps, grids, triangles) against loops.
#include <algorithm>

#include "kernel_test.hpp"
#include "kernels/cpu/dropout.hpp"
#include "kernels/cpu/grid.hpp"
#include "kernels/cpu/multilabel_margin.hpp"
#include "kernels/cpu/nll.hpp"
#include "kernels/cpu/nth_value.hpp"
#include "kernels/cpu/resample.hpp"

namespace autograd::cpu {
namespace {

template <class T>
void check_nll(int64_t n, int64_t classes) {
  constexpr int64_t kIgnore = -100;
  std::vector<int64_t> t(n);
  for (int64_t i = 0; i < n; ++i) t[i] = i % 4 == 3 ? kIgnore : i * 5 % classes;
  const int64_t ignored = std::count(t.begin(), t.end(), kIgnore);
  EXPECT_EQ(count_ignored(t.data(), n, classes, kIgnore), ignored);
  const std::vector<T> x = normal_numbers<T>(n * classes, 1),
                       by_class = normal_numbers<T>(classes, 2), g = normal_numbers<T>(n, 3);
  Guarded<T> w(n), out(n), dx(n * classes);
  double total = 0;
  const double sum = class_weights(dtype_of<T>(), t.data(), by_class.data(), w.data(), n, kIgnore);
  nll(dtype_of<T>(), x.data(), t.data(), w.data(), out.data(), n, classes, kIgnore);
  std::fill_n(dx.data(), n * classes, T(0));
  nll_backward(dtype_of<T>(), g.data(), 1, t.data(), w.data(), dx.data(), n, classes, kIgnore);
  for (int64_t i = 0; i < n; ++i) {
    const bool counts = t[i] != kIgnore;
    const T weight = counts ? by_class[t[i]] : T(0);
    total += static_cast<double>(weight);
    ASSERT_EQ(w[i], weight);
    ASSERT_TRUE(
        close(out[i], counts ? -static_cast<double>(x[i * classes + t[i]]) * weight : 0, 1e-6));
    for (int64_t c = 0; c < classes; ++c)
      ASSERT_TRUE(close(dx[i * classes + c],
                        counts && c == t[i] ? -static_cast<double>(weight) * g[i] : 0, 1e-6));
  }
  EXPECT_NEAR(sum, total, 1e-4);
  for (Guarded<T>* each : {&w, &out, &dx}) each->expect_intact();
}

TEST(PickingKernels, ClassesAndWeights) {
  for (const int64_t n : {0, 1, 9, 40}) {
    check_nll<float>(n, 5);
    check_nll<double>(n, 3);
  }
  const int64_t bad[] = {0, 4, 5, 2}, negative[] = {1, -1};
  EXPECT_EQ(count_ignored(bad, 4, 5, -100), -1 - 2);
  EXPECT_EQ(count_ignored(negative, 2, 5, -100), -1 - 1);
  EXPECT_EQ(count_ignored(negative, 2, 5, -1), 1);
  float ones[2];
  EXPECT_EQ(class_weights(DType::kFloat32, negative, nullptr, ones, 2, -1), 1);
  EXPECT_EQ(ones[0], 1);
  EXPECT_EQ(ones[1], 0);
}

template <class T>
void check_margins(int64_t n, int64_t classes, int64_t p, const T* w) {
  constexpr double kMargin = 0.5, kScale = 3;
  std::vector<int64_t> t(n);
  for (int64_t i = 0; i < n; ++i) t[i] = i * 5 % classes;
  const std::vector<T> x = normal_numbers<T>(n * classes, 1), g = normal_numbers<T>(n, 3);
  Guarded<T> out(n), dx(n * classes);
  multi_margin(dtype_of<T>(), x.data(), t.data(), w, out.data(), n, classes, p, kMargin);
  multi_margin_backward(dtype_of<T>(), g.data(), 1, kScale, x.data(), t.data(), w, dx.data(), n,
                        classes, p, kMargin);
  for (int64_t i = 0; i < n; ++i) {
    const T* row = x.data() + i * classes;
    const double by = (w ? static_cast<double>(w[t[i]]) : 1) / static_cast<double>(classes);
    double loss = 0;
    std::vector<double> slopes(classes);
    for (int64_t j = 0; j < classes; ++j) {
      const double excess = kMargin - row[t[i]] + row[j];
      if (j == t[i] || excess <= 0) continue;
      loss += by * std::pow(excess, p);
      const double slope = by * static_cast<double>(p) * std::pow(excess, p - 1) * g[i] * kScale;
      slopes[j] += slope;
      slopes[t[i]] -= slope;
    }
    ASSERT_TRUE(close(out[i], loss, 1e-5));
    for (int64_t j = 0; j < classes; ++j)
      ASSERT_TRUE(close(dx[i * classes + j], slopes[j], 1e-4)) << i << " " << j;
  }
  out.expect_intact();
  dx.expect_intact();
}

TEST(PickingKernels, Margins) {
  const float single[] = {1, 2, 0.5f, 0, 3};
  const double wide[] = {1, 2, 0.5, 0, 3};
  for (const int64_t n : {0, 1, 9})
    for (const int64_t p : {1, 2}) {
      check_margins<float>(n, 5, p, single);
      check_margins<double>(n, 5, p, wide);
      check_margins<double>(n, 1, p, nullptr);
    }
}

TEST(PickingKernels, IgnoredClassesAreNotLookedAt) {
  // -1 and 3 lie beside the rows, where there is no number.
  const double row[] = {kNaN, 1, 2, 3, kNaN}, weight[] = {0, 0, 1};
  const int64_t none[] = {-1}, behind[] = {3}, last[] = {2};
  for (const int64_t* target : {none, behind}) {
    double out = 7, dx[] = {7, 7, 7, 7, 7};
    const double g = kInf;
    nll(DType::kFloat64, row + 1, target, weight, &out, 1, 3, target[0]);
    nll_backward(DType::kFloat64, &g, 1, target, weight, dx + 1, 1, 3, target[0]);
    EXPECT_EQ(out, 0);
    for (const double d : dx) EXPECT_EQ(d, 7);
  }
  double out = 7;
  nll(DType::kFloat64, row + 1, last, weight + 2, &out, 1, 3, -100);
  EXPECT_EQ(out, -3);
}

// Own classes may stand there twice, and what stands behind the first -1 does not count.
template <class T>
void check_labelled_rows(int64_t classes) {
  constexpr int64_t kRows = 6;
  std::vector<T> x = normal_numbers<T>(kRows * classes, 1);
  std::vector<int64_t> t(kRows * classes);
  for (int64_t i = 0; i < kRows * classes; ++i) t[i] = i * i % classes;
  for (int64_t i = 1; i < kRows; ++i) t[i * classes + classes * (i - 1) / kRows] = -1;
  for (int64_t i = 0; i < kRows * classes; i += 7) x[i] = static_cast<T>(i % 3 ? kNaN : -kInf);
  x.back() = static_cast<T>(kInf);
  std::vector<char> scratch(multilabel_margin_scratch(dtype_of<T>(), classes));
  Guarded<T> out(kRows), dx(kRows * classes);
  const LabelledRows rows{x.data(), t.data(), kRows, classes};
  multilabel_margin(dtype_of<T>(), rows, scratch.data(), out.data());
  multilabel_margin_slopes(dtype_of<T>(), rows, scratch.data(), dx.data());
  for (int64_t i = 0; i < kRows; ++i) {
    const T* row = x.data() + i * classes;
    const int64_t* first = t.data() + i * classes;
    const int64_t* last = std::find(first, first + classes, -1);
    double loss = 0;
    std::vector<double> slopes(classes);
    for (const int64_t* own = first; own != last; ++own)
      for (int64_t j = 0; j < classes; ++j) {
        const double excess = 1 - static_cast<double>(row[*own]) + static_cast<double>(row[j]);
        if (std::find(first, last, j) != last || !(excess > 0)) continue;
        loss += excess / static_cast<double>(classes);
        slopes[j] += 1 / static_cast<double>(classes);
        slopes[*own] -= 1 / static_cast<double>(classes);
      }
    ASSERT_TRUE(close(out[i], loss, 1e-5)) << classes << " " << i;
    for (int64_t j = 0; j < classes; ++j)
      ASSERT_TRUE(close(dx[i * classes + j], slopes[j], 1e-5)) << classes << " " << i << " " << j;
  }
  out.expect_intact();
  dx.expect_intact();
}

TEST(PickingKernels, MarginsOfSeveralClasses) {
  for_each_target([] {
    for (int64_t classes = 1; classes < 40; ++classes) {
      check_labelled_rows<float>(classes);
      check_labelled_rows<double>(classes);
    }
  });
}

template <class T>
void check_dropout(int64_t n, double p) {
  const std::vector<T> x = normal_numbers<T>(n, 1);
  std::vector<float> u(n);
  for (int64_t i = 0; i < n; ++i) u[i] = static_cast<float>(i * 37 % 101) / 101;
  Guarded<T> y(n), again(n);
  Guarded<uint8_t> mask(n);
  dropout(dtype_of<T>(), x.data(), u.data(), p, 1.25, y.data(), mask.data(), n);
  apply_mask(dtype_of<T>(), x.data(), mask.data(), 1.25, again.data(), n);
  for (int64_t i = 0; i < n; ++i) {
    ASSERT_EQ(mask[i], u[i] >= p);
    ASSERT_TRUE(close(y[i], mask[i] ? 1.25 * static_cast<double>(x[i]) : 0, 1e-6));
    ASSERT_EQ(again[i], y[i]);
  }
  y.expect_intact();
  again.expect_intact();
  mask.expect_intact();
}

TEST(PickingKernels, Dropout) {
  for (const int64_t n : {0, 1, 7, 33, 200})
    for (const double p : {0.0, 0.3, 1.0}) {
      check_dropout<float>(n, p);
      check_dropout<double>(n, p);
    }
}

template <class T>
void check_resample(int64_t outer, int64_t inner) {
  // Three positions out of four: one tap, two taps, three taps.
  const int64_t begin[] = {0, 1, 3, 6}, from[] = {2, 0, 3, 1, 1, 2};
  const double weight[] = {1, 0.25, 0.75, 0.5, -0.5, 2};
  const Taps taps{4, 3, begin, from, weight};
  const std::vector<T> x = normal_numbers<T>(outer * 4 * inner, 1),
                       g = normal_numbers<T>(outer * 3 * inner, 2);
  Guarded<T> y(outer * 3 * inner), dx(outer * 4 * inner);
  std::fill_n(dx.data(), dx.size(), T(0));
  resample(dtype_of<T>(), x.data(), y.data(), taps, outer, inner);
  resample_backward(dtype_of<T>(), g.data(), dx.data(), taps, outer, inner);
  std::vector<double> want(dx.size());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < 3; ++i)
      for (int64_t e = 0; e < inner; ++e) {
        double sum = 0;
        for (int64_t k = begin[i]; k < begin[i + 1]; ++k) {
          sum += weight[k] * x[(o * 4 + from[k]) * inner + e];
          want[(o * 4 + from[k]) * inner + e] += weight[k] * g[(o * 3 + i) * inner + e];
        }
        ASSERT_TRUE(close(y[(o * 3 + i) * inner + e], sum, 1e-5));
      }
  for (size_t i = 0; i < want.size(); ++i) ASSERT_TRUE(close(dx[i], want[i], 1e-5));
  y.expect_intact();
  dx.expect_intact();
}

TEST(PickingKernels, Resampling) {
  for (const int64_t outer : {0, 1, 3})
    for (const int64_t inner : {1, 2, 17}) {
      check_resample<float>(outer, inner);
      check_resample<double>(outer, inner);
    }
}

TEST(PickingKernels, Grids) {
  // A matrix of 4 by 6, read in rows 3, 1, 1 and columns 0, 5, 2, 2.
  const int64_t sizes[] = {3, 4}, rows[] = {18, 6, 6}, columns[] = {0, 5, 2, 2};
  const int64_t* const offsets[] = {rows, columns};
  const Grid grid{2, sizes, offsets};
  const std::vector<double> x = normal_numbers<double>(24, 1), g = normal_numbers<double>(12, 2);
  Guarded<double> out(12), dx(24);
  std::fill_n(dx.data(), 24, 0.0);
  take_grid(x.data(), grid, out.data(), sizeof(double), 0, 1);
  take_grid(x.data(), grid, out.data(), sizeof(double), 1, 3);
  add_grid(DType::kFloat64, g.data(), grid, dx.data(), 0, 3);
  std::vector<double> want(24);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j) {
      ASSERT_EQ(out[4 * i + j], x[rows[i] + columns[j]]);
      want[rows[i] + columns[j]] += g[4 * i + j];
    }
  for (size_t i = 0; i < 24; ++i) ASSERT_DOUBLE_EQ(dx[i], want[i]);
  out.expect_intact();
  dx.expect_intact();
}

TEST(PickingKernels, Triangles) {
  const std::vector<float> x = normal_numbers<float>(2 * 5 * 3, 1);
  for (const bool upper : {false, true})
    for (int64_t diagonal = -6; diagonal <= 4; ++diagonal) {
      Guarded<float> out(x.size());
      triangle(x.data(), out.data(), upper, diagonal, 5, 3, sizeof(float), 0, 4);
      triangle(x.data(), out.data(), upper, diagonal, 5, 3, sizeof(float), 4, 10);
      for (int64_t i = 0; i < 30; ++i) {
        const int64_t row = i / 3 % 5, column = i % 3;
        const bool kept = upper ? column - row >= diagonal : column - row <= diagonal;
        ASSERT_EQ(out[i], kept ? x[i] : 0) << diagonal;
      }
      out.expect_intact();
    }
}

template <class T>
void check_nth(int64_t n, int different, bool sorted) {
  std::vector<T> x = normal_numbers<T>(n, static_cast<uint32_t>(n));
  // Few different ones: many are as the pivot is.
  if (different > 0)
    for (T& v : x) v = std::floor(v * different);
  for (int64_t i = 0; i < n; i += 17) x[i] = static_cast<T>(i % 2 ? kInf : -kInf);
  if (sorted) std::sort(x.begin(), x.end());
  std::vector<T> with_nan;
  for (int64_t i = 0; i < n; ++i) {
    if (i % 5 == 2) with_nan.push_back(static_cast<T>(kNaN));
    with_nan.push_back(x[i]);
  }
  std::vector<T> in_order = x;
  std::sort(in_order.begin(), in_order.end());
  for (const int64_t k : {int64_t{0}, n / 3, (n - 1) / 2, n - 1}) {
    Guarded<T> numbers(static_cast<int64_t>(with_nan.size())), room(n);
    const int64_t all = static_cast<int64_t>(with_nan.size());
    ASSERT_EQ(copy_numbers(with_nan.data(), numbers.data(), all), n);
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(numbers[i], x[i]) << i << " of " << n;
    ASSERT_EQ(nth_value(numbers.data(), room.data(), n, k), in_order[k]) << k << " of " << n;
    for (Guarded<T>* each : {&numbers, &room}) each->expect_intact();
  }
}

TEST(PickingKernels, NthValueIsThatOfSorting) {
  for_each_target([] {
    for (const int64_t n : {1, 2, 3, 7, 8, 31, 32, 33, 100, 257, 1024, 70001})
      for (const int different : {0, 1, 3})
        for (const bool sorted : {false, true}) {
          check_nth<float>(n, different, sorted);
          check_nth<double>(n, different, sorted);
        }
    const std::vector<float> none(70, static_cast<float>(kNaN));
    Guarded<float> numbers(70);
    EXPECT_EQ(copy_numbers(none.data(), numbers.data(), 70), 0);
    numbers.expect_intact();
  });
}

}  // namespace
}  // namespace autograd::cpu
