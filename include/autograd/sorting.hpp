// Sorting and searching. NaN is the largest number; equal elements stay in their order.
#pragma once
#include <utility>

#include "autograd/tensor.hpp"

namespace autograd {

/// The elements in order along dim, and their int64 positions before; the gradient goes there.
std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim = -1, bool descending = false);
Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false);
/// The k largest, or smallest, elements along dim in order, and their positions.
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true);
/// The k-th smallest element along dim, k from 1, and its position.
std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim = -1,
                                   bool keepdim = false);

/// What unique and unique_consecutive find; inverse has the sizes of x, or is 1-d along a dim.
struct Unique {
  Tensor values, inverse, counts;
};
/// The different elements in ascending order; no gradient. NaN differs from NaN.
Unique unique(const Tensor& x);
/// One element for every run of equal ones, in the order of x.
Unique unique_consecutive(const Tensor& x);
/// The same for slices along a dim.
Unique unique_dim(const Tensor& x, int64_t dim);
Unique unique_consecutive_dim(const Tensor& x, int64_t dim);

/// Where values would be inserted into sorted, whose last dim is ascending (in the order of sorter,
/// if defined): before equal elements, or behind them if right. int64.
Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right = false,
                    const Tensor& sorter = Tensor());
/// How many elements of x (floats) lie in each of `bins` equal parts of [low, high], both ends
/// included, in the dtype of x; no gradient. low = high: the range of the elements, and one to both
/// sides where these are equal. Error (runtime) for ends that are not finite or in the wrong order.
Tensor histc(const Tensor& x, int64_t bins = 100, double low = 0, double high = 0);
/// How many elements of x (floats), or what sum of their weights, lie between each two of the
/// ascending edges [bins + 1], in the dtype of x; the last bin holds its right edge too, elements
/// outside do not count. density: divided by the sum and by the widths. No gradient.
Tensor histogram(const Tensor& x, const Tensor& edges, const Tensor& weight = Tensor(),
                 bool density = false);
/// True for the elements that are among test_elements; invert: that are not.
Tensor isin(const Tensor& elements, const Tensor& test_elements, bool invert = false);

}  // namespace autograd
