// Copies with the elements at other places: flip, roll, repeat, padding. Each is a map from output
// to input positions, dim by dim; the gradient adds along it.
#include <algorithm>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/record.hpp"
#include "kernels/cpu/grid.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// A dim of an op: the output's size, and the input position that output position i reads.
struct Axis {
  int64_t size;
  int64_t (*map)(int64_t i, int64_t n, int64_t p);
  int64_t p;
};

using AxisOf = Axis (*)(const Attrs& attrs, int d, int64_t n);

int64_t map_flip(int64_t i, int64_t n, int64_t flipped) { return flipped ? n - 1 - i : i; }
int64_t map_roll(int64_t i, int64_t n, int64_t shift) {
  return i >= shift ? i - shift : i - shift + n;
}
int64_t map_repeat(int64_t i, int64_t n, int64_t) { return i % n; }
int64_t map_circular(int64_t i, int64_t n, int64_t left) {
  const int64_t at = (i - left) % n;
  return at < 0 ? at + n : at;
}
int64_t map_replicate(int64_t i, int64_t n, int64_t left) {
  return std::clamp<int64_t>(i - left, 0, n - 1);
}
int64_t map_reflect(int64_t i, int64_t n, int64_t left) {
  const int64_t at = i < left ? left - i : i - left;
  return at < n ? at : 2 * (n - 1) - at;
}

Axis flip_axis(const Attrs& attrs, int d, int64_t n) { return {n, map_flip, attrs.lists[0][d]}; }
Axis roll_axis(const Attrs& attrs, int d, int64_t n) { return {n, map_roll, attrs.lists[0][d]}; }
Axis repeat_axis(const Attrs& attrs, int d, int64_t n) {
  return {n * attrs.lists[0][d], map_repeat, 0};
}
Axis pad_axis(const Attrs& attrs, int d, int64_t n) {
  const auto mode = static_cast<PadMode>(attrs.ints[0]);
  const auto map = mode == PadMode::kReflect     ? map_reflect
                   : mode == PadMode::kReplicate ? map_replicate
                                                 : map_circular;
  return {n + attrs.lists[0][d] + attrs.lists[1][d], map, attrs.lists[0][d]};
}

// The grid of an op over an input of contiguous `sizes`, and the memory that it refers to.
struct Places {
  Tensor memory;
  const int64_t* offsets[kMaxDims];
  Shape sizes;
  int64_t blocks = 1;  // first dims along which nothing is shared: they may run at once
  int64_t rows = 1;

  Places(const Shape& input, const Attrs& attrs, AxisOf axis_of) {
    Axis axes[kMaxDims];
    int64_t total = 0;
    for (int d = 0; d < input.size(); ++d) {
      axes[d] = axis_of(attrs, d, input[d]);
      sizes.push_back(axes[d].size);
      total += axes[d].size;
    }
    memory = make_tensor({total}, DType::kInt64);
    int64_t* at = memory.data_as<int64_t>();
    const Shape strides = contiguous_strides(input);
    bool shared = false;
    for (int d = 0; d < input.size(); ++d) {
      offsets[d] = at;
      shared |= sizes[d] != input[d];
      for (int64_t i = 0; i < sizes[d]; ++i) {
        const int64_t from = axes[d].map(i, input[d], axes[d].p);
        shared |= from != i;
        *at++ = from * strides[d];
      }
      if (d + 1 == input.size()) break;
      rows *= sizes[d];
      if (!shared) blocks *= sizes[d];
    }
  }
  cpu::Grid grid() const { return {sizes.size(), sizes.data(), offsets}; }
};

template <AxisOf axis_of>
void infer_arrange(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  for (int d = 0; d < x.sizes.size(); ++d)
    meta.sizes.push_back(axis_of(call.attrs, d, x.sizes[d]).size);
}

