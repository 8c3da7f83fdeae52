// Reductions made of others or by sorting: deviations, counts, truth, logsumexp, medians, modes.
#include <algorithm>
#include <limits>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/order.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/softmax.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/reduce.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

Mask mask_in(const Call& call) { return static_cast<Mask>(call.attrs.ints[0]); }

// x with the reduced dims last, dense: rows.
Tensor rows_of(TensorBody& x, Mask mask) {
  Shape sizes, strides;
  for (int pass = 0; pass < 2; ++pass)
    for (int d = 0; d < x.sizes.size(); ++d)
      if ((mask >> d & 1) == static_cast<Mask>(pass)) {
        sizes.push_back(x.sizes[d]);
        strides.push_back(x.strides[d]);
      }
  const Tensor alias = make_alias(&x, sizes, strides, 0);
  return dense(*body(alias));
}

// ---- std

void infer_std(const Call& call, OutputMetas& outputs) {
  if (!is_floating(call.in(0).dtype))
    fail(ErrorCode::kRuntime, "std and var only support floating point and complex dtypes, got ",
         name_of(call.in(0).dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = reduced_sizes(call.in(0).sizes, mask_in(call), call.attrs.ints[1]);
}

void forward_std(const Call& call) {
  TensorBody& out = call.out();
  run_reduce(call.op.name, cpu::ReduceOp::kVar, call.in(0), mask_in(call), out, call.attrs.reals);
  const double none[2] = {0, 0};
  const Arg self(&out);
  run_pointwise(static_cast<int>(cpu::PointwiseOp::k_sqrt), out.dtype, none, out, &self, 1, false);
}

// The gradient of a deviation of 0 is 0.
void backward_std(Backward& b) {
  const Tensor x = b.input(0), y = with_dims(b, b.output()), g = with_dims(b, b.grad());
  const double divisor = std::max(0.0, count_of(b) - b.attrs().reals[0]);
  const Tensor zero = eq(y, scalar(0.0)), safe = where(zero, scalar(1.0), y);
  const Tensor slope = where(zero, scalar(0.0), g / (safe * divisor));
  b.set(0, slope * (x - mean(x, dims_of(b.attrs(), x.dim()), true)));
}

void check_reduction(const Call& call) {
  need_counts(call, 1, 1);
  need_mask(call, call.in(0).sizes.size());
}

void check_ordered(const Call& call) {
  need_counts(call, 1, 1, 2);
  need_mask(call, call.in(0).sizes.size(), true);
}

constexpr Op op_std = {.name = "std",
                       .traits = kReduction,
                       .infer = infer_std,
                       .forward = {forward_std},
                       .backward = backward_std,
                       .reads = {reads_input(0) | reads_output()},
                       .attrs = ";correction;dims,keepdim",
                       .doc = "square root of var",
                       .batch = by_mask(1),
                       .check = check_reduction};

// ---- logsumexp

void infer_logsumexp(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = reduced_sizes(call.in(0).sizes, mask_in(call), call.attrs.ints[1]);
}

void forward_logsumexp(const Call& call) {
  TensorBody &x = call.in(0), &out = call.out();
  const int64_t n = reduced_count(x.sizes, mask_in(call));
  if (out.numel == 0) return;
  const int64_t item = static_cast<int64_t>(size_of(x.dtype));
  // The columns of a dense matrix are read where they are.
  if (x.is_contiguous && x.sizes.size() == 2 && mask_in(call) == 1 && x.sizes[1] > 1) {
    parallel_for(out.numel, std::max<int64_t>(64, kGrain / (4 * std::max<int64_t>(1, n))),
                 [&](int64_t begin, int64_t end) {
                   cpu::logsumexp(x.dtype, x.data + begin * item, out.data + begin * item,
                                  end - begin, n, out.numel);
                 });
    return;
  }
  const Tensor rows = rows_of(x, mask_in(call));
  parallel_for(out.numel, std::max<int64_t>(1, kGrain / (4 * std::max<int64_t>(1, n))),
               [&](int64_t begin, int64_t end) {
                 cpu::logsumexp(x.dtype, static_cast<const char*>(rows.data()) + begin * n * item,
                                out.data + begin * item, end - begin, n);
               });
}

void check_logsumexp(const Call& call) {
  check_reduction(call);
  need_float(call, 0);
}

constexpr Op op_logsumexp = {
    .name = "logsumexp",
    .traits = kReduction,
    .infer = infer_logsumexp,
    .forward = {forward_logsumexp},
    .backward =
        [](Backward& b) {
          b.set(0, with_dims(b, b.grad()) * exp(b.input(0) - with_dims(b, b.output())));
        },
    .reads = {reads_input(0) | reads_output()},
    .attrs = ";;dims,keepdim",
    .doc = "log(sum exp(x)) over dims",
    .batch = by_mask(1),
    .check = check_logsumexp};

// ---- any, all: the extremes of "is not zero"

void infer_truth(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype == DType::kUInt8 ? DType::kUInt8 : DType::kBool;
  meta.sizes = reduced_sizes(call.in(0).sizes, mask_in(call), call.attrs.ints[1]);
}

template <cpu::ReduceOp op>
void forward_truth(const Call& call) {
  TensorBody &x = call.in(0), &out = call.out();
  const Tensor flags = converted(x, DType::kBool);
  if (x.numel == 0) {
    std::fill_n(out.data, out.numel, op == cpu::ReduceOp::kMin);
    return;
  }
  // A bool is a byte of 0 or 1, as a uint8 result is.
  run_reduce(call.op.name, op, *body(flags), mask_in(call), out, nullptr);
}

constexpr Op truth_op(const char* name, const char* doc, void (*forward)(const Call&)) {
  return {.name = name,
          .traits = kReduction,
          .infer = infer_truth,
          .forward = {forward},
          .attrs = ";;dims,keepdim",
          .doc = doc,
          .batch = by_mask(1),
          .check = check_reduction};
}
constexpr Op op_any =
    truth_op("any", "true where some element is not 0", forward_truth<cpu::ReduceOp::kMax>);
constexpr Op op_all =
    truth_op("all", "true where no element is 0", forward_truth<cpu::ReduceOp::kMin>);

// ---- median and mode

void infer_ordered(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (x.dtype == DType::kBool && call.attrs.ints[2] != kMaxDims)
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for 'Bool'");
  check_not_empty(call, true);
  OutputMeta& values = outputs.add();
  values.dtype = x.dtype;
  values.sizes = reduced_sizes(x.sizes, mask_in(call), call.attrs.ints[1]);
  const Shape sizes = values.sizes;
  OutputMeta& indices = outputs.add();
  indices.dtype = DType::kInt64;
  indices.sizes = sizes;
}

// Scratch memory for medians and modes of rows of n elements.
Tensor order_room(const TensorBody& x, int64_t n) {
  if (n > UINT32_MAX)
    fail(ErrorCode::kRuntime, "rows of more than 2^32 elements can't be put in order, got sizes ",
         x.sizes);
  return make_tensor({static_cast<int64_t>(cpu::order_scratch(x.dtype, n) / 8)}, DType::kInt64);
}

// Calls run(rows, first row, count, n, scratch) on rows in parallel.
template <class Run>
void over_rows(const Call& call, const Run& run) {
  TensorBody& x = call.in(0);
  const int64_t n = reduced_count(x.sizes, mask_in(call));
  if (call.out().numel == 0) return;
  const Tensor rows = rows_of(x, mask_in(call));
  const int64_t item = static_cast<int64_t>(size_of(x.dtype));
  parallel_for(
      call.out().numel, std::max<int64_t>(1, kGrain / (16 * n)), [&](int64_t begin, int64_t end) {
        const Tensor scratch = order_room(x, n);
        run(static_cast<const char*>(rows.data()) + begin * n * item,
            call.out(0).data + begin * item, reinterpret_cast<int64_t*>(call.out(1).data) + begin,
            scratch.data(), end - begin, n);
      });
}

template <bool kSkipNan>
void forward_median(const Call& call) {
  over_rows(call, [&](const void* x, void* values, int64_t* indices, void* scratch, int64_t rows,
                      int64_t n) {
    cpu::median_rows(call.in(0).dtype, kSkipNan, x, values, indices, scratch, rows, n);
  });
}

void forward_mode(const Call& call) {
  over_rows(call, [&](const void* x, void* values, int64_t* indices, void* scratch, int64_t rows,
                      int64_t n) {
    cpu::mode_rows(call.in(0).dtype, x, values, indices, scratch, rows, n);
  });
}

// The gradient goes to the place found.
void backward_ordered(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[0] = b.input_sizes(0);
  b.set(0, put_along_dim(b.grad(), b.output(1), attrs));
}

constexpr Op ordered_op(const char* name, const char* doc, void (*forward)(const Call&)) {
  return {.name = name,
          .traits = kReduction,
          .infer = infer_ordered,
          .forward = {forward},
          .backward = backward_ordered,
          .reads = {reads_output(1)},
          .attrs = ";;dims,keepdim",
          .doc = doc,
          .batch = by_mask(1),
          .check = check_ordered};
}
constexpr Op op_median_dim =
    ordered_op("median_dim", "lower medians along a dim and their places", forward_median<false>);
constexpr Op op_nanmedian_dim =
    ordered_op("nanmedian_dim", "the same of what is not NaN", forward_median<true>);
constexpr Op op_mode =
    ordered_op("mode", "most frequent elements along a dim and their places", forward_mode);

// Equal medians share the gradient. ints[0]: so many dims in front count rows, each with a median.

Shape row_counts(const Shape& sizes, const Attrs& attrs) {
  return Shape(sizes.data(), static_cast<int>(attrs.ints[0]));
}

template <bool kSkipNan>
void forward_median_all(const Call& call) {
  TensorBody &x = call.in(0), &out = call.out();
  if (out.numel == 0) return;
  const int64_t n = x.numel / out.numel;
  const Tensor rows = dense(x), scratch = order_room(x, n),
               places = make_tensor(out.sizes, DType::kInt64);
  cpu::median_values(x.dtype, kSkipNan, rows.data(), out.data, places.data_as<int64_t>(),
                     scratch.data(), out.numel, n);
}

void infer_median_all(const Call& call, OutputMetas& outputs) {
  if (call.in(0).dtype == DType::kBool)
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for 'Bool'");
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = row_counts(call.in(0).sizes, call.attrs);
}

void backward_median_all(Backward& b) {
  const Tensor x = b.input(0);
  const int kept = static_cast<int>(b.attrs().ints[0]);
  Shape sizes = b.output().sizes(), dims;
  for (int d = kept; d < x.dim(); ++d) {
    sizes.push_back(1);
    dims.push_back(d);
  }
  const Tensor y = reshape(b.output(), sizes);
  // NaN, if it is the median, is all NaN.
  const Tensor hits = to(logical_or(eq(x, y), logical_and(ne(x, x), ne(y, y))), x.dtype());
  const Tensor count = dims.empty() ? hits : sum(hits, dims, true);
  b.set(0, hits * (reshape(b.grad(), sizes) / count));
}

void check_median(const Call& call) {
  need_counts(call, 1, 1);
  need_number(call, 0, 0, call.in(0).sizes.size());
  need(call, call.in(0).numel > 0, "elements are wanted");
}

constexpr Op median_op(const char* name, const char* doc, void (*forward)(const Call&)) {
  return {.name = name,
          .traits = kReduction,
          .infer = infer_median_all,
          .forward = {forward},
          .backward = backward_median_all,
          .reads = {reads_input(0) | reads_output()},
          .attrs = ";;rows",
          .doc = doc,
          .batch = {1, [](Attrs& a, int64_t) { ++a.ints[0]; }},
          .check = check_median};
}
constexpr Op op_median =
    median_op("median", "lower median of all elements", forward_median_all<false>);
constexpr Op op_nanmedian =
    median_op("nanmedian", "the same of what is not NaN", forward_median_all<true>);

constexpr const Op* kStatisticsOps[] = {&op_std,        &op_logsumexp,     &op_any,
                                        &op_all,        &op_median,        &op_nanmedian,
                                        &op_median_dim, &op_nanmedian_dim, &op_mode};

std::pair<Tensor, Tensor> ordered(const Op& op, const Tensor& x, int64_t dim, bool keepdim,
                                  bool takes_bool = false) {
  Attrs attrs = reduce_attrs(x, {dim}, keepdim);
  if (takes_bool) attrs.ints[2] = kMaxDims;
  return dispatch_pair(op, {x}, attrs);
}

Tensor median_of_all(const Op& op, const Tensor& x) {
  if (x.numel() == 0) {
    if (is_floating(x.dtype()))
      return full({}, std::numeric_limits<double>::quiet_NaN(), x.dtype()) + sum(x);
    return full({},
                x.dtype() == DType::kInt64   ? static_cast<long long>(INT64_MIN)
                : x.dtype() == DType::kInt32 ? static_cast<long long>(INT32_MIN)
                                             : 0LL,
                x.dtype());
  }
  return dispatch(op, {x});
}

void check_moments(const char* name, const Tensor& x) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kRuntime, name, " only support floating point and complex dtypes, got ",
         name_of(x.dtype()));
}

}  // namespace

