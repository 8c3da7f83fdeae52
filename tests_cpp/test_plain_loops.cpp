// Ops that run as plain loops, or as a few ops one after the other: each against its definition.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "autograd/autograd.hpp"
#include "kernel_test.hpp"
#include "kernels/cpu/scatter.hpp"

namespace autograd::cpu {
namespace {

struct Combination {
  ScatterOp op;
  std::function<double(double, double)> of;
};

const Combination kCombinations[] = {
    {ScatterOp::kSet, [](double, double b) { return b; }},
    {ScatterOp::kAdd, [](double a, double b) { return a + b; }},
    {ScatterOp::kMul, [](double a, double b) { return a * b; }},
    {ScatterOp::kMax, [](double a, double b) { return std::isnan(a) || a > b ? a : b; }},
    {ScatterOp::kMin, [](double a, double b) { return std::isnan(a) || a < b ? a : b; }}};

/// 3 x 4 small whole numbers are combined with, and picked from, five positions.
template <class T>
void check_positions(const Positions& p) {
  constexpr size_t kRoom = 80;
  std::vector<int64_t> index(kRoom);
  Guarded<T> x(kRoom), y(kRoom), picked(kRoom);
  for (size_t i = 0; i < kRoom; ++i) {
    index[i] = static_cast<int64_t>(i * 7 % 5);
    y[i] = static_cast<T>(i % 3);
    picked[i] = T(1);
  }
  const bool is_float = std::is_floating_point_v<T>;
  if (is_float) y[static_cast<size_t>(p.y_row)] = static_cast<T>(kNaN);
  for (const Combination& c : kCombinations) {
    std::vector<double> want(kRoom);
    for (size_t i = 0; i < kRoom; ++i) {
      x[i] = static_cast<T>(i % 2 + 1);
      want[i] = static_cast<double>(x[i]);
    }
    for (int64_t row = 0; row < p.rows; ++row)
      for (int64_t i = 0; i < p.n; ++i) {
        const int64_t at = index[static_cast<size_t>(row * p.index_row + i * p.index_col)];
        double& target = want[static_cast<size_t>(row * p.x_row + i * p.x_col + at * p.along)];
        target = c.of(target, y[static_cast<size_t>(row * p.y_row + i * p.y_col)]);
        if (std::is_same_v<T, bool>) target = target != 0;
      }
    ASSERT_EQ(scatter(c.op, dtype_of<T>(), x.data(), index.data(), y.data(), p), nullptr);
    for (size_t i = 0; i < kRoom; ++i)
      ASSERT_TRUE(close(x[i], want[i], 0)) << "op " << static_cast<int>(c.op) << " at " << i;
  }
  ASSERT_EQ(gather(sizeof(T), x.data(), index.data(), picked.data(), p), nullptr);
  for (int64_t row = 0; row < p.rows; ++row)
    for (int64_t i = 0; i < p.n; ++i) {
      const int64_t at = index[static_cast<size_t>(row * p.index_row + i * p.index_col)];
      ASSERT_TRUE(close(picked[static_cast<size_t>(row * p.y_row + i * p.y_col)],
                        x[static_cast<size_t>(row * p.x_row + i * p.x_col + at * p.along)], 0));
    }
  x.expect_intact();
  picked.expect_intact();
}

TEST(PlainLoops, NumbersArePickedAndCombinedAtPositions) {
  const Positions dense{3, 4, 5, 0, 1, 4, 1, 4, 1, 5};      // along rows without gaps
  const Positions columns{3, 4, 20, 1, 4, 16, 4, 4, 1, 5};  // along the dim before
  const Positions apart{3, 4, 15, 0, 3, 8, 2, 9, 2, 5};
  for (const Positions& p : {dense, columns, apart}) {
    check_positions<float>(p);
    check_positions<double>(p);
    check_positions<int32_t>(p);
    check_positions<int64_t>(p);
    check_positions<uint8_t>(p);
    check_positions<bool>(p);
  }
}

// ---- ops, of 4 x 3 numbers ----------------------------------------------------------------------

const std::vector<double> kNumbers = {0.5, -2, 3, 1.5, 4, -0.25, 2, 2, -1, 0, 8, -3};
const std::vector<double> kOthers = {3, -1, 0.5, 0, 2, -4, 5, 1, 1};
const std::vector<int64_t> kPlaces = {2, 0, 2};

struct Reduction {
  ScatterReduce kind;
  double start;  ///< of a place that does not count itself
  std::function<double(double, double)> of;
};

const Reduction kReductions[] = {
    {ScatterReduce::kSum, 0, [](double a, double b) { return a + b; }},
    {ScatterReduce::kProd, 1, [](double a, double b) { return a * b; }},
    {ScatterReduce::kMean, 0, [](double a, double b) { return a + b; }},
    {ScatterReduce::kAmax, -kInf, [](double a, double b) { return std::max(a, b); }},
    {ScatterReduce::kAmin, kInf, [](double a, double b) { return std::min(a, b); }}};

TEST(PlainLoops, RowsAreReducedIntoRows) {
  for (const Reduction& r : kReductions)
    for (const bool include_self : {true, false}) {
      std::vector<double> want = kNumbers;
      for (size_t row = 0; row < 4; ++row)
        for (size_t c = 0; c < 3; ++c) {
          const bool is_hit = std::count(kPlaces.begin(), kPlaces.end(), row) > 0;
          if (!is_hit) continue;
          double value = include_self ? kNumbers[row * 3 + c] : r.start, count = include_self;
          for (size_t i = 0; i < 3; ++i) {
            if (kPlaces[i] != static_cast<int64_t>(row)) continue;
            value = r.of(value, kOthers[i * 3 + c]);
            ++count;
          }
          want[row * 3 + c] = r.kind == ScatterReduce::kMean ? value / count : value;
        }
      const Tensor x = tensor(kNumbers, {4, 3}), source = tensor(kOthers, {3, 3}),
                   index = tensor(kPlaces);
      const Tensor spread = expand(reshape(index, {3, 1}), {3, 3});
      EXPECT_EQ(scatter_reduce(x, 0, spread, source, r.kind, include_self).to_vector(), want);
      if (r.kind == ScatterReduce::kSum) continue;
      EXPECT_EQ(index_reduce(x, 0, index, source, r.kind, include_self).to_vector(), want);
      const Tensor turned =
          index_reduce(transpose(x, 0, 1), 1, index, transpose(source, 0, 1), r.kind, include_self);
      EXPECT_EQ(transpose(turned, 0, 1).to_vector(), want);
    }
}

TEST(PlainLoops, LongRowsAreShortened) {
  for (const double p : {1.0, 2.0, kInf}) {
    const double most = 4;
    const std::vector<double> found = renorm(tensor(kNumbers, {4, 3}), p, 0, most).to_vector();
    for (size_t row = 0; row < 4; ++row) {
      double norm = 0;
      for (size_t c = 0; c < 3; ++c) {
        const double size = std::fabs(kNumbers[row * 3 + c]);
        norm = std::isinf(p) ? std::max(norm, size) : norm + std::pow(size, p);
      }
      if (!std::isinf(p)) norm = std::pow(norm, 1 / p);
      for (size_t c = 0; c < 3; ++c)
        EXPECT_TRUE(close(found[row * 3 + c],
                          kNumbers[row * 3 + c] * (norm > most ? most / (norm + 1e-7) : 1), 1e-12));
    }
  }
}

TEST(PlainLoops, NumbersTimesPowersOfTwo) {
  const std::vector<int64_t> exponents = {0, 1, -1, 10, -20, 30};
  const std::vector<double> numbers(kNumbers.begin(), kNumbers.begin() + 6),
      found = ldexp(tensor(numbers), tensor(exponents)).to_vector();
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i], std::ldexp(numbers[i], static_cast<int>(exponents[i])));
}

