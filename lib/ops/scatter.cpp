// Elements picked along a dim, or written along it, by a tensor of positions.
#include "kernels/cpu/scatter.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/indexing.hpp"
#include "ops/reduce.hpp"
#include "ops/registry.hpp"
#include "ops/scatter_lines.hpp"

namespace autograd {
namespace detail {
namespace {

// In the attributes: ints[0] = dim, ints[1] = ScatterOp or ScatterReduce, ints[2] = include_self.

// int64 positions in any layout.
Tensor as_int64(TensorBody& index) {
  if (index.dtype == DType::kInt64) return borrow(&index);
  Tensor converted = make_tensor(index.sizes, DType::kInt64);
  copy_into(*body(converted), index);
  return converted;
}

void check_found(const int64_t* bad, const TensorBody& x, int64_t dim, int64_t size) {
  if (bad) [[unlikely]]
    fail(ErrorCode::kRuntime, "index ", *bad, " is out of bounds for dimension ", dim,
         " with size ", size, " (sizes ", x.sizes, ")");
}

// ---- checks

int rank_of(const TensorBody& t) { return std::max(1, t.sizes.size()); }
int64_t size_at(const TensorBody& t, int d) { return t.sizes.empty() ? 1 : t.sizes[d]; }

void check_index_type(const char* op, const TensorBody& index) {
  // No positions may have any dtype: tensor([]) is float32.
  if (index.dtype != DType::kInt64 && index.dtype != DType::kInt32 && index.numel != 0)
    fail(ErrorCode::kRuntime, op, "(): Expected dtype int32/int64 for index, got ",
         name_of(index.dtype));
}

void check_scatter(const Call& call, bool has_src) {
  const TensorBody &self = call.in(0), &index = call.in(1), &src = call.in(2);
  const int dim = static_cast<int>(call.attrs.ints[0]);
  check_index_type("scatter", index);
  if (has_src && self.dtype != src.dtype)
    fail(ErrorCode::kRuntime, "scatter(): Expected self.dtype to be equal to src.dtype, got ",
         name_of(self.dtype), " and ", name_of(src.dtype));
  if (index.numel == 0) return;
  if (rank_of(index) != rank_of(self))
    fail(ErrorCode::kRuntime,
         "Index tensor must have the same number of dimensions as self tensor, got sizes ",
         index.sizes, " and ", self.sizes);
  if (has_src && rank_of(index) != rank_of(src))
    fail(ErrorCode::kRuntime,
         "Index tensor must have the same number of dimensions as src tensor, got sizes ",
         index.sizes, " and ", src.sizes);
  for (int d = 0; d < rank_of(index); ++d)
    if ((d != dim && size_at(index, d) > size_at(self, d)) ||
        (has_src && size_at(index, d) > size_at(src, d)))
      fail(ErrorCode::kRuntime, "Expected index ", index.sizes, " to be no larger than self ",
           self.sizes, " apart from dimension ", dim, " and to be no larger size than src ",
           src.sizes);
}

// ---- gather

void infer_gather(const Call& call, OutputMetas& outputs) {
  const TensorBody &x = call.in(0), &index = call.in(1);
  const int dim = static_cast<int>(call.attrs.ints[0]);
  check_index_type("gather", index);
  if (index.numel != 0) {
    if (rank_of(index) != rank_of(x))
      fail(ErrorCode::kRuntime,
           "Index tensor must have the same number of dimensions as input tensor, got sizes ",
           index.sizes, " and ", x.sizes);
    for (int d = 0; d < rank_of(x); ++d)
      if (d != dim && size_at(index, d) > size_at(x, d))
        fail(ErrorCode::kRuntime, "Size does not match at dimension ", d, " expected index ",
             index.sizes, " to be no larger than self ", x.sizes, " apart from dimension ", dim);
  }
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = index.sizes;
}

void forward_gather(const Call& call) {
  TensorBody &x = call.in(0), &out = call.out();
  if (out.numel == 0) return;
  const int dim = static_cast<int>(call.attrs.ints[0]);
  const Tensor index = as_int64(call.in(1));
  const int64_t* positions = static_cast<const int64_t*>(index.data());
  const int64_t item = item_size(x.dtype);
  const Lines lines = lines_of(x, *body(index), out, dim, false);
  run_lines(lines, out.numel, false,
            [&](const cpu::Positions& p, int64_t x_at, int64_t i_at, int64_t y_at) {
              check_found(cpu::gather(item, x.data + x_at * item, positions + i_at,
                                      out.data + y_at * item, p),
                          x, dim, p.size);
            });
}

void backward_gather(Backward& b) {
  const Tensor g = b.grad();
  Tensor zero = written_with(zeros(b.input_sizes(0), g.dtype()), {&g});
  const UnseenTarget unseen(zero);
  b.set(0, scatter_add_(zero, b.attrs().ints[0], b.input(1), g));
}

void check_gather(const Call& call) {
  need_counts(call, 2, 2);
  need_dim(call, 0, call.in(0).sizes.size());
}

constexpr Op op_gather = {.name = "gather",
                          .traits = kCopies,
                          .infer = infer_gather,
                          .forward = {forward_gather},
                          .backward = backward_gather,
                          .reads = {reads_input(1)},
                          .attrs = ";;dim",
                          .doc = "out[i][j] = x[index[i][j]][j], likewise along any dim",
                          .batch = by_dim(3),
                          .check = check_gather};

// ---- scatter_ and scatter_add_

void run_scatter(cpu::ScatterOp op, TensorBody& self, TensorBody& index_in, const TensorBody& src,
                 int dim, bool repeat) {
  if (index_in.numel == 0) return;
  const Tensor index = as_int64(index_in);
  const int64_t* positions = static_cast<const int64_t*>(index.data());
  const int64_t item = item_size(self.dtype);
  const Lines lines = lines_of(self, *body(index), src, dim, repeat);
  run_lines(lines, index_in.numel, true,
            [&](const cpu::Positions& p, int64_t x_at, int64_t i_at, int64_t y_at) {
              check_found(cpu::scatter(op, self.dtype, self.data + x_at * item, positions + i_at,
                                       src.data + y_at * item, p),
                          self, dim, p.size);
            });
}

bool is_value(const Call& call) { return call.attrs.ints[2] != 0; }

void infer_scatter(const Call& call, OutputMetas& outputs) {
  check_scatter(call, !is_value(call));
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

void forward_scatter(const Call& call) {
  const Tensor src = converted(call.in(2), call.in(0).dtype);
  run_scatter(static_cast<cpu::ScatterOp>(call.attrs.ints[1]), call.out(), call.in(1), *body(src),
              static_cast<int>(call.attrs.ints[0]), is_value(call));
}

// The part of a gradient of index's sizes that lies in a larger src.
Tensor padded(const Tensor& g, const Shape& sizes) {
  if (g.sizes() == sizes) return g;
  Tensor whole = written_with(zeros(sizes, g.dtype()), {&g});
  const UnseenTarget unseen(whole);
  std::vector<Index> corner;
  for (int64_t n : g.sizes()) corner.push_back({Index::Kind::kSlice, 0, n, 1});
  return index_assign_(whole, corner, {}, g);
}

void backward_scatter(Backward& b) {
  const int64_t dim = b.attrs().ints[0];
  const bool adds = b.attrs().ints[1] == static_cast<int64_t>(cpu::ScatterOp::kAdd);
  if (b.needs(0)) b.set(0, adds ? b.grad() : scatter(b.grad(), dim, b.input(1), scalar(0)));
  if (b.needs(2)) b.set(2, padded(gather(b.grad(), dim, b.input(1)), b.input_sizes(2)));
}

// A number as source stays one.
bool batch_scatter(const BatchedCall& c) {
  const bool is_value = c.attrs.ints[2] != 0;
  if (is_value && c.is_batched(2)) return false;
  Attrs attrs = c.attrs;
  ++attrs.ints[0];
  // Tensors without dims are rows of one.
  const auto line = [&](const Tensor& t, int i) { return c.rank(i) ? t : unsqueeze(t, 1); };
  c.make({line(c.values[0], 0), line(c.front(1), 1), is_value ? c.values[2] : line(c.front(2), 2)},
         attrs);
  return true;
}

void check_scatter_call(const Call& call) {
  need_counts(call, 3, 3);
  need_dim(call, 0, call.in(0).sizes.size());
  need_number(call, 1, 0, static_cast<int64_t>(cpu::ScatterOp::kMin));
  if (is_value(call)) need_numel(call, 2, 1);
}

constexpr Op op_scatter = {.name = "scatter_",
                           .traits = kCopies | kInPlace,
                           .infer = infer_scatter,
                           .forward = {forward_scatter},
                           .backward = backward_scatter,
                           .reads = {reads_input(1), 0, reads_input(1)},
                           .attrs = ";;dim,op,is_value",
                           .doc = "self with src written, or added, at the positions along dim",
                           .batch = {.call = batch_scatter},
                           .check = check_scatter_call};

// ---- scatter_reduce_

ScatterReduce kind_of(const Attrs& attrs) { return static_cast<ScatterReduce>(attrs.ints[1]); }

void infer_scatter_reduce(const Call& call, OutputMetas& outputs) {
  check_scatter(call, true);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

// Elements that src reaches start anew: at what the reduction leaves alone.
void clear_targets(const Call& call, const Scalar& start) {
  const Tensor value = scalar(start);
  const Tensor one = converted(*body(value), call.in(0).dtype);
  run_scatter(cpu::ScatterOp::kSet, call.out(), call.in(1), *body(one),
              static_cast<int>(call.attrs.ints[0]), true);
}

// The least element of a dtype, or the greatest.
Scalar limit_of(DType dtype, bool least) {
  switch (dtype) {
    case DType::kInt32:
      return least ? INT32_MIN : INT32_MAX;
    case DType::kInt64:
      return least ? Scalar(static_cast<long long>(INT64_MIN))
                   : Scalar(static_cast<long long>(INT64_MAX));
    case DType::kUInt8:
      return least ? 0 : UINT8_MAX;
    case DType::kBool:
      return !least;
    default:
      return least ? -HUGE_VAL : HUGE_VAL;
  }
}

// For means: divides by the number of elements that came together.
void divide_by_counts(const Call& call, bool include_self) {
  TensorBody& out = call.out();
  const DType count_type = is_floating(out.dtype) ? out.dtype : DType::kInt64;
  const Tensor start = scalar(include_self ? 1 : 0), unit = scalar(1);
  const Tensor one = converted(*body(unit), count_type);
  Tensor counts = make_tensor(out.sizes, count_type);
  copy_into(*body(counts), *body(converted(*body(start), count_type)));
  run_scatter(cpu::ScatterOp::kAdd, *body(counts), call.in(1), *body(one),
              static_cast<int>(call.attrs.ints[0]), true);
  Tensor least = converted(*body(unit), count_type);
  const double none[2] = {0, 0};
  const Arg limits[] = {counts, least};
  run_pointwise(static_cast<int>(cpu::PointwiseOp::k_maximum), count_type, none, *body(counts),
                limits, 2, false);
  if (is_floating(out.dtype)) {
    const Arg parts[] = {call.outputs[0], counts};
    return run_pointwise(static_cast<int>(cpu::PointwiseOp::k_div), out.dtype, none, out, parts, 2,
                         false);
  }
  // Integers are divided rounding down.
  const Tensor sums = make_tensor(out.sizes, DType::kInt64);
  copy_into(*body(sums), out);
  int64_t* s = sums.data_as<int64_t>();
  const int64_t* n = counts.data_as<int64_t>();
  for (int64_t i = 0; i < out.numel; ++i) s[i] = s[i] / n[i] - (s[i] % n[i] < 0);
  copy_into(out, *body(sums));
}

void forward_scatter_reduce(const Call& call) {
  const bool include_self = call.attrs.ints[2] != 0;
  cpu::ScatterOp op = cpu::ScatterOp::kAdd;
  Scalar start = 0;
  switch (kind_of(call.attrs)) {
    case ScatterReduce::kSum:
    case ScatterReduce::kMean:
      break;
    case ScatterReduce::kProd:
      op = cpu::ScatterOp::kMul, start = 1;
      break;
    case ScatterReduce::kAmax:
      op = cpu::ScatterOp::kMax, start = limit_of(call.in(0).dtype, true);
      break;
    case ScatterReduce::kAmin:
      op = cpu::ScatterOp::kMin, start = limit_of(call.in(0).dtype, false);
      break;
  }
  if (!include_self) clear_targets(call, start);
  run_scatter(op, call.out(), call.in(1), call.in(2), static_cast<int>(call.attrs.ints[0]), false);
  if (kind_of(call.attrs) == ScatterReduce::kMean) divide_by_counts(call, include_self);
}

struct ReduceGradients {
  Tensor self, src;  // src: of index's sizes
};

struct ReduceRule {
  int64_t dim;
  bool include_self;
  Tensor g, self, index, src, result;  // src cut to the sizes of index
};

ReduceGradients product_gradients(const ReduceRule& r) {
  const Tensor self_or_1 = masked_fill(r.self, eq(r.self, scalar(0)), scalar(1));
  const Tensor others =
      scatter_reduce(self_or_1, r.dim, r.index, r.src, ScatterReduce::kProd, r.include_self);
  // A single 0 among the factors gets the product of the others, several get nothing.
  const Tensor is_zero = eq(r.src, scalar(0));
  Tensor none = written_with(zeros(r.self.sizes(), r.self.dtype()), {&r.index, &r.src});
  const UnseenTarget unseen(none);
  const Tensor zeros_met =
      gather(scatter_add_(none, r.dim, r.index, to(is_zero, r.self.dtype())), r.dim, r.index);
  const Tensor single =
      mul(to(is_zero, DType::kUInt8), to(eq(zeros_met, scalar(1)), DType::kUInt8));
  const Tensor only_zero = to(single, DType::kBool);
  const Tensor filled = masked_fill(r.src, only_zero, scalar(1));
  const Tensor without =
      scatter_reduce(r.self, r.dim, r.index, filled, ScatterReduce::kProd, r.include_self);
  const Tensor at_zero = gather(mul(r.g, without), r.dim, r.index);
  const Tensor elsewhere =
      div(gather(mul(r.g, r.result), r.dim, r.index), masked_fill(r.src, is_zero, scalar(1)));
  return {div(mul(r.g, others), self_or_1), where(only_zero, at_zero, elsewhere)};
}

ReduceGradients mean_gradients(const ReduceRule& r) {
  Tensor counts = full(r.self.sizes(), r.include_self ? 1 : 0, r.self.dtype());
  scatter_add_(counts, r.dim, r.index, ones(r.index.sizes(), r.self.dtype()));
  const Tensor shared = div(r.g, maximum(counts, scalar(1)));
  return {shared, gather(shared, r.dim, r.index)};
}

// Equal extremes share the gradient.
ReduceGradients extreme_gradients(const ReduceRule& r) {
  const Tensor self_hits = to(eq(r.self, r.result), r.self.dtype());
  const Tensor src_hits = to(eq(r.src, gather(r.result, r.dim, r.index)), r.self.dtype());
  const Tensor shared = div(r.g, scatter_add(self_hits, r.dim, r.index, src_hits));
  return {mul(self_hits, shared), mul(src_hits, gather(shared, r.dim, r.index))};
}

Tensor cut_to(const Tensor& t, const Shape& sizes) {
  Tensor part = t;
  for (int d = 0; d < sizes.size(); ++d)
    if (part.sizes()[d] != sizes[d]) part = slice(part, d, 0, sizes[d]);
  return part;
}

void backward_scatter_reduce(Backward& b) {
  const int64_t dim = b.attrs().ints[0];
  const bool include_self = b.attrs().ints[2] != 0;
  const Tensor index = b.input(1);
  ReduceGradients found;
  const ScatterReduce kind = kind_of(b.attrs());
  if (kind == ScatterReduce::kSum) {
    found = {b.grad(), gather(b.grad(), dim, index)};
  } else {
    const ReduceRule rule{dim,        include_self, b.grad(),
                          b.input(0), index,        cut_to(b.input(2), index.sizes()),
                          b.output()};
    found = kind == ScatterReduce::kProd   ? product_gradients(rule)
            : kind == ScatterReduce::kMean ? mean_gradients(rule)
                                           : extreme_gradients(rule);
  }
  if (!include_self) found.self = scatter(found.self, dim, index, scalar(0));
  if (b.needs(0)) b.set(0, found.self);
  if (b.needs(2)) b.set(2, padded(found.src, b.input_sizes(2)));
}

constexpr uint32_t kAll = reads_input(0) | reads_input(1) | reads_input(2) | reads_output();
void check_scatter_reduce(const Call& call) {
  need_counts(call, 3, 3);
  need_dim(call, 0, call.in(0).sizes.size());
  need_number(call, 1, 0, static_cast<int64_t>(ScatterReduce::kAmin));
}

constexpr Op op_scatter_reduce = {.name = "scatter_reduce_",
                                  .traits = kCopies | kInPlace,
                                  .infer = infer_scatter_reduce,
                                  .forward = {forward_scatter_reduce},
                                  .backward = backward_scatter_reduce,
                                  .reads = {kAll, 0, kAll},
                                  .attrs = ";;dim,reduce,include_self",
                                  .doc = "self with src reduced into it at the positions",
                                  .batch = by_dim(7),
                                  .check = check_scatter_reduce};

constexpr const Op* kScatterOps[] = {&op_gather, &op_scatter, &op_scatter_reduce};

Attrs scatter_attrs(const Tensor& self, int64_t dim, int64_t op, bool flag) {
  Attrs attrs;
  attrs.ints[0] = normalize_dim(dim, self.dim());
  attrs.ints[1] = op;
  attrs.ints[2] = flag;
  return attrs;
}

// PyTorch counts positions modulo the size here: a copy where some are out of range.
Tensor modulo(const Tensor& index, int64_t n) {
  if (n == 0) return index;
  if (!has_elements(index)) return remainder(index, scalar(static_cast<long long>(n)));
  std::vector<int64_t> positions(static_cast<size_t>(index.numel()));
  index.copy_out(DType::kInt64, positions.data());
  bool all_in_range = true;
  for (int64_t& p : positions) {
    all_in_range &= p >= 0 && p < n;
    p = p % n + (p % n < 0 ? n : 0);
  }
  return all_in_range ? index : from_data(positions.data(), DType::kInt64, index.sizes());
}

}  // namespace

OpList scatter_ops() { return {kScatterOps, std::size(kScatterOps)}; }

}  // namespace detail

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  detail::Attrs attrs;
  attrs.ints[0] = detail::normalize_dim(dim, x.dim());
  return detail::dispatch(detail::op_gather, {x, index}, attrs);
}

Tensor& scatter_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  const bool is_number = src.head()->is_number;
  detail::dispatch_in_place(
      detail::op_scatter, {self, index, src},
      detail::scatter_attrs(self, dim, static_cast<int64_t>(cpu::ScatterOp::kSet), is_number));
  return self;
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  Tensor result = detail::written_with(clone(x), {&index, &src});
  const detail::UnseenTarget unseen(result);
  return scatter_(result, dim, index, src);
}

Tensor& scatter_add_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) {
  const bool is_number = src.head()->is_number;
  detail::dispatch_in_place(
      detail::op_scatter, {self, index, src},
      detail::scatter_attrs(self, dim, static_cast<int64_t>(cpu::ScatterOp::kAdd), is_number));
  return self;
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  Tensor result = detail::written_with(clone(x), {&index, &src});
  const detail::UnseenTarget unseen(result);
  return scatter_add_(result, dim, index, src);
}