OpList statistics_ops() { return {kStatisticsOps, std::size(kStatisticsOps)}; }

}  // namespace detail

using detail::dispatch;
using detail::reduce_attrs;

Tensor std(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  detail::Attrs attrs = reduce_attrs(x, dims, keepdim);
  attrs.reals[0] = correction;
  return dispatch(detail::op_std, {x}, attrs);
}

std::pair<Tensor, Tensor> var_mean(const Tensor& x, const Shape& dims, double correction,
                                   bool keepdim) {
  detail::check_moments("var_mean", x);
  return {var(x, dims, correction, keepdim), mean(x, dims, keepdim)};
}

std::pair<Tensor, Tensor> std_mean(const Tensor& x, const Shape& dims, double correction,
                                   bool keepdim) {
  detail::check_moments("std_mean", x);
  return {autograd::std(x, dims, correction, keepdim), mean(x, dims, keepdim)};
}

Tensor logsumexp(const Tensor& x, const Shape& dims, bool keepdim) {
  return dispatch(detail::op_logsumexp, {is_floating(x.dtype()) ? x : to(x, default_dtype())},
                  reduce_attrs(x, dims, keepdim));
}

Tensor any(const Tensor& x, const Shape& dims, bool keepdim) {
  return dispatch(detail::op_any, {x}, reduce_attrs(x, dims, keepdim));
}
Tensor all(const Tensor& x, const Shape& dims, bool keepdim) {
  return dispatch(detail::op_all, {x}, reduce_attrs(x, dims, keepdim));
}

