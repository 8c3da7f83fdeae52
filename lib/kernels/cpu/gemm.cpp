// Matrix product: register-blocked tiles for floats, plain loops for integers.
#include "kernels/cpu/gemm.hpp"

#include <cstring>
#include <utility>

#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/gemm_pack-inl.h"

#ifndef AUTOGRAD_KERNELS_CPU_GEMM_ONCE_
#define AUTOGRAD_KERNELS_CPU_GEMM_ONCE_
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
#endif  // AUTOGRAD_KERNELS_CPU_GEMM_ONCE_

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

// Otherwise the sums would live in memory between one loop and the next.
#define AUTOGRAD_UNROLLED _Pragma("GCC unroll 16")

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

template <class T, int kRows, int kWide>
void multiply_tile(const Tile<T>& t) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  Vec<T> sums[kRows][kWide];
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) sums[r][v] = hn::Zero(d);
  }
  const T* HWY_RESTRICT a = t.a;
  const T* HWY_RESTRICT b = t.b;
  const int64_t a_row = t.a_row, a_col = t.a_col, b_row = t.b_row;
  for (int64_t p = t.k; p > 0; --p) {
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
  if (t.cols != kWide * n) {
    HWY_ALIGN T lanes[kRows * kWide * n];
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        hn::Store(sums[r][v], d, lanes + (r * kWide + v) * n);
      }
    }
    return store_edge(t, lanes, kRows, kWide * n);
  }
  if (t.accumulate) {
    AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
      AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
        sums[r][v] = hn::Add(hn::LoadU(d, t.c + r * t.c_row + v * n), sums[r][v]);
      }
    }
  }
  if (t.bias) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
      const auto bias = hn::LoadU(d, t.bias + v * n);
      AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) sums[r][v] = hn::Add(sums[r][v], bias);
    }
  }
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
      hn::StoreU(sums[r][v], d, t.c + r * t.c_row + v * n);
    }
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

