// Copies strips of a matrix into contiguous panels for the matrix product.

// Included once per instruction set, hence the toggling guard (see Highway's quick reference).
#if defined(AUTOGRAD_KERNELS_CPU_GEMM_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_GEMM_PACK_INL_H_
#undef AUTOGRAD_KERNELS_CPU_GEMM_PACK_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_GEMM_PACK_INL_H_
#endif

#include <cstdint>
#include <cstring>

// Otherwise what belongs into registers would live in memory between one loop and the next.
#ifndef AUTOGRAD_UNROLLED
#define AUTOGRAD_UNROLLED _Pragma("GCC unroll 16")
#endif

#include "hwy/highway.h"
#include "kernels/cpu/partial_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vec = hn::Vec<Tag<T>>;

/// dst[p * width + i] = src[p * step + i * stride], p < depth, i < count.
template <class T>
HWY_NOINLINE void pack_strided(const T* src, int64_t step, int64_t stride, int64_t depth,
                               int64_t count, T* dst, int64_t width) {
  for (int64_t p = 0; p < depth; ++p, src += step, dst += width) {
    for (int64_t i = 0; i < count; ++i) dst[i] = src[i * stride];
  }
}

/// The same for stride 1; the lanes from count to the next whole vector become 0.
template <class T>
HWY_NOINLINE void pack_rows(const T* src, int64_t step, int64_t depth, int64_t count, T* dst,
                            int64_t width) {
  const Tag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(d));
  const int64_t whole = count / lanes * lanes;
  const size_t rest = static_cast<size_t>(count - whole);
  if (rest == 0 && count == 2 * lanes) {
    for (int64_t p = 0; p < depth; ++p, src += step, dst += width) {
      hn::StoreU(hn::LoadU(d, src), d, dst);
      hn::StoreU(hn::LoadU(d, src + lanes), d, dst + lanes);
    }
    return;
  }
  for (int64_t p = 0; p < depth; ++p, src += step, dst += width) {
    for (int64_t i = 0; i < whole; i += lanes) hn::StoreU(hn::LoadU(d, src + i), d, dst + i);
    if (rest != 0) hn::StoreU(partial::load_first(d, src + whole, rest), d, dst + whole);
  }
}

#if HWY_TARGET != HWY_SCALAR

/// One 128-bit block of each of the rows i, i + L, i + 2 L, ... where L is the lanes in a block and
/// row i starts at src + i * stride. Rows past `last` repeat that one.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_blocks(D d, const T* src, int64_t stride, int64_t i, int64_t last) {
  if constexpr (sizeof(T) * hn::MaxLanes(d) == 16) {
    return hn::LoadU(d, src + HWY_MIN(i, last) * stride);
  } else {
    const hn::Half<D> half;
    const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(half));
    return hn::Combine(d, load_blocks(half, src, stride, i + lanes, last),
                       load_blocks(half, src, stride, i, last));
  }
}

/// Lanes() rows of four floats to four vectors, `width` apart.
template <class D>
HWY_INLINE void transpose_block(D d, const float* src, int64_t stride, int64_t last, float* dst,
                                int64_t width) {
  const hn::Repartition<double, D> wide;
  const auto r0 = load_blocks(d, src, stride, 0, last);
  const auto r1 = load_blocks(d, src, stride, 1, last);
  const auto r2 = load_blocks(d, src, stride, 2, last);
  const auto r3 = load_blocks(d, src, stride, 3, last);
  const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, r0, r1));
  const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, r2, r3));
  const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, r0, r1));
  const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, r2, r3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, low01, low23)), d, dst);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23)), d, dst + width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, high01, high23)), d, dst + 2 * width);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23)), d, dst + 3 * width);
}

/// Lanes() rows of two doubles to two vectors, `width` apart.
template <class D>
HWY_INLINE void transpose_block(D d, const double* src, int64_t stride, int64_t last, double* dst,
                                int64_t width) {
  const auto r0 = load_blocks(d, src, stride, 0, last);
  const auto r1 = load_blocks(d, src, stride, 1, last);
  hn::StoreU(hn::InterleaveLower(d, r0, r1), d, dst);
  hn::StoreU(hn::InterleaveUpper(d, r0, r1), d, dst + width);
}

