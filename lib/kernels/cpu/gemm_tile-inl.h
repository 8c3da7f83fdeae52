// One tile of a matrix product: sums in registers over one block of k.

// Included once per instruction set, hence the toggling guard (see Highway's quick reference).
#if defined(AUTOGRAD_KERNELS_CPU_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_GEMM_TILE_INL_H_
#undef AUTOGRAD_KERNELS_CPU_GEMM_TILE_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_GEMM_TILE_INL_H_
#endif

#include <cstdint>
#include <utility>

#include "hwy/highway.h"
#include "kernels/cpu/gemm.hpp"
#include "kernels/cpu/gemm_pack-inl.h"

#ifndef AUTOGRAD_KERNELS_CPU_GEMM_TILE_ONCE_
#define AUTOGRAD_KERNELS_CPU_GEMM_TILE_ONCE_
namespace autograd::cpu {
namespace {

// An element of C is the sum over blocks of kKc along k, each block one chain of multiply-adds in
// order of k. No other choice below (tile, path, packing) changes that, so none changes the result.
constexpr int64_t kKc = kGemmDepth;
constexpr int64_t kMc = 192;   // rows of A packed at a time, about 200 KiB
constexpr int64_t kNc = 2048;  // columns of B packed at a time
// Bounds over all instruction sets, so that gemm_workspace need not know which one runs.
constexpr int64_t kWidestPanel = 64;
constexpr int64_t kPadding = 64;

constexpr int64_t round_up(int64_t x, int64_t step) { return (x + step - 1) / step * step; }

constexpr int64_t lesser(int64_t x, int64_t y) { return x < y ? x : y; }

/// True where packing both operands pays; the rest reads A in place.
constexpr bool is_blocked(int64_t m, int64_t n, int64_t k) {
  return m > 32 && n > 32 && k > 32 && m * n > 128 * 128 * 128 / k;
}

/// Elements set aside for the packed block of A; the packed block of B follows.
constexpr int64_t packed_a_size(int64_t m, int64_t k) {
  return round_up(lesser(m, kMc), 12) * lesser(k, kKc) + kPadding;
}

constexpr int64_t packed_b_size(int64_t n, int64_t k) {
  return round_up(lesser(n, kNc), kWidestPanel) * lesser(k, kKc) + kPadding;
}

template <class T>
struct Problem {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row;
  bool accumulate;
  const T* bias;
  T* workspace;
};

}  // namespace
}  // namespace autograd::cpu
#endif  // AUTOGRAD_KERNELS_CPU_GEMM_TILE_ONCE_

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

// Accumulators that leave room for one row of B and a broadcast: 12 of 16 registers, 24 of 32.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kAccumulators = 24;
#else
constexpr int kAccumulators = 12;
#endif
constexpr int kMaxRows = 12;
/// Vectors across a tile where rows abound; with few rows tiles get wider.
constexpr int kVecs = 2;
constexpr int kTileRows = kAccumulators / kVecs;
template <class T>
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Tag<T>()));
template <class T>
constexpr int64_t kNr = int64_t{kVecs} * kLanes<T>;

/// Rows of the tallest tile `vecs` vectors wide.
constexpr int max_rows(int vecs) {
  const int accumulators = vecs > kVecs ? 12 : kAccumulators;
  return accumulators / vecs < kMaxRows ? accumulators / vecs : kMaxRows;
}

/// One tile of C (+)= A B (+ bias) over one block of k.
template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;  // whole vectors can be read in every row
  int64_t b_row;
  T* c;
  int64_t c_row;
  int64_t cols;
  bool accumulate;
  const T* bias;  // at the tile's first column, or nullptr
};

/// c[j] (+)= sums[j] (+ bias[j]) by whole vectors of D from column j on; returns where it stopped.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE int64_t store_run(D d, const Tile<T>& t, const T* sums, T* c, int64_t j) {
  constexpr int64_t n = static_cast<int64_t>(hn::MaxLanes(d));
  for (; j + n <= t.cols; j += n) {
    auto sum = hn::LoadU(d, sums + j);
    if (t.accumulate) sum = hn::Add(hn::LoadU(d, c + j), sum);
    if (t.bias) sum = hn::Add(sum, hn::LoadU(d, t.bias + j));
    hn::StoreU(sum, d, c + j);
  }
  return j;
}

/// The end of a tile with a partial last vector: `sums` holds its rows, `stride` elements apart.
/// Ever shorter vectors, because masked stores are slow on some processors.
template <class T>
HWY_NOINLINE void store_edge(const Tile<T>& t, const T* sums, int64_t rows, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r, sums += stride) {
    T* c = t.c + r * t.c_row;
    int64_t j = store_run(Tag<T>(), t, sums, c, 0);
    j = store_run(hn::CappedTag<T, 16 / sizeof(T)>(), t, sums, c, j);
    store_run(hn::CappedTag<T, 1>(), t, sums, c, j);
  }
}