template <AxisOf axis_of>
void forward_arrange(const Call& call) {
  TensorBody &x = call.in(0), &out = call.out();
  if (out.numel == 0) return;
  if (out.sizes.empty()) return copy_into(out, x);
  const Tensor from = dense(x);
  const Places places(x.sizes, call.attrs, axis_of);
  const int64_t grain = std::max<int64_t>(1, kGrain / 2 / out.sizes.back());
  parallel_for(places.rows, grain, [&](int64_t begin, int64_t end) {
    cpu::take_grid(from.data(), places.grid(), out.data, size_of(x.dtype), begin, end);
  });
}

// The gradient's op has the input's sizes as a third list.
void infer_arrange_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[2];
}

template <AxisOf axis_of>
void forward_arrange_backward(const Call& call) {
  TensorBody &g = call.in(0), &out = call.out();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  if (g.numel == 0) return;
  if (out.sizes.empty()) return copy_into(out, g);
  const Tensor from = dense(g);
  const Places places(out.sizes, call.attrs, axis_of);
  const int64_t each = places.rows / places.blocks;
  const int64_t grain = std::max<int64_t>(1, kGrain / 2 / (each * g.sizes.back()));
  parallel_for(places.blocks, grain, [&](int64_t begin, int64_t end) {
    cpu::add_grid(out.dtype, from.data(), places.grid(), out.data, begin * each, end * each);
  });
}

template <AxisOf axis_of>
void check_axes(const Call& call, const Shape& sizes) {
  const int rank = sizes.size();
  const Shape& first = need_list(call, 0, rank);
  if (axis_of == roll_axis)
    for (int d = 0; d < rank; ++d)
      need(call, first[d] <= std::max<int64_t>(sizes[d] - 1, 0), "a shift beyond its dim");
  if (axis_of != pad_axis) return;
  const Shape& second = need_list(call, 1, rank);
  need_number(call, 0, static_cast<int64_t>(PadMode::kReflect),
              static_cast<int64_t>(PadMode::kCircular));
  const auto mode = static_cast<PadMode>(call.attrs.ints[0]);
  for (int d = 0; d < rank; ++d) {
    const int64_t most = std::max(first[d], second[d]);
    const bool fits = most == 0 || (mode == PadMode::kReflect    ? most < sizes[d]
                                    : mode == PadMode::kCircular ? most <= sizes[d]
                                                                 : sizes[d] > 0);
    need(call, fits, "more padding than there are elements");
  }
}

template <AxisOf axis_of>
void check_arrange(const Call& call) {
  need_counts(call, 1, 1);
  check_axes<axis_of>(call, call.in(0).sizes);
}

template <AxisOf axis_of>
void check_arrange_backward(const Call& call) {
  need_counts(call, 1, 1);
  need_float(call, 0);
  const Shape& sizes = need_sizes_list(call, 2);
  check_axes<axis_of>(call, sizes);
  Shape arranged;
  for (int d = 0; d < sizes.size(); ++d) arranged.push_back(axis_of(call.attrs, d, sizes[d]).size);
  need_sizes(call, 0, arranged);
}

template <const Op& transposed>
void backward_arrange(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[2] = b.input_sizes(0);
  b.set(0, dispatch(transposed, {b.grad()}, attrs));
}

// The lists have an entry per dim; examples in front stay as they are.
template <int kEntry, int kLists, bool kHasSizes>
void lead_entries(Attrs& a, int64_t n) {
  for (int i = 0; i < kLists; ++i) a.lists[i].insert(0, kEntry);
  if (kHasSizes) a.lists[2].insert(0, n);
}

constexpr Op arrange_backward(const char* name, void (*forward)(const Call&),
                              void (*backward)(Backward&), void (*check)(const Call&),
                              const char* attrs, const char* doc, BatchRule batch) {
  return {.name = name,
          .traits = kCopies,
          .infer = infer_arrange_backward,
          .forward = {forward},
          .backward = backward,
          .attrs = attrs,
          .doc = doc,
          .batch = batch,
          .check = check};
}

