// Basic indexing (a box of the input, as a view), writing to a box, and rows picked by number.
#include "kernels/cpu/index.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// A box: per dim of the input a start, a step and a length; bits of `dropped` mark dims that an int
// removed.
struct Box {
  Shape starts, steps, lengths;
  int64_t dropped = 0;
  bool drops(int d) const { return dropped >> d & 1; }
  Shape kept_lengths() const {
    Shape kept;
    for (int d = 0; d < lengths.size(); ++d)
      if (!drops(d)) kept.push_back(lengths[d]);
    return kept;
  }
};

// `third` is the lengths for slice and slice_assign_, the input's sizes for slice_backward.
Attrs box_attrs(const Box& box, const Shape& third) {
  Attrs attrs;
  attrs.lists[0] = box.starts;
  attrs.lists[1] = box.steps;
  attrs.lists[2] = third;
  attrs.ints[0] = box.dropped;
  return attrs;
}

Tensor box_view(const TensorBody& x, const Attrs& attrs, const Shape& lengths) {
  Shape sizes, strides;
  int64_t offset = 0;
  for (int d = 0; d < lengths.size(); ++d) {
    if (lengths[d] > 0) offset += attrs.lists[0][d] * x.strides[d];
    if (attrs.ints[0] >> d & 1) continue;
    sizes.push_back(lengths[d]);
    strides.push_back(x.strides[d] * attrs.lists[1][d]);
  }
  return make_alias(&x, sizes, strides, x.numel ? offset : 0);
}

Shape full_lengths(const Shape& kept, int rank, int64_t dropped) {
  Shape lengths;
  int next = 0;
  for (int d = 0; d < rank; ++d) lengths.push_back(dropped >> d & 1 ? 1 : kept[next++]);
  return lengths;
}

// ---- slice

void infer_slice(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  const Attrs& a = call.attrs;
  OutputMeta& meta = outputs.add();
  meta.is_view = true;
  for (int d = 0; d < x.sizes.size(); ++d) {
    if (a.lists[2][d] > 0 && x.numel) meta.offset += a.lists[0][d] * x.strides[d];
    if (a.ints[0] >> d & 1) continue;
    meta.sizes.push_back(a.lists[2][d]);
    meta.strides.push_back(x.strides[d] * a.lists[1][d]);
  }
}

Tensor slice_backward(const Tensor& g, const Attrs& slice_attrs, const Shape& input_sizes);

void backward_slice(Backward& b) {
  b.set(0, slice_backward(b.grad(), b.attrs(), b.input_sizes(0)));
}

constexpr Op op_slice = {.name = "slice",
                         .traits = kView,
                         .infer = infer_slice,
                         .forward = {nullptr},
                         .backward = backward_slice,
                         .attrs = "starts,steps,lengths;;dropped",
                         .doc = "a box of x: int and slice indices of all dims in one view"};

// ---- slice_backward: zeros with g in the box

void infer_slice_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[2];
}

void forward_slice_backward(const Call& call) {
  TensorBody& out = call.out();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  Tensor box = box_view(out, call.attrs,
                        full_lengths(call.in(0).sizes, out.sizes.size(), call.attrs.ints[0]));
  copy_into(*body(box), call.in(0));
}

void backward_slice_backward(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[2] = full_lengths(b.input_sizes(0), attrs.lists[2].size(), attrs.ints[0]);
  b.set(0, dispatch(op_slice, {b.grad()}, attrs));
}

constexpr Op op_slice_backward = {.name = "slice_backward",
                                  .traits = kCopies,
                                  .infer = infer_slice_backward,
                                  .forward = {forward_slice_backward},
                                  .backward = backward_slice_backward,
                                  .attrs = "starts,steps,sizes;;dropped",
                                  .doc = "zeros of the input's sizes with g in the box"};

Tensor slice_backward(const Tensor& g, const Attrs& slice_attrs, const Shape& input_sizes) {
  Attrs attrs = slice_attrs;
  attrs.lists[2] = input_sizes;
  return dispatch(op_slice_backward, {g}, attrs);
}