/// Rows of 128-bit blocks to columns of them: out[b] is block b of each of x[0], x[step], ...
template <class D, int kGroups, int kStep>
HWY_INLINE void transpose_blocks(D d, hn::Vec<D>* x) {
  if constexpr (kGroups == 2) {
    const auto a = x[0], b = x[kStep];
    x[0] = hn::ConcatLowerLower(d, b, a);
    x[kStep] = hn::ConcatUpperUpper(d, b, a);
  } else if constexpr (kGroups == 4) {
    const auto even = hn::ConcatLowerLower(d, x[2 * kStep], x[0]);
    const auto odd = hn::ConcatLowerLower(d, x[3 * kStep], x[kStep]);
    const auto even2 = hn::ConcatUpperUpper(d, x[2 * kStep], x[0]);
    const auto odd2 = hn::ConcatUpperUpper(d, x[3 * kStep], x[kStep]);
    x[0] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(odd), even);
    x[kStep] = hn::OddEvenBlocks(odd, hn::SwapAdjacentBlocks(even));
    x[2 * kStep] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(odd2), even2);
    x[3 * kStep] = hn::OddEvenBlocks(odd2, hn::SwapAdjacentBlocks(even2));
  }
}

/// Transposes a square of as many vectors as a vector has lanes.
template <class D>
HWY_INLINE void transpose_square(D d, hn::Vec<D>* x) {
  using T = hn::TFromD<D>;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  constexpr int kBlock = 16 / sizeof(T);
  static_assert(kLanes / kBlock == 1 || kLanes / kBlock == 2 || kLanes / kBlock == 4);
  AUTOGRAD_UNROLLED for (int g = 0; g < kLanes; g += kBlock) {
    auto* const r = x + g;
    if constexpr (kBlock == 2) {
      const auto low = hn::InterleaveLower(d, r[0], r[1]);
      r[1] = hn::InterleaveUpper(d, r[0], r[1]);
      r[0] = low;
    } else {
      const hn::Repartition<double, D> wide;
      const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, r[0], r[1]));
      const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, r[2], r[3]));
      const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, r[0], r[1]));
      const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, r[2], r[3]));
      r[0] = hn::BitCast(d, hn::InterleaveLower(wide, low01, low23));
      r[1] = hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23));
      r[2] = hn::BitCast(d, hn::InterleaveLower(wide, high01, high23));
      r[3] = hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23));
    }
  }
  AUTOGRAD_UNROLLED for (int c = 0; c < kBlock; ++c)
      transpose_blocks<D, kLanes / kBlock, kBlock>(d, x + c);
}

/// pack_strided for step 1. Where `width` is no whole number of vectors, each row's last vector
/// spills into the next row, or past the panel; going leftwards overwrites that.
template <class T>
HWY_NOINLINE void pack_columns(const T* src, int64_t stride, int64_t depth, int64_t count, T* dst,
                               int64_t width) {
  const Tag<T> d;
  constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(d));
  constexpr int64_t kBlock = 16 / sizeof(T);
  const int64_t blocks = depth / kBlock;
  for (int64_t i = (count - 1) / kLanes * kLanes; i >= 0; i -= kLanes) {
    const T* from = src + i * stride;
    T* to = dst + i;
    const int64_t last = count - i - 1;
    int64_t p = 0;
    if (last >= kLanes - 1) {
      for (; p + kLanes / kBlock <= blocks; p += kLanes / kBlock, from += kLanes) {
        Vec<T> rows[kLanes];
        AUTOGRAD_UNROLLED for (int64_t r = 0; r < kLanes; ++r) rows[r] =
            hn::LoadU(d, from + r * stride);
        transpose_square(d, rows);
        AUTOGRAD_UNROLLED for (int64_t r = 0; r < kLanes; ++r, to += width)
            hn::StoreU(rows[r], d, to);
      }
      for (; p < blocks; ++p, from += kBlock, to += kBlock * width) {
        transpose_block(d, from, stride, kLanes, to, width);
      }
    } else {
      for (; p < blocks; ++p, from += kBlock, to += kBlock * width) {
        transpose_block(d, from, stride, last, to, width);
      }
    }
  }
  const int64_t done = blocks * kBlock;
  pack_strided(src + done, 1, stride, depth - done, count, dst + done * width, width);
}

#endif  // HWY_TARGET != HWY_SCALAR

/// dst[p * width + i] = src[p * step + i * stride], p < depth, i < count <= width: a panel of rows
/// of `width` elements. What lies behind a row's count is not defined; up to a vector past the
/// panel's end may be written.
template <class T>
HWY_INLINE void pack_panel(const T* src, int64_t step, int64_t stride, int64_t depth, int64_t count,
                           T* dst, int64_t width) {
  if (stride == 1) return pack_rows(src, step, depth, count, dst, width);
#if HWY_TARGET != HWY_SCALAR
  if (step == 1) return pack_columns(src, stride, depth, count, dst, width);
#endif
  pack_strided(src, step, stride, depth, count, dst, width);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // AUTOGRAD_KERNELS_CPU_GEMM_PACK_INL_H_
