// Convolution kernels: tiles of filters times positions, and of filters times taps.
#include "kernels/cpu/conv.hpp"

#include <utility>

#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/conv.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/gemm_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

// Sums of a tile that leave room for the operands: 24 of 32 registers, 12 of 16.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kSums = 24;
constexpr int kDotRows = 4, kDotTaps = 6;
#else
constexpr int kSums = 12;
constexpr int kDotRows = 3, kDotTaps = 4;
#endif
template <class T>
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Tag<T>()));

// Otherwise the sums would live in memory between one loop and the next.
#define AUTOGRAD_UNROLLED _Pragma("GCC unroll 16")

// ---- packing: panels of rows, each as tall as its tile

struct Panels {
  int64_t count, height, taller;  ///< the first `taller` are one row higher
};

/// With few rows tiles are wide, with many they are tall.
HWY_INLINE Panels panels_of(int64_t rows) {
  const int64_t most = rows <= kSums / 4 ? kSums / 4 : kSums / 2;
  const int64_t count = (rows + most - 1) / most;
  return {count, rows / count, rows % count};
}

template <class T>
void pack(const ConvFilters& f, T* packed) {
  const Panels panels = panels_of(f.rows);
  const T* source = static_cast<const T*>(f.source);
  bool dense = true;
  for (int64_t t = 0; t < f.n_taps; ++t) dense &= f.taps[t] == t;
  for (int64_t p = 0; p < panels.count; ++p) {
    const int64_t height = panels.height + (p < panels.taller);
    if (dense && f.step == f.n_taps) {
      const int64_t depth = f.channels * f.n_taps;
      pack_panel(source, 1, f.row_stride, depth, height, packed, height);
      packed += depth * height;
    } else {
      for (int64_t u = 0; u < f.channels; ++u) {
        const T* from = source + u * f.step;
        if (dense) {
          pack_panel(from, 1, f.row_stride, f.n_taps, height, packed, height);
          packed += f.n_taps * height;
          continue;
        }
        for (int64_t t = 0; t < f.n_taps; ++t)
          for (int64_t r = 0; r < height; ++r) *packed++ = from[r * f.row_stride + f.taps[t]];
      }
    }
    source += height * f.row_stride;
  }
}

// ---- filters times positions

/// What becomes of one vector of sums.
struct Slot {
  enum Kind : int { kSkip, kWhole, kPart, kEdge } kind;
  int64_t at;     ///< where its wanted lanes go
  int64_t count;  ///< how many there are
  uint64_t bits;
};

template <class T>
struct RowsTile {
  int64_t depth;
  const T* a;
  const T* b;
  const int64_t* offsets;
  const T* bias;
  T* out;
  int64_t out_row;
  const Slot* slots;
};

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_slot(D d, hn::Vec<D> sum, const Slot& slot, T* row) {
  T* to = row + slot.at;
  if (slot.kind == Slot::kWhole) return hn::StoreU(sum, d, to);
  if (slot.kind == Slot::kSkip) return;
  uint64_t bits = slot.bits;
  const auto mask = hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&bits));
  const auto kept = hn::Compress(sum, mask);
  // What a whole vector writes too much is overwritten by the next one.
  if (slot.kind == Slot::kPart) return hn::StoreU(kept, d, to);
  HWY_ALIGN T lanes[hn::MaxLanes(d)];
  hn::Store(kept, d, lanes);
  for (int64_t i = 0; i < slot.count; ++i) to[i] = lanes[i];
}