// ---- slice_assign_: src, broadcast and converted, written to the box

void infer_assign(const Call& call, OutputMetas& outputs) {
  const TensorBody& self = call.in(0);
  const Box box{call.attrs.lists[0], call.attrs.lists[1], call.attrs.lists[2], call.attrs.ints[0]};
  const Shape kept = box.kept_lengths();
  if (!broadcasts_to(call.in(1).sizes, kept))
    fail(ErrorCode::kRuntime, "shape mismatch: value tensor of shape ", call.in(1).sizes,
         " cannot be broadcast to indexing result of shape ", kept, " (of a tensor of sizes ",
         self.sizes, ")");
  OutputMeta& meta = outputs.add();
  meta.dtype = self.dtype;
  meta.sizes = self.sizes;
}

void forward_assign(const Call& call) {
  Tensor box = box_view(call.out(), call.attrs, call.attrs.lists[2]);
  copy_into(*body(box), call.in(1));
}

Tensor assign_(Tensor& self, const Attrs& attrs, const Tensor& src);

void backward_assign(Backward& b) {
  if (b.needs(0)) {
    Tensor rest = clone(b.grad());
    b.set(0, assign_(rest, b.attrs(), scalar(0)));
  }
  if (b.needs(1)) b.set(1, dispatch(op_slice, {b.grad()}, b.attrs()));
}

constexpr Op op_slice_assign = {.name = "slice_assign_",
                                .traits = kCopies | kInPlace,
                                .infer = infer_assign,
                                .forward = {forward_assign},
                                .backward = backward_assign,
                                .attrs = "starts,steps,lengths;;dropped",
                                .doc = "self with src in the box"};

Tensor assign_(Tensor& self, const Attrs& attrs, const Tensor& src) {
  dispatch_in_place(op_slice_assign, {self, src}, attrs);
  return self;
}

// ---- index_select

int64_t outer_of(const Shape& sizes, int dim) {
  int64_t n = 1;
  for (int d = 0; d < dim; ++d) n *= sizes[d];
  return n;
}
int64_t inner_of(const Shape& sizes, int dim) {
  int64_t n = 1;
  for (int d = dim + 1; d < sizes.size(); ++d) n *= sizes[d];
  return n;
}

void infer_index_select(const Call& call, OutputMetas& outputs) {
  const TensorBody &x = call.in(0), &index = call.in(1);
  const int dim = static_cast<int>(call.attrs.ints[0]);
  if (index.dtype != DType::kInt64 && index.dtype != DType::kInt32)
    fail(ErrorCode::kRuntime, "index_select(): Expected dtype int32 or int64 for index, got ",
         name_of(index.dtype));
  if (index.sizes.size() > 1)
    fail(ErrorCode::kIndex, "index_select(): Index is supposed to be a vector, got sizes ",
         index.sizes);
  if (x.sizes.empty() && index.numel != 1)
    fail(ErrorCode::kRuntime, "index_select(): Index to scalar can have only 1 value, got ",
         index.numel, " value(s)");
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = x.sizes;
  if (!meta.sizes.empty()) meta.sizes[dim] = index.numel;
}

// Contiguous int64 positions, each checked against n.
Tensor checked_index(TensorBody& index, int64_t n) {
  Tensor positions = make_tensor({index.numel}, DType::kInt64);
  int64_t* p = positions.data_as<int64_t>();
  borrow(&index).copy_out(DType::kInt64, p);
  for (int64_t i = 0; i < index.numel; ++i)
    if (p[i] < 0 || p[i] >= n)
      fail(ErrorCode::kIndex, "index out of range in self: index ", p[i],
           " is out of bounds for dimension with size ", n);
  return positions;
}