// Where nothing is read twice the gradient is the inverse, an op of the same kind.
constexpr Op op_flip = {
    .name = "flip",
    .traits = kCopies,
    .infer = infer_arrange<flip_axis>,
    .forward = {forward_arrange<flip_axis>},
    .backward = [](Backward& b) { b.set(0, dispatch(b.op(), {b.grad()}, b.attrs())); },
    .attrs = "flipped",
    .doc = "x with the order along some dims reversed",
    .batch = {1, lead_entries<0, 1, false>},
    .check = check_arrange<flip_axis>};

void backward_roll(Backward& b) {
  Attrs attrs = b.attrs();
  const Shape& sizes = b.input_sizes(0);
  for (int d = 0; d < sizes.size(); ++d)
    if (attrs.lists[0][d]) attrs.lists[0][d] = sizes[d] - attrs.lists[0][d];
  b.set(0, dispatch(b.op(), {b.grad()}, attrs));
}

constexpr Op op_roll = {.name = "roll",
                        .traits = kCopies,
                        .infer = infer_arrange<roll_axis>,
                        .forward = {forward_arrange<roll_axis>},
                        .backward = backward_roll,
                        .attrs = "shifts",
                        .doc = "x moved along its dims; what leaves at one end enters at the other",
                        .batch = {1, lead_entries<0, 1, false>},
                        .check = check_arrange<roll_axis>};

void again_repeat(Backward& b);
constexpr Op op_repeat_backward =
    arrange_backward("repeat_backward", forward_arrange_backward<repeat_axis>, again_repeat,
                     check_arrange_backward<repeat_axis>, "repeats,,sizes",
                     "the sum of the repetitions", {1, lead_entries<1, 1, true>});
constexpr Op op_repeat = {.name = "repeat",
                          .traits = kCopies,
                          .infer = infer_arrange<repeat_axis>,
                          .forward = {forward_arrange<repeat_axis>},
                          .backward = backward_arrange<op_repeat_backward>,
                          .attrs = "repeats",
                          .doc = "x several times along its dims",
                          .batch = {1, lead_entries<1, 1, false>},
                          .check = check_arrange<repeat_axis>};
void again_repeat(Backward& b) { b.set(0, dispatch(op_repeat, {b.grad()}, b.attrs())); }

void again_pad(Backward& b);
void backward_pad(Backward& b);
constexpr Op op_pad_backward = arrange_backward(
    "pad_backward", forward_arrange_backward<pad_axis>, again_pad, check_arrange_backward<pad_axis>,
    "left,right,sizes;;mode", "each element and the copies of it in the padding",
    {1, lead_entries<0, 2, true>});
constexpr Op op_pad = {.name = "pad",
                       .traits = kCopies,
                       .infer = infer_arrange<pad_axis>,
                       .forward = {forward_arrange<pad_axis>},
                       .backward = backward_pad,
                       .attrs = "left,right;;mode",
                       .doc = "x with its own elements around it",
                       .batch = {1, lead_entries<0, 2, false>},
                       .check = check_arrange<pad_axis>};
void again_pad(Backward& b) { b.set(0, dispatch(op_pad, {b.grad()}, b.attrs())); }
void backward_pad(Backward& b) {
  // Around pads by copying, which has no second derivative; the other modes have one of zeros.
  if (static_cast<PadMode>(b.attrs().ints[0]) == PadMode::kCircular)
    return backward_arrange<op_pad_backward>(b);
  Attrs attrs = b.attrs();
  attrs.lists[2] = b.input_sizes(0);
  set_in_pieces(b, 0, dispatch(op_pad_backward, {b.grad()}, attrs));
}

// ---- constant padding; lists: left, right

void infer_constant_pad(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  for (int d = 0; d < x.sizes.size(); ++d)
    meta.sizes.push_back(x.sizes[d] + call.attrs.lists[0][d] + call.attrs.lists[1][d]);
}

