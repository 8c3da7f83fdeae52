// The compiler makes the loops of conversions into vectors, for each instruction set.
#include "kernels/cpu/runs.hpp"

#include <cstring>

#include "kernels/cpu/converted.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/runs.cpp"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
void fill_elements(const void* element, void* to, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), last = n - lanes;
  T value;
  std::memcpy(&value, element, sizeof(T));
  T* const out = static_cast<T*>(to);
  if (last < 0) {
    for (int64_t i = 0; i < n; ++i) out[i] = value;
    return;
  }
  const auto values = hn::Set(d, value);
  for (int64_t i = 0; i < last; i += lanes) hn::StoreU(values, d, out + i);
  hn::StoreU(values, d, out + last);
}

void fill_words(const void* element, void* to, int64_t n) {
  fill_elements<uint32_t>(element, to, n);
}
void fill_long_words(const void* element, void* to, int64_t n) {
  fill_elements<uint64_t>(element, to, n);
}

template <class From, class To>
void convert_elements(const void* from, void* to, int64_t n) {
  if constexpr (std::is_same_v<From, To>) {
    std::memmove(to, from, static_cast<size_t>(n) * sizeof(To));
  } else {
    const From* const in = static_cast<const From*>(from);
    To* const out = static_cast<To*>(to);
    for (int64_t i = 0; i < n; ++i) out[i] = converted<To>(in[i]);
  }
}

#define AUTOGRAD_FROM(T)                                                                         \
  {                                                                                              \
    &convert_elements<T, float>, &convert_elements<T, double>, &convert_elements<T, int32_t>,    \
        &convert_elements<T, int64_t>, &convert_elements<T, uint8_t>, &convert_elements<T, Bool> \
  }

ConvertRun run_of(DType from, DType to) {
  static constexpr ConvertRun kRuns[kDTypeCount][kDTypeCount] = {
      AUTOGRAD_FROM(float),   AUTOGRAD_FROM(double),  AUTOGRAD_FROM(int32_t),
      AUTOGRAD_FROM(int64_t), AUTOGRAD_FROM(uint8_t), AUTOGRAD_FROM(Bool)};
  return kRuns[static_cast<int>(from)][static_cast<int>(to)];
}
#undef AUTOGRAD_FROM

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {
HWY_EXPORT(fill_words);
HWY_EXPORT(fill_long_words);
HWY_EXPORT(run_of);
}  // namespace

void fill_run(const void* element, size_t size, void* to, int64_t n) {
  if (size == 1)
    std::memset(to, *static_cast<const unsigned char*>(element), static_cast<size_t>(n));
  else if (size == 4)
    HWY_DYNAMIC_DISPATCH(fill_words)(element, to, n);
  else
    HWY_DYNAMIC_DISPATCH(fill_long_words)(element, to, n);
}

ConvertRun convert_run(DType from, DType to) { return HWY_DYNAMIC_DISPATCH(run_of)(from, to); }

}  // namespace autograd::cpu
#endif  // HWY_ONCE
