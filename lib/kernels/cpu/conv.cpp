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

// Sums of a tile that leave room for the operands, 24 of 32 registers or 12 of 16, and how many
// vectors of positions it is wide where there are enough filters.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kSums = 24, kVecs = 2;
constexpr int kDotRows = 4, kDotTaps = 6;
#else
// Where a multiply-add takes a register for the product, three vectors are one too many.
constexpr int kSums = 12, kVecs = HWY_TARGET == HWY_AVX2 ? 3 : 2;
constexpr int kDotRows = 3, kDotTaps = 4;
#endif
// Panels of filters that pass together, and how much of their depth at a time.
constexpr int64_t kGroup = 192 / kSums, kPartDepth = 256;
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
  const int64_t most = rows <= kSums / 4 ? kSums / 4 : kSums / kVecs;
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

/// One vector of sums: the positions from `position` on, of which some are wanted.
template <class T>
struct Slot {
  using Lane = hwy::MakeSigned<T>;
  enum Kind : int { kWhole, kPart, kEdge } kind;
  int64_t position;
  int64_t at, count;  ///< where the wanted ones go, and how many they are
  decltype(hn::SetTableIndices(Tag<T>(), static_cast<const Lane*>(nullptr))) order;
};

/// Cuts the wanted positions into as few vectors as cover them: each begins at the next one.
template <class T>
class Slots {
 public:
  explicit Slots(const ConvRows& q)
      : q_(q), position_(q.first * kConvBlock), at_(q.at[q.first]), end_(q.at[q.last]) {}

  bool next(Slot<T>& slot) {
    if (at_ == end_) return false;
    while (wanted() == 0) position_ += kConvBlock;
    position_ += __builtin_ctzll(wanted());
    const uint64_t bits = wanted() & kAll;
    slot.position = position_;
    slot.at = at_;
    slot.count = __builtin_popcountll(bits);
    position_ += n;
    at_ += slot.count;
    // What a whole vector writes too much is overwritten by the next one.
    const bool is_first = (bits & (bits + 1)) == 0, has_room = slot.at + n <= end_;
    slot.kind = !has_room ? Slot<T>::kEdge : is_first ? Slot<T>::kWhole : Slot<T>::kPart;
    if (slot.kind == Slot<T>::kWhole) return true;
    HWY_ALIGN typename Slot<T>::Lane lanes[n] = {};
    int64_t i = 0;
    for (uint64_t rest = bits; rest; rest &= rest - 1)
      lanes[i++] = static_cast<typename Slot<T>::Lane>(__builtin_ctzll(rest));
    slot.order = hn::SetTableIndices(Tag<T>(), lanes);
    return true;
  }

 private:
  static constexpr int64_t n = kLanes<T>;
  static constexpr uint64_t kAll = (uint64_t{1} << n) - 1;

  /// The next kConvBlock positions.
  uint64_t wanted() const {
    const int64_t block = position_ / kConvBlock, shift = position_ % kConvBlock;
    const uint64_t bits = q_.wanted[block] >> shift;
    if (shift == 0 || block + 1 == q_.last) return bits;
    return bits | q_.wanted[block + 1] << (kConvBlock - shift);
  }

  const ConvRows& q_;
  int64_t position_, at_, end_;
};

/// A tile over part of the filters' depth: the sums of the parts before are in `sums`, unless it is
/// the first, and go there again, unless it is the last.
template <class T>
struct RowsTile {
  int64_t depth;
  const T* a;
  const T* sheets;
  const int64_t* offsets;
  const T* bias;
  T* out;
  int64_t out_row;
  const Slot<T>* slots;
  T* sums;
  bool is_first, is_last;
};

template <class T>
HWY_INLINE void store_slot(Vec<T> sum, const Slot<T>& slot, T* row) {
  const Tag<T> d;
  T* to = row + slot.at;
  if (slot.kind == Slot<T>::kWhole) return hn::StoreU(sum, d, to);
  const auto wanted = hn::TableLookupLanes(sum, slot.order);
  if (slot.kind == Slot<T>::kPart) return hn::StoreU(wanted, d, to);
  HWY_ALIGN T lanes[kLanes<T>];
  hn::Store(wanted, d, lanes);
  for (int64_t i = 0; i < slot.count; ++i) to[i] = lanes[i];
}