Tensor count_nonzero(const Tensor& x, const Shape& dims) {
  return sum(x.dtype() == DType::kBool ? x : ne(x, scalar(0)), dims);
}

Tensor nansum(const Tensor& x, const Shape& dims, bool keepdim, std::optional<DType> dtype) {
  if (!is_floating(x.dtype())) return sum(x, dims, keepdim, dtype);
  return sum(where(ne(x, x), scalar(0.0), x), dims, keepdim, dtype);
}

Tensor nanmean(const Tensor& x, const Shape& dims, bool keepdim, std::optional<DType> dtype) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kRuntime,
         "nanmean(): expected input to have floating point or complex dtype but got ",
         name_of(x.dtype()));
  return nansum(x, dims, keepdim, dtype) / sum(eq(x, x), dims, keepdim);
}

std::pair<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  const Shape dims = dim ? Shape{*dim} : Shape{};
  return {amin(x, dims, keepdim), amax(x, dims, keepdim)};
}

Tensor median(const Tensor& x) { return detail::median_of_all(detail::op_median, x); }
Tensor nanmedian(const Tensor& x) { return detail::median_of_all(detail::op_nanmedian, x); }
std::pair<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim) {
  return detail::ordered(detail::op_median_dim, x, dim, keepdim);
}
std::pair<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim) {
  return detail::ordered(detail::op_nanmedian_dim, x, dim, keepdim);
}
std::pair<Tensor, Tensor> mode(const Tensor& x, int64_t dim, bool keepdim) {
  return detail::ordered(detail::op_mode, x, dim, keepdim, true);
}

