// The functions over index_take and index_put_: along one dim, through the leading dims, or through
// all of them. Copies with a part replaced.
#include <cstring>
#include <string>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "ops/indexing.hpp"

namespace autograd {
namespace detail {
namespace {

bool is_position(const Tensor& index) {
  return index.dtype() == DType::kInt64 || index.dtype() == DType::kInt32;
}

void check_vector(const char* op, ErrorCode code, const Tensor& index) {
  if (index.dim() > 1)
    fail(code, op, ": Index is supposed to be a vector, but got dim: ", index.dim(), " with type ",
         name_of(index.dtype()), " and size: ", index.sizes());
}

// A 0-d tensor has one dim for these functions.
Tensor at_least_1d(const Tensor& t) { return t.dim() == 0 ? view(t, {1}) : t; }

Shape without(const Shape& sizes, int dim) {
  Shape rest = sizes;
  if (!rest.empty()) rest.erase(dim);
  return rest;
}

// self's slices along dim; a 0-d self is written through a view.
void put_slices_(Tensor& self, int dim, const Tensor& index, const Tensor& values, Range range,
                 bool accumulate) {
  Tensor target = at_least_1d(self);
  put_parts_(target, {dim}, dim, at_least_1d(index), values, range, accumulate);
}

int check_slices(const char* op, const Tensor& self, int64_t dim, const Tensor& index,
                 const Tensor& source) {
  const int d = normalize_dim(dim, self.dim());
  check_vector(op, ErrorCode::kIndex, index);
  if (!is_position(index))
    fail(ErrorCode::kRuntime, op,
         ": Expected dtype int32/int64 for index but got: ", name_of(index.dtype()));
  if (self.dtype() != source.dtype())
    fail(ErrorCode::kRuntime, op, ": self (", name_of(self.dtype()), ") and source (",
         name_of(source.dtype()), ") must have the same scalar type");
  const int64_t along = source.dim() == 0 ? 1 : source.size(d);
  if (index.numel() != along)
    fail(ErrorCode::kRuntime, op, ": Number of indices (", index.numel(),
         ") should be equal to source.size(dim): (", along, "), for dim: ", d, " (sizes ",
         self.sizes(), " and ", source.sizes(), ")");
  if (source.dim() != 0 && without(self.sizes(), d) != without(source.sizes(), d))
    fail(ErrorCode::kRuntime,
         "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
         "self.shape = ",
         self.sizes(), " source.shape = ", source.sizes());
  return d;
}

int check_index_copy(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
  const int d = normalize_dim(dim, self.dim());
  check_vector("index_copy_()", ErrorCode::kIndex, index);
  if (source.dim() == 0 && index.numel() != 1)
    fail(ErrorCode::kIndex,
         "index_copy_(): When source is scalar, index should have one element "
         "(got ",
         index.numel(), ")");
  if (source.dim() != self.dim() && source.dim() != 0 && self.dim() != 0)
    fail(ErrorCode::kIndex,
         "index_copy_(): When source and destination are not scalars, their dimensionality must "
         "match. Source dimensionality (",
         source.dim(), "), destination dimensionality (", self.dim(), "); sizes ", source.sizes(),
         " and ", self.sizes());
  if (index.dtype() != DType::kInt64)
    fail(ErrorCode::kRuntime, "index_copy_(): Expected a long tensor for index, but got ",
         name_of(index.dtype()));
  if (self.dtype() != source.dtype())
    fail(ErrorCode::kRuntime,
         "index_copy_(): self and source expected to have the same dtype, but got (self) ",
         name_of(self.dtype()), " and (source) ", name_of(source.dtype()));
  const Shape to = without(self.sizes(), d);
  const Shape from = source.dim() ? without(source.sizes(), d) : Shape{};
  if (to != from)
    fail(ErrorCode::kRuntime,
         "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice "
         "shape: ",
         to, " at dimension ", d, " and source slice shape: ", from, " at dimension 0. (sizes ",
         self.sizes(), " and ", source.sizes(), ")");
  if (source.dim() && index.numel() != source.size(d))
    fail(ErrorCode::kIndex, "index_copy_(): Number of indices (", index.numel(),
         ") should be equal to source.size(dim) (", source.size(d), ")");
  return d;
}

// A copy of x whose part, a view, is src, converted.
template <class Part>
Tensor with_part(const char* op, const Tensor& x, const Tensor& src, const Part& part_of) {
  Tensor result = written_with(clone(x), {&src}), part = part_of(result);
  if (src.sizes() != part.sizes())
    fail(ErrorCode::kRuntime, op,
         "(): expected src to have a size equal to the slice of self. src size = ", src.sizes(),
         ", slice size = ", part.sizes());
  const UnseenTarget unseen(result);
  copy_(part, src);
  return result;
}

// True in the slices that index names, broadcasting to self: a slice named twice is filled once,
// which the gradient of value has to know.
Tensor slices_mask(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
  if (index.dtype() != DType::kInt64)
    fail(ErrorCode::kIndex, "index_fill_(): Expected dtype int64 for index, got ",
         name_of(index.dtype()));
  const int d = normalize_dim(dim, self.dim());
  if (index.dim() > 1)
    fail(ErrorCode::kRuntime, "Index has to be a vector/scalar, got sizes ", index.sizes());
  if (value.dim() > 0)
    fail(ErrorCode::kRuntime,
         "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
         value.dim(), " dimension(s) (sizes ", value.sizes(), ")");
  Tensor mask = written_with(zeros({self.dim() ? self.sizes()[d] : 1}, DType::kBool), {&index});
  const UnseenTarget unseen(mask);
  put_parts_(mask, {0}, 0, at_least_1d(index), scalar(true), Range::kWrap, false);
  Shape sizes = Shape::filled(self.dim(), 1);
  if (self.dim()) sizes[d] = mask.numel();
  return view(mask, sizes);
}

void check_flat(const char* op, const Tensor& self, const Tensor& index) {
  if (index.dtype() != DType::kInt64)
    fail(ErrorCode::kRuntime, op, "(): Expected a long tensor for index, but got ",
         name_of(index.dtype()));
  if (self.numel() == 0 && index.numel() != 0)
    fail(ErrorCode::kIndex, op, "(): tried to take from an empty tensor (sizes ", self.sizes(),
         ")");
}

std::vector<Index> tensor_items(const std::vector<Tensor>& indices) {
  std::vector<Index> items;
  for (size_t i = 0; i < indices.size(); ++i)
    items.push_back({Index::Kind::kTensor, static_cast<int64_t>(i)});
  return items;
}

}  // namespace
}  // namespace detail

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  const int d = detail::normalize_dim(dim, x.dim());
  detail::check_vector("index_select()", ErrorCode::kIndex, index);
  if (!detail::is_position(index))
    fail(ErrorCode::kRuntime, "index_select(): Expected dtype int32 or int64 for index, got ",
         name_of(index.dtype()));
  if (x.dim() > 0)
    return detail::take_parts(x, {d}, d, detail::at_least_1d(index), detail::Range::kSelect);
  if (index.numel() != 1)
    fail(ErrorCode::kRuntime, "index_select(): Index to scalar can have only 1 value, got ",
         index.numel(), " value(s)");
  return view(
      detail::take_parts(view(x, {1}), {0}, 0, detail::at_least_1d(index), detail::Range::kSelect),
      {});
}

