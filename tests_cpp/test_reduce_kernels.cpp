// Reduction kernels: every instruction set against plain loops in long double.
#include <algorithm>
#include <memory>
#include <type_traits>

#include "kernel_test.hpp"
#include "kernels/cpu/reduce.hpp"

namespace autograd::cpu {
namespace {

using Real = long double;

/// The numbers that output (o, i) is made of.
template <class T>
std::vector<T> slice(const T* in, const ReduceShape& s, int64_t o, int64_t i) {
  std::vector<T> v(s.reduce);
  for (int64_t r = 0; r < s.reduce; ++r) v[r] = in[o * s.outer_stride + r * s.reduce_stride + i];
  return v;
}

template <class T>
bool is_nan(T x) {
  return x != x;
}

/// What the op gives, and the sum of the sizes of what it adds up, the measure of its error.
struct Expected {
  Real value, size;
};

template <class T>
Expected expected(ReduceOp op, const std::vector<T>& v, double correction) {
  const Real n = v.size();
  Real sum = 0, size = 0;
  for (const T x : v) {
    sum += x;
    size += std::fabs(Real(x));
  }
  if (op == ReduceOp::kSum) return {sum, size};
  if (op == ReduceOp::kVar) {
    Real squares = 0;
    for (const T x : v) squares += (x - sum / n) * (x - sum / n);
    const Real var = squares / std::max(n - correction, Real(0));
    return {var, var};
  }
  const bool max = op == ReduceOp::kMax || op == ReduceOp::kArgmax;
  size_t best = 0;
  for (size_t r = 1; r < v.size() && !is_nan(v[best]); ++r) {
    if (is_nan(v[r]) || (max ? v[r] > v[best] : v[r] < v[best])) best = r;
  }
  if (op == ReduceOp::kMax || op == ReduceOp::kMin) return {Real(v[best]), 0};
  return {Real(best), 0};
}

/// Elements the shape reaches into.
int64_t extent(const ReduceShape& s) {
  if (s.outer == 0 || s.reduce == 0 || s.inner == 0) return 0;
  return (s.outer - 1) * s.outer_stride + (s.reduce - 1) * s.reduce_stride + s.inner;
}

template <class Out, class T>
void check_as(ReduceOp op, const std::vector<T>& in, const ReduceShape& s, double correction) {
  Guarded<Out> out(s.outer * s.inner, s.reduce % 5);
  ASSERT_TRUE(reduce(op, dtype_of<T>(), in.data(), out.data(), s, &correction));
  out.expect_intact();
  for (int64_t o = 0; o < s.outer; ++o) {
    for (int64_t i = 0; i < s.inner; ++i) {
      const Expected want = expected(op, slice(in.data(), s, o, i), correction);
      const double eps = std::is_floating_point_v<T> ? std::numeric_limits<T>::epsilon() : 0;
      ASSERT_TRUE(close(out[o * s.inner + i], static_cast<double>(want.value),
                        static_cast<double>(8 * eps * want.size)))
          << "output " << o << ", " << i;
    }
  }
}

template <class T>
void check(ReduceOp op, const std::vector<T>& in, const ReduceShape& s, double correction = 1) {
  SCOPED_TRACE(::testing::Message()
               << "op " << int(op) << " shape " << s.outer << " " << s.reduce << " " << s.inner
               << " strides " << s.outer_stride << " " << s.reduce_stride);
  if (op == ReduceOp::kArgmax || op == ReduceOp::kArgmin) {
    check_as<int64_t>(op, in, s, correction);
  } else {
    check_as<T>(op, in, s, correction);
  }
}

constexpr ReduceOp kAllOps[] = {ReduceOp::kSum,    ReduceOp::kMax,    ReduceOp::kMin,
                                ReduceOp::kArgmax, ReduceOp::kArgmin, ReduceOp::kVar};

template <class T>
std::vector<T> numbers(int64_t n) {
  const auto normal = normal_numbers<float>(n, 11);
  std::vector<T> v(n);
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      v[i] = static_cast<T>(normal[i] + 3);
    } else if constexpr (std::is_signed_v<T>) {
      v[i] = static_cast<T>(normal[i] * 1000);
    } else {
      v[i] = static_cast<T>(std::fabs(normal[i]) * (std::is_same_v<T, bool> ? 1 : 40));
    }
  }
  return v;
}

