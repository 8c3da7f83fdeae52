// Elements and blocks picked by number, over raw memory, one thread. Indices have been checked by
// the caller.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Blocks of `inner` elements of a tensor x, and the dense tensor y [outer, count, inner] that they
/// are copied to or from: block (o, j) of x starts at o * x_outer + offsets[j]. Strides in
/// elements; those of y are 0 where y is repeated.
struct Blocks {
  int64_t outer, count, inner;
  int64_t x_outer, x_inner;
  int64_t y_outer, y_count, y_inner;
};

/// y = the blocks of x.
void take_blocks(int64_t item_bytes, const void* x, const int64_t* offsets, void* y,
                 const Blocks& blocks);
/// out[i, :] = x[rows[i], :] for dense rows.
void take_rows(const void* x, const int64_t* rows, void* out, int64_t count, int64_t row_bytes);
/// The blocks of x = y; of equal offsets the last one counts.
void put_blocks(int64_t item_bytes, void* x, const int64_t* offsets, const void* y,
                const Blocks& blocks);
/// The blocks of x += y, all of equal offsets; for bool: or.
void add_blocks(DType dtype, void* x, const int64_t* offsets, const void* y, const Blocks& blocks);

/// One number per place: out[o, i] = x[o, index[o, i], i] for x [outer, n, inner]; out and index
/// [outer, inner].
void take_along(const void* x, const int64_t* index, void* out, int64_t outer, int64_t n,
                int64_t inner, int64_t item_bytes);

/// out[o, index[o, i], i] = g[o, i]; out [outer, n, inner] holds its start values.
void put_along(const void* g, const int64_t* index, void* out, int64_t outer, int64_t n,
               int64_t inner, int64_t item_bytes);

}  // namespace autograd::cpu
