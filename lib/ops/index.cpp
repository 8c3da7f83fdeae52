// x[...]: a box of the input as a view, writing to a box, and items that choose positions.
#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/indexing.hpp"
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

// The box holds all examples; `third` of lists is lengths or sizes.
void lead_lengths(Attrs& a, int64_t n) {
  a.lists[0].insert(0, 0);
  a.lists[1].insert(0, 1);
  a.lists[2].insert(0, n);
  a.ints[0] <<= 1;
}

bool batch_assign(const BatchedCall& c) {
  int kept = 0;
  for (int d = 0; d < c.rank(0); ++d) kept += !(c.attrs.ints[0] >> d & 1);
  Attrs attrs = c.attrs;
  lead_lengths(attrs, c.size);
  c.make({c.values[0], c.aligned(1, kept)}, attrs);
  return true;
}

// The box of these lengths lies within a tensor of these sizes. Lengths of 0 start anywhere.
void check_box(const Call& call, const Shape& sizes, const Shape& lengths) {
  const int rank = sizes.size();
  const Shape &starts = need_list(call, 0, rank, -kMostElements),
              &steps = need_list(call, 1, rank, -kMostElements);
  need(call, lengths.size() == rank, "a list of another length than the operation takes");
  for (int d = 0; d < rank; ++d) {
    need(call, lengths[d] >= 0 && lengths[d] <= kMostElements, "a length is out of range");
    need(call, !(call.attrs.ints[0] >> d & 1) || lengths[d] == 1, "a dim that goes has a length");
    if (lengths[d] == 0) continue;
    const int64_t last = starts[d] + (lengths[d] - 1) * steps[d];
    need(call, starts[d] >= 0 && starts[d] < sizes[d] && last >= 0 && last < sizes[d],
         "a box beyond the tensor");
  }
}

void check_dropped(const Call& call, int rank) {
  need_number(call, 0, 0, (int64_t{1} << rank) - 1);
}

void check_slice(const Call& call) {
  need_counts(call, 1, 1);
  check_dropped(call, call.in(0).sizes.size());
  check_box(call, call.in(0).sizes, call.attrs.lists[2]);
}

void check_slice_backward(const Call& call) {
  need_counts(call, 1, 1);
  const Shape& sizes = need_sizes_list(call, 2);
  check_dropped(call, sizes.size());
  const int dropped = __builtin_popcountll(static_cast<uint64_t>(call.attrs.ints[0]));
  need_rank(call, 0, sizes.size() - dropped);
  check_box(call, sizes, full_lengths(call.in(0).sizes, sizes.size(), call.attrs.ints[0]));
}

void check_assign(const Call& call) {
  need_counts(call, 2, 2);
  check_dropped(call, call.in(0).sizes.size());
  check_box(call, call.in(0).sizes, call.attrs.lists[2]);
}

constexpr Op op_slice = {.name = "slice",
                         .traits = kView,
                         .infer = infer_slice,
                         .forward = {nullptr},
                         .backward = backward_slice,
                         .attrs = "starts,steps,lengths;;dropped",
                         .doc = "a box of x: int and slice indices of all dims in one view",
                         .batch = {1, lead_lengths},
                         .check = check_slice};

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
                                  .doc = "zeros of the input's sizes with g in the box",
                                  .batch = {1, lead_lengths},
                                  .check = check_slice_backward};

Tensor slice_backward(const Tensor& g, const Attrs& slice_attrs, const Shape& input_sizes) {
  Attrs attrs = slice_attrs;
  attrs.lists[2] = input_sizes;
  return dispatch(op_slice_backward, {g}, attrs);
}

// ---- slice_assign_: src, broadcast and converted, written to the box