template <class T, int kRows, int kWide>
void rows_tile(const RowsTile<T>& t) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  Vec<T> sums[kRows][kWide];
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    const auto start = t.bias ? hn::Set(d, t.bias[r]) : hn::Zero(d);
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) sums[r][v] = start;
  }
  const T* HWY_RESTRICT a = t.a;
  const T* HWY_RESTRICT base = t.b;
  const int64_t* HWY_RESTRICT offsets = t.offsets;
  for (int64_t k = t.depth; k > 0; --k) {
    const T* HWY_RESTRICT b = base + *offsets++;
    Vec<T> bs[kWide];
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) bs[v] = hn::LoadU(d, b + v * n);
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
      const auto ar = hn::Set(d, a[r]);
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        sums[r][v] = hn::MulAdd(ar, bs[v], sums[r][v]);
      }
    }
    a += kRows;
  }
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
      store_slot(d, sums[r][v], t.slots[v], t.out + r * t.out_row);
    }
  }
}

template <class T>
using RowsKernel = void (*)(const RowsTile<T>&);

template <class T, int kWide, size_t... kRows>
RowsKernel<T> pick_rows(int64_t rows, std::index_sequence<kRows...>) {
  static constexpr RowsKernel<T> kernels[] = {&rows_tile<T, kRows + 1, kWide>...};
  return kernels[rows - 1];
}

template <class T>
RowsKernel<T> pick(int64_t rows, int64_t vecs) {
  if (vecs == 4) return pick_rows<T, 4>(rows, std::make_index_sequence<kSums / 4>());
  if (vecs == 2) return pick_rows<T, 2>(rows, std::make_index_sequence<kSums / 2>());
  return pick_rows<T, 1>(rows, std::make_index_sequence<kSums / 2>());
}

template <class T>
void rows_of(const ConvRows& q) {
  constexpr int64_t n = kLanes<T>;
  const Panels panels = panels_of(q.rows);
  const bool wide = q.rows <= kSums / 4;
  const int64_t vecs = wide ? 4 : 2;
  const int64_t higher = panels.taller ? panels.height + 1 : panels.height;
  const RowsKernel<T> tall = pick<T>(higher, vecs), low = pick<T>(panels.height, vecs);
  // The last vector of an image often stands alone.
  const RowsKernel<T> tall_single = wide ? tall : pick<T>(higher, 1),
                      low_single = wide ? low : pick<T>(panels.height, 1);
  const uint64_t lanes = n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
  const int64_t end = q.at[q.last];
  Slot slots[4];
  const int64_t rows = panels.count * panels.height + panels.taller;
  for (int64_t block = q.first; block < q.last; ++block) {
    pause_after(rows * q.depth * kConvBlock / kProductsInStep);
    int64_t at = q.at[block];
    for (int64_t start = 0; start < kConvBlock; start += vecs * n) {
      const uint64_t bits = q.wanted[block] >> start;
      int64_t used = 0;
      for (int64_t v = 0; v < vecs; ++v) {
        Slot& slot = slots[v];
        slot.bits = bits >> (v * n) & lanes;
        slot.count = __builtin_popcountll(slot.bits);
        slot.at = at;
        slot.kind = slot.count == 0   ? Slot::kSkip
                    : slot.count == n ? Slot::kWhole
                    : at + n <= end   ? Slot::kPart
                                      : Slot::kEdge;
        at += slot.count;
        if (slot.count) used = v + 1;
      }
      if (used == 0) continue;
      const bool single = used == 1;
      RowsTile<T> t = {q.depth,
                       static_cast<const T*>(q.packed),
                       static_cast<const T*>(q.sheets) + block * kConvBlock + start,
                       q.offsets,
                       static_cast<const T*>(q.bias),
                       static_cast<T*>(q.out),
                       q.out_row,
                       slots};
      for (int64_t p = 0; p < panels.count; ++p) {
        const int64_t height = panels.height + (p < panels.taller);
        if (p < panels.taller)
          (single ? tall_single : tall)(t);
        else
          (single ? low_single : low)(t);
        t.a += height * q.depth;
        if (t.bias) t.bias += height;
        t.out += height * q.out_row;
      }
    }
  }
}

// ---- filters times taps