void forward_constant_pad(const Call& call) {
  TensorBody &x = call.in(0), &out = call.out();
  const double value = call.attrs.reals[0];
  cpu::convert(&value, DType::kFloat64, 0, out.data, out.dtype, 1, out.numel);
  if (x.numel == 0) return;
  int64_t offset = 0;
  for (int d = 0; d < x.sizes.size(); ++d) offset += call.attrs.lists[0][d] * out.strides[d];
  Tensor part = make_alias(&out, x.sizes, out.strides, offset);
  copy_into(*body(part), x);
}

void backward_constant_pad(Backward& b) {
  std::vector<Index> box;
  for (int d = 0; d < b.input_sizes(0).size(); ++d) {
    const int64_t left = b.attrs().lists[0][d];
    box.push_back({Index::Kind::kSlice, left, left + b.input_sizes(0)[d], 1});
  }
  b.set(0, index(b.grad(), box));
}

void check_constant_pad(const Call& call) {
  need_counts(call, 1, 1);
  for (int i = 0; i < 2; ++i) need_list(call, i, call.in(0).sizes.size());
}

constexpr Op op_constant_pad = {.name = "constant_pad",
                                .traits = kCopies,
                                .infer = infer_constant_pad,
                                .forward = {forward_constant_pad},
                                .backward = backward_constant_pad,
                                .attrs = "left,right;value",
                                .doc = "x with a number around it",
                                .batch = {1, lead_entries<0, 2, false>},
                                .check = check_constant_pad};

constexpr const Op* kArrangeOps[] = {
    &op_flip, &op_roll,         &op_repeat,      &op_repeat_backward,
    &op_pad,  &op_pad_backward, &op_constant_pad};

}  // namespace

OpList arrange_ops() { return {kArrangeOps, std::size(kArrangeOps)}; }

}  // namespace detail

using detail::normalize_dim;

Tensor flip(const Tensor& x, const Shape& dims) {
  detail::Attrs attrs;
  Shape& flipped = attrs.lists[0] = Shape::filled(x.dim(), 0);
  uint32_t seen = 0;
  for (int64_t dim : dims) {
    const int d = normalize_dim(dim, x.dim());
    if (seen >> d & 1)
      fail(ErrorCode::kRuntime, "dim ", d, " appears multiple times in the list of dims ", dims);
    seen |= 1u << d;
    if (x.dim()) flipped[d] = 1;
  }
  return detail::dispatch(detail::op_flip, {x}, attrs);
}

Tensor fliplr(const Tensor& x) {
  if (x.dim() < 2) fail(ErrorCode::kRuntime, "fliplr: Input must be >= 2-d, got sizes ", x.sizes());
  return flip(x, {1});
}

Tensor flipud(const Tensor& x) {
  if (x.dim() < 1) fail(ErrorCode::kRuntime, "flipud: Input must be >= 1-d, got sizes ", x.sizes());
  return flip(x, {0});
}

Tensor rot90(const Tensor& x, int64_t k, const Shape& dims) {
  if (dims.size() != 2)
    fail(ErrorCode::kRuntime, "expected total rotation dims == 2, but got dims = ", dims.size());
  if (x.dim() < 2)
    fail(ErrorCode::kRuntime, "expected total dims >= 2, but got total dims = ", x.dim());
  const int64_t a = normalize_dim(dims[0], x.dim()), b = normalize_dim(dims[1], x.dim());
  if (a == b)
    fail(ErrorCode::kRuntime, "expected rotation dims to be different, but got dim0 = ", dims[0],
         " and dim1 = ", dims[1]);
  switch ((k % 4 + 4) % 4) {
    case 1:
      return transpose(flip(x, {b}), a, b);
    case 2:
      return flip(x, {a, b});
    case 3:
      return transpose(flip(x, {a}), a, b);
    default:
      return clone(x);
  }
}

