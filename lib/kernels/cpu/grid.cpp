// Plain loops: these are bound by memory.
#include "kernels/cpu/grid.hpp"

#include <algorithm>
#include <cstring>

namespace autograd::cpu {
namespace {

// Calls row(base, at): the offset of a row's first dims, and its number, for rows begin..end.
template <class Row>
void each_row(const Grid& grid, int64_t begin, int64_t end, const Row& row) {
  const int outer = grid.rank - 1;
  int64_t position[kMaxGridDims] = {0};
  int64_t rest = begin;
  for (int d = outer - 1; d >= 0; --d) {
    position[d] = rest % grid.sizes[d];
    rest /= grid.sizes[d];
  }
  for (int64_t at = begin; at < end; ++at) {
    int64_t base = 0;
    for (int d = 0; d < outer; ++d) base += grid.offsets[d][position[d]];
    row(base, at);
    for (int d = outer - 1; d >= 0; --d) {
      if (++position[d] < grid.sizes[d]) break;
      position[d] = 0;
    }
  }
}

// True if a row is read as it lies in memory.
bool is_run(const int64_t* offsets, int64_t n) {
  for (int64_t i = 1; i < n; ++i)
    if (offsets[i] != offsets[0] + i) return false;
  return true;
}

template <class T>
void take(const T* x, const Grid& grid, T* out, int64_t begin, int64_t end) {
  const int64_t n = grid.sizes[grid.rank - 1];
  const int64_t* at = grid.offsets[grid.rank - 1];
  if (is_run(at, n))
    return each_row(grid, begin, end, [&](int64_t base, int64_t row) {
      std::memcpy(out + row * n, x + base + at[0], static_cast<size_t>(n) * sizeof(T));
    });
  each_row(grid, begin, end, [&](int64_t base, int64_t row) {
    const T* from = x + base;
    T* to = out + row * n;
    for (int64_t i = 0; i < n; ++i) to[i] = from[at[i]];
  });
}

template <class T>
void add(const T* g, const Grid& grid, T* out, int64_t begin, int64_t end) {
  const int64_t n = grid.sizes[grid.rank - 1];
  const int64_t* at = grid.offsets[grid.rank - 1];
  each_row(grid, begin, end, [&](int64_t base, int64_t row) {
    const T* from = g + row * n;
    T* to = out + base;
    for (int64_t i = 0; i < n; ++i) to[at[i]] += from[i];
  });
}

}  // namespace

void take_grid(const void* x, const Grid& grid, void* out, size_t item, int64_t begin,
               int64_t end) {
  if (grid.sizes[grid.rank - 1] == 0) return;
  if (item == 8)
    take(static_cast<const uint64_t*>(x), grid, static_cast<uint64_t*>(out), begin, end);
  else if (item == 4)
    take(static_cast<const uint32_t*>(x), grid, static_cast<uint32_t*>(out), begin, end);
  else
    take(static_cast<const uint8_t*>(x), grid, static_cast<uint8_t*>(out), begin, end);
}

void add_grid(DType dtype, const void* g, const Grid& grid, void* out, int64_t begin, int64_t end) {
  if (dtype == DType::kFloat32)
    add(static_cast<const float*>(g), grid, static_cast<float*>(out), begin, end);
  else
    add(static_cast<const double*>(g), grid, static_cast<double*>(out), begin, end);
}

void triangle(const void* x, void* out, bool upper, int64_t diagonal, int64_t rows, int64_t columns,
              size_t item, int64_t begin, int64_t end) {
  const size_t width = static_cast<size_t>(columns) * item;
  for (int64_t r = begin; r < end; ++r) {
    const char* from = static_cast<const char*>(x) + static_cast<size_t>(r) * width;
    char* to = static_cast<char*>(out) + static_cast<size_t>(r) * width;
    // The first column right of the lower part, or the first of the upper part.
    const int64_t row = r % rows;
    const int64_t edge = upper ? diagonal : diagonal < columns ? diagonal + 1 : columns;
    const int64_t cut = edge >= columns ? columns : std::clamp<int64_t>(row + edge, 0, columns);
    const size_t at = static_cast<size_t>(cut) * item;
    const size_t keep = upper ? at : 0, drop = upper ? 0 : at;
    const size_t kept = upper ? width - at : at;
    std::memcpy(to + keep, from + keep, kept);
    std::memset(to + drop, 0, width - kept);
  }
}

}  // namespace autograd::cpu
