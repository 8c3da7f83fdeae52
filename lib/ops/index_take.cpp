// Parts of a tensor picked by positions: reading them, writing to them, adding to them.
#include <algorithm>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/index_plan.hpp"
#include "ops/indexing.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// In the attributes of all ops here: lists[0] = indexed dims, lists[1] = sizes of the whole where
// it is no input, ints[0] = place (as in Indexed), ints[1] = Range, ints[2] = accumulate.
Indexed indexed_of(const Attrs& attrs) { return {attrs.lists[0], static_cast<int>(attrs.ints[0])}; }
Range range_of(const Attrs& attrs) { return static_cast<Range>(attrs.ints[1]); }

Attrs take_attrs(const Shape& dims, int place, Range range) {
  Attrs attrs;
  attrs.lists[0] = dims;
  attrs.ints[0] = place;
  attrs.ints[1] = static_cast<int64_t>(range);
  return attrs;
}

// ---- examples: a dim in front that may count examples of the index as well

// The attributes for a whole with examples in front and an index that is the same for all.
Attrs shifted_dims(const Attrs& attrs) {
  Attrs shifted = attrs;
  for (int i = 0; i < shifted.lists[0].size(); ++i) ++shifted.lists[0][i];
  ++shifted.ints[0];
  return shifted;
}

// The same for an index that differs: the examples become an indexed dim.
Attrs example_dims(const Attrs& attrs) {
  Attrs shifted = shifted_dims(attrs);
  --shifted.ints[0];
  shifted.lists[0].insert(0, 0);
  return shifted;
}

// The positions through the examples as well; `sizes` are those of one example of the whole.
Tensor example_positions(const BatchedCall& c, int index, const Shape& sizes) {
  int64_t n = 1;
  for (int64_t d : c.attrs.lists[0]) n *= sizes[static_cast<int>(d)];
  Shape column = Shape::filled(c.rank(index) + 1, 1);
  column[0] = c.size;
  const Tensor numbers = reshape(arange(0, static_cast<double>(c.size), 1, DType::kInt64), column);
  return positions_through({numbers, c.values[index]}, {c.size, n}, {0, c.attrs.lists[0][0]},
                           n == 0 || c.size == 0, static_cast<Range>(c.attrs.ints[1]));
}

Tensor with_first_dim_at(const Tensor& t, int64_t place) { return movedim(t, {0}, {place}); }
Tensor with_first_dim_from(const Tensor& t, int64_t place) { return movedim(t, {place}, {0}); }

bool batch_take(const BatchedCall& c) {
  if (!c.is_batched(1)) {
    c.make({c.values[0], c.values[1]}, shifted_dims(c.attrs));
    return true;
  }
  if (c.is_batched(0))
    c.make({c.values[0], example_positions(c, 1, c.sizes(0))}, example_dims(c.attrs));
  else
    c.make({c.values[0], c.values[1]}, c.attrs);
  c.outputs[0] = with_first_dim_from(c.outputs[0], c.attrs.ints[0]);
  return true;
}

bool batch_take_backward(const BatchedCall& c) {
  Attrs attrs = c.is_batched(1) ? example_dims(c.attrs) : shifted_dims(c.attrs);
  attrs.lists[1].insert(0, c.size);
  if (c.is_batched(1))
    c.make(
        {with_first_dim_at(c.front(0), c.attrs.ints[0]), example_positions(c, 1, c.attrs.lists[1])},
        attrs);
  else
    c.make({c.values[0], c.values[1]}, attrs);
  return true;
}

bool batch_put(const BatchedCall& c) {
  const int rank = c.rank(0) - c.attrs.lists[0].size() + c.rank(2);
  if (!c.is_batched(2)) {
    c.make({c.values[0], c.aligned(1, rank), c.values[2]}, shifted_dims(c.attrs));
    return true;
  }
  Shape sizes = Shape::filled(rank + 1 - c.rank(1), 1);
  for (int64_t n : c.sizes(1)) sizes.push_back(n);
  if (c.is_batched(1)) sizes[0] = c.size;
  const Tensor values = reshape(c.values[1], sizes);
  c.make({c.values[0], with_first_dim_at(values, c.attrs.ints[0]),
          example_positions(c, 2, c.sizes(0))},
         example_dims(c.attrs));
  return true;
}

