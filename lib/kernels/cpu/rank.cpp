// Every key is compared with every other, a vector of them at a time: no branch depends on the
// numbers.
#include "kernels/cpu/rank.hpp"

#include <algorithm>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rank.cpp"
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

/// rank + 1 where `before` holds.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V counted(D d, V rank, hn::Mask<D> before) {
#if HWY_TARGET <= HWY_AVX3  // one masked addition
  return hn::IfThenElse(before, hn::Add(rank, hn::Set(d, 1)), rank);
#else
  return hn::Sub(rank, hn::VecFromMask(d, before));  // a true lane is -1
#endif
}

constexpr int kVectors = 4;

/// The ranks of the kVectors vectors of keys from `from`; those behind the n-th do not matter.
template <class T>
void rank_group(const T* keys, T* ranks, int64_t from, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> mine[kVectors], rank[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    mine[v] = hn::LoadU(d, keys + from + v * lanes);
    rank[v] = hn::Zero(d);
  }
  for (int64_t j = 0; j < from; ++j) {
    const auto other = hn::Set(d, keys[j]);
    for (int v = 0; v < kVectors; ++v)
      rank[v] = counted(d, rank[v], hn::Not(hn::Gt(other, mine[v])));
  }
  for (int own = 0; own < kVectors; ++own)
    for (int64_t lane = 0; lane < lanes && from + own * lanes + lane < n; ++lane) {
      const auto other = hn::Set(d, keys[from + own * lanes + lane]);
      const auto behind = hn::Gt(hn::Iota(d, T{0}), hn::Set(d, static_cast<T>(lane)));
      for (int v = 0; v < kVectors; ++v) {
        const auto less = hn::Lt(other, mine[v]);
        const auto equal_counts = hn::And(hn::Eq(other, mine[v]), behind);
        rank[v] = counted(d, rank[v],
                          v < own   ? less
                          : v > own ? hn::Not(hn::Gt(other, mine[v]))
                                    : hn::Or(less, equal_counts));
      }
    }
  for (int64_t j = from + kVectors * lanes; j < n; ++j) {
    const auto other = hn::Set(d, keys[j]);
    for (int v = 0; v < kVectors; ++v) rank[v] = counted(d, rank[v], hn::Lt(other, mine[v]));
  }
  for (int v = 0; v < kVectors; ++v) hn::Store(rank[v], d, ranks + v * lanes);
}

template <class T>
void rank_all(const T* keys, T* ranks, int64_t n) {
  constexpr int64_t kMost = hn::MaxLanes(hn::ScalableTag<T>()) * kVectors;
  const int64_t group = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>())) * kVectors;
  T padded[kMostRanked + kMost];
  HWY_ALIGN T found[kMost];
  std::copy_n(keys, n, padded);
  for (int64_t from = 0; from < n; from += group) {
    std::fill_n(padded + n, from + group > n ? from + group - n : 0, T{0});
    rank_group(padded, found, from, n);
    std::copy_n(found, std::min(group, n - from), ranks + from);
  }
}

}  // namespace

void rank_32(const int32_t* keys, int32_t* ranks, int64_t n) { rank_all(keys, ranks, n); }
void rank_64(const int64_t* keys, int64_t* ranks, int64_t n) { rank_all(keys, ranks, n); }

}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(rank_32);
HWY_EXPORT(rank_64);

void rank_keys(const int32_t* keys, int32_t* ranks, int64_t n) {
  HWY_DYNAMIC_DISPATCH(rank_32)(keys, ranks, n);
}

void rank_keys(const int64_t* keys, int64_t* ranks, int64_t n) {
  HWY_DYNAMIC_DISPATCH(rank_64)(keys, ranks, n);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
