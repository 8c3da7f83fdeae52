// Memory read with any sizes, strides and offset, or as another dtype.
#include <algorithm>
#include <cstring>

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

// The elements [low, high] that a tensor of these sizes reads, counted from its first; none if it
// is empty.
struct Span {
  int64_t low = 0, high = -1;
  int64_t count() const { return high - low + 1; }
};

// Fails where a number gets too large for any memory.
bool span_of(const Shape& sizes, const Shape& strides, Span& span) {
  span = {0, 0};
  for (int d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) {
      span = {};
      return true;
    }
    int64_t length;
    if (__builtin_mul_overflow(sizes[d] - 1, strides[d], &length) ||
        __builtin_add_overflow(length < 0 ? span.low : span.high, length,
                               length < 0 ? &span.low : &span.high))
      return false;
  }
  return true;
}

// ---- as_strided; lists: sizes, strides, strides of the input; ints: offset from its first element

void infer_strided(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.is_view = true;
  meta.sizes = call.attrs.lists[0];
  meta.strides = call.attrs.lists[1];
  meta.offset = call.attrs.ints[0];
}

// A view from a file stays within an input without gaps.
void check_strided(const Call& call) {
  need_counts(call, 1, 1);
  const TensorBody& x = call.in(0);
  const Shape& sizes = need_sizes_list(call, 0);
  const Shape& strides = need_list(call, 1, sizes.size());
  need(call, need_list(call, 2, x.sizes.size()) == x.strides && x.is_contiguous,
       "an argument without gaps is wanted");
  need_number(call, 0, 0, kMostElements);
  Span span;
  need(call, span_of(sizes, strides, span) && call.attrs.ints[0] + span.high < x.numel,
       "the view is larger than its source");
}

// The examples lie as far apart as in the input.
bool batch_strided(const BatchedCall& c) {
  const Tensor& all = c.values[0];
  Attrs attrs = c.attrs;
  attrs.lists[0].insert(0, c.size);
  attrs.lists[1].insert(0, all.strides()[0]);
  attrs.lists[2] = all.strides();
  c.make({all}, attrs);
  return true;
}

void backward_strided(Backward& b);

constexpr Op op_strided = {.name = "as_strided",
                           .traits = kView,
                           .infer = infer_strided,
                           .forward = {nullptr},
                           .backward = backward_strided,
                           .attrs = "sizes,strides,input_strides;;offset",
                           .doc = "memory read with any sizes and strides",
                           .batch = {.call = batch_strided},
                           .check = check_strided};

// ---- as_strided_backward(g): g is added to memory as one tensor lies there, and the memory is
// read as another one. lists: sizes and strides of the other, strides of g; ints: from the first
// element of g to that of the other.

void infer_strided_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[0];
}

