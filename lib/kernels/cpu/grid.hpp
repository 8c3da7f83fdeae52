// Elements picked from a grid: the place of an output element is a sum of one offset per dim.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

inline constexpr int kMaxGridDims = 12;

/// The output index space sizes[rank], rank >= 1, and for each of its dims the offset, in elements,
/// that each position adds to the place in the input.
struct Grid {
  int rank;
  const int64_t* sizes;
  const int64_t* const* offsets;
};

/// out[i, j, ...] = x[offsets[0][i] + offsets[1][j] + ...] for the rows [begin, end) of the output
/// (a row is the last dim); elements of `item` bytes: 1, 4 or 8.
void take_grid(const void* x, const Grid& grid, void* out, size_t item, int64_t begin, int64_t end);

/// The transpose: out[offsets[0][i] + ...] += g[i, j, ...]. Rows that share places must not run at
/// once.
void add_grid(DType dtype, const void* g, const Grid& grid, void* out, int64_t begin, int64_t end);

/// out = x where column - row <= diagonal (upper: >=), else 0, for the rows [begin, end) of
/// matrices [rows, columns] that lie one after the other.
void triangle(const void* x, void* out, bool upper, int64_t diagonal, int64_t rows, int64_t columns,
              size_t item, int64_t begin, int64_t end);

}  // namespace autograd::cpu