/// Missing rows and taps of a tile at the edge repeat the last one; their sums are not stored.
template <class T, int kRows, int kTaps>
void dots_tile(const ConvDots& q, int64_t row, int64_t tap) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  Vec<T> sums[kRows][kTaps];
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    AUTOGRAD_UNROLLED for (int t = 0; t < kTaps; ++t) sums[r][t] = hn::Zero(d);
  }
  const T *a[kRows], *b[kTaps];
  for (int r = 0; r < kRows; ++r)
    a[r] = static_cast<const T*>(q.row_values) + HWY_MIN(row + r, q.rows - 1) * q.row_stride;
  for (int t = 0; t < kTaps; ++t)
    b[t] = static_cast<const T*>(q.sheets) + q.offsets[HWY_MIN(tap + t, q.depth - 1)];
  for (int64_t image = 0; image < q.images; ++image) {
    for (int64_t p = 0; p < q.length; p += n) {
      Vec<T> as[kRows];
      AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) as[r] = hn::LoadU(d, a[r] + p);
      AUTOGRAD_UNROLLED for (int t = 0; t < kTaps; ++t) {
        const auto bt = hn::LoadU(d, b[t] + p);
        AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
          sums[r][t] = hn::MulAdd(as[r], bt, sums[r][t]);
        }
      }
    }
    for (int r = 0; r < kRows; ++r) a[r] += q.row_image;
    for (int t = 0; t < kTaps; ++t) b[t] += q.sheet_image;
  }
  T found[kRows][kTaps];
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    AUTOGRAD_UNROLLED for (int t = 0; t < kTaps; ++t) found[r][t] =
        hn::GetLane(hn::SumOfLanes(d, sums[r][t]));
  }
  for (int64_t r = 0; r < kRows && row + r < q.rows; ++r) {
    T* to = static_cast<T*>(q.out) + (row + r) * q.out_row + tap;
    for (int64_t t = 0; t < kTaps && tap + t < q.depth; ++t)
      to[t] = q.accumulate ? to[t] + found[r][t] : found[r][t];
  }
}

template <class T>
void dots_of(const ConvDots& q) {
  for (int64_t row = 0; row < q.rows;) {
    const bool tall = q.rows - row > 1;
    for (int64_t tap = 0; tap < q.depth; tap += kDotTaps) {
      (tall ? dots_tile<T, kDotRows, kDotTaps> : dots_tile<T, 1, kDotTaps>)(q, row, tap);
      pause_after(q.images * q.length);
    }
    row += tall ? kDotRows : 1;
  }
}

void pack_float(const ConvFilters& f, float* packed) { pack(f, packed); }
void pack_double(const ConvFilters& f, double* packed) { pack(f, packed); }
void rows_float(const ConvRows& q) { rows_of<float>(q); }
void rows_double(const ConvRows& q) { rows_of<double>(q); }
void dots_float(const ConvDots& q) { dots_of<float>(q); }
void dots_double(const ConvDots& q) { dots_of<double>(q); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {
HWY_EXPORT(pack_float);
HWY_EXPORT(pack_double);
HWY_EXPORT(rows_float);
HWY_EXPORT(rows_double);
HWY_EXPORT(dots_float);
HWY_EXPORT(dots_double);
}  // namespace

void conv_pack(DType dtype, const ConvFilters& filters, void* packed) {
  if (dtype == DType::kFloat32)
    HWY_DYNAMIC_DISPATCH(pack_float)(filters, static_cast<float*>(packed));
  else
    HWY_DYNAMIC_DISPATCH(pack_double)(filters, static_cast<double*>(packed));
}

void conv_rows(DType dtype, const ConvRows& q) {
  if (dtype == DType::kFloat32)
    HWY_DYNAMIC_DISPATCH(rows_float)(q);
  else
    HWY_DYNAMIC_DISPATCH(rows_double)(q);
}

void conv_dots(DType dtype, const ConvDots& q) {
  if (dtype == DType::kFloat32)
    HWY_DYNAMIC_DISPATCH(dots_float)(q);
  else
    HWY_DYNAMIC_DISPATCH(dots_double)(q);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