/// Runs down a panel of `vecs` vectors: m rows from t.a and t.c on, in tiles of about one height.
template <class T>
HWY_INLINE void multiply_panel(Tile<T> t, int64_t m, int64_t vecs) {
  const int64_t most = max_rows(static_cast<int>(vecs));
  const int64_t tiles = (m + most - 1) / most;
  const int64_t rows = m / tiles;
  const int64_t taller = m % tiles;
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

/// For small products: A in place, B in place or, where its rows are not vectors, in a panel on the
/// stack that all rows of A use at once.
template <class T>
void multiply_small(const Problem<T>& q) {
  HWY_ALIGN T panel[kKc * kNr<T>];
  const bool unit = q.b_col == 1;
  // A B panel that is read often and does not fit the nearest cache as it lies is better copied.
  const bool copy = !unit || (q.m > 4 * kTileRows && q.k > 64);
  for (int64_t j = 0; j < q.n;) {
    const int64_t deepest = HWY_MIN(q.k, kKc);
    const int64_t left = q.n - j;
    const int64_t whole = left / kLanes<T>;
    const int64_t fitting = HWY_MIN((left + kLanes<T> - 1) / kLanes<T>, kVecs * kKc / deepest);
    const int64_t vecs = panel_vecs(q.m, unit && whole >= kVecs ? whole : fitting);
    const int64_t width = vecs * kLanes<T>;
    const int64_t cols = HWY_MIN(width, left);
    for (int64_t p = 0; p < q.k; p += kKc) {
      const int64_t depth = HWY_MIN(q.k - p, kKc);
      const T* b = q.b + p * q.b_row + j * q.b_col;
      int64_t b_row = q.b_row;
      if (copy || cols < width) {
        pack_panel(b, q.b_row, q.b_col, depth, cols, panel, width);
        b = panel;
        b_row = width;
      }
      const bool last = p + depth == q.k;
      multiply_panel<T>({depth, q.a + p * q.a_col, q.a_row, q.a_col, b, b_row, q.c + j, q.c_row,
                         cols, q.accumulate || p > 0, last && q.bias ? q.bias + j : nullptr},
                        q.m, vecs);
    }
    j += cols;
  }
}

template <class T>
void multiply_blocked(const Problem<T>& q) {
  T* packed_a = q.workspace;
  T* packed_b = q.workspace + round_up(packed_a_size(q.m, q.k), 64 / sizeof(T));
  for (int64_t j0 = 0; j0 < q.n; j0 += kNc) {
    const int64_t width = HWY_MIN(q.n - j0, kNc);
    for (int64_t p = 0; p < q.k; p += kKc) {
      const int64_t depth = HWY_MIN(q.k - p, kKc);
      const bool last = p + depth == q.k;
      for (int64_t j = 0; j < width; j += kNr<T>) {
        pack_panel(q.b + p * q.b_row + (j0 + j) * q.b_col, q.b_row, q.b_col, depth,
                   HWY_MIN(width - j, kNr<T>), packed_b + j * depth, kNr<T>);
      }
      for (int64_t i0 = 0; i0 < q.m; i0 += kMc) {
        const int64_t height = HWY_MIN(q.m - i0, kMc);
        for (int64_t i = 0; i < height; i += kTileRows) {
          pack_panel(q.a + (i0 + i) * q.a_row + p * q.a_col, q.a_col, q.a_row, depth,
                     HWY_MIN(height - i, kTileRows), packed_a + i * depth, kTileRows);
        }
        for (int64_t j = 0; j < width; j += kNr<T>) {
          const int64_t cols = HWY_MIN(width - j, kNr<T>);
          const int64_t column = j0 + j;
          Tile<T> t = {depth,
                       packed_a,
                       1,
                       kTileRows,
                       packed_b + j * depth,
                       kNr<T>,
                       q.c + i0 * q.c_row + column,
                       q.c_row,
                       cols,
                       q.accumulate || p > 0,
                       last && q.bias ? q.bias + column : nullptr};
          const int64_t vecs = (cols + kLanes<T> - 1) / kLanes<T>;
          for (int64_t i = 0; i < height; i += kTileRows) {
            pick_kernel<T>(HWY_MIN(height - i, kTileRows), vecs)(t);
            t.a += kTileRows * depth;
            t.c += kTileRows * q.c_row;
          }
        }
      }
    }
  }
}

/// C as one row, B^T A^T, because vectors run along rows; the same sums in the same order.
template <class T>
void multiply_column(const Problem<T>& q) {
  multiply_small<T>({1, q.m, q.k, q.b, q.b_col, q.b_row, q.a, q.a_col, q.a_row, q.c, q.m,
                     q.accumulate, nullptr, nullptr});
  if (!q.bias) return;
  for (int64_t i = 0; i < q.m; ++i) q.c[i] += *q.bias;
}

/// Columns that are too few to fill a vector: then vectors run along the rows instead.
constexpr int64_t kNarrow = 4;

/// c[i][j] (+)= sums[j][i] (+ bias[j]) for n rows i of `count` columns j, where rows lie one behind
/// the other and n is whole vectors.
template <class T, int kCount>
HWY_INLINE void store_interleaved(const T* sums, int64_t width, int64_t n, T* c, bool accumulate,
                                  const T* bias) {
  const Tag<T> d;
  for (int64_t i = 0; i < n; i += kLanes<T>, c += kCount * kLanes<T>) {
    Vec<T> v[4], old[4];
    for (int j = 0; j < kCount; ++j) v[j] = hn::Load(d, sums + j * width + i);
    if (accumulate) {
      if constexpr (kCount == 2) hn::LoadInterleaved2(d, c, old[0], old[1]);
      if constexpr (kCount == 3) hn::LoadInterleaved3(d, c, old[0], old[1], old[2]);
      if constexpr (kCount == 4) hn::LoadInterleaved4(d, c, old[0], old[1], old[2], old[3]);
      for (int j = 0; j < kCount; ++j) v[j] = hn::Add(old[j], v[j]);
    }
    if (bias) {
      for (int j = 0; j < kCount; ++j) v[j] = hn::Add(v[j], hn::Set(d, bias[j]));
    }
    if constexpr (kCount == 2) hn::StoreInterleaved2(v[0], v[1], d, c);
    if constexpr (kCount == 3) hn::StoreInterleaved3(v[0], v[1], v[2], d, c);
    if constexpr (kCount == 4) hn::StoreInterleaved4(v[0], v[1], v[2], v[3], d, c);
  }
}

/// The same for any rows.
template <class T>
void store_turned(const Problem<T>& q, const T* sums, int64_t width, int64_t first, int64_t n,
                  bool accumulate, const T* bias) {
  T* c = q.c + first * q.c_row;
  if (n % kLanes<T> == 0 && q.c_row == q.n) {
    if (q.n == 2) return store_interleaved<T, 2>(sums, width, n, c, accumulate, bias);
    if (q.n == 3) return store_interleaved<T, 3>(sums, width, n, c, accumulate, bias);
    if (q.n == 4) return store_interleaved<T, 4>(sums, width, n, c, accumulate, bias);
  }
  for (int64_t i = 0; i < n; ++i, c += q.c_row) {
    for (int64_t j = 0; j < q.n; ++j) {
      T sum = sums[j * width + i];
      if (accumulate) sum = c[j] + sum;
      if (bias) sum = sum + bias[j];
      c[j] = sum;
    }
  }
}

/// C^T = B^T A^T, by panels of rows of A: the same sums in the same order.
template <class T>
void multiply_narrow(const Problem<T>& q) {
  HWY_ALIGN T panel[kKc * kNr<T>];
  HWY_ALIGN T sums[kNarrow * kNr<T>];
  for (int64_t i = 0; i < q.m; i += kNr<T>) {
    const int64_t rows = HWY_MIN(q.m - i, kNr<T>);
    const int64_t vecs = (rows + kLanes<T> - 1) / kLanes<T>, width = vecs * kLanes<T>;
    for (int64_t p = 0; p < q.k; p += kKc) {
      const int64_t depth = HWY_MIN(q.k - p, kKc);
      const T* a = q.a + i * q.a_row + p * q.a_col;
      int64_t a_step = q.a_col;
      if (q.a_row != 1 || rows < width) {
        pack_panel(a, q.a_col, q.a_row, depth, rows, panel, width);
        a = panel;
        a_step = width;
      }
      pick_kernel<T>(q.n, vecs)({depth, q.b + p * q.b_row, q.b_col, q.b_row, a, a_step, sums, width,
                                 width, false, nullptr});
      store_turned(q, sums, width, i, rows, q.accumulate || p > 0,
                   p + depth == q.k ? q.bias : nullptr);
    }
  }
}

template <class T>
void multiply(const Problem<T>& q) {
  if (q.n == 1 && q.c_row == 1) return multiply_column(q);
  if (q.n <= kNarrow && q.m >= kLanes<T>) return multiply_narrow(q);
  if (is_blocked(q.m, q.n, q.k)) {
    multiply_blocked(q);
  } else {
    multiply_small(q);
  }
}

void multiply_float(const Problem<float>& q) { multiply(q); }
void multiply_double(const Problem<double>& q) { multiply(q); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {

HWY_EXPORT(multiply_float);
HWY_EXPORT(multiply_double);

template <class T>
Problem<T> make_problem(int64_t m, int64_t n, int64_t k, const MatrixView& a, const MatrixView& b,
                        void* c, int64_t c_row, const GemmEpilogue& epilogue, void* workspace) {
  return {m,
          n,
          k,
          static_cast<const T*>(a.data),
          a.row_stride,
          a.col_stride,
          static_cast<const T*>(b.data),
          b.row_stride,
          b.col_stride,
          static_cast<T*>(c),
          c_row,
          epilogue.accumulate,
          static_cast<const T*>(epilogue.bias),
          static_cast<T*>(workspace)};
}

/// C (+)= bias or 0: the product without its sum.
template <class T>
void start_rows(const Problem<T>& q) {
  for (int64_t i = 0; i < q.m; ++i) {
    T* c = q.c + i * q.c_row;
    if (!q.accumulate) std::memset(c, 0, static_cast<size_t>(q.n) * sizeof(T));
    if (!q.bias) continue;
    for (int64_t j = 0; j < q.n; ++j) c[j] = static_cast<T>(c[j] + q.bias[j]);
  }
}

/// T is unsigned: signed integers wrap around like their unsigned twins.
template <class T>
void multiply_plain(const Problem<T>& q) {
  start_rows(q);
  for (int64_t i = 0; i < q.m; ++i) {
    T* c = q.c + i * q.c_row;
    for (int64_t p = 0; p < q.k; ++p) {
      const T a = q.a[i * q.a_row + p * q.a_col];
      const T* b = q.b + p * q.b_row;
      if (q.b_col == 1) {
        for (int64_t j = 0; j < q.n; ++j) c[j] = static_cast<T>(c[j] + a * b[j]);
      } else {
        for (int64_t j = 0; j < q.n; ++j) c[j] = static_cast<T>(c[j] + a * b[j * q.b_col]);
      }
    }
  }
}

}  // namespace

size_t gemm_workspace(DType dtype, int64_t m, int64_t n, int64_t k, const MatrixView&,
                      const MatrixView&) {
  if (!is_floating(dtype) || !is_blocked(m, n, k)) return 0;
  return static_cast<size_t>(packed_a_size(m, k) + packed_b_size(n, k)) * size_of(dtype) + 64;
}

void gemm(DType dtype, int64_t m, int64_t n, int64_t k, const MatrixView& a, const MatrixView& b,
          void* c, int64_t c_row_stride, const GemmEpilogue& epilogue, void* workspace) {
  if (m <= 0 || n <= 0) return;
  const auto problem = [&](auto zero) {
    return make_problem<decltype(zero)>(m, n, k, a, b, c, c_row_stride, epilogue, workspace);
  };
  switch (dtype) {
    case DType::kFloat32:
      if (k <= 0) return start_rows(problem(float()));
      return HWY_DYNAMIC_DISPATCH(multiply_float)(problem(float()));
    case DType::kFloat64:
      if (k <= 0) return start_rows(problem(double()));
      return HWY_DYNAMIC_DISPATCH(multiply_double)(problem(double()));
    case DType::kInt32:
      return multiply_plain(problem(uint32_t()));
    case DType::kInt64:
      return multiply_plain(problem(uint64_t()));
    case DType::kUInt8:
    case DType::kBool:
      return multiply_plain(problem(uint8_t()));
  }
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
