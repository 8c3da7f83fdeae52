// Maxima of windows of two by two elements side by side, a vector of windows at a time.
#include "kernels/cpu/pool_squares.hpp"

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pool_squares.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

/// NaN is larger than all numbers, the first of equal ones wins.
template <class V>
HWY_INLINE auto beats(V value, V best) {
  return hn::Or(hn::Gt(value, best), hn::IsNaN(value));
}

/// One row of windows; `first` is the position of its first element. The last vector reaches back
/// over windows that are there already.
template <class D>
HWY_INLINE void max_row(D d, const float* upper, const float* lower, int64_t first, int64_t row,
                        int64_t out, float* values, int64_t* indices) {
  constexpr int64_t n = static_cast<int64_t>(hn::MaxLanes(d));
  const hn::RebindToSigned<D> di;
  const hn::Half<decltype(di)> half;
  const hn::Repartition<int64_t, decltype(di)> wide;
  for (int64_t k = 0; k < out; k += n) {
    k = HWY_MIN(k, out - n);
    hn::Vec<D> a, b, c, e;
    hn::LoadInterleaved2(d, upper + 2 * k, a, b);
    hn::LoadInterleaved2(d, lower + 2 * k, c, e);
    const auto right = beats(b, a), lower_right = beats(e, c);
    const auto top = hn::IfThenElse(right, b, a), bottom = hn::IfThenElse(lower_right, e, c);
    const auto below = beats(bottom, top);
    hn::StoreU(hn::IfThenElse(below, bottom, top), d, values + k);
    const auto one = hn::Set(di, 1), zero = hn::Zero(di);
    const auto in_top = hn::IfThenElse(hn::RebindMask(di, right), one, zero);
    const auto in_bottom = hn::Add(hn::IfThenElse(hn::RebindMask(di, lower_right), one, zero),
                                   hn::Set(di, static_cast<int32_t>(row)));
    const auto column = hn::Iota(di, static_cast<int32_t>(first + 2 * k));
    const auto at = hn::Add(hn::Add(column, hn::Iota(di, 0)),
                            hn::IfThenElse(hn::RebindMask(di, below), in_bottom, in_top));
    hn::StoreU(hn::PromoteTo(wide, hn::LowerHalf(half, at)), wide, indices + k);
    hn::StoreU(hn::PromoteTo(wide, hn::UpperHalf(half, at)), wide, indices + k + n / 2);
  }
}

template <size_t kLanes>
void max_rows(const SquareWindows& w, const float* x, float* values, int64_t* indices) {
  const hn::CappedTag<float, kLanes> d;
  for (int64_t p = 0; p < w.planes; ++p, x += w.plane)
    for (int64_t j = 0; j < w.out_rows; ++j, values += w.out_row, indices += w.out_row) {
      const float* upper = x + 2 * j * w.row;
      max_row(d, upper, upper + w.row, 2 * j * w.row, w.row, w.out_row, values, indices);
    }
}

#endif

}  // namespace

bool max_squares_any([[maybe_unused]] const SquareWindows& w, [[maybe_unused]] const float* x,
                     [[maybe_unused]] float* values, [[maybe_unused]] int64_t* indices) {
#if HWY_TARGET == HWY_SCALAR
  return false;
#else
  if (w.out_row >= 16)
    max_rows<16>(w, x, values, indices);
  else if (w.out_row >= 8)
    max_rows<8>(w, x, values, indices);
  else
    max_rows<4>(w, x, values, indices);
  return true;
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(max_squares_any);

bool max_squares(const SquareWindows& w, const float* x, float* values, int64_t* indices) {
  constexpr int64_t kLargest = int64_t{1} << 30;  // positions are numbers of 32 bits on the way
  if (w.out_row < 4 || w.plane > kLargest) return false;
  return HWY_DYNAMIC_DISPATCH(max_squares_any)(w, x, values, indices);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