// ---- differences and areas

namespace {

Tensor with_ends(const Tensor& x, int64_t dim, const Tensor& prepend, const Tensor& append) {
  if (!prepend && !append) return x;
  for (const Tensor& end : {prepend, append}) {
    if (!end) continue;
    if (end.dim() != x.dim())
      fail(ErrorCode::kRuntime,
           "diff expects prepend or append to be the same dimension as input, got sizes ",
           end.sizes(), " and ", x.sizes());
    for (int d = 0; d < x.dim(); ++d)
      if (d != dim && end.sizes()[d] != x.sizes()[d])
        fail(ErrorCode::kRuntime,
             "diff expects the shape of tensor to prepend or append to match that of input except "
             "along the differencing dimension; input.size(",
             d, ") = ", x.sizes()[d], ", but got tensor.size(", d, ") = ", end.sizes()[d]);
  }
  std::vector<Tensor> parts;
  for (const Tensor& part : {prepend, x, append})
    if (part) parts.push_back(part);
  return cat(parts, dim);
}

}  // namespace

Tensor diff(const Tensor& x, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) {
  if (x.dim() == 0)
    fail(ErrorCode::kRuntime, "diff expects input to be at least one-dimensional, got sizes ",
         x.sizes());
  if (n < 0) fail(ErrorCode::kRuntime, "order must be non-negative but got ", n);
  dim = detail::normalize_dim(dim, x.dim());
  if (n == 0) return clone(x);
  Tensor y = with_ends(x, dim, prepend, append);
  if (n > y.size(dim)) n = y.size(dim);
  for (; n > 0; --n) {
    const int64_t size = y.size(dim);
    const Tensor later = slice(y, dim, 1, size), earlier = slice(y, dim, 0, size - 1);
    y = y.dtype() == DType::kBool ? ne(later, earlier) : later - earlier;
  }
  return y;
}