Tensor roll(const Tensor& x, const Shape& shifts, const Shape& dims) {
  if (shifts.empty()) fail(ErrorCode::kRuntime, "`shifts` required");
  if (dims.empty() && shifts.size() == 1) {
    const Tensor flat = reshape(x, {-1});
    return reshape(roll(flat, shifts, {0}), x.sizes());
  }
  if (shifts.size() != dims.size())
    fail(ErrorCode::kRuntime, "shifts and dimensions must align. shifts: ", shifts.size(),
         ", dims:", dims.size());
  detail::Attrs attrs;
  Shape& by = attrs.lists[0] = Shape::filled(x.dim(), 0);
  for (int i = 0; i < dims.size(); ++i) {
    if (x.dim() == 0)
      fail(ErrorCode::kIndex, "Dimension specified as ", dims[i],
           " but tensor has no dimensions (roll)");
    const int d = normalize_dim(dims[i], x.dim());
    const int64_t n = std::max<int64_t>(1, x.sizes()[d]);
    const int64_t shift = (shifts[i] % n + n) % n;
    by[d] = (by[d] + shift) % n;
  }
  return detail::dispatch(detail::op_roll, {x}, attrs);
}

Tensor repeat(const Tensor& x, const Shape& repeats) {
  const int extra = repeats.size() - x.dim();
  if (extra < 0)
    fail(ErrorCode::kRuntime,
         "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
         "tensor; got repeats ",
         repeats, " for sizes ", x.sizes());
  Shape sizes = Shape::filled(extra, 1), result;
  for (int64_t n : x.sizes()) sizes.push_back(n);
  for (int d = 0; d < sizes.size(); ++d) {
    int64_t n;
    if (__builtin_mul_overflow(sizes[d], repeats[d], &n) || repeats[d] < 0)
      fail(ErrorCode::kRuntime,
           "Trying to create tensor with negative dimension or overflow: ", "repeats ", repeats,
           " of sizes ", x.sizes());
    result.push_back(n);
  }
  detail::checked_numel(result);
  detail::Attrs attrs;
  attrs.lists[0] = repeats;
  return detail::dispatch(detail::op_repeat, {extra ? view(x, sizes) : x}, attrs);
}

Tensor tile(const Tensor& x, const Shape& repeats) {
  Shape all = Shape::filled(std::max(0, x.dim() - repeats.size()), 1);
  for (int64_t n : repeats) all.push_back(n);
  return repeat(x, all);
}