Tensor& scatter_reduce_(Tensor& self, int64_t dim, const Tensor& index, const Tensor& src,
                        ScatterReduce reduce, bool include_self) {
  const Tensor from = src.head()->is_number ? expand(to(src, self.dtype()), index.sizes()) : src;
  detail::dispatch_in_place(
      detail::op_scatter_reduce, {self, index, from},
      detail::scatter_attrs(self, dim, static_cast<int64_t>(reduce), include_self));
  return self;
}
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                      ScatterReduce reduce, bool include_self) {
  Tensor result = detail::written_with(clone(x), {&index, &src});
  const detail::UnseenTarget unseen(result);
  return scatter_reduce_(result, dim, index, src, reduce, include_self);
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim) {
  if (index.dtype() != DType::kInt64)
    fail(ErrorCode::kRuntime, "take_along_dim(): dtype of indices should be int64 but got ",
         name_of(index.dtype()));
  if (!dim) return gather(reshape(x, {-1}), 0, reshape(index, {-1}));
  if (x.dim() != index.dim())
    fail(ErrorCode::kRuntime,
         "take_along_dim(): input and indices should have the same number of dimensions, "
         "but got ",
         x.dim(), " dimensions for input, and ", index.dim(), " dimensions for indices (sizes ",
         x.sizes(), " and ", index.sizes(), ")");
  const int d = detail::normalize_dim(*dim, x.dim());
  Shape x_sizes = x.sizes(), index_sizes = index.sizes();
  for (int i = 0; i < x.dim(); ++i) {
    if (i == d) continue;
    if (x_sizes[i] == 1) x_sizes[i] = index_sizes[i];
    if (index_sizes[i] == 1) index_sizes[i] = x_sizes[i];
    if (x_sizes[i] != index_sizes[i])
      fail(ErrorCode::kRuntime, "The size of tensor a (", x.sizes()[i],
           ") must match the size of tensor b (", index.sizes()[i], ") at non-singleton dimension ",
           i, "; got sizes ", x.sizes(), " and ", index.sizes());
  }
  const Tensor positions = detail::modulo(index, x.dim() ? x.sizes()[d] : 1);
  return gather(expand(x, x_sizes), d, expand(positions, index_sizes));
}

}  // namespace autograd
