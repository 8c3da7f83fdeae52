// The softmax of attention over tiles of scores, for every instruction set.
#include "kernels/cpu/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on
#include "kernels/cpu/exp_below-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using exponential::exp_below;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<Tag<T>>;
template <class T>
constexpr T kLowest = -std::numeric_limits<T>::infinity();

/// Products of one row become scores; what lies behind the last column becomes -inf.
template <class T>
HWY_INLINE void score_row(const ScoreTile& t, int64_t row, T* x) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = hn::Set(d, static_cast<T>(t.scale));
  int64_t end = t.cols;
  if (t.causal) end = std::max<int64_t>(0, std::min(end, t.first + row + 1));
  if (t.mask_kind == ScoreTile::kFloatMask && t.mask_col == 1) {
    const T* mask = static_cast<const T*>(t.mask) + row * t.mask_row;
    int64_t j = 0;
    for (; j + lanes <= end; j += lanes)
      hn::StoreU(hn::MulAdd(hn::LoadU(d, x + j), scale, hn::LoadU(d, mask + j)), d, x + j);
    for (; j < end; ++j) x[j] = x[j] * static_cast<T>(t.scale) + mask[j];
  } else {
    // Rows are padded, so the last vector may reach behind the end.
    for (int64_t j = 0; j < end; j += lanes)
      hn::StoreU(hn::Mul(hn::LoadU(d, x + j), scale), d, x + j);
    if (t.mask_kind == ScoreTile::kFloatMask) {
      const T* mask = static_cast<const T*>(t.mask) + row * t.mask_row;
      for (int64_t j = 0; j < end; ++j) x[j] += mask[j * t.mask_col];
    } else if (t.mask_kind == ScoreTile::kBoolMask) {
      const uint8_t* mask = static_cast<const uint8_t*>(t.mask) + row * t.mask_row;
      for (int64_t j = 0; j < end; ++j) x[j] = mask[j * t.mask_col] ? x[j] : kLowest<T>;
    }
  }
  std::fill(x + end, x + t.stride, kLowest<T>);
}

template <class T>
HWY_INLINE T largest(const T* x, int64_t n) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto a = hn::Set(d, kLowest<T>), b = a;
  int64_t j = 0;
  for (; j + 2 * lanes <= n; j += 2 * lanes) {
    a = hn::Max(a, hn::LoadU(d, x + j));
    b = hn::Max(b, hn::LoadU(d, x + j + lanes));
  }
  for (; j < n; j += lanes) a = hn::Max(a, hn::LoadU(d, x + j));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(a, b)));
}

/// x = exp(x - shift); returns the sum.
template <class T>
HWY_INLINE T exponentiate(T* x, int64_t n, T shift) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto m = hn::Set(d, shift);
  auto a = hn::Zero(d), b = hn::Zero(d);
  int64_t j = 0;
  for (; j + 2 * lanes <= n; j += 2 * lanes) {
    const auto u = exp_below(hn::Sub(hn::LoadU(d, x + j), m));
    const auto v = exp_below(hn::Sub(hn::LoadU(d, x + j + lanes), m));
    hn::StoreU(u, d, x + j);
    hn::StoreU(v, d, x + j + lanes);
    a = hn::Add(a, u);
    b = hn::Add(b, v);
  }
  for (; j < n; j += lanes) {
    const auto u = exp_below(hn::Sub(hn::LoadU(d, x + j), m));
    hn::StoreU(u, d, x + j);
    a = hn::Add(a, u);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
}

template <class T>
HWY_INLINE void multiply_row(T* x, int64_t n, T factor) {
  for (int64_t j = 0; j < n; ++j) x[j] *= factor;
}

template <class T>
void step(const ScoreTile& t, T* max, T* sum, T* out, int64_t out_stride, int64_t width,
          bool is_first) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Tag<T>()));
  const int64_t n = (t.cols + lanes - 1) / lanes * lanes;
  for (int64_t i = 0; i < t.rows; ++i) {
    T* x = static_cast<T*>(t.scores) + i * t.stride;
    score_row(t, i, x);
    const T before = is_first ? kLowest<T> : max[i];
    const T now = largest(x, n);
    // In this order a NaN of either stays.
    const T m = now > before ? now : before;
    const T s = exponentiate(x, n, m == kLowest<T> ? T{0} : m);
    max[i] = m;
    if (is_first) {
      sum[i] = s;
      continue;
    }
    const T factor = before == kLowest<T> ? T{1} : std::exp(before - m);
    sum[i] = sum[i] * factor + s;
    if (factor != 1) multiply_row(out + i * out_stride, width, factor);
  }
}

template <class T>
void finish(int64_t rows, T* max, const T* sum, T* out, int64_t out_stride, int64_t width) {
  for (int64_t i = 0; i < rows; ++i) {
    T* row = out + i * out_stride;
    if (sum[i] == 0) {
      std::fill(row, row + width, T{0});
      max[i] = std::numeric_limits<T>::infinity();
    } else {
      multiply_row(row, width, T{1} / sum[i]);
      max[i] = (max[i] == kLowest<T> ? T{0} : max[i]) + std::log(sum[i]);
    }
  }
}

