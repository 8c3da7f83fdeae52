// Where reductions read: the vectors of numbers that lie side by side or a distance apart.
#if defined(AUTOGRAD_KERNELS_CPU_REDUCE_SOURCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_REDUCE_SOURCE_INL_H_
#undef AUTOGRAD_KERNELS_CPU_REDUCE_SOURCE_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_REDUCE_SOURCE_INL_H_
#endif

#include <limits>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<Tag<T>>;

/// Neighbouring numbers. If `is_far`, they come from so far away that they are called for
/// beforehand.
template <class T>
struct Neighbours {
  bool is_far = false;

  /// Before `vectors` of them are read.
  HWY_INLINE void call_for(const T* p, size_t vectors) const {
    constexpr size_t kAhead = 8192, kLine = 64;  // bytes
    if (!is_far) return;
    const char* const from = reinterpret_cast<const char*>(p) + kAhead;
    for (size_t i = 0; i < vectors * hn::Lanes(Tag<T>()) * sizeof(T); i += kLine) {
      hwy::Prefetch(from + i);
    }
  }
  HWY_INLINE V<T> all(const T* p) const { return hn::LoadU(Tag<T>(), p); }
  HWY_INLINE V<T> first(const T* p, size_t n, V<T> fill) const {
    return partial::load_first(Tag<T>(), p, n, fill);
  }
  HWY_INLINE const T* at(const T* p, size_t lane) const { return p + lane; }
};

/// Numbers a fixed distance apart.
template <class T>
struct Spread {
  using TI = hn::TFromD<hn::RebindToSigned<Tag<T>>>;
  int64_t stride;
  bool gather;  // the offsets fit the index type
  hn::Vec<hn::RebindToSigned<Tag<T>>> index;

  explicit Spread(int64_t stride_)
      : stride(stride_), gather(stride >= 0 && stride <= std::numeric_limits<int32_t>::max() / 16) {
    const hn::RebindToSigned<Tag<T>> di;
    HWY_ALIGN TI offsets[hn::MaxLanes(di)];
    for (size_t i = 0; i < hn::Lanes(di); ++i) {
      offsets[i] = gather ? static_cast<TI>(static_cast<int64_t>(i) * stride) : 0;
    }
    index = hn::Load(di, offsets);
  }
  HWY_INLINE void call_for(const T*, size_t) const {}
  HWY_INLINE V<T> all(const T* p) const {
    const Tag<T> d;
    return gather ? hn::GatherIndex(d, p, index) : first(p, hn::Lanes(d), hn::Zero(d));
  }
  HWY_NOINLINE V<T> first(const T* p, size_t n, V<T> fill) const {
    const Tag<T> d;
    HWY_ALIGN T lanes[hn::MaxLanes(d)];
    hn::Store(fill, d, lanes);
    for (size_t i = 0; i < n; ++i) lanes[i] = *at(p, i);
    return hn::Load(d, lanes);
  }
  HWY_INLINE const T* at(const T* p, size_t lane) const {
    return p + static_cast<int64_t>(lane) * stride;
  }
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