void forward_index_select(const Call& call) {
  TensorBody& x = call.in(0);
  const int dim = static_cast<int>(call.attrs.ints[0]);
  const int64_t n = x.sizes.empty() ? 1 : x.sizes[dim];
  const Tensor index = checked_index(call.in(1), n), from = dense(x);
  cpu::take_rows(from.data(), index.data_as<int64_t>(), call.out().data, outer_of(x.sizes, dim), n,
                 index.numel(), inner_of(x.sizes, dim) * static_cast<int64_t>(size_of(x.dtype)));
}

void backward_index_select(Backward& b);

constexpr Op op_index_select = {.name = "index_select",
                                .traits = kCopies,
                                .infer = infer_index_select,
                                .forward = {forward_index_select},
                                .backward = backward_index_select,
                                .reads = {reads_input(1)},
                                .attrs = ";;dim",
                                .doc = "slices number index[i] along dim"};

void infer_index_select_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[0];
}

void forward_index_select_backward(const Call& call) {
  TensorBody &g = call.in(0), &out = call.out();
  const int dim = static_cast<int>(call.attrs.ints[0]);
  const int64_t n = out.sizes.empty() ? 1 : out.sizes[dim];
  const Tensor index = checked_index(call.in(1), n), from = dense(g);
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  cpu::add_rows(g.dtype, from.data(), index.data_as<int64_t>(), out.data, outer_of(out.sizes, dim),
                n, index.numel(), inner_of(out.sizes, dim));
}

constexpr Op op_index_select_backward = {
    .name = "index_select_backward",
    .traits = kCopies,
    .infer = infer_index_select_backward,
    .forward = {forward_index_select_backward},
    .backward =
        [](Backward& b) { b.set(0, index_select(b.grad(), b.attrs().ints[0], b.input(1))); },
    .reads = {reads_input(1)},
    .attrs = "sizes;;dim",
    .doc = "zeros to which g's slices are added at index[i]"};

void backward_index_select(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[0] = b.input_sizes(0);
  b.set(0, dispatch(op_index_select_backward, {b.grad(), b.input(1)}, attrs));
}

constexpr const Op* kIndexOps[] = {&op_slice, &op_slice_backward, &op_slice_assign,
                                   &op_index_select, &op_index_select_backward};

// ---- items of basic indexing

void set_slice(Box& box, int d, int64_t size, const Index& item) {
  if (item.c <= 0) fail(ErrorCode::kValue, "step must be greater than zero, got ", item.c);
  const auto clip = [size](int64_t at, int64_t absent_low, int64_t absent_high) {
    if (at == std::numeric_limits<int64_t>::min()) return absent_low;
    if (at == std::numeric_limits<int64_t>::max()) return absent_high;
    if (at < 0) at += size;
    return std::clamp<int64_t>(at, 0, size);
  };
  const int64_t start = clip(item.a, 0, size), end = clip(item.b, 0, size);
  box.starts[d] = start;
  box.steps[d] =
      std::min(item.c, std::max<int64_t>(size, 1));  // no further than the dim: no overflow
  box.lengths[d] = end > start ? (end - start - 1) / item.c + 1 : 0;
}

struct ParsedIndex {
  Box box;
  Shape new_dims;  // positions in the result at which a dim of size 1 is inserted, ascending
};

ParsedIndex parse(const Tensor& x, const std::vector<Index>& items) {
  ParsedIndex parsed;
  Box& box = parsed.box;
  const int rank = x.dim();
  box.starts = Shape::filled(rank, 0);
  box.steps = Shape::filled(rank, 1);
  box.lengths = x.sizes();
  int consumed = 0, ellipses = 0;
  for (const Index& item : items) {
    consumed += item.kind == Index::Kind::kInt || item.kind == Index::Kind::kSlice;
    ellipses += item.kind == Index::Kind::kEllipsis;
  }
  if (ellipses > 1) fail(ErrorCode::kIndex, "an index can only have a single ellipsis ('...')");
  if (consumed > rank)
    fail(ErrorCode::kIndex, "too many indices for tensor of dimension ", rank, " (got ", consumed,
         ", sizes ", x.sizes(), ")");
  int d = 0, result_dim = 0;
  for (const Index& item : items) {
    switch (item.kind) {
      case Index::Kind::kInt: {
        const int64_t size = x.sizes()[d];
        if (item.a < -size || item.a >= size)
          fail(ErrorCode::kIndex, "index ", item.a, " is out of bounds for dimension ", d,
               " with size ", size);
        box.starts[d] = item.a < 0 ? item.a + size : item.a;
        box.lengths[d] = 1;
        box.dropped |= int64_t{1} << d++;
        break;
      }
      case Index::Kind::kSlice:
        set_slice(box, d, x.sizes()[d], item);
        ++d, ++result_dim;
        break;
      case Index::Kind::kNewaxis:
        parsed.new_dims.push_back(result_dim++);
        break;
      case Index::Kind::kEllipsis:
        d += rank - consumed;
        result_dim += rank - consumed;
        break;
    }
  }
  return parsed;
}

}  // namespace

