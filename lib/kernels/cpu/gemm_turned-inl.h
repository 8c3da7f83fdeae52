// Products whose vectors run along the rows of A, as C^T = B^T A^T, where B or C suit them badly.

// Included once per instruction set, hence the toggling guard (see Highway's quick reference).
#if defined(AUTOGRAD_KERNELS_CPU_GEMM_TURNED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_GEMM_TURNED_INL_H_
#undef AUTOGRAD_KERNELS_CPU_GEMM_TURNED_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_GEMM_TURNED_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "kernels/cpu/gemm_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET != HWY_SCALAR

/// True where B would have to be copied to have its rows in vectors, and A and C are so much
/// smaller that it is better to turn them. Not for many rows, which pay for the copy; nor if the
/// columns of B lie so that the nearest cache would hold them all in one place.
template <class T>
HWY_INLINE bool is_turned(const Problem<T>& q) {
  constexpr int64_t n = kLanes<T>, kSamePlace = 4096 / sizeof(T), kManyRows = 64;
  if (q.b_col == 1 || q.n < 2 * n || q.k < n || q.m > kManyRows) return false;
  if (q.b_col % kSamePlace == 0) return false;
  const int64_t rows = round_up(q.m, n);
  return rows * 4 <= q.m * 5 && rows * (q.k + q.n) * 4 <= q.k * q.n * 3;
}

/// kLanes rows and columns of C (+)= A B (+ bias): `a` holds the rows of A as lanes, one vector for
/// each k; column j of B starts at b + j * b_col. `rows` rows are stored, and the last t.cols
/// columns.
template <class T>
HWY_NOINLINE void multiply_turned_tile(const Tile<T>& t, int64_t b_col, int64_t rows) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  // Three columns from each pointer: few enough registers, no arithmetic but the pointers' steps.
  constexpr int kPointers = static_cast<int>((n + 2) / 3);
  const T* HWY_RESTRICT a = t.a;
  const T* b[kPointers];
  AUTOGRAD_UNROLLED for (int i = 0; i < kPointers; ++i) b[i] = t.b + 3 * i * b_col;
  const int64_t b_row = t.b_row, a_row = t.a_row;
  Vec<T> sums[n];
  AUTOGRAD_UNROLLED for (int64_t j = 0; j < n; ++j) sums[j] = hn::Zero(d);
  for (int64_t p = t.k; p > 0; --p, a += a_row) {
    const auto rows_of_a = hn::LoadU(d, a);
    AUTOGRAD_UNROLLED for (int64_t j = 0; j < n; ++j) {
      sums[j] = hn::MulAdd(hn::Set(d, b[j / 3][j % 3 * b_col]), rows_of_a, sums[j]);
    }
    AUTOGRAD_UNROLLED for (int i = 0; i < kPointers; ++i) b[i] += b_row;
  }
  transpose_square(d, sums);
  if (t.cols != n || rows != n) {
    HWY_ALIGN T lanes[n * n];
    AUTOGRAD_UNROLLED for (int64_t i = 0; i < n; ++i) hn::Store(sums[i], d, lanes + i * n);
    return store_edge(t, lanes + n - t.cols, rows, n);
  }
  T* HWY_RESTRICT c = t.c;
  const int64_t c_row = t.c_row;
  if (t.accumulate) {
    const T* old = c;
    AUTOGRAD_UNROLLED for (int64_t i = 0; i < n; ++i, old += c_row) {
      sums[i] = hn::Add(hn::LoadU(d, old), sums[i]);
    }
  }
  if (t.bias) {
    const auto bias = hn::LoadU(d, t.bias);
    AUTOGRAD_UNROLLED for (int64_t i = 0; i < n; ++i) sums[i] = hn::Add(sums[i], bias);
  }
  AUTOGRAD_UNROLLED for (int64_t i = 0; i < n; ++i, c += c_row) hn::StoreU(sums[i], d, c);
}

