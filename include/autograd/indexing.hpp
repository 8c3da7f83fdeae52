// Indexing.
#pragma once
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

/// One item of basic indexing.
struct Index {
  enum class Kind : int64_t { kInt = 0, kSlice = 1, kNewaxis = 2, kEllipsis = 3 };
  Kind kind;
  int64_t a = 0, b = 0, c = 1;  ///< position, or start, end, step (INT64_MIN, INT64_MAX: absent)
};
Tensor index(const Tensor& x, const std::vector<Index>& items);
/// Writes src, broadcast and converted, to the part of self that index() reads.
Tensor& index_put_(Tensor& self, const std::vector<Index>& items, const Tensor& src);
/// Slices number index[i] along dim (index: integer, 0-d or 1-d); a copy.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);

}  // namespace autograd
