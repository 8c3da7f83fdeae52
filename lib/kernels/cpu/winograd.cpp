// Vectors hold numbers of neighbouring tiles.
#include "kernels/cpu/winograd.hpp"

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/winograd.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));

#define AUTOGRAD_UNROLLED _Pragma("GCC unroll 4")

// G times three numbers.
HWY_INLINE void spread(V a, V b, V c, V* to) {
  const V half = hn::Set(D(), 0.5f), sum = hn::Mul(half, hn::Add(a, c)), middle = hn::Mul(half, b);
  to[0] = a;
  to[1] = hn::Add(sum, middle);
  to[2] = hn::Sub(sum, middle);
  to[3] = c;
}

void filters_float(const WinogradFilters& f, float* to) {
  const D d;
  HWY_ALIGN float taps[9][kLanes] = {};
  HWY_ALIGN float lanes[kLanes];
  for (int64_t r = 0; r < f.rows; ++r)
    for (int64_t c = 0; c < f.channels; c += kLanes) {
      const int64_t count = HWY_MIN(kLanes, f.channels - c);
      for (int64_t i = 0; i < count; ++i) {
        const float* from = f.source + r * f.row_stride + (c + i) * f.channel_stride;
        for (int64_t t = 0; t < 9; ++t) taps[t][i] = from[f.turned ? 8 - t : t];
      }
      V half[3][4];
      AUTOGRAD_UNROLLED for (int x = 0; x < 3; ++x)
          spread(hn::Load(d, taps[x]), hn::Load(d, taps[3 + x]), hn::Load(d, taps[6 + x]), half[x]);
      AUTOGRAD_UNROLLED for (int y = 0; y < 4; ++y) {
        V whole[4];
        spread(half[0][y], half[1][y], half[2][y], whole);
        AUTOGRAD_UNROLLED for (int x = 0; x < 4; ++x) {
          float* const out = to + ((y * 4 + x) * f.rows + r) * f.channels + c;
          if (count == kLanes) {
            hn::StoreU(whole[x], d, out);
          } else {
            hn::Store(whole[x], d, lanes);
            for (int64_t i = 0; i < count; ++i) out[i] = lanes[i];
          }
        }
      }
    }
}

// B' times four numbers.
HWY_INLINE void differences(V a, V b, V c, V e, V* to) {
  to[0] = hn::Sub(a, c);
  to[1] = hn::Add(b, c);
  to[2] = hn::Sub(c, b);
  to[3] = hn::Sub(b, e);
}

void input_float(const WinogradInput& q, float* to) {
  const D d;
  for (int64_t i = 0; i < q.rows; ++i)
    for (int64_t j = 0; j < q.columns; j += kLanes) {
      const float* from = q.from + 2 * i * q.from_row + 2 * j;
      V half[4][4];
      AUTOGRAD_UNROLLED for (int y = 0; y < 4; ++y) {
        V a, b, c, e;
        hn::LoadInterleaved2(d, from + y * q.from_row, a, b);
        hn::LoadInterleaved2(d, from + y * q.from_row + 2, c, e);
        differences(a, b, c, e, half[y]);
      }
      float* const out = to + i * q.columns + j;
      const int64_t room = q.length - (i * q.columns + j);
      HWY_ALIGN float lanes[kLanes];
      AUTOGRAD_UNROLLED for (int x = 0; x < 4; ++x) {
        V whole[4];
        differences(half[0][x], half[1][x], half[2][x], half[3][x], whole);
        AUTOGRAD_UNROLLED for (int y = 0; y < 4; ++y) {
          float* const at = out + (y * 4 + x) * q.product;
          if (room >= kLanes) {
            hn::StoreU(whole[y], d, at);  // what it writes too much is overwritten
          } else {
            hn::Store(whole[y], d, lanes);
            for (int64_t l = 0; l < room; ++l) at[l] = lanes[l];
          }
        }
      }
    }
  for (int64_t k = 0; k < kWinogradProducts; ++k)
    for (int64_t t = q.rows * q.columns; t < q.length; ++t) to[k * q.product + t] = 0;
}

// A' times four numbers.
HWY_INLINE void gather(V a, V b, V c, V e, V* to) {
  to[0] = hn::Add(hn::Add(a, b), c);
  to[1] = hn::Sub(hn::Sub(b, c), e);
}

void output_float(const WinogradOutput& q, float* out) {
  const D d;
  const V bias = hn::Set(d, q.bias);
  HWY_ALIGN float lanes[2 * kLanes];
  for (int64_t i = 0; 2 * i < q.height; ++i)
    for (int64_t j = 0; j < q.columns; j += kLanes) {
      const float* const from = q.from + i * q.columns + j;
      V half[4][2];
      AUTOGRAD_UNROLLED for (int x = 0; x < 4; ++x) {
        const float* const at = from + x * q.product;
        gather(hn::LoadU(d, at), hn::LoadU(d, at + 4 * q.product), hn::LoadU(d, at + 8 * q.product),
               hn::LoadU(d, at + 12 * q.product), half[x]);
      }
      AUTOGRAD_UNROLLED for (int y = 0; y < 2; ++y) {
        if (2 * i + y == q.height) break;
        V pair[2];
        gather(half[0][y], half[1][y], half[2][y], half[3][y], pair);
        pair[0] = hn::Add(pair[0], bias);
        pair[1] = hn::Add(pair[1], bias);
        float* const to = out + (2 * i + y) * q.out_row + 2 * j;
        const int64_t room = q.width - 2 * j;
        if (room >= 2 * kLanes) {
          hn::StoreInterleaved2(pair[0], pair[1], d, to);
        } else {
          hn::StoreInterleaved2(pair[0], pair[1], d, lanes);
          for (int64_t l = 0; l < room; ++l) to[l] = lanes[l];
        }
      }
    }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {
HWY_EXPORT(filters_float);
HWY_EXPORT(input_float);
HWY_EXPORT(output_float);
}  // namespace

void winograd_filters(const WinogradFilters& filters, float* to) {
  HWY_DYNAMIC_DISPATCH(filters_float)(filters, to);
}
void winograd_input(const WinogradInput& q, float* to) { HWY_DYNAMIC_DISPATCH(input_float)(q, to); }
void winograd_output(const WinogradOutput& q, float* out) {
  HWY_DYNAMIC_DISPATCH(output_float)(q, out);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