void infer_slice_assign(const Call& call, OutputMetas& outputs) {
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

void forward_slice_assign(const Call& call) {
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
                                .infer = infer_slice_assign,
                                .forward = {forward_slice_assign},
                                .backward = backward_assign,
                                .attrs = "starts,steps,lengths;;dropped",
                                .doc = "self with src in the box",
                                .batch = {.call = batch_assign},
                                .check = check_assign};

Tensor assign_(Tensor& self, const Attrs& attrs, const Tensor& src) {
  dispatch_in_place(op_slice_assign, {self, src}, attrs);
  return self;
}

constexpr const Op* kIndexOps[] = {&op_slice, &op_slice_backward, &op_slice_assign};

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

// A tensor among the items, and the dim of the basic result that it indexes first.
struct Chosen {
  Tensor tensor;
  int dim;
};

struct ParsedIndex {
  Box box;
  Shape new_dims;  // positions in the result at which a dim of size 1 is inserted, ascending
  std::vector<Chosen> chosen;
  bool is_whole = true;  // the box is the tensor itself
};

bool is_mask(const Tensor& t) { return t.dtype() == DType::kBool || t.dtype() == DType::kUInt8; }

// 0-d integer tensors and bool values turned into what they mean, and counted.
int count_items(const Tensor& x, std::vector<Index>& items, const std::vector<Tensor>& tensors) {
  int64_t consumed = 0;
  for (Index& item : items) {
    if (item.kind == Index::Kind::kTensor) {
      const Tensor& t = tensors.at(static_cast<size_t>(item.a));
      if (is_floating(t.dtype()))
        fail(ErrorCode::kIndex,
             "tensors used as indices must be long, int, byte or bool tensors, got ",
             name_of(t.dtype()), " (sizes ", t.sizes(), ")");
      if (is_mask(t)) need_elements("indexing with a boolean mask", t);
      if (t.dim() == 0 && has_elements(t))
        item = {is_mask(t) ? Index::Kind::kBool : Index::Kind::kInt, t.item_int(), 0, 1};
      else
        consumed += is_mask(t) ? t.dim() : 1;
    }
    consumed += item.kind == Index::Kind::kInt || item.kind == Index::Kind::kSlice;
  }
  if (consumed > x.dim())
    fail(ErrorCode::kIndex, "too many indices for tensor of dimension ", x.dim(), " (got ",
         consumed, ", sizes ", x.sizes(), ")");
  return static_cast<int>(consumed);
}

void set_int(Box& box, int d, int64_t size, int64_t position) {
  if (position < -size || position >= size)
    fail(ErrorCode::kIndex, "index ", position, " is out of bounds for dimension ", d,
         " with size ", size);
  box.starts[d] = position < 0 ? position + size : position;
  box.lengths[d] = 1;
  box.dropped |= int64_t{1} << d;
}

void check_mask(const Tensor& mask, const Tensor& x, int d) {
  for (int i = 0; i < mask.dim(); ++i)
    if (mask.sizes()[i] != x.sizes()[d + i])
      fail(ErrorCode::kIndex, "The shape of the mask ", mask.sizes(), " at index ", i,
           " does not match the shape of the indexed tensor ", x.sizes(), " at index ", d + i);
}

Box whole(const Tensor& x) {
  return {Shape::filled(x.dim(), 0), Shape::filled(x.dim(), 1), x.sizes(), 0};
}

ParsedIndex parse(const Tensor& x, std::vector<Index>& items, const std::vector<Tensor>& tensors) {
  const int rank = x.dim(), consumed = count_items(x, items, tensors);
  ParsedIndex parsed{whole(x), {}, {}, true};
  int d = 0, result_dim = 0;
  bool open = true;  // the first ellipsis stands for all dims that are left over
  for (const Index& item : items) {
    switch (item.kind) {
      case Index::Kind::kInt:
        set_int(parsed.box, d, x.sizes()[d], item.a);
        ++d;
        parsed.is_whole = false;
        break;
      case Index::Kind::kSlice:
        set_slice(parsed.box, d, x.sizes()[d], item);
        parsed.is_whole &= parsed.box.lengths[d] == x.sizes()[d];
        ++d, ++result_dim;
        break;
      case Index::Kind::kNewaxis:
        parsed.new_dims.push_back(result_dim++);
        break;
      case Index::Kind::kBool:
        parsed.chosen.push_back(
            {item.a ? zeros({1}, DType::kInt64) : empty({0}, DType::kInt64), result_dim});
        parsed.new_dims.push_back(result_dim++);
        break;
      case Index::Kind::kEllipsis:
        if (open) d += rank - consumed, result_dim += rank - consumed;
        open = false;
        break;
      case Index::Kind::kTensor: {
        const Tensor& t = tensors[static_cast<size_t>(item.a)];
        const int used = is_mask(t) ? t.dim() : 1;
        if (is_mask(t)) check_mask(t, x, d);
        parsed.chosen.push_back({t, result_dim});
        d += used, result_dim += used;
        break;
      }
    }
  }
  return parsed;
}

Tensor basic_part(const Tensor& x, const ParsedIndex& parsed) {
  Tensor y = x;
  if (!parsed.is_whole || (parsed.chosen.empty() && parsed.new_dims.empty()))
    y = dispatch(op_slice, {x}, box_attrs(parsed.box, parsed.box.lengths));
  if (parsed.new_dims.empty()) return y;
  Shape sizes = y.sizes();
  for (int64_t d : parsed.new_dims) sizes.insert(static_cast<int>(d), 1);
  return view(y, sizes);
}

// ---- items that choose positions

struct Positions {
  Shape dims;
  int place;
  Tensor index;
};

// All that is chosen as positions through the dims concerned. The result's dims of the positions
// stand where the indexed dims stood if these are neighbours, else first.
Positions positions_of(const Tensor& part, const std::vector<Chosen>& chosen) {
  Positions found{{}, chosen[0].dim, chosen[0].tensor};
  bool neighbours = true;
  for (const Chosen& one : chosen) {
    const int used = is_mask(one.tensor) ? one.tensor.dim() : 1;
    if (!found.dims.empty()) neighbours &= found.dims.back() + 1 == one.dim;
    for (int i = 0; i < used; ++i) found.dims.push_back(one.dim + i);
  }
  if (chosen.size() == 1) {
    if (is_mask(found.index)) found.index = mask_positions(found.index);
    return found;
  }
  if (!neighbours) found.place = 0;
  std::vector<Tensor> per_dim;
  for (const Chosen& one : chosen) {
    if (!is_mask(one.tensor)) {
      per_dim.push_back(one.tensor);
      continue;
    }
    const Tensor places = nonzero(one.tensor);
    for (int i = 0; i < one.tensor.dim(); ++i) per_dim.push_back(autograd::select(places, 1, i));
  }
  Shape sizes;
  for (int64_t d : found.dims) sizes.push_back(part.sizes()[static_cast<int>(d)]);
  found.index = positions_through(per_dim, sizes, found.dims, part.numel() == 0);
  return found;
}

// Leading dims of size 1 are dropped as PyTorch does.
Tensor without_leading_ones(Tensor value, int rank) {
  while (value.dim() > rank && value.sizes()[0] == 1) value = squeeze(value, {0});
  return value;
}

// A value whose gradient ends in the box alone is written by one op; so is one behind None.
void assign_box_(Tensor& self, const ParsedIndex& parsed, const Tensor& src) {
  Tensor value = src;
  const Shape kept = parsed.box.kept_lengths();
  if (!parsed.new_dims.empty()) {
    // The dims that None inserts exist in the value only.
    Shape sizes = kept;
    for (int64_t d : parsed.new_dims) sizes.insert(static_cast<int>(d), 1);
    value = reshape(expand(without_leading_ones(src, sizes.size()), sizes), kept);
  }
  assign_(self, box_attrs(parsed.box, parsed.box.lengths),
          without_leading_ones(value, kept.size()));
}

void put_chosen_(Tensor& part, const std::vector<Chosen>& chosen, const Tensor& value,
                 bool accumulate) {
  const Chosen& first = chosen[0];
  if (chosen.size() == 1 && is_mask(first.tensor) && value.dim() == 0 && !accumulate) {
    Shape sizes = first.tensor.sizes();  // the mask, broadcast over the dims behind it
    for (int d = first.dim + first.tensor.dim(); d < part.dim(); ++d) sizes.push_back(1);
    masked_fill_(part, reshape(to(first.tensor, DType::kBool), sizes), value);
    return;
  }
  if (value.dtype() != part.dtype() && !value.head()->is_number)
    fail(ErrorCode::kRuntime, "Index put requires the source and destination dtypes match, got ",
         name_of(part.dtype()), " for the destination and ", name_of(value.dtype()),
         " for the source.");
  const Positions at = positions_of(part, chosen);
  const int rank = part.dim() - at.dims.size() + at.index.dim();
  put_parts_(part, at.dims, at.place, at.index, without_leading_ones(value, rank), Range::kWrap,
             accumulate);
}

}  // namespace

