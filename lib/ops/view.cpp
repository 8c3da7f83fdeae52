// Ops that only change how memory is read: views wherever PyTorch gives views.
#include <algorithm>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ---- view: the same elements in other sizes

// Strides of a view of `sizes` over memory read as (old, old_strides); false if there are none.
// Dims that are adjacent in memory form a chunk; each chunk must be filled by whole new dims.
bool view_strides(const Shape& old, const Shape& old_strides, const Shape& sizes, Shape& strides) {
  strides = Shape::filled(sizes.size(), 1);
  int to = sizes.size() - 1;
  int64_t chunk = 1, filled = 1;
  int64_t base = old.empty() ? 1 : old_strides.back();
  for (int d = old.size() - 1; d >= 0; --d) {
    chunk *= old[d];
    const bool ends = d == 0 || (old[d - 1] != 1 && old_strides[d - 1] != chunk * base);
    if (!ends) continue;
    while (to >= 0 && (filled < chunk || sizes[to] == 1)) {
      strides[to] = filled * base;
      filled *= sizes[to--];
    }
    if (filled != chunk) return false;
    if (d > 0) {
      base = old_strides[d - 1];
      chunk = filled = 1;
    }
  }
  for (; to >= 0; --to) {
    if (sizes[to] != 1) return false;
    strides[to] = filled * base;
  }
  return true;
}

bool can_view(const TensorBody& x, const Shape& sizes, Shape& strides) {
  if (x.is_contiguous || x.numel == 0) {
    strides = contiguous_strides(sizes);
    return true;
  }
  return view_strides(x.sizes, x.strides, sizes, strides);
}

void infer_view(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  const TensorBody& x = call.in(0);
  meta.is_view = true;
  meta.sizes = call.attrs.lists[0];
  if (!can_view(x, meta.sizes, meta.strides))
    fail(ErrorCode::kRuntime,
         "view size is not compatible with input tensor's size and stride (at least one dimension "
         "spans "
         "across two contiguous subspaces). Use .reshape(...) instead. Got sizes ",
         x.sizes, " strides ", x.strides, " and new sizes ", meta.sizes);
}

// A dim in front stays there.
void lead_order(Attrs& a, int64_t) {
  for (int i = 0; i < a.lists[0].size(); ++i) ++a.lists[0][i];
  a.lists[0].insert(0, 0);
}

bool batch_expand(const BatchedCall& c) {
  Attrs attrs = c.attrs;
  lead_sizes(attrs, c.size);
  c.make({c.aligned(0, c.attrs.lists[0].size())}, attrs);
  return true;
}

void check_view(const Call& call) {
  need_counts(call, 1, 1);
  int64_t numel = 1;
  for (int64_t size : need_sizes_list(call, 0)) numel *= size;
  need_numel(call, 0, numel);
}

constexpr Op op_view = {
    .name = "view",
    .traits = kView,
    .infer = infer_view,
    .forward = {nullptr},
    .backward = [](Backward& b) { b.set(0, reshape(b.grad(), b.input_sizes(0))); },
    .attrs = "sizes",
    .doc = "the same elements in other sizes",
    .batch = {1, lead_sizes},
    .check = check_view};

// ---- permute

void infer_permute(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  const TensorBody& x = call.in(0);
  meta.is_view = true;
  for (int64_t d : call.attrs.lists[0]) {
    meta.sizes.push_back(x.sizes[static_cast<int>(d)]);
    meta.strides.push_back(x.strides[static_cast<int>(d)]);
  }
}

void backward_permute(Backward& b) {
  const Shape& dims = b.attrs().lists[0];
  Shape inverse = dims;
  for (int i = 0; i < dims.size(); ++i) inverse[static_cast<int>(dims[i])] = i;
  b.set(0, permute(b.grad(), inverse));
}

void check_permute(const Call& call) {
  need_counts(call, 1, 1);
  const int rank = call.in(0).sizes.size();
  uint32_t seen = 0;
  for (int64_t d : need_list(call, 0, rank, 0, rank - 1)) seen |= 1u << d;
  need(call, seen == (1u << rank) - 1, "dims appear twice");
}

constexpr Op op_permute = {.name = "permute",
                           .traits = kView,
                           .infer = infer_permute,
                           .forward = {nullptr},
                           .backward = backward_permute,
                           .attrs = "dims",
                           .doc = "dims in another order",
                           .batch = {1, lead_order},
                           .check = check_permute};

// ---- expand: the engine sums the gradient

void infer_expand(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  const TensorBody& x = call.in(0);
  meta.is_view = true;
  meta.sizes = call.attrs.lists[0];
  meta.strides = broadcast_strides(x.sizes, x.strides, meta.sizes);
}

void check_expand(const Call& call) {
  need_counts(call, 1, 1);
  need(call, broadcasts_to(call.in(0).sizes, need_sizes_list(call, 0)), "sizes do not fit");
}