template <class T>
void backward(const ScoreTile& t, const T* lse, const T* delta, T* dp) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = hn::Set(d, static_cast<T>(t.scale));
  for (int64_t i = 0; i < t.rows; ++i) {
    T* x = static_cast<T*>(t.scores) + i * t.stride;
    T* g = dp + i * t.stride;
    score_row(t, i, x);
    std::fill(g + t.cols, g + t.stride, T{0});
    const auto m = hn::Set(d, lse[i]), c = hn::Set(d, delta[i]);
    for (int64_t j = 0; j < t.cols; j += lanes) {
      const auto p = exp_below(hn::Sub(hn::LoadU(d, x + j), m));
      hn::StoreU(p, d, x + j);
      const auto ds = hn::Mul(hn::Mul(p, hn::Sub(hn::LoadU(d, g + j), c)), scale);
      hn::StoreU(ds, d, g + j);
    }
  }
}

template <class T>
void dots(int64_t rows, int64_t width, const T* a, int64_t a_stride, const T* b, int64_t b_stride,
          T* delta) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < rows; ++i, a += a_stride, b += b_stride) {
    auto total = hn::Zero(d);
    int64_t j = 0;
    for (; j + lanes <= width; j += lanes)
      total = hn::MulAdd(hn::LoadU(d, a + j), hn::LoadU(d, b + j), total);
    T sum = hn::GetLane(hn::SumOfLanes(d, total));
    for (; j < width; ++j) sum += a[j] * b[j];
    delta[i] = sum;
  }
}

#define AUTOGRAD_ATTENTION(suffix, T)                                                             \
  void step_##suffix(const ScoreTile& t, void* max, void* sum, void* out, int64_t out_stride,     \
                     int64_t width, bool is_first) {                                              \
    step(t, static_cast<T*>(max), static_cast<T*>(sum), static_cast<T*>(out), out_stride, width,  \
         is_first);                                                                               \
  }                                                                                               \
  void finish_##suffix(int64_t rows, void* max, const void* sum, void* out, int64_t out_stride,   \
                       int64_t width) {                                                           \
    finish(rows, static_cast<T*>(max), static_cast<const T*>(sum), static_cast<T*>(out),          \
           out_stride, width);                                                                    \
  }                                                                                               \
  void backward_##suffix(const ScoreTile& t, const void* lse, const void* delta, void* d) {       \
    backward(t, static_cast<const T*>(lse), static_cast<const T*>(delta), static_cast<T*>(d));    \
  }                                                                                               \
  void dots_##suffix(int64_t rows, int64_t width, const void* a, int64_t a_stride, const void* b, \
                     int64_t b_stride, void* delta) {                                             \
    dots(rows, width, static_cast<const T*>(a), a_stride, static_cast<const T*>(b), b_stride,     \
         static_cast<T*>(delta));                                                                 \
  }
AUTOGRAD_ATTENTION(float, float)
AUTOGRAD_ATTENTION(double, double)
#undef AUTOGRAD_ATTENTION

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {

HWY_EXPORT(step_float);
HWY_EXPORT(step_double);
HWY_EXPORT(finish_float);
HWY_EXPORT(finish_double);
HWY_EXPORT(backward_float);
HWY_EXPORT(backward_double);
HWY_EXPORT(dots_float);
HWY_EXPORT(dots_double);

}  // namespace

void attention_step(DType dtype, const ScoreTile& tile, void* max, void* sum, void* out,
                    int64_t out_stride, int64_t width, bool is_first) {
  if (dtype == DType::kFloat64)
    HWY_DYNAMIC_DISPATCH(step_double)(tile, max, sum, out, out_stride, width, is_first);
  else
    HWY_DYNAMIC_DISPATCH(step_float)(tile, max, sum, out, out_stride, width, is_first);
}

void attention_finish(DType dtype, int64_t rows, void* max, const void* sum, void* out,
                      int64_t out_stride, int64_t width) {
  if (dtype == DType::kFloat64)
    HWY_DYNAMIC_DISPATCH(finish_double)(rows, max, sum, out, out_stride, width);
  else
    HWY_DYNAMIC_DISPATCH(finish_float)(rows, max, sum, out, out_stride, width);
}

void attention_backward(DType dtype, const ScoreTile& tile, const void* lse, const void* delta,
                        void* d) {
  if (dtype == DType::kFloat64)
    HWY_DYNAMIC_DISPATCH(backward_double)(tile, lse, delta, d);
  else
    HWY_DYNAMIC_DISPATCH(backward_float)(tile, lse, delta, d);
}

void row_dots(DType dtype, int64_t rows, int64_t width, const void* a, int64_t a_stride,
              const void* b, int64_t b_stride, void* delta) {
  if (dtype == DType::kFloat64)
    HWY_DYNAMIC_DISPATCH(dots_double)(rows, width, a, a_stride, b, b_stride, delta);
  else
    HWY_DYNAMIC_DISPATCH(dots_float)(rows, width, a, a_stride, b, b_stride, delta);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