OpList index_ops() { return {kIndexOps, std::size(kIndexOps)}; }

void put_items_(Tensor& self, std::vector<Index> items, const std::vector<Tensor>& tensors,
                const Tensor& value, bool accumulate) {
  const ParsedIndex parsed = parse(self, items, tensors);
  Tensor part = parsed.chosen.empty() && !accumulate ? self : basic_part(self, parsed);
  if (!parsed.chosen.empty()) return put_chosen_(part, parsed.chosen, value, accumulate);
  if (accumulate)
    add_(part, value);
  else
    assign_box_(self, parsed, value);
}

}  // namespace detail

Tensor index(const Tensor& x, std::vector<Index> items) {
  return index_tensors(x, std::move(items), {});
}

Tensor index_tensors(const Tensor& x, std::vector<Index> items,
                     const std::vector<Tensor>& tensors) {
  if (items.size() == 1 && items[0].kind == Index::Kind::kTensor && x.dim() > 0) {
    const Tensor& t = tensors.at(static_cast<size_t>(items[0].a));
    if (t.dim() > 0 && (t.dtype() == DType::kInt64 || t.dtype() == DType::kInt32))
      return detail::take_parts(x, {0}, 0, t, detail::Range::kWrap);
  }
  const detail::ParsedIndex parsed = detail::parse(x, items, tensors);
  const Tensor part = detail::basic_part(x, parsed);
  if (parsed.chosen.empty()) return part;
  const detail::Positions at = detail::positions_of(part, parsed.chosen);
  return detail::take_parts(part, at.dims, at.place, at.index, detail::Range::kWrap);
}