// ---- index_take

void infer_take(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = indexed_sizes(call.in(0).sizes, indexed_of(call.attrs), call.in(1).sizes);
}

void forward_take(const Call& call) {
  const TensorBody& x = call.in(0);
  const Indexed indexed = indexed_of(call.attrs);
  const Tensor offsets = offsets_of(x, indexed.dims, call.in(1), range_of(call.attrs));
  const int64_t item = item_size(x.dtype);
  char* out = call.out().data;
  run_blocks(plan_blocks(x, indexed, offsets.numel(), false), Split::kOuterOrCount,
             [&](const cpu::Blocks& blocks, int64_t first, int64_t x_at, int64_t y_at) {
               cpu::take_blocks(item, x.data + x_at * item,
                                static_cast<const int64_t*>(offsets.data()) + first,
                                out + y_at * item, blocks);
             });
}

void backward_take(Backward& b);

// The dims that positions count through, for a tensor of these sizes.
void check_indexed(const Call& call, const Shape& sizes) {
  const Shape& dims = call.attrs.lists[0];
  int64_t after = -1;
  for (int64_t d : dims) {
    need(call, d > after && d < std::max(sizes.size(), 1), "dims out of order or not there");
    after = d;
  }
  need(call, dims.size() <= sizes.size(), "dims that are not there");
  need_number(call, 0, 0, sizes.size() - dims.size());
  need_number(call, 1, 0, static_cast<int64_t>(Range::kCopy));
}

void check_take(const Call& call) {
  need_counts(call, 2, 2);
  check_indexed(call, call.in(0).sizes);
}

void check_take_backward(const Call& call) {
  need_counts(call, 2, 2);
  const Shape& sizes = need_sizes_list(call, 1);
  check_indexed(call, sizes);
  need_sizes(call, 0, indexed_sizes(sizes, indexed_of(call.attrs), call.in(1).sizes));
}

void check_put(const Call& call) {
  need_counts(call, 3, 3);
  check_indexed(call, call.in(0).sizes);
}

void check_positions(const Call& call) {
  need_counts(call, 1, kMaxDims);
  for (int i = 0; i < 2; ++i) need_list(call, i, call.n_inputs);
}

constexpr Op op_take = {.name = "index_take",
                        .traits = kCopies,
                        .infer = infer_take,
                        .forward = {forward_take},
                        .backward = backward_take,
                        .reads = {reads_input(1)},
                        .attrs = "dims;;place,range",
                        .doc = "the parts of x at the positions",
                        .batch = {.call = batch_take},
                        .check = check_take};

// ---- index_take_backward: zeros to which g is added at the positions

void infer_take_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[1];
}

// x op= y at the positions; y is one element or has the sizes of the result, dense.
void write_parts(TensorBody& x, const Attrs& attrs, TensorBody& index, TensorBody& y,
                 bool accumulate) {
  const Indexed indexed = indexed_of(attrs);
  const Tensor offsets = offsets_of(x, indexed.dims, index, range_of(attrs));
  const int64_t item = item_size(x.dtype);
  const char* from = y.data;
  run_blocks(plan_blocks(x, indexed, offsets.numel(), y.numel == 1), Split::kOuterOrInner,
             [&](const cpu::Blocks& blocks, int64_t first, int64_t x_at, int64_t y_at) {
               const int64_t* at = static_cast<const int64_t*>(offsets.data()) + first;
               char* to = x.data + x_at * item;
               if (accumulate)
                 cpu::add_blocks(x.dtype, to, at, from + y_at * item, blocks);
               else
                 cpu::put_blocks(item, to, at, from + y_at * item, blocks);
             });
}

