// What the kernel tests share: running under every instruction set, guarded buffers, dtypes.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "autograd/dtype.hpp"
#include "kernels/cpu/simd_targets.hpp"
// Highway's headers come after the choice of targets.
#include <hwy/highway.h>

namespace autograd::cpu {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Runs `test` once under each instruction set this machine has and the kernels are compiled for.
template <class F>
void for_each_target(const F& test) {
  int runs = 0;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (!(target & compiled_targets())) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    test();
    ++runs;
  }
  EXPECT_GT(runs, 0);
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::kFloat32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::kFloat64;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::kInt32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::kInt64;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::kUInt8;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::kBool;
}

/// n elements on the heap, at any alignment, between bytes that must stay as they are.
template <class T>
class Guarded {
 public:
  explicit Guarded(size_t n, size_t shift = 0)
      : n_(n), shift_(shift), bytes_((kGuard + shift + n + kGuard) * sizeof(T), kPattern) {}

  T* data() { return reinterpret_cast<T*>(bytes_.data()) + kGuard + shift_; }
  T& operator[](size_t i) { return data()[i]; }
  size_t size() const { return n_; }

  void expect_intact() const {
    const size_t first = (kGuard + shift_) * sizeof(T), last = first + n_ * sizeof(T);
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if (i < first || i >= last) {
        ASSERT_EQ(bytes_[i], kPattern) << "byte " << i << ", elements at " << first << ".." << last;
      }
    }
  }

 private:
  static constexpr size_t kGuard = 16;
  static constexpr uint8_t kPattern = 0xA5;
  size_t n_, shift_;
  std::vector<uint8_t> bytes_;
};

/// Whether `got` is within `tolerance` of `want`; NaN and infinities must be the same.
inline ::testing::AssertionResult close(double got, double want, double tolerance) {
  const bool same = std::isfinite(want) ? std::fabs(got - want) <= tolerance
                    : std::isnan(want)  ? std::isnan(got)
                                        : got == want;
  if (same) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << got << " instead of " << want << ", allowed " << tolerance;
}

/// n standard normal numbers, a vector of exactly that size so that a sanitizer guards its end.
template <class T>
std::vector<T> normal_numbers(size_t n, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<T> v(n);
  for (T& x : v) x = static_cast<T>(normal(engine));
  v.shrink_to_fit();
  return v;
}

}  // namespace autograd::cpu
