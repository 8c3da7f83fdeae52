#include "kernels/cpu/stream.hpp"

#include <cstring>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/stream.cpp"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void stream_bytes(const void* from, void* to, size_t bytes) {
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d);
  const uint8_t* const source = static_cast<const uint8_t*>(from);
  uint8_t* const target = static_cast<uint8_t*>(to);
  size_t i = 0;
  for (; lanes <= kStreamAlign && i + lanes <= bytes; i += lanes)
    hn::Stream(hn::LoadU(d, source + i), d, target + i);
  std::memcpy(target + i, source + i, bytes - i);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "hwy/cache_control.h"

namespace autograd::cpu {

HWY_EXPORT(stream_bytes);

void stream(const void* from, void* to, size_t bytes) {
  HWY_DYNAMIC_DISPATCH(stream_bytes)(from, to, bytes);
}

void end_stream() { hwy::FlushStream(); }

}  // namespace autograd::cpu
#endif  // HWY_ONCE