// Calls visit(number, place) for the elements of a tensor, row-major.
template <class Visit>
void each_place(const Shape& sizes, const Shape& strides, int64_t offset, const Visit& visit) {
  int64_t at[kMaxDims] = {}, n = 0;
  for (;;) {
    visit(n++, offset);
    int d = sizes.size() - 1;
    for (; d >= 0; --d) {
      offset += strides[d];
      if (++at[d] < sizes[d]) break;
      offset -= at[d] * strides[d];
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

template <class T>
void add_and_read(const Tensor& g, TensorBody& out, const Attrs& attrs) {
  Span from, to;
  span_of(g.sizes(), attrs.lists[2], from);
  span_of(out.sizes, attrs.lists[1], to);
  to.low += attrs.ints[0];
  to.high += attrs.ints[0];
  const int64_t low = std::min(from.low, to.low);
  Vector<T> memory(static_cast<size_t>(std::max(from.high, to.high) - low + 1), T(0));
  const T* values = g.data_as<T>();
  each_place(g.sizes(), attrs.lists[2], -low,
             [&](int64_t n, int64_t place) { memory[static_cast<size_t>(place)] += values[n]; });
  T* results = reinterpret_cast<T*>(out.data);
  each_place(out.sizes, attrs.lists[1], attrs.ints[0] - low,
             [&](int64_t n, int64_t place) { results[n] = memory[static_cast<size_t>(place)]; });
}

void forward_strided_backward(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  if (call.in(0).numel == 0) {
    std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
    return;
  }
  const Tensor g = dense(call.in(0));
  if (out.dtype == DType::kFloat32)
    add_and_read<float>(g, out, call.attrs);
  else
    add_and_read<double>(g, out, call.attrs);
}

void check_strided_backward(const Call& call) {
  need_counts(call, 1, 1);
  need_float(call, 0);
  const Shape &sizes = need_sizes_list(call, 0), &g = call.in(0).sizes;
  need_number(call, 0, -kMostElements, kMostElements);
  Span from, to;
  need(call,
       span_of(sizes, need_list(call, 1, sizes.size()), to) &&
           span_of(g, need_list(call, 2, g.size()), from) &&
           std::max(from.high, to.high) < kMostElements,
       "the memory is too large");
}

// The memories of the examples lie one behind the other.
bool batch_strided_backward(const BatchedCall& c) {
  Attrs attrs = c.attrs;
  Span from, to;
  span_of(c.sizes(0), attrs.lists[2], from);
  span_of(attrs.lists[0], attrs.lists[1], to);
  const int64_t low = std::min(from.low, to.low + attrs.ints[0]),
                high = std::max(from.high, to.high + attrs.ints[0]);
  attrs.lists[0].insert(0, c.size);
  attrs.lists[1].insert(0, high - low + 1);
  attrs.lists[2].insert(0, high - low + 1);
  c.make({c.values[0]}, attrs);
  return true;
}

void backward_strided_backward(Backward& b);

constexpr Op op_strided_backward = {.name = "as_strided_backward",
                                    .traits = kCopies,
                                    .infer = infer_strided_backward,
                                    .forward = {forward_strided_backward},
                                    .backward = backward_strided_backward,
                                    .attrs = "sizes,strides,input_strides;;offset",
                                    .doc = "g added to memory that is read in another way",
                                    .batch = {.call = batch_strided_backward},
                                    .check = check_strided_backward};

Tensor add_to_memory(const Tensor& g, const Shape& strides, const Shape& other_sizes,
                     const Shape& other_strides, int64_t offset) {
  Attrs attrs;
  attrs.lists[0] = other_sizes;
  attrs.lists[1] = other_strides;
  attrs.lists[2] = strides;
  attrs.ints[0] = offset;
  return dispatch(op_strided_backward, {g}, attrs);
}

// True if no two elements share a place, as far as is easily seen.
bool is_apart(const Shape& sizes, const Shape& strides) {
  Vector<std::pair<int64_t, int64_t>> dims;
  for (int d = 0; d < sizes.size(); ++d)
    if (sizes[d] > 1) dims.emplace_back(std::abs(strides[d]), sizes[d]);
  std::sort(dims.begin(), dims.end());
  int64_t high = 0;
  for (const auto& [stride, size] : dims) {
    if (stride <= high) return false;
    high += stride * (size - 1);
  }
  return true;
}

// Elements of the input that share a place share its gradient.
void backward_strided(Backward& b) {
  const Attrs& attrs = b.attrs();
  const Shape &sizes = b.input_sizes(0), &strides = attrs.lists[2];
  const Tensor total = add_to_memory(b.grad(), attrs.lists[1], sizes, strides, -attrs.ints[0]);
  if (is_apart(sizes, strides)) return b.set(0, total);
  b.set(0, total / add_to_memory(ones(sizes, total.dtype()), strides, sizes, strides, 0));
}

void backward_strided_backward(Backward& b) {
  const Attrs& attrs = b.attrs();
  b.set(0,
        add_to_memory(b.grad(), attrs.lists[1], b.input_sizes(0), attrs.lists[2], -attrs.ints[0]));
}

constexpr const Op* kStridedOps[] = {&op_strided, &op_strided_backward};

// The elements of its storage that lie behind a tensor's first, and before it; of an example, those
// of its own.
Span storage_span(const TensorBody& x) {
  if (x.is_batched) {
    Span own;
    span_of(x.sizes, x.strides, own);
    return own;
  }
  const Storage& s = *x.storage;
  const int64_t item = item_size(x.dtype);
  const int64_t bytes =
      static_cast<int64_t>(s.bytes) - (s.foreign ? 0 : s.data - reinterpret_cast<const char*>(&s));
  const int64_t before = (x.data - s.data) / item;
  return {-before, bytes / item - before - 1};
}

}  // namespace

OpList strided_ops() { return {kStridedOps, std::size(kStridedOps)}; }

}  // namespace detail

Tensor as_strided(const Tensor& x, const Shape& sizes, const Shape& strides,
                  std::optional<int64_t> storage_offset) {
  if (sizes.size() != strides.size())
    fail(ErrorCode::kRuntime, "mismatch in length of strides and shape: as_strided got sizes ",
         sizes, " and strides ", strides);
  for (int d = 0; d < sizes.size(); ++d)
    if (sizes[d] < 0 || strides[d] < 0)
      fail(ErrorCode::kRuntime,
           "as_strided: Negative sizes and strides are not supported, got sizes ", sizes,
           " and strides ", strides);
  if (storage_offset && *storage_offset < 0)
    fail(ErrorCode::kRuntime, "as_strided: negative storage offset ", *storage_offset);
  detail::checked_numel(sizes);
  const detail::TensorBody& b = *detail::body(x);
  const detail::Span storage = detail::storage_span(b);
  detail::Attrs attrs;
  attrs.lists[0] = sizes;
  attrs.lists[1] = strides;
  attrs.lists[2] = b.strides;
  attrs.ints[0] = storage_offset ? *storage_offset + storage.low : 0;
  detail::Span span;
  int64_t end;
  if (!detail::span_of(sizes, strides, span) ||
      __builtin_add_overflow(attrs.ints[0], span.high, &end) ||
      (span.count() && end > storage.high))
    fail(ErrorCode::kRuntime, "as_strided: sizes ", sizes, ", strides ", strides,
         " and storage offset ", x.storage_offset() + attrs.ints[0],
         " are out of bounds for storage of size ", storage.count(), " (elements)");
  if (!span.count()) attrs.ints[0] = 0;
  return detail::dispatch(detail::op_strided, {x}, attrs);
}

// No op, like detach(): the same memory without history.
Tensor view_dtype(const Tensor& x, DType dtype) {
  detail::TensorBody& b = *detail::body(x);
  const int64_t from = detail::item_size(b.dtype), to = detail::item_size(dtype);
  const auto refuse = [&](const char* what, auto... more) {
    fail(ErrorCode::kRuntime, what, more..., " to view ", name_of(b.dtype), " as ", name_of(dtype),
         " (different element sizes), got sizes ", b.sizes, ", strides ", b.strides,
         " and storage offset ", x.storage_offset());
  };
  if (b.is_batched)
    fail(ErrorCode::kNotImplemented, "view_dtype: not implemented for examples of vmap");
  Shape sizes = b.sizes, strides = b.strides;
  const int last = sizes.size() - 1;
  if (from != to) {
    if (last < 0) refuse("self.dim() cannot be 0");
    if (strides[last] != 1) refuse("self.stride(-1) must be 1");
    const auto scaled = [&](const char* what, int64_t number) {
      if (number * from % to) refuse(what, " must be divisible by ", to / from);
      return number * from / to;
    };
    sizes[last] = scaled("self.size(-1)", sizes[last]);
    scaled("self.storage_offset()", x.storage_offset());
    for (int d = 0; d < last; ++d) strides[d] = scaled("self.stride", strides[d]);
  }
  Tensor view = detail::make_alias(&b, sizes, strides, 0);
  detail::TensorBody& made = *detail::body(view);
  made.dtype = dtype;
  made.made_at = detail::here();
  made.cut = b.needs_grad() ? detail::Cut::kNoRule : b.cut;
  made.cut_at = b.needs_grad() ? made.made_at : b.cut_at;
  made.leaves = detail::leaves_behind(&b);
  return view;
}

}  // namespace autograd