Tensor& index_add_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                   const Scalar& alpha) {
  const int d = detail::check_slices("index_add_()", self, dim, index, source);
  const bool plain = alpha.real() == 1;
  const Tensor values = plain ? source : to(mul(source, scalar(alpha)), source.dtype());
  detail::put_slices_(self, d, index, values, detail::Range::kAdd, true);
  return self;
}
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
  detail::check_slices("index_add_()", x, dim, index, source);
  Tensor result = detail::written_with(clone(x), {&index, &source});
  const detail::UnseenTarget unseen(result);
  return index_add_(result, dim, index, source, alpha);
}

Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    ScatterReduce reduce, bool include_self) {
  const int d = detail::check_slices("index_reduce()", x, dim, index, source);
  if (reduce == ScatterReduce::kSum)
    fail(ErrorCode::kRuntime,
         "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got sum");
  if (source.dim() != x.dim())
    fail(ErrorCode::kRuntime,
         "index_reduce(): source tensor shape must match self tensor shape, excluding the "
         "specified dimension. Got self.shape = ",
         x.sizes(), " source.shape = ", source.sizes());
  const Tensor rows = detail::at_least_1d(source);
  Shape along = Shape::filled(rows.dim(), 1);
  along[d] = index.numel();
  const Tensor places = expand(reshape(index, along), rows.sizes());
  try {
    const Tensor target = detail::at_least_1d(x);
    return view(scatter_reduce(target, d, places, rows, reduce, include_self), x.sizes());
  } catch (const Error& error) {
    if (!std::strstr(error.what(), "out of bounds")) throw;
    throw Error(ErrorCode::kIndex, std::string("index_reduce(): ") + error.what());
  }
}
Tensor& index_reduce_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                      ScatterReduce reduce, bool include_self) {
  return copy_(self, index_reduce(self, dim, index, source, reduce, include_self));
}

