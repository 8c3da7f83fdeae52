// Views that read memory in another pattern: diagonals and sliding windows. The sum of a diagonal.
#include <algorithm>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "kernels/cpu/linalg.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// Where a view lies: relative to the first element of what it is taken of.
struct Placement {
  Shape sizes, strides;
  int64_t offset = 0;
};

void set_view(OutputMetas& outputs, const Placement& place) {
  OutputMeta& meta = outputs.add();
  meta.is_view = true;
  meta.sizes = place.sizes;
  meta.strides = place.strides;
  meta.offset = place.offset;
}

void infer_of_input_sizes(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[0];
}

void clear(TensorBody& out) {
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
}

Tensor with_sizes(const Op& op, Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[0] = b.input_sizes(0);
  return dispatch(op, {b.grad()}, attrs);
}

// ---- diagonal; ints: offset, dim1, dim2

Placement diagonal_of(const Shape& sizes, const Shape& strides, const Attrs& attrs) {
  const int64_t offset = attrs.ints[0];
  const int dim1 = static_cast<int>(attrs.ints[1]), dim2 = static_cast<int>(attrs.ints[2]);
  const int64_t rows = sizes[dim1], columns = sizes[dim2];
  // Compared before subtracting: an offset may be any number.
  int64_t length = 0;
  if (offset >= 0 && offset < columns) length = std::min(rows, columns - offset);
  if (offset < 0 && offset > -rows) length = std::min(rows + offset, columns);
  Placement place;
  for (int d = 0; d < sizes.size(); ++d) {
    if (d == dim1 || d == dim2) continue;
    place.sizes.push_back(sizes[d]);
    place.strides.push_back(strides[d]);
  }
  place.sizes.push_back(length);
  place.strides.push_back(strides[dim1] + strides[dim2]);
  if (length > 0) place.offset = offset >= 0 ? offset * strides[dim2] : -offset * strides[dim1];
  return place;
}

void infer_diagonal(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  set_view(outputs, diagonal_of(x.sizes, x.strides, call.attrs));
}

void forward_diagonal_backward(const Call& call) {
  TensorBody& out = call.out();
  clear(out);
  if (call.in(0).numel == 0) return;
  const Placement place = diagonal_of(out.sizes, out.strides, call.attrs);
  Tensor part = make_alias(&out, place.sizes, place.strides, place.offset);
  copy_into(*body(part), call.in(0));
}

void backward_diagonal(Backward& b);
void backward_diagonal_backward(Backward& b);

void shift_diagonal(Attrs& a, int64_t) {
  ++a.ints[1];
  ++a.ints[2];
}
void shift_diagonal_backward(Attrs& a, int64_t n) {
  lead_sizes(a, n);
  shift_diagonal(a, n);
}

void check_diagonal_dims(const Call& call, int rank) {
  need(call, rank >= 2 && need_dim(call, 1, rank) != need_dim(call, 2, rank),
       "two different dims are wanted");
}

void check_diagonal(const Call& call) {
  need_counts(call, 1, 1);
  check_diagonal_dims(call, call.in(0).sizes.size());
}

void check_diagonal_backward(const Call& call) {
  need_counts(call, 1, 1);
  const Shape& sizes = need_sizes_list(call, 0);
  check_diagonal_dims(call, sizes.size());
  need_sizes(call, 0, diagonal_of(sizes, contiguous_strides(sizes), call.attrs).sizes);
}

constexpr Op op_diagonal = {.name = "diagonal",
                            .traits = kView,
                            .infer = infer_diagonal,
                            .forward = {nullptr},
                            .backward = backward_diagonal,
                            .attrs = ";;offset,dim1,dim2",
                            .doc = "x[..., i, i + offset, ...] with i as the last dim",
                            .batch = {1, shift_diagonal},
                            .check = check_diagonal};
constexpr Op op_diagonal_backward = {.name = "diagonal_backward",
                                     .traits = kCopies,
                                     .infer = infer_of_input_sizes,
                                     .forward = {forward_diagonal_backward},
                                     .backward = backward_diagonal_backward,
                                     .attrs = "sizes;;offset,dim1,dim2",
                                     .doc = "zeros with g on a diagonal",
                                     .batch = {1, shift_diagonal_backward},
                                     .check = check_diagonal_backward};

void backward_diagonal(Backward& b) { b.set(0, with_sizes(op_diagonal_backward, b)); }
void backward_diagonal_backward(Backward& b) {
  b.set(0, diagonal(b.grad(), b.attrs().ints[0], b.attrs().ints[1], b.attrs().ints[2]));
}

// ---- trace of matrices [..., n, m]

