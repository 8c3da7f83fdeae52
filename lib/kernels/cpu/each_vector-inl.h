// Loops over n numbers by vectors, the last of which may be shorter.
#if defined(AUTOGRAD_KERNELS_CPU_EACH_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_EACH_VECTOR_INL_H_
#undef AUTOGRAD_KERNELS_CPU_EACH_VECTOR_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_EACH_VECTOR_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"
#include "kernels/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// Calls step(at, count) for all full vectors, and for the rest of fewer numbers.
template <class T, class Step>
HWY_INLINE void each_vector(int64_t n, const Step& step) {
  const size_t lanes = hn::Lanes(hn::ScalableTag<T>()), end = static_cast<size_t>(n);
  size_t i = 0;
  for (; i + lanes <= end; i += lanes) step(i, lanes);
  if (i < end) step(i, end - i);
}

template <class T>
HWY_INLINE Vec<T> load(const T* p, size_t count) {
  const hn::ScalableTag<T> d;
  return count == hn::Lanes(d) ? hn::LoadU(d, p) : partial::load_first(d, p, count);
}

template <class T>
HWY_INLINE void store(Vec<T> v, T* p, size_t count) {
  const hn::ScalableTag<T> d;
  if (count == hn::Lanes(d))
    hn::StoreU(v.raw, d, p);
  else
    partial::store_first(v.raw, d, p, count);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