/// std::vector<bool> has no data(); bools are tested apart.
template <class T>
class ReduceKernel : public ::testing::Test {
 public:
  static void check_all(const ReduceShape& s) {
    const auto in = numbers<T>(extent(s));
    for (const ReduceOp op : kAllOps) {
      if (op == ReduceOp::kVar && !std::is_floating_point_v<T>) continue;
      if (op == ReduceOp::kSum && std::is_same_v<T, uint8_t>) continue;  // would wrap
      if (s.reduce == 0 && op != ReduceOp::kSum) continue;
      check(op, in, s);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
};
using NumberTypes = ::testing::Types<float, double, int32_t, int64_t, uint8_t>;
TYPED_TEST_SUITE(ReduceKernel, NumberTypes);

TYPED_TEST(ReduceKernel, Rows) {
  for_each_target([] {
    for (int64_t n = 0; n <= 70; ++n) {
      for (const int64_t outer : {1, 2, 7, 8, 19}) {
        TestFixture::check_all({outer, n, 1, n, 1});
        TestFixture::check_all({outer, n, 1, n + 3, 1});
      }
    }
    for (const int64_t n : {255, 511, 513, 2049, 10007}) TestFixture::check_all({2, n, 1, n, 1});
  });
}

TYPED_TEST(ReduceKernel, Columns) {
  for_each_target([] {
    for (int64_t inner = 2; inner <= 70; ++inner) {
      for (const int64_t n : {0, 1, 2, 15, 16, 17, 33, 70}) {
        TestFixture::check_all({2, n, inner, n * inner, inner});
      }
    }
    TestFixture::check_all({3, 5, 7, 100, 11});
    TestFixture::check_all({1, 5003, 3, 0, 3});
    TestFixture::check_all({1, 300, 301, 0, 301});
    TestFixture::check_all({1, 37, 1031, 0, 1040});
  });
}

TYPED_TEST(ReduceKernel, Strides) {
  for_each_target([] {
    for (const int64_t n : {1, 2, 5, 20, 67, 700}) {
      for (const int64_t outer : {1, 2, 9, 33}) {
        TestFixture::check_all({outer, n, 1, 1, outer});          // a transposed matrix
        TestFixture::check_all({outer, n, 1, 2 * n, 2});          // every second column
        TestFixture::check_all({outer, n, 1, 3, 3 * outer + 1});  // both with gaps
        TestFixture::check_all({outer, n, 1, 0, 1});              // one row for all
        TestFixture::check_all({outer, n, 1, n, 0});              // one number for a row
        TestFixture::check_all({outer, n, 4, 4, 4 * outer});      // outer and reduce swapped
      }
    }
  });
}

template <class T>
class FloatReduceKernel : public ::testing::Test {};
using Floats = ::testing::Types<float, double>;
TYPED_TEST_SUITE(FloatReduceKernel, Floats);

/// NaN, infinities and equal numbers at every place of rows and columns.
TYPED_TEST(FloatReduceKernel, SpecialValues) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for_each_target([&] {
    for (const int64_t n : {1, 3, 8, 21, 40, 100}) {
      for (const int64_t other : {1, 5, 9, 40}) {
        for (int64_t place = 0; place<n; place += n> 21 ? 13 : 1) {
          for (const std::vector<T>& special :
               std::vector<std::vector<T>>{{nan}, {inf}, {-inf}, {9, 9}, {nan, nan}, {inf, -inf}}) {
            auto in = numbers<T>(n * other);
            auto put = [&](int64_t r, int64_t c, int64_t rs, int64_t cs) {
              for (const T v : special) in[(r++ % n) * rs + c * cs] = v;
            };
            put(place, other / 2, 1, n);
            for (const ReduceOp op : kAllOps) check(op, in, {other, n, 1, n, 1});
            in = numbers<T>(n * other);
            put(place, other / 2, other, 1);
            for (const ReduceOp op : kAllOps) check(op, in, {1, n, other, 0, other});
            if (::testing::Test::HasFatalFailure()) return;
          }
        }
      }
    }
  });
}

TYPED_TEST(FloatReduceKernel, RowsOfInfinities) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity();
  for_each_target([&] {
    for (const T value : {inf, -inf}) {
      for (const int64_t n : {1, 7, 50}) {
        const std::vector<T> in(n * 9, value);
        for (const ReduceOp op : kAllOps) {
          check(op, in, {9, n, 1, n, 1});
          check(op, in, {1, n, 9, 0, 9});
        }
      }
    }
  });
}

/// A plain float loop loses 3 digits here, pairwise summation none.
TEST(FloatReduce, SumsAreAsAccurateAsPairwise) {
  const int64_t n = (1 << 22) + 3;
  std::vector<float> in(n);
  std::mt19937 engine(5);
  std::uniform_real_distribution<float> uniform;
  for (float& x : in) x = uniform(engine);
  double want = 0;
  for (const float x : in) want += x;
  for_each_target([&] {
    float got[3];
    reduce(ReduceOp::kSum, DType::kFloat32, in.data(), got, {1, n, 1, 0, 1}, nullptr);
    EXPECT_NEAR(got[0], want, 2e-7 * want);
    reduce(ReduceOp::kSum, DType::kFloat32, in.data(), got, {1, n / 3, 3, 0, 3}, nullptr);
    const double columns = double(got[0]) + got[1] + got[2] + (n % 3 > 0 ? in[n - 1] : 0);
    EXPECT_NEAR(columns, want - (n % 3 > 1 ? in[n - 2] : 0), 3e-7 * want);
    reduce(ReduceOp::kSum, DType::kFloat32, in.data(), got, {1, n / 2, 1, 0, 2}, nullptr);
    EXPECT_NEAR(got[0], want / 2, 1e-3 * want);
  });
}