void infer_trace(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  OutputMeta& meta = outputs.add();
  meta.dtype = is_floating(x.dtype) ? x.dtype : DType::kInt64;
  meta.sizes = Shape(x.sizes.data(), x.sizes.size() - 2);
}

void forward_trace(const Call& call) {
  TensorBody& out = call.out();
  const Tensor x = out.sizes.empty() ? borrow(&call.in(0)) : dense(call.in(0));
  const Shape &sizes = x.sizes(), &strides = x.strides();
  const int rows = sizes.size() - 2;
  cpu::traces(x.dtype(), x.data(), out.data, out.numel, sizes[rows] * sizes[rows + 1],
              std::min(sizes[rows], sizes[rows + 1]), strides[rows] + strides[rows + 1]);
}

void backward_trace(Backward& b) {
  const Shape& sizes = b.input_sizes(0);
  const int rows = sizes.size() - 2;
  Attrs attrs;
  attrs.lists[0] = sizes;
  attrs.ints[1] = rows;
  attrs.ints[2] = rows + 1;
  const Shape each = diagonal_of(sizes, contiguous_strides(sizes), attrs).sizes;
  b.set(0, dispatch(op_diagonal_backward, {expand(unsqueeze(b.grad(), -1), each)}, attrs));
}

void check_trace(const Call& call) {
  need_counts(call, 1, 1);
  need(call, call.in(0).sizes.size() >= 2 && call.in(0).dtype != DType::kBool,
       "matrices of numbers are wanted");
}

constexpr Op op_trace = {.name = "trace",
                         .traits = kReduction,
                         .infer = infer_trace,
                         .forward = {forward_trace},
                         .backward = backward_trace,
                         .doc = "sum of the diagonal of a matrix",
                         .batch = {1},
                         .check = check_trace};

// ---- unfold; ints: dim, size, step

Placement windows_of(const Shape& sizes, const Shape& strides, const Attrs& attrs) {
  const int dim = static_cast<int>(attrs.ints[0]);
  const int64_t size = attrs.ints[1], step = attrs.ints[2];
  Placement place{sizes, strides, 0};
  place.sizes.push_back(size);
  place.strides.push_back(sizes.empty() ? 1 : strides[dim]);
  if (sizes.empty()) return place;
  place.sizes[dim] = (sizes[dim] - size) / step + 1;
  // The stride of a single window is never walked; it must not overflow.
  if (__builtin_mul_overflow(strides[dim], step, &place.strides[dim])) place.strides[dim] = 0;
  return place;
}

void infer_unfold(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  set_view(outputs, windows_of(x.sizes, x.strides, call.attrs));
}

// The k-th elements of all windows do not overlap: one addition for each k.
void forward_unfold_backward(const Call& call) {
  TensorBody &g = call.in(0), &out = call.out();
  clear(out);
  if (g.numel == 0) return;
  const Placement to = windows_of(out.sizes, out.strides, call.attrs);
  Shape sizes = g.sizes, from = g.strides, into = to.strides;
  const int64_t n = sizes.back(), from_step = from.back(), into_step = into.back();
  for (Shape* s : {&sizes, &from, &into}) s->erase(s->size() - 1);
  const double none[2] = {0, 0};
  for (int64_t k = 0; k < n; ++k) {
    Tensor part = make_alias(&out, sizes, into, k * into_step);
    const Tensor term = make_alias(&g, sizes, from, k * from_step);
    const Arg inputs[2] = {part, term};
    run_pointwise(static_cast<int>(cpu::PointwiseOp::k_add), out.dtype, none, *body(part), inputs,
                  2, false);
  }
}

void backward_unfold(Backward& b);
void backward_unfold_backward(Backward& b);

void check_unfold_numbers(const Call& call, const Shape& sizes) {
  const int dim = need_dim(call, 0, sizes.size());
  need_number(call, 1, 0, sizes.empty() ? 1 : sizes[dim]);
  need_number(call, 2, 1, kMostElements);
}

void check_unfold(const Call& call) {
  need_counts(call, 1, 1);
  check_unfold_numbers(call, call.in(0).sizes);
}

void check_unfold_backward(const Call& call) {
  need_counts(call, 1, 1);
  need_float(call, 0);
  const Shape& sizes = need_sizes_list(call, 0);
  check_unfold_numbers(call, sizes);
  need_sizes(call, 0, windows_of(sizes, contiguous_strides(sizes), call.attrs).sizes);
}

constexpr Op op_unfold = {.name = "unfold",
                          .traits = kView,
                          .infer = infer_unfold,
                          .forward = {nullptr},
                          .backward = backward_unfold,
                          .attrs = ";;dim,size,step",
                          .doc = "windows of `size` positions, `step` apart, as a last dim",
                          .batch = by_dim(1),
                          .check = check_unfold};