template <class T, int kRows, int kWide>
void rows_tile(const RowsTile<T>& t) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  Vec<T> sums[kRows][kWide];
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    const auto start = t.is_first && t.bias ? hn::Set(d, t.bias[r]) : hn::Zero(d);
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
      sums[r][v] = t.is_first ? start : hn::Load(d, t.sums + (r * kWide + v) * n);
    }
  }
  const T* HWY_RESTRICT a = t.a;
  const T* b[kWide];
  AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
    b[v] = t.sheets + t.slots[v].position;
    asm("" : "+r"(b[v]));  // not as a distance from another, which takes one more step in the loop
  }
  const int64_t* HWY_RESTRICT offsets = t.offsets;
  for (int64_t k = t.depth; k > 0; --k) {
    const int64_t offset = *offsets++;
    Vec<T> bs[kWide];
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) bs[v] = hn::LoadU(d, b[v] + offset);
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
      const auto ar = hn::Set(d, a[r]);
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        sums[r][v] = hn::MulAdd(ar, bs[v], sums[r][v]);
      }
    }
    a += kRows;
  }
  if (!t.is_last) {
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        hn::Store(sums[r][v], d, t.sums + (r * kWide + v) * n);
      }
    }
    return;
  }
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
      store_slot<T>(sums[r][v], t.slots[v], t.out + r * t.out_row);
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
  constexpr auto kAll = std::make_index_sequence<kSums / kVecs>();
  if (vecs == 1) return pick_rows<T, 1>(rows, kAll);
  if (vecs == 2) return pick_rows<T, 2>(rows, kAll);
  if (vecs == kVecs) return pick_rows<T, kVecs>(rows, kAll);
  return pick_rows<T, 4>(rows, std::make_index_sequence<kSums / 4>());
}

/// The kernels for tiles of one width, and what they have in common.
template <class T>
struct RowsKernels {
  Panels panels;
  RowsKernel<T> tall, low;

  RowsKernels(const Panels& all, int64_t vecs)
      : panels(all),
        tall(pick<T>(all.taller ? all.height + 1 : all.height, vecs)),
        low(pick<T>(all.height, vecs)) {}

  /// All filters for one tile of positions. The part of the sheets that the tile reads is to stay
  /// in the nearest cache while the filters pass, so only so much of their depth is taken at once.
  void run(const ConvRows& q, const Slot<T>* slots) const {
    HWY_ALIGN T sums[kGroup * kSums * kLanes<T>];
    const int64_t parts = (q.depth + kPartDepth - 1) / kPartDepth;
    const int64_t step = (q.depth + parts - 1) / parts;
    for (int64_t first = 0; first < panels.count; first += kGroup) {
      const int64_t end = HWY_MIN(first + kGroup, panels.count);
      for (int64_t k = 0; k < q.depth; k += step)
        for (int64_t p = first; p < end; ++p) {
          const int64_t row = p * panels.height + HWY_MIN(p, panels.taller);
          const bool is_tall = p < panels.taller;
          const int64_t height = panels.height + is_tall;
          (is_tall ? tall
                   : low)({HWY_MIN(step, q.depth - k),
                           static_cast<const T*>(q.packed) + row * q.depth + k * height,
                           static_cast<const T*>(q.sheets), q.offsets + k,
                           q.bias ? static_cast<const T*>(q.bias) + row : nullptr,
                           static_cast<T*>(q.out) + row * q.out_row, q.out_row, slots,
                           sums + (p - first) * kSums * kLanes<T>, k == 0, k + step >= q.depth});
        }
    }
  }
};

template <class T>
void rows_of(const ConvRows& q) {
  const Panels panels = panels_of(q.rows);
  const int64_t most = q.rows <= kSums / 4 ? 4 : kVecs;
  // The last vectors of an image are fewer.
  const RowsKernels<T> one(panels, 1), two(panels, 2), all(panels, most);
  Slots<T> left(q);
  for (;;) {
    Slot<T> slots[4];
    int64_t used = 0;
    while (used < most && left.next(slots[used])) ++used;
    if (used == 0) return;
    for (int64_t v = used; v < most; ++v) slots[v] = slots[used - 1];  // does the same once more
    (used == 1 ? one : used == 2 ? two : all).run(q, slots);
    pause_after(q.rows * q.depth * used * kLanes<T> / kProductsInStep);
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