TYPED_TEST(FloatReduceKernel, SumIgnoresAlignment) {
  using T = TypeParam;
  for_each_target([] {
    const auto in = numbers<T>(1000);
    std::vector<T> sums;
    for (size_t shift = 0; shift < 16; ++shift) {
      Guarded<T> moved(1000, shift);
      std::copy(in.begin(), in.end(), moved.data());
      T sum;
      reduce(ReduceOp::kSum, dtype_of<T>(), moved.data(), &sum, {1, 1000, 1, 0, 1}, nullptr);
      sums.push_back(sum);
    }
    EXPECT_EQ(std::count(sums.begin(), sums.end(), sums[0]), 16);
  });
}

TYPED_TEST(FloatReduceKernel, VarianceOfLargeCloseNumbers) {
  using T = TypeParam;
  for_each_target([] {
    for (const int64_t n : {5, 40, 1000}) {
      std::vector<T> in(n * 9);
      const T base = std::is_same_v<T, float> ? T(1e5) : T(1e12);
      for (size_t i = 0; i < in.size(); ++i) in[i] = base + static_cast<T>(i * 7 % 5);
      for (const double correction : {0.0, 1.0}) {
        check(ReduceOp::kVar, in, {9, n, 1, n, 1}, correction);
        check(ReduceOp::kVar, in, {1, n, 9, 0, 9}, correction);
      }
      std::fill(in.begin(), in.end(), T(0.1));
      check(ReduceOp::kVar, in, {9, n, 1, n, 1});
      check(ReduceOp::kVar, in, {1, n, 9, 0, 9});
    }
  });
}

/// As in PyTorch: nothing to divide by gives infinity, 0 / 0 gives NaN.
TYPED_TEST(FloatReduceKernel, VarianceWithoutDegreesOfFreedom) {
  using T = TypeParam;
  for_each_target([] {
    const T in[] = {1, 2};
    const auto var = [&](int64_t n, double correction) {
      T out;
      reduce(ReduceOp::kVar, dtype_of<T>(), in, &out, {1, n, 1, n, 1}, &correction);
      return out;
    };
    EXPECT_TRUE(is_nan(var(0, 0)));
    EXPECT_TRUE(is_nan(var(0, 1)));
    EXPECT_TRUE(is_nan(var(1, 1)));
    EXPECT_EQ(var(1, 0), 0);
    EXPECT_EQ(var(2, 2), std::numeric_limits<T>::infinity());
    EXPECT_EQ(var(2, 5), std::numeric_limits<T>::infinity());
  });
}

TEST(BoolReduce, ExtremesAndTheirPlaces) {
  const bool in[] = {false, true, true, false, false, false};
  bool value[3];
  int64_t place[3];
  const ReduceShape rows{2, 3, 1, 3, 1}, columns{1, 2, 3, 0, 3};
  ASSERT_TRUE(reduce(ReduceOp::kMax, DType::kBool, in, value, rows, nullptr));
  EXPECT_TRUE(value[0] && !value[1]);
  ASSERT_TRUE(reduce(ReduceOp::kMin, DType::kBool, in, value, columns, nullptr));
  EXPECT_TRUE(!value[0] && !value[1] && !value[2]);
  ASSERT_TRUE(reduce(ReduceOp::kArgmax, DType::kBool, in, place, rows, nullptr));
  EXPECT_TRUE(place[0] == 1 && place[1] == 0);
  ASSERT_TRUE(reduce(ReduceOp::kArgmin, DType::kBool, in, place, columns, nullptr));
  EXPECT_TRUE(place[0] == 0 && place[1] == 1 && place[2] == 1);
}

TEST(IntegerReduce, SumsWrapAndSenselessOpsAreRefused) {
  const int64_t in[] = {std::numeric_limits<int64_t>::max(), 1};
  int64_t out;
  const double correction = 1;
  const ReduceShape s{1, 2, 1, 2, 1};
  ASSERT_TRUE(reduce(ReduceOp::kSum, DType::kInt64, in, &out, s, nullptr));
  EXPECT_EQ(out, std::numeric_limits<int64_t>::min());
  EXPECT_FALSE(reduce(ReduceOp::kVar, DType::kInt64, in, &out, s, &correction));
  EXPECT_FALSE(reduce(ReduceOp::kSum, DType::kBool, in, &out, s, nullptr));
}

}  // namespace
}  // namespace autograd::cpu