/// C^T = B^T A^T, square by square: the same sums in the same order.
template <class T>
void multiply_turned(const Problem<T>& q) {
  constexpr int64_t n = kLanes<T>;
  HWY_ALIGN T panel[kKc * n + n];
  for (int64_t i = 0; i < q.m; i += n) {
    const int64_t rows = HWY_MIN(q.m - i, n);
    for (int64_t p = 0; p < q.k; p += kKc) {
      const int64_t depth = HWY_MIN(q.k - p, kKc);
      const T* a = q.a + i * q.a_row + p * q.a_col;
      int64_t a_step = q.a_col;
      if (q.a_row != 1 || rows < n) {
        pack_panel(a, q.a_col, q.a_row, depth, rows, panel, n);
        a = panel;
        a_step = n;
      }
      const bool last = p + depth == q.k;
      for (int64_t j = 0; j < q.n; j += n) {
        // Where columns are too few the square reaches back, but stores no column twice.
        const T* b = q.b + p * q.b_row + HWY_MIN(j, q.n - n) * q.b_col;
        const Tile<T> t = {depth,
                           a,
                           a_step,
                           1,
                           b,
                           q.b_row,
                           q.c + i * q.c_row + j,
                           q.c_row,
                           HWY_MIN(n, q.n - j),
                           q.accumulate || p > 0,
                           last && q.bias ? q.bias + j : nullptr};
        multiply_turned_tile(t, q.b_col, rows);
      }
    }
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

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

#if HWY_TARGET != HWY_SCALAR

/// sums[j * lanes + i] = row i of A times column j of B over `depth` steps, whole vectors of them,
/// for `rows` rows that lie along k. The squares of A are turned on the way, while the processor
/// waits for the sums.
template <class T, int kCount>
HWY_INLINE void sum_narrow(const Problem<T>& q, const T* a, const T* b, int64_t rows, int64_t depth,
                           T* sums) {
  const Tag<T> d;
  constexpr int64_t n = kLanes<T>;
  Vec<T> sum[kCount];
  AUTOGRAD_UNROLLED for (int j = 0; j < kCount; ++j) sum[j] = hn::Zero(d);
  const int64_t b_row = q.b_row, b_col = q.b_col, a_row = q.a_row;
  for (int64_t p = 0; p < depth; p += n, a += n) {
    Vec<T> x[n];
    if (rows == n) {
      AUTOGRAD_UNROLLED for (int64_t r = 0; r < n; ++r) x[r] = hn::LoadU(d, a + r * a_row);
    } else {
      AUTOGRAD_UNROLLED for (int64_t r = 0; r < n; ++r) {
        x[r] = hn::LoadU(d, a + HWY_MIN(r, rows - 1) * a_row);
      }
    }
    transpose_square(d, x);
    AUTOGRAD_UNROLLED for (int64_t r = 0; r < n; ++r, b += b_row) {
      AUTOGRAD_UNROLLED for (int j = 0; j < kCount; ++j) {
        sum[j] = hn::MulAdd(x[r], hn::Set(d, b[j * b_col]), sum[j]);
      }
    }
  }
  AUTOGRAD_UNROLLED for (int j = 0; j < kCount; ++j) hn::Store(sum[j], d, sums + j * n);
}

/// Few columns and rows of whole vectors: C^T = B^T A^T without a copy of A.
template <class T, int kCount>
void multiply_few(const Problem<T>& q) {
  constexpr int64_t n = kLanes<T>;
  HWY_ALIGN T sums[kCount * n];
  for (int64_t i = 0; i < q.m; i += n) {
    const int64_t rows = HWY_MIN(q.m - i, n);
    for (int64_t p = 0; p < q.k; p += kKc) {
      const int64_t depth = HWY_MIN(q.k - p, kKc);
      sum_narrow<T, kCount>(q, q.a + i * q.a_row + p, q.b + p * q.b_row, rows, depth, sums);
      store_turned(q, sums, n, i, rows, q.accumulate || p > 0, p + depth == q.k ? q.bias : nullptr);
    }
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

/// sums[j * width + i] = row i of a panel of A times column j of B over one block of k; `width` is
/// whole vectors. The panel has `rows` rows from `first` on.
template <class T>
HWY_INLINE void sum_rows(const Problem<T>& q, int64_t first, int64_t rows, int64_t p, int64_t depth,
                         int64_t width, T* panel, T* sums) {
  const T* a = q.a + first * q.a_row + p * q.a_col;
  int64_t a_step = q.a_col;
  if (q.a_row != 1 || rows < width) {
    pack_panel(a, q.a_col, q.a_row, depth, rows, panel, width);
    a = panel;
    a_step = width;
  }
  pick_kernel<T>(q.n, width / kLanes<T>)(
      {depth, q.b + p * q.b_row, q.b_col, q.b_row, a, a_step, sums, width, width, false, nullptr});
}

/// C^T = B^T A^T, by panels of rows of A: the same sums in the same order.
template <class T>
void multiply_narrow(const Problem<T>& q) {
#if HWY_TARGET != HWY_SCALAR
  if (q.a_col == 1 && q.k % kLanes<T> == 0) {
    if (q.n == 1) return multiply_few<T, 1>(q);
    if (q.n == 2) return multiply_few<T, 2>(q);
    return q.n == 3 ? multiply_few<T, 3>(q) : multiply_few<T, 4>(q);
  }
#endif
  HWY_ALIGN T panel[kKc * kNr<T>];
  HWY_ALIGN T sums[kNarrow * kNr<T>];
  for (int64_t i = 0; i < q.m; i += kNr<T>) {
    const int64_t rows = HWY_MIN(q.m - i, kNr<T>), width = round_up(rows, kLanes<T>);
    for (int64_t p = 0; p < q.k; p += kKc) {
      const int64_t depth = HWY_MIN(q.k - p, kKc);
      sum_rows(q, i, rows, p, depth, width, panel, sums);
      store_turned(q, sums, width, i, rows, q.accumulate || p > 0,
                   p + depth == q.k ? q.bias : nullptr);
    }
  }
}

/// C = A B + D E for products of few columns and one block of k.
template <class T>
void multiply_narrow_pair(const Problem<T>& x, const Problem<T>& y) {
  const Tag<T> d;
  HWY_ALIGN T panel[kKc * kNr<T>];
  HWY_ALIGN T sums[2][kNarrow * kNr<T>];
  for (int64_t i = 0; i < x.m; i += kNr<T>) {
    const int64_t rows = HWY_MIN(x.m - i, kNr<T>), width = round_up(rows, kLanes<T>);
    sum_rows(x, i, rows, 0, x.k, width, panel, sums[0]);
    sum_rows(y, i, rows, 0, y.k, width, panel, sums[1]);
    for (int64_t j = 0; j < x.n * width; j += kLanes<T>)
      hn::Store(hn::Add(hn::Load(d, sums[0] + j), hn::Load(d, sums[1] + j)), d, sums[0] + j);
    store_turned<T>(x, sums[0], width, i, rows, false, nullptr);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // AUTOGRAD_KERNELS_CPU_GEMM_TURNED_INL_H_