namespace {

void check_number(const Tensor& t) {
  if (t.dtype() == DType::kBool)
    fail(ErrorCode::kRuntime, "trapezoid: received a bool input, but bool is not supported, sizes ",
         t.sizes());
}

}  // namespace

Tensor trapezoid(const Tensor& y, double dx, int64_t dim) {
  check_number(y);
  dim = detail::normalize_dim(dim, y.dim());
  if (y.dim() == 0) fail(ErrorCode::kIndex, "trapezoid: expected at least one dim, got sizes []");
  const int64_t n = y.size(dim);
  if (n == 0) return sum(y, {dim}) * 0.0;
  const Tensor twice = slice(y, dim, 0, n - 1) + slice(y, dim, 1, n);
  return sum(twice, {dim}) * (dx / 2);
}

Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  check_number(y);
  check_number(x);
  dim = detail::normalize_dim(dim, y.dim());
  if (y.dim() == 0 || x.dim() == 0)
    fail(ErrorCode::kRuntime, "trapezoid: expected at least one dim, got sizes ", y.sizes(),
         " and ", x.sizes());
  const int64_t n = y.size(dim);
  // x of one dim lies along dim.
  Shape along = Shape::filled(y.dim(), 1);
  along[static_cast<int>(dim)] = x.numel();
  const Tensor places = x.dim() == 1 ? reshape(x, along) : x;
  if (places.dim() != y.dim() || places.size(dim) != n)
    fail(ErrorCode::kRuntime, "trapezoid: There must be one `x` value for each sample point, got ",
         x.sizes(), " for y of sizes ", y.sizes());
  if (n == 0) return sum(y, {dim}) * 0.0;
  const Tensor steps = slice(places, dim, 1, n) - slice(places, dim, 0, n - 1);
  return sum((slice(y, dim, 0, n - 1) + slice(y, dim, 1, n)) * steps, {dim}) / 2.0;
}

// ---- counts

namespace {

template <class T>
void count(const int64_t* places, const T* weights, int64_t n, T* out) {
  const detail::LongKernel kernel(n);
  cpu::in_parts(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[places[i]] += weights ? weights[i] : T{1};
  });
}

}  // namespace

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  if (is_floating(x.dtype()) || x.dtype() == DType::kBool)
    fail(ErrorCode::kNotImplemented, "bincount: not implemented for ", name_of(x.dtype()));
  if (minlength < 0) fail(ErrorCode::kRuntime, "minlength should be >= 0, got ", minlength);
  if (x.dim() != 1)
    fail(ErrorCode::kRuntime, "bincount only supports 1-d non-negative integral inputs, got sizes ",
         x.sizes());
  if (weights && weights.sizes() != x.sizes())
    fail(ErrorCode::kRuntime, "weights should be 1-d and have the same length as input, got ",
         weights.sizes(), " for input ", x.sizes());
  detail::need_elements("bincount", x);
  if (weights) detail::need_elements("bincount", weights);
  detail::note_read(*detail::body(x), "bincount()");
  if (weights) detail::note_read(*detail::body(weights), "bincount()");
  const Tensor as = detail::converted(*detail::body(x), DType::kInt64);
  const Tensor places = detail::dense(*detail::body(as));
  const int64_t *at = places.data_as<int64_t>(), n = places.numel();
  int64_t size = minlength;
  for (int64_t i = 0; i < n; ++i) {
    if (at[i] < 0)
      fail(ErrorCode::kRuntime, "bincount only supports 1-d non-negative integral inputs, got ",
           at[i], " at position ", i);
    if (at[i] == INT64_MAX)
      fail(ErrorCode::kRuntime, "bincount: maximum value of input overflows, got ", at[i]);
    size = std::max(size, at[i] + 1);
  }
  if (!weights) {
    Tensor out = zeros({size}, DType::kInt64);
    count<int64_t>(at, nullptr, n, out.data_as<int64_t>());
    return out;
  }
  const DType dtype = weights.dtype() == DType::kFloat32 ? DType::kFloat32 : DType::kFloat64;
  const Tensor exact = detail::converted(*detail::body(weights), dtype);
  const Tensor w = detail::dense(*detail::body(exact));
  Tensor out = zeros({size}, dtype);
  if (dtype == DType::kFloat32)
    count(at, w.data_as<float>(), n, out.data_as<float>());
  else
    count(at, w.data_as<double>(), n, out.data_as<double>());
  return out;
}

}  // namespace autograd