namespace detail {
namespace {

const char* name_of(PadMode mode) {
  constexpr const char* kNames[] = {"constant", "reflect", "replicate", "circular"};
  return kNames[static_cast<int>(mode)];
}

// The pads of all dims: `pads` lists pairs from the last dim on.
Attrs pad_attrs(const Tensor& x, const std::vector<int64_t>& pads) {
  const int pairs = static_cast<int>(pads.size() / 2);
  if (pads.size() % 2) fail(ErrorCode::kRuntime, "Padding length must be divisible by 2");
  if (pads.size() > 2 * static_cast<size_t>(x.dim()))
    fail(ErrorCode::kRuntime,
         "Padding length should be less than or equal to two times the input dimension but got "
         "padding length ",
         pads.size(), " and input of dimension ", x.dim());
  Attrs attrs;
  attrs.lists[0] = attrs.lists[1] = Shape::filled(x.dim(), 0);
  for (int i = 0; i < pairs; ++i) {
    const int d = x.dim() - 1 - i;
    const int64_t left = pads[static_cast<size_t>(2 * i)],
                  right = pads[static_cast<size_t>(2 * i + 1)];
    int64_t size;
    if (__builtin_add_overflow(x.sizes()[d], left, &size) ||
        __builtin_add_overflow(size, right, &size) || size < 0)
      fail(ErrorCode::kRuntime, "The input size ", x.sizes()[d], ", plus negative padding ", left,
           " and ", right,
           ", resulted in a negative output size, which is invalid. Check dimension ", d,
           " of your input, whose sizes are ", x.sizes());
    attrs.lists[0][d] = left;
    attrs.lists[1][d] = right;
  }
  return attrs;
}

// Which pads a mode can fill with what is there.
void check_fill(PadMode mode, int64_t n, int64_t left, int64_t right, int d, const Shape& sizes) {
  if (mode == PadMode::kReflect && (left >= n || right >= n))
    fail(ErrorCode::kRuntime,
         "Padding size should be less than the corresponding input dimension, but got: padding (",
         left, ", ", right, ") at dimension ", d, " of input ", sizes);
  if (mode == PadMode::kCircular && (left > n || right > n))
    fail(ErrorCode::kRuntime, "Padding value causes wrapping around more than once: padding (",
         left, ", ", right, ") at dimension ", d, " of input ", sizes);
  if (n + left + right < 1)
    fail(ErrorCode::kRuntime, "input ", sizes, " is too small: padding (", left, ", ", right,
         ") at dimension ", d, " leaves ", n + left + right,
         mode == PadMode::kCircular ? " (Negative padding value is resulting in an empty dimension)"
                                    : "");
}

// The input may be a batch of images, one image with channels, or, circular, one without.
void check_pad_rank(const Tensor& x, PadMode mode, int pairs) {
  if (pairs >= 1 && pairs <= 3 && (x.dim() == pairs + 1 || x.dim() == pairs + 2)) return;
  fail(ErrorCode::kNotImplemented,
       "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: ",
       name_of(mode), " padding of the last ", pairs, " dims got sizes ", x.sizes());
}

// Cuts off what negative pads say; they become 0.
Tensor cut(const Tensor& x, Attrs& attrs) {
  std::vector<Index> box;
  bool is_smaller = false;
  for (int d = 0; d < x.dim(); ++d) {
    int64_t &left = attrs.lists[0][d], &right = attrs.lists[1][d];
    const int64_t n = x.sizes()[d];
    box.push_back({Index::Kind::kSlice, left < 0 ? std::min(-left, n) : 0,
                   right < 0 ? std::max<int64_t>(n + right, 0) : n, 1});
    is_smaller |= left < 0 || right < 0;
    left = std::max<int64_t>(left, 0);
    right = std::max<int64_t>(right, 0);
  }
  return is_smaller ? index(x, box) : x;
}

Tensor pad_with_number(const Tensor& x, Attrs& attrs, double value) {
  const Tensor kept = cut(x, attrs);
  bool is_larger = false;
  for (int d = 0; d < x.dim(); ++d) is_larger |= attrs.lists[0][d] > 0 || attrs.lists[1][d] > 0;
  if (!is_larger) return clone(kept);
  attrs.reals[0] = value;
  return dispatch(op_constant_pad, {kept}, attrs);
}

}  // namespace
}  // namespace detail

Tensor pad(const Tensor& x, const std::vector<int64_t>& pads, PadMode mode, double value) {
  detail::Attrs attrs = detail::pad_attrs(x, pads);
  if (mode == PadMode::kConstant) return detail::pad_with_number(x, attrs, value);
  const int pairs = static_cast<int>(pads.size() / 2), rank = x.dim();
  detail::check_pad_rank(x, mode, pairs);
  for (int d = 0; d < rank; ++d) {
    // Only the batch may be empty.
    if (x.sizes()[d] == 0 && (d > 0 || rank == pairs + 1))
      fail(ErrorCode::kRuntime, "Expected ", pairs + 1, "D or ", pairs + 2,
           "D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
           "input, but got: ",
           x.sizes());
    if (d >= rank - pairs)
      detail::check_fill(mode, x.sizes()[d], attrs.lists[0][d], attrs.lists[1][d], d, x.sizes());
  }
  attrs.ints[0] = static_cast<int64_t>(mode);
  if (mode != PadMode::kCircular) return detail::dispatch(detail::op_pad, {x}, attrs);
  // PyTorch cuts off first: what is gone does not enter again.
  const Tensor kept = detail::cut(x, attrs);
  for (int d = rank - pairs; d < rank; ++d)
    detail::check_fill(mode, kept.sizes()[d], attrs.lists[0][d], attrs.lists[1][d], d, x.sizes());
  return detail::dispatch(detail::op_pad, {kept}, attrs);
}

}  // namespace autograd