constexpr Op op_unfold_backward = {.name = "unfold_backward",
                                   .traits = kCopies,
                                   .infer = infer_of_input_sizes,
                                   .forward = {forward_unfold_backward},
                                   .backward = backward_unfold_backward,
                                   .attrs = "sizes;;dim,size,step",
                                   .doc = "the sum of the windows, each at its place",
                                   .batch = by_sizes_and_dim(1),
                                   .check = check_unfold_backward};

void backward_unfold(Backward& b) { b.set(0, with_sizes(op_unfold_backward, b)); }
void backward_unfold_backward(Backward& b) {
  b.set(0, unfold(b.grad(), b.attrs().ints[0], b.attrs().ints[1], b.attrs().ints[2]));
}

constexpr const Op* kWindowOps[] = {&op_diagonal, &op_diagonal_backward, &op_trace, &op_unfold,
                                    &op_unfold_backward};

}  // namespace

OpList window_ops() { return {kWindowOps, std::size(kWindowOps)}; }

}  // namespace detail

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  detail::Attrs attrs;
  attrs.ints[0] = offset;
  attrs.ints[1] = detail::normalize_dim(dim1, x.dim());
  attrs.ints[2] = detail::normalize_dim(dim2, x.dim());
  if (attrs.ints[1] == attrs.ints[2])
    fail(ErrorCode::kRuntime, "diagonal dimensions cannot be identical ", dim1, ", ", dim2,
         " (sizes ", x.sizes(), ")");
  return detail::dispatch(detail::op_diagonal, {x}, attrs);
}

Tensor trace(const Tensor& x) {
  if (x.dim() != 2)
    fail(ErrorCode::kRuntime, "trace: expected a matrix, but got tensor with dim ", x.dim(),
         " and sizes ", x.sizes());
  if (x.dtype() == DType::kBool)
    fail(ErrorCode::kNotImplemented, "\"trace\" not implemented for 'Bool'");
  return detail::dispatch(detail::op_trace, {x});
}

Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  const int d = detail::normalize_dim(dim, x.dim());
  const int64_t most = x.dim() ? x.sizes()[d] : 1;
  if (size < 0) fail(ErrorCode::kRuntime, "size is ", size, " but must be >= 0");
  if (size > most)
    fail(ErrorCode::kRuntime, "maximum size for tensor at dimension ", d, " is ", most,
         " but size is ", size, " (sizes ", x.sizes(), ")");
  if (step <= 0) fail(ErrorCode::kRuntime, "step is ", step, " but must be > 0");
  detail::Attrs attrs;
  attrs.ints[0] = d;
  attrs.ints[1] = size;
  attrs.ints[2] = step;
  return detail::dispatch(detail::op_unfold, {x}, attrs);
}

// ---- diagonals out of vectors

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const int rank = x.dim() + 1;
  if (x.dim() == 0) fail(ErrorCode::kIndex, "diag_embed: needs at least one dim, got a 0-d tensor");
  detail::Attrs attrs;
  attrs.ints[0] = offset;
  attrs.ints[1] = detail::normalize_dim(dim1, rank);
  attrs.ints[2] = detail::normalize_dim(dim2, rank);
  if (attrs.ints[1] == attrs.ints[2])
    fail(ErrorCode::kRuntime, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  int64_t side;
  const uint64_t shift =
      offset < 0 ? -static_cast<uint64_t>(offset) : static_cast<uint64_t>(offset);
  if (shift > INT64_MAX ||
      __builtin_add_overflow(x.sizes().back(), static_cast<int64_t>(shift), &side))
    fail(ErrorCode::kRuntime, "diag_embed: offset ", offset, " is too large");
  Shape& sizes = attrs.lists[0];
  const int low = static_cast<int>(std::min(attrs.ints[1], attrs.ints[2])),
            high = static_cast<int>(std::max(attrs.ints[1], attrs.ints[2]));
  for (int d = 0, from = 0; d < rank; ++d)
    sizes.push_back(d == low || d == high ? side : x.sizes()[from++]);
  return detail::dispatch(detail::op_diagonal_backward, {x}, attrs);
}

Tensor diag(const Tensor& x, int64_t offset) {
  if (x.dim() != 1 && x.dim() != 2)
    fail(ErrorCode::kRuntime, "diag(): Supports 1D or 2D tensors. Got ", x.dim(), "D (sizes ",
         x.sizes(), ")");
  // A copy, as the function's result has memory of its own in the other direction too.
  return x.dim() == 1 ? diag_embed(x, offset) : clone(diagonal(x, offset, 0, 1));
}

Tensor diagflat(const Tensor& x, int64_t offset) { return diag_embed(reshape(x, {-1}), offset); }

}  // namespace autograd