OpList index_ops() { return {kIndexOps, std::size(kIndexOps)}; }

}  // namespace detail

Tensor index(const Tensor& x, const std::vector<Index>& items) {
  const detail::ParsedIndex parsed = detail::parse(x, items);
  Tensor y =
      detail::dispatch(detail::op_slice, {x}, detail::box_attrs(parsed.box, parsed.box.lengths));
  if (parsed.new_dims.empty()) return y;
  Shape sizes = y.sizes();
  for (int64_t d : parsed.new_dims) sizes.insert(static_cast<int>(d), 1);
  return view(y, sizes);
}

Tensor& index_put_(Tensor& self, const std::vector<Index>& items, const Tensor& src) {
  const detail::ParsedIndex parsed = detail::parse(self, items);
  Tensor value = src;
  if (!parsed.new_dims.empty()) {
    // The dims that None inserts exist in the value only.
    const Shape kept = parsed.box.kept_lengths();
    Shape sizes = kept;
    for (int64_t d : parsed.new_dims) sizes.insert(static_cast<int>(d), 1);
    value = reshape(expand(src, sizes), kept);
  }
  // Leading dims of size 1 are dropped as PyTorch does.
  while (value.dim() > parsed.box.kept_lengths().size() && value.sizes()[0] == 1)
    value = squeeze(value, {0});
  detail::assign_(self, detail::box_attrs(parsed.box, parsed.box.lengths), value);
  return self;
}

Tensor select(const Tensor& x, int64_t dim, int64_t position) {
  if (x.dim() == 0) fail(ErrorCode::kIndex, "select() cannot be applied to a 0-dim tensor.");
  const int d = detail::normalize_dim(dim, x.dim());
  if (position < -x.sizes()[d] || position >= x.sizes()[d])
    fail(ErrorCode::kIndex, "index ", position, " is out of bounds for dimension ", d,
         " with size ", x.sizes()[d], " (select(): index ", position,
         " out of range for tensor of size ", x.sizes(), " at dimension ", d, ")");
  std::vector<Index> items(static_cast<size_t>(d),
                           {Index::Kind::kSlice, std::numeric_limits<int64_t>::min(),
                            std::numeric_limits<int64_t>::max(), 1});
  items.push_back({Index::Kind::kInt, position, 0, 1});
  return index(x, items);
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step) {
  if (x.dim() == 0) fail(ErrorCode::kIndex, "slice() cannot be applied to a 0-dim tensor.");
  if (step <= 0) fail(ErrorCode::kRuntime, "slice step must be positive, got ", step);
  const int d = detail::normalize_dim(dim, x.dim());
  detail::Box box{Shape::filled(x.dim(), 0), Shape::filled(x.dim(), 1), x.sizes(), 0};
  detail::set_slice(box, d, x.sizes()[d], {Index::Kind::kSlice, start, end, step});
  return detail::dispatch(detail::op_slice, {x}, detail::box_attrs(box, box.lengths));
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& positions) {
  detail::Attrs attrs;
  attrs.ints[0] = detail::normalize_dim(dim, x.dim());
  return detail::dispatch(detail::op_index_select, {x, positions}, attrs);
}

}  // namespace autograd
