// Every own class of a row is compared with all others, some own classes with a vector of others at
// a time: for tens of thousands of classes that is faster than putting them in order.
#include "kernels/cpu/multilabel_margin.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cpu/element_types.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/multilabel_margin.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on
#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

constexpr int64_t kOwn = 4;  // own classes that are compared at a time

template <class T>
HWY_INLINE Vec<T> load(const T* p) {
  return hn::LoadU(hn::ScalableTag<T>(), p);
}
template <class T>
HWY_INLINE T sum_of(Vec<T> v) {
  return hn::GetLane(hn::SumOfLanes(hn::ScalableTag<T>(), v.raw));
}

/// A row, and its others in whole vectors, where own classes and what is behind the end are -inf.
template <class T>
struct Row {
  static constexpr T kNever = -std::numeric_limits<T>::infinity();

  const T* x;
  const int64_t* t;
  int64_t own = 0, width;
  T* others;

  Row(const LabelledRows& of, int64_t i, void* scratch)
      : x(static_cast<const T*>(of.x) + i * of.classes),
        t(of.t + i * of.classes),
        others(static_cast<T*>(scratch)) {
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
    width = (of.classes + lanes - 1) / lanes * lanes;
    std::copy_n(x, of.classes, others);
    std::fill(others + of.classes, others + width, kNever);
    for (; own < of.classes && t[own] >= 0; ++own) others[t[own]] = kNever;
  }

  /// Calls step(k, bars) for own classes k to k + kOwn: the larger ones of the others + bars count.
  template <class Step>
  HWY_INLINE void each_own(const Step& step) const {
    for (int64_t k = 0; k < own; k += kOwn) {
      Vec<T> bars[kOwn];
      for (int64_t i = 0; i < kOwn; ++i) bars[i] = k + i < own ? 1 - x[t[k + i]] : kNever;
      step(k, bars);
      pause_after(width / 2);
    }
  }
};

template <class T>
void losses_of(const LabelledRows& of, void* scratch, T* out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for (int64_t i = 0; i < of.rows; ++i) {
    const Row<T> row(of, i, scratch);
    Vec<T> sums[kOwn] = {0, 0, 0, 0};
    row.each_own([&](int64_t, const Vec<T>* bars) HWY_ATTR {
      for (int64_t j = 0; j < row.width; j += lanes) {
        const Vec<T> others = load(row.others + j);
        for (int64_t k = 0; k < kOwn; ++k) {
          const Vec<T> excess = bars[k] + others;
          sums[k] = sums[k] + where(excess > 0, excess, 0);
        }
      }
    });
    out[i] = sum_of((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<T>(of.classes);
  }
}

template <class T>
void slopes_of(const LabelledRows& of, void* scratch, T* dx) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  const T one = 1 / static_cast<T>(of.classes);
  for (int64_t i = 0; i < of.rows; ++i, dx += of.classes) {
    const Row<T> row(of, i, scratch);
    T* const hits = row.others + row.width;
    std::fill_n(hits, row.width, T(0));
    std::fill_n(dx, of.classes, T(0));
    row.each_own([&](int64_t first, const Vec<T>* bars) HWY_ATTR {
      Vec<T> counts[kOwn] = {0, 0, 0, 0};
      for (int64_t j = 0; j < row.width; j += lanes) {
        const Vec<T> others = load(row.others + j);
        Vec<T> hit = load(hits + j);
        for (int64_t k = 0; k < kOwn; ++k) {
          const Vec<T> counted = where(bars[k] + others > 0, 1, Vec<T>(0));
          counts[k] = counts[k] + counted;
          hit = hit + counted;
        }
        hn::StoreU(hit.raw, hn::ScalableTag<T>(), hits + j);
      }
      for (int64_t k = 0; k < std::min(kOwn, row.own - first); ++k)
        dx[row.t[first + k]] -= one * sum_of(counts[k]);
    });
    for (int64_t j = 0; j < of.classes; ++j) dx[j] += one * hits[j];
  }
}

size_t scratch_of(DType dtype, int64_t classes) {
  size_t bytes = 0;
  by_float(dtype, [&](auto* type) {
    using T = Element<decltype(type)>;
    const size_t lanes = hn::Lanes(hn::ScalableTag<T>());
    bytes = 2 * (static_cast<size_t>(classes) + lanes) * sizeof(T);
  });
  return bytes;
}

void losses(DType dtype, const LabelledRows& of, void* scratch, void* out) {
  by_float(dtype,
           [&](auto* type) { losses_of(of, scratch, static_cast<Element<decltype(type)>*>(out)); });
}

void slopes(DType dtype, const LabelledRows& of, void* scratch, void* dx) {
  by_float(dtype,
           [&](auto* type) { slopes_of(of, scratch, static_cast<Element<decltype(type)>*>(dx)); });
}

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(scratch_of);
HWY_EXPORT(losses);
HWY_EXPORT(slopes);

size_t multilabel_margin_scratch(DType dtype, int64_t classes) {
  return HWY_DYNAMIC_DISPATCH(scratch_of)(dtype, classes);
}

void multilabel_margin(DType dtype, const LabelledRows& of, void* scratch, void* out) {
  HWY_DYNAMIC_DISPATCH(losses)(dtype, of, scratch, out);
}

void multilabel_margin_slopes(DType dtype, const LabelledRows& of, void* scratch, void* dx) {
  HWY_DYNAMIC_DISPATCH(slopes)(dtype, of, scratch, dx);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