void forward_take_backward(const Call& call) {
  TensorBody& out = call.out();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  const Tensor g = dense(call.in(0));
  write_parts(out, call.attrs, call.in(1), *body(g), true);
}

constexpr Op op_take_backward = {
    .name = "index_take_backward",
    .traits = kCopies,
    .infer = infer_take_backward,
    .forward = {forward_take_backward},
    .backward =
        [](Backward& b) {
          b.set(0, dispatch(op_take, {b.grad(), b.input(1)}, b.attrs()));
        },
    .reads = {reads_input(1)},
    .attrs = "dims,sizes;;place,range",
    .doc = "zeros to which g is added at the positions",
    .batch = {.call = batch_take_backward},
    .check = check_take_backward};

void backward_take(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[1] = b.input_sizes(0);
  b.set(0, dispatch(op_take_backward, {b.grad(), b.input(1)}, attrs));
}

// ---- index_put_: values written, or added, at the positions

void infer_put(const Call& call, OutputMetas& outputs) {
  const TensorBody &self = call.in(0), &values = call.in(1);
  const Shape result = indexed_sizes(self.sizes, indexed_of(call.attrs), call.in(2).sizes);
  if (!broadcasts_to(values.sizes, result))
    fail(ErrorCode::kRuntime, "shape mismatch: value tensor of shape ", values.sizes,
         " cannot be broadcast to indexing result of shape ", result, " (of a tensor of sizes ",
         self.sizes, ")");
  OutputMeta& meta = outputs.add();
  meta.dtype = self.dtype;
  meta.sizes = self.sizes;
}

// The values in the dtype of self: one element, or dense with the sizes of the result.
Tensor spread_values(const Call& call) {
  TensorBody &self = call.in(0), &values = call.in(1);
  const bool one = values.numel == 1;
  if (values.dtype == self.dtype && one) return borrow(&values);
  const Shape sizes =
      one ? Shape{} : indexed_sizes(self.sizes, indexed_of(call.attrs), call.in(2).sizes);
  if (values.dtype == self.dtype && values.is_contiguous && values.sizes == sizes)
    return borrow(&values);
  Tensor spread = make_tensor(sizes, self.dtype);
  const Tensor single = one ? make_alias(&values, {}, {}, 0) : borrow(&values);
  copy_into(*body(spread), *body(single));
  return spread;
}

void forward_put(const Call& call) {
  const Tensor values = spread_values(call);
  write_parts(call.out(), call.attrs, call.in(2), *body(values), call.attrs.ints[2] != 0);
}

void backward_put(Backward& b);

constexpr Op op_put = {.name = "index_put_",
                       .traits = kCopies | kInPlace,
                       .infer = infer_put,
                       .forward = {forward_put},
                       .backward = backward_put,
                       .reads = {reads_input(2), reads_input(2)},
                       .attrs = "dims;;place,range,accumulate",
                       .doc = "self with values written, or added, at the positions",
                       .batch = {.call = batch_put},
                       .check = check_put};

void backward_put(Backward& b) {
  if (b.needs(0)) {
    if (b.attrs().ints[2]) {
      b.set(0, b.grad());
    } else {
      Tensor rest = clone(b.grad());
      dispatch_in_place(op_put, {rest, scalar(0), b.input(2)}, b.attrs());
      b.set(0, rest);
    }
  }
  if (b.needs(1)) b.set(1, dispatch(op_take, {b.grad(), b.input(2)}, b.attrs()));
}

// ---- index_positions: one position through several dims from one per dim

