// Ops on shape, joins and copies: views where PyTorch gives views. Dims may be negative. Error
// (index) for dims and positions out of range, Error (runtime) for sizes that do not fit.
#pragma once
#include <optional>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

Tensor reshape(const Tensor& x, const Shape& sizes);  ///< one size may be -1
Tensor view(const Tensor& x, const Shape& sizes);  ///< Error (runtime) where a copy would be needed
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);  ///< the two change places
Tensor t(const Tensor& x);                                ///< of at most 2 dims; [n, m] -> [m, n]
Tensor permute(const Tensor& x, const Shape& dims);       ///< dim dims[i] at place i
Tensor expand(const Tensor& x, const Shape& sizes);       ///< -1 keeps a size
Tensor squeeze(const Tensor& x, const Shape& dims = {});  ///< without those of size 1
Tensor unsqueeze(const Tensor& x, int64_t dim);           ///< a size 1 at place dim
/// Dims start_dim to end_dim, both included, as one.
Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
/// x[..., index, ...], without the dim.
Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// x[..., start:end:step, ...] with Python's slice rules, step > 0.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step = 1);
/// The tensors one behind the other along dim; the other sizes are equal.
Tensor cat(const std::vector<Tensor>& tensors, int64_t dim = 0);
/// The same along a new dim; all sizes are equal.
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim = 0);
/// Parts of these sizes, and `chunks` parts of nearly the same size.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
Tensor contiguous(const Tensor& x);  ///< x itself if it is row-major already
Tensor clone(const Tensor& x);       ///< a copy; the gradient goes to x

// ---- more views
/// A dim in several whose product it is; one size may be -1.
Tensor unflatten(const Tensor& x, int64_t dim, const Shape& sizes);
/// Dim source[i] at place destination[i], the others in their order.
Tensor movedim(const Tensor& x, const Shape& source, const Shape& destination);
/// x[..., start:start + length, ...]
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
/// x[..., i, i + offset, ...], i as the last dim.
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
/// Windows of `size` positions, `step` apart: dim counts them, a new last dim lies inside them.
Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step);
/// The storage of x read with any sizes and strides from its element storage_offset on (none: from
/// where x begins); a view. Elements that are read several times add up in the gradient. Error
/// (runtime) for negative numbers and for what lies beyond the storage.
Tensor as_strided(const Tensor& x, const Shape& sizes, const Shape& strides,
                  std::optional<int64_t> storage_offset = std::nullopt);
/// The memory of x read as another dtype, without history; where that has other element sizes, the
/// last dim counts fewer or more of them. Error (runtime) where they do not come out even.
Tensor view_dtype(const Tensor& x, DType dtype);
/// x[0], x[1], ... along dim.
std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0);
/// x[..., :i0, ...], x[..., i0:i1, ...], ..., x[..., iN:, ...].
std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<int64_t>& indices,
                                 int64_t dim = 0);
Tensor atleast_1d(const Tensor& x);
Tensor atleast_2d(const Tensor& x);
Tensor atleast_3d(const Tensor& x);
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors);
/// Vectors as grids over all their combinations; xy: the first two dims exchanged.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, bool xy = false);

// ---- joins and grids
Tensor hstack(const std::vector<Tensor>& tensors);
Tensor vstack(const std::vector<Tensor>& tensors);
Tensor dstack(const std::vector<Tensor>& tensors);
Tensor column_stack(const std::vector<Tensor>& tensors);
Tensor block_diag(const std::vector<Tensor>& tensors);
/// Rows of all combinations of elements, the last vector's changing fastest.
Tensor cartesian_prod(const std::vector<Tensor>& tensors);
/// Rows of r elements of a vector, in order.
Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false);