TEST(PlainLoops, NumbersAreCountedInParts) {
  const std::vector<double> x = {-1, -0.5, 0, 0.2499, 0.25, 0.5, 0.999, 1, 1.5, kNaN, kInf, 0.75};
  for (const int64_t bins : {1, 4, 5})
    for (const double low : {-1.0, 0.0}) {
      std::vector<double> want(static_cast<size_t>(bins));
      for (const double value : x)
        for (int64_t b = 0; b < bins; ++b) {
          const double width = (1 - low) / static_cast<double>(bins),
                       from = low + width * static_cast<double>(b);
          const bool is_last = b == bins - 1;
          if (value >= from && (is_last ? value <= 1 : value < from + width))
            ++want[static_cast<size_t>(b)];
        }
      EXPECT_EQ(histc(tensor(x), bins, low, 1).to_vector(), want) << bins << " from " << low;
    }
  // Without ends: from the least to the largest, or one to either side of all that is equal.
  EXPECT_EQ(histc(tensor(kNumbers), 11).to_vector(),
            (std::vector<double>{1, 1, 2, 2, 1, 2, 1, 1, 0, 0, 1}));
  EXPECT_EQ(histc(tensor(std::vector<double>{2, 2, 2}), 4).to_vector(),
            (std::vector<double>{0, 0, 3, 0}));
}

}  // namespace
}  // namespace autograd::cpu