constexpr Op op_expand = {.name = "expand",
                          .traits = kView,
                          .infer = infer_expand,
                          .forward = {nullptr},
                          .backward = [](Backward& b) { b.set(0, b.grad()); },
                          .attrs = "sizes",
                          .doc = "dims of size 1 repeated without copying",
                          .batch = {.call = batch_expand},
                          .check = check_expand};

constexpr const Op* kViewOps[] = {&op_view, &op_permute, &op_expand};

// Replaces one -1 and checks that the number of elements stays.
Shape resolve_sizes(const Tensor& x, const Shape& sizes) {
  Shape out = sizes;
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1) {
      if (unknown >= 0)
        fail(ErrorCode::kRuntime, "only one dimension can be inferred, got shape ", sizes);
      unknown = i;
    } else {
      if (sizes[i] < 0)
        fail(ErrorCode::kRuntime, "invalid shape dimension ", sizes[i], " in shape ", sizes);
      if (__builtin_mul_overflow(known, sizes[i], &known)) known = -1;
    }
  }
  const bool fits = unknown >= 0 ? known > 0 && x.numel() % known == 0 : known == x.numel();
  if (unknown >= 0 && known == 0)
    fail(ErrorCode::kRuntime, "cannot reshape tensor of 0 elements into shape ", sizes,
         " because the unspecified dimension size -1 can be any value and is ambiguous");
  if (!fits)
    fail(ErrorCode::kRuntime, "shape '", sizes, "' is invalid for input of size ", x.numel(),
         " (sizes ", x.sizes(), ")");
  if (unknown >= 0) out[unknown] = x.numel() / known;
  return out;
}

Tensor make_view(const Tensor& x, const Shape& sizes) {
  Attrs attrs;
  attrs.lists[0] = sizes;
  return dispatch(op_view, {x}, attrs);
}

}  // namespace

OpList view_ops() { return {kViewOps, std::size(kViewOps)}; }

}  // namespace detail

using detail::normalize_dim;

Tensor view(const Tensor& x, const Shape& sizes) {
  return detail::make_view(x, detail::resolve_sizes(x, sizes));
}

Tensor reshape(const Tensor& x, const Shape& sizes) {
  const Shape resolved = detail::resolve_sizes(x, sizes);
  Shape strides;
  return detail::make_view(detail::can_view(*detail::body(x), resolved, strides) ? x : clone(x),
                           resolved);
}

Tensor permute(const Tensor& x, const Shape& dims) {
  if (dims.size() != x.dim())
    fail(ErrorCode::kRuntime,
         "permute(sparse_coo): number of dimensions in the tensor input does not match the length "
         "of the "
         "desired ordering of dimensions i.e. input.dim() = ",
         x.dim(), " is not equal to len(dims) = ", dims.size());
  detail::Attrs attrs;
  uint32_t seen = 0;
  for (int64_t d : dims) {
    const int n = normalize_dim(d, x.dim());
    if (seen >> n & 1) fail(ErrorCode::kRuntime, "permute: repeated dim ", d, " in ", dims);
    seen |= 1u << n;
    attrs.lists[0].push_back(n);
  }
  return detail::dispatch(detail::op_permute, {x}, attrs);
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  const int a = normalize_dim(dim0, x.dim()), b = normalize_dim(dim1, x.dim());
  Shape dims;
  for (int i = 0; i < x.dim(); ++i) dims.push_back(i);
  if (x.dim() > 0) std::swap(dims[a], dims[b]);
  return permute(x, dims);
}

Tensor t(const Tensor& x) {
  if (x.dim() > 2)
    fail(ErrorCode::kRuntime, "t() expects a tensor with <= 2 dimensions, but self is ", x.dim(),
         "D");
  return transpose(x, 0, -1);
}

Tensor expand(const Tensor& x, const Shape& sizes) {
  detail::Attrs attrs;
  Shape& out = attrs.lists[0] = sizes;
  const int extra = sizes.size() - x.dim();
  if (extra < 0)
    fail(ErrorCode::kRuntime, "expand: the number of sizes provided (", sizes.size(),
         ") must be greater or equal to the number of dimensions in the tensor (", x.dim(),
         "); got ", x.sizes(), " to ", sizes);
  for (int d = 0; d < sizes.size(); ++d) {
    const int64_t old = d < extra ? 1 : x.sizes()[d - extra];
    if (sizes[d] == -1 && d >= extra) out[d] = old;
    if (out[d] < 0 || (old != 1 && out[d] != old))
      fail(ErrorCode::kRuntime, "The expanded size of the tensor (", sizes[d],
           ") must match the existing size (", old, ") at non-singleton dimension ", d,
           ".  Target sizes: ", sizes, ".  Tensor sizes: ", x.sizes());
  }
  return detail::dispatch(detail::op_expand, {x}, attrs);
}

