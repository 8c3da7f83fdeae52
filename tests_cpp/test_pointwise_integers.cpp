// Pointwise kernels of integers: what wraps around, shifts out, or has a vector form of its own.
#include <numeric>

#include "pointwise_kernels.hpp"

namespace autograd::cpu::pointwise_test {
namespace {

template <class T>
void check_integer_power(std::vector<T> base, std::vector<T> exponent, std::vector<T> want) {
  std::vector<T> out(base.size());
  const void* in[2] = {base.data(), exponent.data()};
  pointwise_kernel(PointwiseOp::k_pow, Type<T>::dtype)(in, out.data(),
                                                       static_cast<int64_t>(base.size()), nullptr);
  EXPECT_EQ(out, want);
}

TEST(PointwiseKernels, IntegerPowWrapsAround) {
  for_each_target([] {
    check_integer_power<int32_t>({2, -3, 7, 0, 0, 1, -1, -1, 2, 0, 3},
                                 {31, 3, 1, 0, 5, -7, -3, -2, -1, -2, 40},
                                 {INT32_MIN, -27, 7, 1, 0, 1, -1, 1, 0, 0, 689956897});
    check_integer_power<int64_t>({2, 3, -5}, {62, 39, 3},
                                 {int64_t{1} << 62, 4052555153018976267, -125});
    check_integer_power<uint8_t>({2, 3, 255, 255}, {8, 5, 2, 255}, {0, 243, 1, 255});
  });
}

TEST(PointwiseKernels, ParametersSaturateForIntegers) {
  for_each_target([] {
    const double bounds[2] = {-kInf, kInf};
    std::vector<int64_t> x = {INT64_MIN, -1, 0, INT64_MAX}, out(4);
    const void* in[1] = {x.data()};
    pointwise_kernel(PointwiseOp::k_clamp, DType::kInt64)(in, out.data(), 4, bounds);
    EXPECT_EQ(out, x);
  });
}

// ---- rows in bits

using Wide = __int128;

/// What a row gives for two numbers of type T.
template <class T>
T whole_result(const std::string& name, T a, T b) {
  const Wide size_a = a < 0 ? -Wide(a) : Wide(a), size_b = b < 0 ? -Wide(b) : Wide(b);
  Wide x = size_a, y = size_b;
  while (y != 0) x = std::exchange(y, x % y);
  if (name == "gcd") return static_cast<T>(x);
  if (name == "lcm") {
    const T product = static_cast<T>(static_cast<uint64_t>(x == 0 ? 0 : size_a / x) *
                                     static_cast<uint64_t>(size_b));
    return product < 0 ? static_cast<T>(0 - static_cast<uint64_t>(product)) : product;
  }
  constexpr int kDigits = static_cast<int>(sizeof(T)) * 8;
  const bool fits = b >= 0 && Wide(b) < kDigits;
  if (name == "bitwise_left_shift")
    return fits ? static_cast<T>(static_cast<uint64_t>(a) << static_cast<int>(b)) : T(0);
  return fits ? static_cast<T>(a >> static_cast<int>(b)) : static_cast<T>(a < 0 ? -1 : 0);
}

/// Small numbers, all numbers, and those with many twos; every third a special one.
template <class T>
T bits_value(int i) {
  const T value = random_value<T>();
  if (i % 3 == 0) return static_cast<T>(static_cast<uint64_t>(value) << (random_bits()() % 8));
  return i % 3 == 1 ? static_cast<T>(static_cast<int64_t>(random_bits()() % 80) - 8) : value;
}

template <class T>
void check_bits(const std::string& name) {
  const PointwiseKernel kernel = pointwise_kernel(op_of(name), Type<T>::dtype);
  for (const int64_t n : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 70, 3000}) {
    for (int alias = -1; alias < 2; ++alias) {
      std::vector<T> in[2], out(static_cast<size_t>(n) + 1, T(77));
      for (std::vector<T>& values : in) {
        values.push_back(T(77));
        for (int i = 0; i < n; ++i) values.push_back(bits_value<T>(i + (&values - in)));
        values.push_back(T(77));
      }
      const std::vector<T> a = in[0], b = in[1];
      std::vector<T>& to = alias < 0 ? out : in[alias];
      if (alias < 0) to.push_back(T(77));
      const void* const from[2] = {in[0].data() + 1, in[1].data() + 1};
      kernel(from, to.data() + 1, n, kParams);
      for (size_t i = 1; i <= static_cast<size_t>(n); ++i)
        ASSERT_EQ(to[i], whole_result<T>(name, a[i], b[i]))
            << name << " of " << +a[i] << " and " << +b[i] << ", " << name_of(Type<T>::dtype);
      ASSERT_EQ(to.front(), T(77));
      ASSERT_EQ(to.back(), T(77));
    }
  }
}

TEST(PointwiseKernels, DivisorsMultiplesAndShifts) {
  for_each_target([] {
    for (const char* name : {"gcd", "lcm", "bitwise_left_shift", "bitwise_right_shift"}) {
      check_bits<int32_t>(name);
      check_bits<int64_t>(name);
      check_bits<uint8_t>(name);
      if (::testing::Test::HasFatalFailure()) return;
    }
  });
}

}  // namespace
}  // namespace autograd::cpu::pointwise_test
