// Two products and their sum in one pass over C.

// Included once per instruction set, hence the toggling guard (see Highway's quick reference).
#if defined(AUTOGRAD_KERNELS_CPU_GEMM_PAIR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AUTOGRAD_KERNELS_CPU_GEMM_PAIR_INL_H_
#undef AUTOGRAD_KERNELS_CPU_GEMM_PAIR_INL_H_
#else
#define AUTOGRAD_KERNELS_CPU_GEMM_PAIR_INL_H_
#endif

#include <cstdint>
#include <utility>

#include "hwy/highway.h"
#include "kernels/cpu/gemm_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {
namespace {

/// Rows of a tile that holds the sums of both products.
constexpr int kPairRows = kTileRows / 2;

/// True where one block of k and whole vectors of C are all there is, and nothing has to be copied.
template <class T>
HWY_INLINE bool is_pair(const Problem<T>& first, const Problem<T>& second) {
  const auto suits = [](const Problem<T>& q) { return q.b_col == 1 && q.k <= 64; };
  return suits(first) && suits(second) && first.n % kLanes<T> == 0;
}

/// C = (A B) + (D E), each a chain of its own, for one tile: `i` and `j` are its first row and
/// column.
template <class T, int kRows, int kWide>
void multiply_pair_tile(const Problem<T>& x, const Problem<T>& y, int64_t i, int64_t j) {
  const Tag<T> d;
  Vec<T> sums[kRows][kWide], more[kRows][kWide];
  sum_tile<T, kRows, kWide>(x.k, x.a + i * x.a_row, x.a_row, x.a_col, x.b + j, x.b_row, sums);
  sum_tile<T, kRows, kWide>(y.k, y.a + i * y.a_row, y.a_row, y.a_col, y.b + j, y.b_row, more);
  T* HWY_RESTRICT c = x.c + i * x.c_row + j;
  const int64_t c_row = x.c_row;
  AUTOGRAD_UNROLLED for (int r = 0; r < kRows; ++r, c += c_row) {
    AUTOGRAD_UNROLLED for (int v = 0; v < kWide; ++v) {
      hn::StoreU(hn::Add(sums[r][v], more[r][v]), d, c + v * kLanes<T>);
    }
  }
}

template <class T, int kWide, size_t... kRows>
auto pick_pair(int64_t rows, std::index_sequence<kRows...>) {
  using Kernel = void (*)(const Problem<T>&, const Problem<T>&, int64_t, int64_t);
  static constexpr Kernel kernels[] = {&multiply_pair_tile<T, kRows + 1, kWide>...};
  return kernels[rows - 1];
}

template <class T>
void multiply_pair_tiles(const Problem<T>& x, const Problem<T>& y) {
  constexpr auto kAll = std::make_index_sequence<kPairRows>();
  const int64_t tiles = (x.m + kPairRows - 1) / kPairRows, rows = x.m / tiles;
  const int64_t taller = x.m - tiles * rows;
  for (int64_t j = 0; j < x.n; j += kNr<T>) {
    const bool is_wide = x.n - j >= kNr<T>;
    const auto pick = [&](int64_t height) {
      return is_wide ? pick_pair<T, 2>(height, kAll) : pick_pair<T, 1>(height, kAll);
    };
    const auto usual = pick(rows), tall = taller ? pick(rows + 1) : usual;
    int64_t i = 0;
    for (int64_t t = 0; t < taller; ++t, i += rows + 1) tall(x, y, i, j);
    for (int64_t t = taller; t < tiles; ++t, i += rows) usual(x, y, i, j);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#endif  // AUTOGRAD_KERNELS_CPU_GEMM_PAIR_INL_H_
