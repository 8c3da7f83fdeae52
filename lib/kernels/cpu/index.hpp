// Rows picked by number, over raw memory, one thread. Indices have been checked by the caller.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// out[o, i, :] = x[o, index[i], :] for x [outer, n, inner] and out [outer, count, inner], both
/// contiguous; inner_bytes is the size of one row.
void take_rows(const void* x, const int64_t* index, void* out, int64_t outer, int64_t n,
               int64_t count, int64_t inner_bytes);

/// out[o, index[i], :] += g[o, i, :]; out [outer, n, inner] holds its start values.
void add_rows(DType dtype, const void* g, const int64_t* index, void* out, int64_t outer, int64_t n,
              int64_t count, int64_t inner);

/// One number per place: out[o, i] = x[o, index[o, i], i] for x [outer, n, inner]; out and index
/// [outer, inner].
void take_along(const void* x, const int64_t* index, void* out, int64_t outer, int64_t n,
                int64_t inner, int64_t item_bytes);

/// out[o, index[o, i], i] = g[o, i]; out [outer, n, inner] holds its start values.
void put_along(const void* g, const int64_t* index, void* out, int64_t outer, int64_t n,
               int64_t inner, int64_t item_bytes);

}  // namespace autograd::cpu