/// The sums of a tile alone: sums[r][v] = row r of A times vector v of B.
template <class T, int kRows, int kWide>
HWY_INLINE void sum_tile(int64_t k, const T* HWY_RESTRICT a, int64_t a_row, int64_t a_col,
                         const T* HWY_RESTRICT b, int64_t b_row, Vec<T> (&sums)[kRows][kWide]) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) sums[r][v] = hn::Zero(d);
  }
  for (int64_t p = k; p > 0; --p) {
    Vec<T> bs[kWide];
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) bs[v] = hn::LoadU(d, b + v * n);
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
      const auto ar = hn::Set(d, a[r * a_row]);
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        sums[r][v] = hn::MulAdd(ar, bs[v], sums[r][v]);
      }
    }
    a += a_col;
    b += b_row;
  }
}

template <class T, int kRows, int kWide>
void multiply_tile(const Tile<T>& t) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  Vec<T> sums[kRows][kWide];
  sum_tile<T, kRows, kWide>(t.k, t.a, t.a_row, t.a_col, t.b, t.b_row, sums);
  if (t.cols != kWide * n) {
    HWY_ALIGN T lanes[kRows * kWide * n];
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        hn::Store(sums[r][v], d, lanes + (r * kWide + v) * n);
      }
    }
    return store_edge(t, lanes, kRows, kWide * n);
  }
  // Copies, because a store might change what t says.
  T* HWY_RESTRICT c = t.c;
  const int64_t c_row = t.c_row;
  const T* const bias = t.bias;
  if (t.accumulate) {
    const T* old = c;
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r, old += c_row) {
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        sums[r][v] = hn::Add(hn::LoadU(d, old + v * n), sums[r][v]);
      }
    }
  }
  if (bias) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
      const auto term = hn::LoadU(d, bias + v * n);
      AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) sums[r][v] = hn::Add(sums[r][v], term);
    }
  }
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r, c += c_row) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) hn::StoreU(sums[r][v], d, c + v * n);
  }
}

template <class T>
using TileKernel = void (*)(const Tile<T>&);

template <class T, int kWide, size_t... kRows>
TileKernel<T> pick_rows(int64_t rows, std::index_sequence<kRows...>) {
  static constexpr TileKernel<T> kernels[] = {&multiply_tile<T, kRows + 1, kWide>...};
  return kernels[rows - 1];
}

template <class T, int kWide>
TileKernel<T> pick_rows(int64_t rows) {
  return pick_rows<T, kWide>(rows, std::make_index_sequence<max_rows(kWide)>());
}

template <class T>
TileKernel<T> pick_kernel(int64_t rows, int64_t vecs) {
  if (vecs == 2) return pick_rows<T, 2>(rows);
  if (vecs == 1) return pick_rows<T, 1>(rows);
  return vecs == 4 ? pick_rows<T, 4>(rows) : pick_rows<T, 8>(rows);
}

/// m rows cut into tiles of about one height: the first `taller` are one row taller.
struct Heights {
  int64_t tiles = 1, rows, taller = 0;

  HWY_INLINE Heights(int64_t m, int64_t vecs) : rows(m) {
    const int64_t most = max_rows(static_cast<int>(vecs));
    if (m <= most) return;
    tiles = (m + most - 1) / most;
    rows = m / tiles;
    taller = m - tiles * rows;
  }
};

/// Runs down a panel of `vecs` vectors: its rows from t.a and t.c on.
template <class T>
HWY_INLINE void multiply_panel(Tile<T> t, const Heights& heights, int64_t vecs) {
  const auto [tiles, rows, taller] = heights;
  int64_t i = 0;
  if (taller > 0) {
    const auto kernel = pick_kernel<T>(rows + 1, vecs);
    for (; i < taller; ++i) {
      kernel(t);
      t.a += (rows + 1) * t.a_row;
      t.c += (rows + 1) * t.c_row;
    }
  }
  const auto kernel = pick_kernel<T>(rows, vecs);
  for (; i < tiles; ++i) {
    kernel(t);
    t.a += rows * t.a_row;
    t.c += rows * t.c_row;
  }
}

/// Vectors across the next panel: more the fewer rows there are, to have enough sums in flight.
HWY_INLINE int64_t panel_vecs(int64_t m, int64_t vecs) {
  if (m == 1 && vecs >= 8) return 8;
  if (m <= max_rows(4) && vecs >= 4) return 4;
  return vecs >= 2 ? 2 : 1;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // AUTOGRAD_KERNELS_CPU_GEMM_TILE_INL_H_