Tensor squeeze(const Tensor& x, const Shape& dims) {
  uint32_t drop = dims.empty() ? ~0u : 0;
  for (int64_t dim : dims) {
    const uint32_t bit = 1u << normalize_dim(dim, x.dim());
    if (drop & bit)
      fail(ErrorCode::kRuntime, "squeeze: dim ", dim,
           " appears multiple times in the list of dims ", dims);
    drop |= bit;
  }
  Shape sizes;
  for (int d = 0; d < x.dim(); ++d)
    if (x.sizes()[d] != 1 || !(drop >> d & 1)) sizes.push_back(x.sizes()[d]);
  return detail::make_view(x, sizes);
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  Shape sizes = x.sizes();
  sizes.insert(normalize_dim(dim, x.dim() + 1), 1);
  return detail::make_view(x, sizes);
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  const int first = normalize_dim(start_dim, x.dim()), last = normalize_dim(end_dim, x.dim());
  if (first > last)
    fail(ErrorCode::kRuntime, "flatten() has invalid args: start_dim cannot come after end_dim (",
         start_dim, " and ", end_dim, ")");
  if (x.dim() == 0) return reshape(x, {1});
  if (first == last) return x;
  Shape sizes;
  int64_t merged = 1;
  for (int d = 0; d < x.dim(); ++d) {
    if (d >= first && d <= last) merged *= x.sizes()[d];
    if (d < first || d > last) sizes.push_back(x.sizes()[d]);
    if (d == last) sizes.push_back(merged);
  }
  return reshape(x, sizes);
}

Tensor unflatten(const Tensor& x, int64_t dim, const Shape& sizes) {
  const int d = normalize_dim(dim, x.dim());
  if (sizes.empty()) fail(ErrorCode::kRuntime, "unflatten: sizes must be non-empty");
  const int64_t size = x.dim() ? x.sizes()[d] : 1;
  int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1 && unknown >= 0)
      fail(ErrorCode::kRuntime, "unflatten: only one dimension can be inferred, got ", sizes);
    if (sizes[i] == -1)
      unknown = i;
    else if (__builtin_mul_overflow(known, sizes[i], &known))
      known = -1;
  }
  Shape parts = sizes;
  if (unknown >= 0 && known > 0 && size % known == 0) parts[unknown] = size / known;
  if (unknown >= 0 ? parts[unknown] < 0 : known != size)
    fail(ErrorCode::kRuntime, "unflatten: Provided sizes ", sizes,
         " don't multiply up to the size of dim ", d, " (", size, ") in the input tensor of sizes ",
         x.sizes());
  Shape all;
  for (int i = 0; i < x.dim() || i == 0; ++i) {
    if (i == d)
      for (int64_t part : parts) all.push_back(part);
    else
      all.push_back(x.sizes()[i]);
  }
  return view(x, all);
}

Tensor movedim(const Tensor& x, const Shape& source, const Shape& destination) {
  if (source.size() != destination.size())
    fail(ErrorCode::kRuntime, "movedim: Invalid source or destination dims: source (", source,
         " dims) should contain the same number of dims as destination (", destination, " dims)");
  const int rank = x.dim();
  Shape order = Shape::filled(rank, -1);
  uint32_t moved = 0, filled = 0;
  for (int i = 0; i < source.size(); ++i) {
    const int from = normalize_dim(source[i], rank), to = normalize_dim(destination[i], rank);
    if (moved >> from & 1)
      fail(ErrorCode::kRuntime, "movedim: repeated dim in `source` (", source, ")");
    if (filled >> to & 1)
      fail(ErrorCode::kRuntime, "movedim: repeated dim in `destination` (", destination, ")");
    moved |= 1u << from;
    filled |= 1u << to;
    if (rank) order[to] = from;
  }
  for (int to = 0, from = 0; to < rank; ++to) {
    if (filled >> to & 1) continue;
    while (moved >> from & 1) ++from;
    order[to] = from++;
  }
  return permute(x, order);
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  if (x.dim() == 0) fail(ErrorCode::kRuntime, "narrow() cannot be applied to a 0-dim tensor.");
  if (length < 0) fail(ErrorCode::kRuntime, "narrow(): length must be non-negative.");
  const int d = normalize_dim(dim, x.dim());
  const int64_t size = x.sizes()[d];
  if (start < -size || start > size)
    fail(ErrorCode::kIndex, "start out of range (expected to be in range of [", -size, ", ", size,
         "], but got ", start, ")");
  const int64_t first = start < 0 ? start + size : start;
  if (length > size - first)
    fail(ErrorCode::kRuntime, "start (", first, ") + length (", length,
         ") exceeds dimension size (", size, ").");
  return slice(x, d, first, first + length);
}

}  // namespace autograd
