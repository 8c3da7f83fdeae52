// Matrix product: register-blocked tiles for floats, plain loops for integers.
#include "kernels/cpu/gemm.hpp"

#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "kernels/cpu/gemm_pack-inl.h"
#include "kernels/cpu/gemm_pair-inl.h"
#include "kernels/cpu/gemm_tile-inl.h"
#include "kernels/cpu/gemm_turned-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

/// For small products: A in place, B in place or, where its rows are not vectors, in a panel on the
/// stack that all rows of A use at once.
template <class T>
void multiply_small(const Problem<T>& q) {
  HWY_ALIGN T panel[kKc * kNr<T>];
  const bool unit = q.b_col == 1;
  // A B panel that is read often and does not fit the nearest cache as it lies is better copied.
  const bool copy = !unit || (q.m > 4 * kTileRows && q.k > 64);
  const int64_t deepest = HWY_MIN(q.k, kKc);
  // Two vectors across is what most panels are.
  const Heights usual(q.m, kVecs);
  for (int64_t j = 0; j < q.n;) {
    const int64_t left = q.n - j;
    const int64_t whole = left / kLanes<T>;
    // With more rows than this the panel has at most two vectors, and room for them.
    int64_t fitting = (left + kLanes<T> - 1) / kLanes<T>;
    if (q.m <= max_rows(4)) fitting = HWY_MIN(fitting, kVecs * kKc / deepest);
    const int64_t vecs = panel_vecs(q.m, unit && whole >= kVecs ? whole : fitting);
    const Heights heights = vecs == kVecs ? usual : Heights(q.m, vecs);
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
                        heights, vecs);
      pause_after(q.m * cols * depth / kProductsInStep);
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
        pause_after(height * width * depth / kProductsInStep);
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

template <class T>
using Way = void (*)(const Problem<T>&);

/// Calls f with the function that suits the problem, as a constant.
template <class T, class F>
HWY_INLINE auto choose_way(const Problem<T>& q, const F& f) {
  if (q.n == 1 && q.c_row == 1) return f(std::integral_constant<Way<T>, multiply_column<T>>());
  if (q.n <= kNarrow && q.m >= kLanes<T>)
    return f(std::integral_constant<Way<T>, multiply_narrow<T>>());
#if HWY_TARGET != HWY_SCALAR
  if (is_turned(q)) return f(std::integral_constant<Way<T>, multiply_turned<T>>());
#endif
  if (is_blocked(q.m, q.n, q.k)) return f(std::integral_constant<Way<T>, multiply_blocked<T>>());
  return f(std::integral_constant<Way<T>, multiply_small<T>>());
}

template <class T>
void multiply(const Problem<T>& q) {
  choose_way(q, [&](auto way) { way.value(q); });
}

/// The second problem accumulates on the first one's result.
template <class T>
void multiply_both(const Problem<T>& first, const Problem<T>& second) {
  if (is_pair(first, second)) return multiply_pair_tiles(first, second);
  if (first.n <= kNarrow && first.m >= kLanes<T> && first.k <= kKc && second.k <= kKc)
    return multiply_narrow_pair(first, second);
  multiply(first);
  multiply(second);
}

template <class T>
Problem<T> problem_of(const GemmCall& g) {
  return {g.m,
          g.n,
          g.k,
          static_cast<const T*>(g.a.data),
          g.a.row_stride,
          g.a.col_stride,
          static_cast<const T*>(g.b.data),
          g.b.row_stride,
          g.b.col_stride,
          static_cast<T*>(g.c),
          g.c_row_stride,
          false,
          static_cast<const T*>(g.bias),
          nullptr};
}

template <class T, Way<T> kWay>
void compute_call(const GemmCall& g) {
  kWay(problem_of<T>(g));
}

template <class T>
void prepare_call(GemmCall& g) {
  g.compute = choose_way(problem_of<T>(g), [](auto way) -> decltype(g.compute) {
    return &compute_call<T, decltype(way)::value>;
  });
}

void prepare_float(GemmCall& g) { prepare_call<float>(g); }
void prepare_double(GemmCall& g) { prepare_call<double>(g); }
void multiply_float(const Problem<float>& q) { multiply(q); }
void multiply_double(const Problem<double>& q) { multiply(q); }
void multiply_floats(const Problem<float>& q, const Problem<float>& r) { multiply_both(q, r); }
void multiply_doubles(const Problem<double>& q, const Problem<double>& r) { multiply_both(q, r); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {
namespace {

HWY_EXPORT(prepare_float);
HWY_EXPORT(prepare_double);
HWY_EXPORT(multiply_float);
HWY_EXPORT(multiply_double);
HWY_EXPORT(multiply_floats);
HWY_EXPORT(multiply_doubles);

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
    pause_after(q.k * q.n / 2);
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

void prepare_gemm(DType dtype, GemmCall& call) {
  if (dtype == DType::kFloat32)
    HWY_DYNAMIC_DISPATCH(prepare_float)(call);
  else
    HWY_DYNAMIC_DISPATCH(prepare_double)(call);
}

void gemm_pair(DType dtype, int64_t m, int64_t n, int64_t k, const MatrixView& a,
               const MatrixView& b, int64_t k2, const MatrixView& a2, const MatrixView& b2, void* c,
               int64_t c_row_stride, void* workspace) {
  if (m > 0 && n > 0 && k > 0 && k2 > 0 && is_floating(dtype)) {
    const GemmEpilogue plain, adds{.accumulate = true};
    const auto problem = [&](auto zero, bool is_second) {
      return make_problem<decltype(zero)>(m, n, is_second ? k2 : k, is_second ? a2 : a,
                                          is_second ? b2 : b, c, c_row_stride,
                                          is_second ? adds : plain, workspace);
    };
    if (dtype == DType::kFloat32)
      return HWY_DYNAMIC_DISPATCH(multiply_floats)(problem(float(), false), problem(float(), true));
    return HWY_DYNAMIC_DISPATCH(multiply_doubles)(problem(double(), false),
                                                  problem(double(), true));
  }
  gemm(dtype, m, n, k, a, b, c, c_row_stride, {}, workspace);
  gemm(dtype, m, n, k2, a2, b2, c, c_row_stride, {.accumulate = true}, workspace);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