Tensor& index_assign_(Tensor& self, std::vector<Index> items, const std::vector<Tensor>& tensors,
                      const Tensor& value) {
  detail::put_items_(self, std::move(items), tensors, value, false);
  return self;
}

Tensor select(const Tensor& x, int64_t dim, int64_t position) {
  if (x.dim() == 0) fail(ErrorCode::kIndex, "select() cannot be applied to a 0-dim tensor.");
  const int d = detail::normalize_dim(dim, x.dim());
  if (position < -x.sizes()[d] || position >= x.sizes()[d])
    fail(ErrorCode::kIndex, "index ", position, " is out of bounds for dimension ", d,
         " with size ", x.sizes()[d], " (select(): index ", position,
         " out of range for tensor of size ", x.sizes(), " at dimension ", d, ")");
  detail::Box box = detail::whole(x);
  detail::set_int(box, d, x.sizes()[d], position);
  return detail::dispatch(detail::op_slice, {x}, detail::box_attrs(box, box.lengths));
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step) {
  if (x.dim() == 0) fail(ErrorCode::kIndex, "slice() cannot be applied to a 0-dim tensor.");
  if (step <= 0) fail(ErrorCode::kRuntime, "slice step must be positive, got ", step);
  const int d = detail::normalize_dim(dim, x.dim());
  detail::Box box = detail::whole(x);
  detail::set_slice(box, d, x.sizes()[d], {Index::Kind::kSlice, start, end, step});
  return detail::dispatch(detail::op_slice, {x}, detail::box_attrs(box, box.lengths));
}

}  // namespace autograd