// ---- elements at other places
Tensor flip(const Tensor& x, const Shape& dims);
Tensor fliplr(const Tensor& x);
Tensor flipud(const Tensor& x);
/// k quarter turns from dims[0] towards dims[1].
Tensor rot90(const Tensor& x, int64_t k = 1, const Shape& dims = {0, 1});
/// dims empty and one shift: the flattened elements.
Tensor roll(const Tensor& x, const Shape& shifts, const Shape& dims = {});
/// repeats[d] times along dim d; more repeats than dims add dims in front.
Tensor repeat(const Tensor& x, const Shape& repeats);
/// As repeat, where missing repeats are 1.
Tensor tile(const Tensor& x, const Shape& repeats);
/// Element i of dim (no dim: of the flattened x) repeats[i], or repeats[0], times in a row.
/// output_size, if given, is checked.
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size = std::nullopt);
/// x on and below (triu: above) a diagonal of its last two dims, else 0.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);
/// A vector as the diagonal of a matrix of zeros, or a copy of a matrix's diagonal.
Tensor diag(const Tensor& x, int64_t offset = 0);
/// The last dim as diagonals of matrices of zeros over dim1 and dim2.
Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
Tensor diagflat(const Tensor& x, int64_t offset = 0);
/// [..., C r r, H, W] -> [..., C, H r, W r], and back.
Tensor pixel_shuffle(const Tensor& x, int64_t factor);
Tensor pixel_unshuffle(const Tensor& x, int64_t factor);
/// x [N, C, ...] with its channels in another order: the first of each group, the second of each
/// and so on. Error kRuntime unless there are more than 2 dims and groups divides C.
Tensor channel_shuffle(const Tensor& x, int64_t groups);

/// What padding is filled with: a number, x mirrored at its edge (which is not repeated), x's edge,
/// x from its other end.
enum class PadMode : int32_t { kConstant = 0, kReflect = 1, kReplicate = 2, kCircular = 3 };
/// `pads` holds pairs (before, after) from the last dim on; negative ones cut off.
Tensor pad(const Tensor& x, const std::vector<int64_t>& pads, PadMode mode = PadMode::kConstant,
           double value = 0);

/// How positions between elements are read: the element before (or the nearest one), on lines or
/// cubic curves (aligned: the corners of input and output coincide), or as means of areas.
enum class Interpolation : int32_t {
  kNearest = 0,
  kNearestExact = 1,
  kLinear = 2,
  kLinearAligned = 3,
  kCubic = 4,
  kCubicAligned = 5,
  kArea = 6
};
/// [N, C, ...] with other sizes of the 1 to 3 spatial dims. `scales` (or none) says how far output
/// positions lie apart where it is not the quotient of the sizes.
Tensor interpolate(const Tensor& x, const Shape& sizes, const std::vector<double>& scales = {},
                   Interpolation mode = Interpolation::kNearest);

/// How the points of a grid are read: between the nearest elements on lines, the nearest one, or on
/// cubic curves (images only).
enum class SampleMode : int32_t { kLinear = 0, kNearest = 1, kCubic = 2 };
/// What lies outside: zeros, the edge, or the image mirrored.
enum class SamplePadding : int32_t { kZeros = 0, kBorder = 1, kReflection = 2 };
/// Images [N, C, H, W] (or volumes [N, C, D, H, W]) read at the points of grid [N, h, w, 2] (or
/// [N, d, h, w, 3]), whose coordinates, the last dim's first, go from -1 to 1 over the image:
/// over the centres of its corner elements with align_corners, else over its edges.
Tensor grid_sample(const Tensor& x, const Tensor& grid, SampleMode mode = SampleMode::kLinear,
                   SamplePadding padding = SamplePadding::kZeros, bool align_corners = false);
/// The grid for grid_sample that affine maps theta [N, 2, 3] (or [N, 3, 4]) make of the points of
/// images of `sizes` [N, C, H, W] (or [N, C, D, H, W]).
Tensor affine_grid(const Tensor& theta, const Shape& sizes, bool align_corners = false);

}  // namespace autograd
