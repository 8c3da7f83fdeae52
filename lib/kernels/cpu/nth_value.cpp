// Quickselect (Hoare, "Algorithm 65: Find", 1961): numbers are parted at a pivot again and again, a
// vector of them at a time, so that no branch depends on them.
#include "kernels/cpu/nth_value.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/nth_value.cpp"
// foreach_target.h must come first.
// clang-format off
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// clang-format on

#ifndef AUTOGRAD_KERNELS_CPU_NTH_VALUE_WANTED_
#define AUTOGRAD_KERNELS_CPU_NTH_VALUE_WANTED_
namespace autograd::cpu {
namespace {

struct Wanted {
  int8_t places[8];
};

/// By the bits of a mask: where the lanes that it has stand, one behind the other.
template <int lanes>
constexpr auto kWanted = [] {
  std::array<Wanted, 1 << lanes> all{};
  for (int bits = 0; bits < 1 << lanes; ++bits) {
    int count = 0;
    for (int8_t lane = 0; lane < lanes; ++lane)
      if (bits >> lane & 1) all[static_cast<size_t>(bits)].places[count++] = lane;
  }
  return all;
}();

}  // namespace
}  // namespace autograd::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Appends the lanes that are wanted to the numbers at `to`, behind which a vector may be written.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void append(D d, hn::Vec<D> v, hn::Mask<D> wanted, T* to, int64_t& count) {
#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2
  // Compress() would copy its table to the stack each time, as GCC 12 compiles it.
  const hn::RebindToSigned<D> di;
  const hn::Rebind<int8_t, D> bytes;
  uint8_t bits = 0;
  hn::StoreMaskBits(d, wanted, &bits);
  const int8_t* const places = kWanted<hn::MaxLanes(d)>[bits].places;
  const auto indices = hn::PromoteTo(hn::Rebind<int32_t, D>(), hn::LoadU(bytes, places));
  if constexpr (sizeof(T) == 4)
    v = hn::TableLookupLanes(v, hn::IndicesFromVec(d, indices));
  else
    v = hn::TableLookupLanes(v, hn::IndicesFromVec(d, hn::PromoteTo(di, indices)));
#else
  v = hn::Compress(v, wanted);
#endif
  hn::StoreU(v, d, to + count);
  count += static_cast<int64_t>(hn::CountTrue(d, wanted));
}

/// The middle of three.
template <class T>
T middle(T a, T b, T c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

template <class T>
int64_t copy_all(const T* x, T* numbers, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t count = 0;
  in_parts(n, [&, x, numbers](int64_t i, int64_t end) HWY_ATTR {
    int64_t at = count;  // in a register
    for (; i + lanes <= end; i += lanes) {
      const auto v = hn::LoadU(d, x + i);
      append(d, v, hn::Eq(v, v), numbers, at);
    }
    for (; i < end; ++i) {
      numbers[at] = x[i];
      at += x[i] == x[i];
    }
    count = at;
  });
  return count;
}

/// How many are smaller than the pivot, and larger. The smaller ones go to room, the larger ones to
/// the front of a, where it was read already: a vector behind either is never behind their ends.
template <class T>
std::pair<int64_t, int64_t> part(T* a, T* room, int64_t n, T pivot) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  std::pair<int64_t, int64_t> found;
  in_parts(n, [&, a, room, pivot](int64_t i, int64_t end) HWY_ATTR {
    const auto pivots = hn::Set(d, pivot);
    auto [less, more] = found;
    for (; i + lanes <= end; i += lanes) {
      const auto v = hn::LoadU(d, a + i);
      append(d, v, hn::Lt(v, pivots), room, less);
      append(d, v, hn::Lt(pivots, v), a, more);
    }
    for (; i < end; ++i) {
      const T v = a[i];
      room[less] = v;
      a[more] = v;
      less += v < pivot;
      more += pivot < v;
    }
    found = {less, more};
  });
  return found;
}

template <class T>
T nth_of(T* a, T* room, int64_t n, int64_t k) {
  constexpr int64_t kFew = 32;
  constexpr int kMostRounds = 64;  // more come of numbers that are made to
  for (int round = 0; n > kFew && round < kMostRounds; ++round) {
    T middles[3];
    for (int64_t i = 0; i < 3; ++i)
      middles[i] = middle(a[i * n / 9], a[(i + 3) * n / 9], a[(i + 6) * n / 9]);
    const T pivot = middle(middles[0], middles[1], middles[2]);
    const auto [less, more] = part(a, room, n, pivot);
    if (k >= less && k < n - more) return pivot;
    if (k < less) {
      std::swap(a, room);
      n = less;
    } else {
      k -= n - more;
      n = more;
    }
  }
  std::nth_element(a, a + k, a + n);
  return a[k];
}

}  // namespace

int64_t copy_32(const float* x, float* numbers, int64_t n) { return copy_all(x, numbers, n); }
int64_t copy_64(const double* x, double* numbers, int64_t n) { return copy_all(x, numbers, n); }
float nth_32(float* a, float* room, int64_t n, int64_t k) { return nth_of(a, room, n, k); }
double nth_64(double* a, double* room, int64_t n, int64_t k) { return nth_of(a, room, n, k); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(copy_32);
HWY_EXPORT(copy_64);
HWY_EXPORT(nth_32);
HWY_EXPORT(nth_64);

int64_t copy_numbers(const float* x, float* numbers, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(copy_32)(x, numbers, n);
}

int64_t copy_numbers(const double* x, double* numbers, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(copy_64)(x, numbers, n);
}

float nth_value(float* numbers, float* room, int64_t n, int64_t k) {
  return HWY_DYNAMIC_DISPATCH(nth_32)(numbers, room, n, k);
}

double nth_value(double* numbers, double* room, int64_t n, int64_t k) {
  return HWY_DYNAMIC_DISPATCH(nth_64)(numbers, room, n, k);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