Tensor& index_copy_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
  const int d = detail::check_index_copy(self, dim, index, source);
  detail::put_slices_(self, d, index, source, detail::Range::kCopy, false);
  return self;
}
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  detail::check_index_copy(x, dim, index, source);
  Tensor result = detail::written_with(clone(x), {&index, &source});
  const detail::UnseenTarget unseen(result);
  return index_copy_(result, dim, index, source);
}

Tensor& index_fill_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
  return masked_fill_(self, detail::slices_mask(self, dim, index, value), value);
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  return masked_fill(x, detail::slices_mask(x, dim, index, value), value);
}

Tensor& index_put_(Tensor& self, const std::vector<Tensor>& indices, const Tensor& values,
                   bool accumulate) {
  detail::put_items_(self, detail::tensor_items(indices), indices, values, accumulate);
  return self;
}
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate) {
  Tensor result = detail::written_with(clone(x), {&values});
  for (const Tensor& index : indices)
    if (index) result = detail::written_with(result, {&index});
  const detail::UnseenTarget unseen(result);
  return index_put_(result, indices, values, accumulate);
}

Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t position) {
  return detail::with_part("select_scatter", x, src,
                           [&](const Tensor& t) { return select(t, dim, position); });
}
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t start, int64_t end,
                     int64_t step) {
  return detail::with_part("slice_scatter", x, src,
                           [&](const Tensor& t) { return slice(t, dim, start, end, step); });
}
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset, int64_t dim1,
                        int64_t dim2) {
  return detail::with_part("diagonal_scatter", x, src,
                           [&](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
}

Tensor take(const Tensor& x, const Tensor& index) {
  detail::check_flat("take", x, index);
  return detail::take_parts(x, detail::all_dims(x.dim()), 0, index, detail::Range::kFlat);
}

Tensor& put_(Tensor& self, const Tensor& index, const Tensor& source, bool accumulate) {
  detail::check_flat("put_", self, index);
  if (self.dtype() != source.dtype())
    fail(ErrorCode::kRuntime,
         "put_(): self and source expected to have the same dtype, but got self.dtype = ",
         name_of(self.dtype()), " and source.dtype = ", name_of(source.dtype()));
  if (source.numel() != index.numel())
    fail(ErrorCode::kIndex,
         "put_(): Expected source and index to have the same number of elements, but got "
         "source.numel() = ",
         source.numel(), ", index.numel() = ", index.numel());
  detail::put_parts_(self, detail::all_dims(self.dim()), 0, index, reshape(source, index.sizes()),
                     detail::Range::kFlat, accumulate);
  return self;
}

Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  Tensor result = detail::written_with(clone(x), {&index, &source});
  const detail::UnseenTarget unseen(result);
  return put_(result, index, source, accumulate);
}

}  // namespace autograd
