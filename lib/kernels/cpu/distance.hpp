// The p-norms of the differences of rows, and their slopes; float32 and float64, one thread.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// Which rows of a [rows1, size] meet which of b [rows2, size].
struct RowPairs {
  int64_t rows1, rows2, size;
  bool above;  ///< only pairs i < j, of rows of the same matrix

  /// The pairs (i, j) with j from first(i) on stand next to each other, from at(i) on.
  int64_t first(int64_t i) const { return above ? i + 1 : 0; }
  int64_t at(int64_t i) const { return above ? i * (2 * rows1 - i - 1) / 2 : i * rows2; }
};

/// out = |a[i] - b[j]|_p of the pairs with i in [begin, end); p >= 0, 0 counting what differs. out
/// is that of all pairs.
void distances(DType dtype, double p, const RowPairs& pairs, const void* a, const void* b,
               int64_t begin, int64_t end, void* out);

/// Adds to da[i] the slope of each pair's distance d times its g, and subtracts it from db[j], in
/// the columns [begin, end) of all rows; da may be db. Of equal largest differences (p = inf) each
/// counts in full; where d is 0, or is a number of differences (p = 0), the slope is 0.
void distances_backward(DType dtype, double p, const RowPairs& pairs, const void* a, const void* b,
                        const void* d, const void* g, int64_t begin, int64_t end, void* da,
                        void* db);

}  // namespace autograd::cpu
