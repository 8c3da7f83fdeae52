// Loads and stores of the first n lanes of a vector that never touch the memory behind them.

// Included once per instruction set, hence the toggling guard (see Highway's quick reference).
#if defined(AUTOGRAD_KERNELS_CPU_PARTIAL_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_PARTIAL_VECTOR_INL_H_
#undef AUTOGRAD_KERNELS_CPU_PARTIAL_VECTOR_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_PARTIAL_VECTOR_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace partial {

namespace hn = hwy::HWY_NAMESPACE;

// AVX2 masks memory accesses of 4 and 8 bytes; Highway's macro counts in narrower types.
#if HWY_TARGET == HWY_AVX2 || !HWY_MEM_OPS_MIGHT_FAULT
constexpr bool kMaskedMemory = true;
#else
constexpr bool kMaskedMemory = false;
#endif

/// p[0..n) in the first n lanes, `fill` in the others; n <= lanes. T is float, double or as wide.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* p, size_t n, hn::Vec<D> fill) {
  if constexpr (kMaskedMemory) {
    const auto mask = hn::FirstN(d, n);
    return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, p), fill);
  } else {
    HWY_ALIGN T lanes[hn::MaxLanes(d)];
    hn::Store(fill, d, lanes);
    for (size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return hn::Load(d, lanes);
  }
}

/// The same with zeros behind lane n.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* p, size_t n) {
  if constexpr (kMaskedMemory) {
    return hn::MaskedLoad(hn::FirstN(d, n), d, p);
  } else {
    return load_first(d, p, n, hn::Zero(d));
  }
}

/// p[0..n) = the first n lanes of v.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* p, size_t n) {
  if constexpr (kMaskedMemory) {
    hn::BlendedStore(v, hn::FirstN(d, n), d, p);
  } else {
    HWY_ALIGN T lanes[hn::MaxLanes(d)];
    hn::Store(v, d, lanes);
    for (size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
}

}  // namespace partial
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // AUTOGRAD_KERNELS_CPU_PARTIAL_VECTOR_INL_H_
