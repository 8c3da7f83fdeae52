// Indexing, gather and scatter, masks, embeddings. Positions are int64 or int32 tensors; repeated
// positions add up in gradients.
#pragma once
#include <optional>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

/// How the elements that meet in one element are put together.
enum class ScatterReduce : int32_t { kSum = 0, kProd = 1, kMean = 2, kAmax = 3, kAmin = 4 };

/// One item of x[...].
struct Index {
  enum class Kind : int64_t {
    kInt = 0,
    kSlice = 1,
    kNewaxis = 2,
    kEllipsis = 3,
    kTensor = 4,  ///< a = which of the tensors: positions, or a mask (bool, uint8)
    kBool = 5     ///< a != 0: a new dim of size 1, else of size 0
  };
  Kind kind;
  int64_t a = 0, b = 0, c = 1;  ///< position, or start, end, step (INT64_MIN, INT64_MAX: absent)
};
/// x[items]: a view unless a tensor or a bool chooses, else a copy. Tensors that choose are
/// broadcast together; their dims stand where the indexed dims stood if these are neighbours, else
/// first. Throws Error (index) for positions and masks that do not fit.
Tensor index(const Tensor& x, std::vector<Index> items);
Tensor index_tensors(const Tensor& x, std::vector<Index> items, const std::vector<Tensor>& tensors);
/// self[items] = value, broadcast; converted where no tensor chooses or value is a number.
Tensor& index_assign_(Tensor& self, std::vector<Index> items, const std::vector<Tensor>& tensors,
                      const Tensor& value);

/// x[indices] = values on a copy, or += for accumulate: one tensor per leading dim, or masks.
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate = false);
Tensor& index_put_(Tensor& self, const std::vector<Tensor>& indices, const Tensor& values,
                   bool accumulate = false);
/// Slices number index[i] along dim (0-d or 1-d); a copy.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
/// Adds alpha * slice i of source to slice index[i] of x along dim.
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha = 1);
Tensor& index_add_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                   const Scalar& alpha = 1);
/// Slice i of source in the place of slice index[i] of x along dim.
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
Tensor& index_copy_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& source);
/// Slice index[i] of x along dim put together with slice i of source: their product, mean, largest
/// or least; unless include_self, without the slice of x. Error (index) for positions out of range.
Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    ScatterReduce reduce, bool include_self = true);
Tensor& index_reduce_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                      ScatterReduce reduce, bool include_self = true);
/// A copy of x with src, of the sizes of the part and converted, in the place of select(x, ...),
/// slice(x, ...) or diagonal(x, ...).
Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t position);
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t start, int64_t end,
                     int64_t step = 1);
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset = 0, int64_t dim1 = 0,
                        int64_t dim2 = 1);
/// value, a 0-d tensor, in the slices index[i] of x along dim.
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);
Tensor& index_fill_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& value);
/// Elements of x, seen as one row, at the positions; the sizes are those of index.
Tensor take(const Tensor& x, const Tensor& index);
/// Writes, or adds, the elements of source to self, seen as one row, at the positions.
Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);
Tensor& put_(Tensor& self, const Tensor& index, const Tensor& source, bool accumulate = false);

// ---- masks

/// [count, rank]: the coordinates of the elements that are not 0; int64, no gradient.
Tensor nonzero(const Tensor& x);
/// value, a 0-d tensor, where the mask is true, else x; mask broadcasts.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
Tensor& masked_fill_(Tensor& self, const Tensor& mask, const Tensor& value);
/// The elements of x where the mask is true, as one row; both are broadcast.
Tensor masked_select(const Tensor& x, const Tensor& mask);
/// The elements of source, in order, where the mask is true, else x.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);
Tensor& masked_scatter_(Tensor& self, const Tensor& mask, const Tensor& source);

// ---- along one dim

/// out[i][j] = x[index[i][j]][j] for dim 0, likewise for others; index is no larger than x apart
/// from dim. Throws Error (runtime) for positions out of range.
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
/// x with x[index[i][j]][j] = src[i][j]; src may be larger than index, or a number.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
Tensor& scatter_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
/// The same with +=.
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
Tensor& scatter_add_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& src);
/// The same with a reduction; include_self: the element of x takes part.
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                      ScatterReduce reduce, bool include_self = true);
Tensor& scatter_reduce_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                        ScatterReduce reduce, bool include_self = true);
/// gather with the other dims broadcast; without dim over the elements as one row.
Tensor take_along_dim(const Tensor& x, const Tensor& index,
                      std::optional<int64_t> dim = std::nullopt);

// ---- embeddings

/// Rows of weight [n, d] by number: index.sizes + [d]. Row padding_idx, if not negative, gets no
/// gradient; scale_grad_by_freq divides a row's gradient by how often it was picked.
Tensor embedding(const Tensor& weight, const Tensor& index, int64_t padding_idx = -1,
                 bool scale_grad_by_freq = false);
/// What a bag of rows becomes.
enum class BagMode : int32_t { kSum = 0, kMean = 1, kMax = 2 };
/// The sum, mean or maximum of the rows of weight [n, d] that each bag of numbers picks, [bags, d];
/// 0 for an empty bag. A bag is a row of a 2-d index, or, of a 1-d one, the numbers from offsets[i]
/// on, up to the next bag; with include_last_offset the last offset is the end and no bag.
/// per_sample_weights, of the sizes of index, multiplies the rows of sums. Numbers equal to
/// padding_idx are left out.
Tensor embedding_bag(const Tensor& weight, const Tensor& index, const Tensor& offsets = Tensor(),
                     BagMode mode = BagMode::kMean, const Tensor& per_sample_weights = Tensor(),
                     int64_t padding_idx = -1, bool scale_grad_by_freq = false,
                     bool include_last_offset = false);
/// Scales the rows that index names down to a norm of max_norm, where it is larger.
Tensor& embedding_renorm_(Tensor& weight, const Tensor& index, double max_norm, double norm_type);
/// [..., num_classes] with 1 at the class and 0 elsewhere; int64; -1: one more than the largest.
Tensor one_hot(const Tensor& index, int64_t num_classes = -1);

}  // namespace autograd