// lists[0] = sizes of the dims, lists[1] = their numbers, for errors; ints[0] = nothing will be
// read, positions are not looked at; ints[1] = none counts from the end.
void infer_positions(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = DType::kInt64;
  for (int i = 0; i < call.n_inputs; ++i) {
    Shape longer = meta.sizes, shorter = call.in(i).sizes;
    if (longer.size() < shorter.size()) std::swap(longer, shorter);
    const int shift = longer.size() - shorter.size();
    for (int d = 0; d < shorter.size(); ++d) {
      int64_t& n = longer[d + shift];
      if (n == 1) n = shorter[d];
      if (n == shorter[d] || shorter[d] == 1) continue;
      std::string shapes;
      for (int k = 0; k < call.n_inputs; ++k)
        shapes += (k ? ", " : "") + to_string(call.in(k).sizes);
      fail(ErrorCode::kIndex,
           "shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
    }
    meta.sizes = longer;
  }
}

void forward_positions(const Call& call) {
  TensorBody& out = call.out();
  int64_t* total = reinterpret_cast<int64_t*>(out.data);
  std::memset(total, 0, static_cast<size_t>(out.numel) * sizeof(int64_t));
  const Tensor spread = make_tensor(out.sizes, DType::kInt64);
  const bool wraps = !call.attrs.ints[1];
  for (int i = 0; i < call.n_inputs; ++i) {
    const int64_t n = call.attrs.lists[0][i];
    const TensorBody& in = call.in(i);
    const bool plain = in.is_contiguous && in.dtype == DType::kInt64 && in.sizes == out.sizes;
    if (!plain) copy_into(*body(spread), call.in(i));
    const int64_t* positions =
        plain ? reinterpret_cast<const int64_t*>(in.data) : spread.data_as<int64_t>();
    for (int64_t j = 0; j < out.numel; ++j) {
      const int64_t given = positions[j], p = given < 0 && wraps ? given + n : given;
      if ((p < 0 || p >= n) && !(call.attrs.ints[0] && n > 0))
        fail(ErrorCode::kIndex, "index ", given, " is out of bounds for dimension ",
             call.attrs.lists[1][i], " with size ", n);
      // Unsigned: the sizes of an empty tensor may have a product beyond 64 bits.
      total[j] = static_cast<int64_t>(static_cast<uint64_t>(total[j]) * static_cast<uint64_t>(n) +
                                      static_cast<uint64_t>(p));
    }
  }
}

constexpr Op op_positions = {.name = "index_positions",
                             .traits = kCopies,
                             .infer = infer_positions,
                             .forward = {forward_positions},
                             .attrs = "sizes,dims;;is_empty,from_start",
                             .doc = "positions through several dims from one position per dim",
                             .batch = {.call = batch_broadcast},
                             .check = check_positions};

constexpr const Op* kTakeOps[] = {&op_take, &op_take_backward, &op_put, &op_positions};

}  // namespace

OpList index_take_ops() { return {kTakeOps, std::size(kTakeOps)}; }

// ---- for the rest of the family

Tensor positions_through(const std::vector<Tensor>& per_dim, const Shape& sizes, const Shape& dims,
                         bool is_empty, Range range) {
  Attrs attrs;
  attrs.lists[0] = sizes;
  attrs.lists[1] = dims;
  attrs.ints[0] = is_empty;
  attrs.ints[1] = range != Range::kWrap && range != Range::kFlat;
  const std::vector<Arg> inputs(per_dim.begin(), per_dim.end());
  return dispatch(op_positions, inputs.data(), static_cast<int>(inputs.size()), attrs);
}

Tensor take_parts(const Tensor& x, const Shape& dims, int place, const Tensor& index, Range range) {
  return dispatch(op_take, {x, index}, take_attrs(dims, place, range));
}

void put_parts_(Tensor& self, const Shape& dims, int place, const Tensor& index,
                const Tensor& values, Range range, bool accumulate) {
  Attrs attrs = take_attrs(dims, place, range);
  attrs.ints[2] = accumulate;
  dispatch_in_place(op_put, {self, values, index}, attrs);
}

Shape all_dims(int rank) {
  Shape dims;
  for (int d = 0; d < rank; ++d) dims.push_back(d);
  return dims;
}

}  // namespace detail
}  // namespace autograd
