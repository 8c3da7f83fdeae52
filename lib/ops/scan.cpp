// Running sums, products and extremes along a dim, and the product of a dim.
#include "kernels/cpu/scan.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "core/thread_state.hpp"
#include "kernels/cpu/product.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/reduce.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// In the attributes of every scan: ints[0] = mask of its one dim, ints[1] = keepdim (products) or
// reverse, ints[2] = output dtype or -1.
cpu::ScanShape shape_of(const Call& call, const Shape& sizes) {
  const Along a = along(sizes, static_cast<Mask>(call.attrs.ints[0]));
  return {a.outer, a.n, a.inner};
}

Attrs scan_attrs(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt) {
  Attrs attrs = reduce_attrs(x, {dim}, false);
  if (dtype) attrs.ints[2] = static_cast<int64_t>(*dtype);
  return attrs;
}

int64_t dim_of(const Backward& b) { return dims_of(b.attrs(), b.input_sizes(0).size() + 1)[0]; }

DType number_type(const Call& call) {
  if (call.attrs.ints[2] >= 0) return static_cast<DType>(call.attrs.ints[2]);
  return is_floating(call.in(0).dtype) ? call.in(0).dtype : DType::kInt64;
}

// The type that the kernels compute an output type in.
DType compute_type(DType out) { return is_floating(out) ? out : DType::kInt64; }

// Calls run(first element, shape of the part) on parts of the outer dim, in parallel.
template <class Run>
void over_outer(const cpu::ScanShape& s, int64_t grain, const Run& run) {
  const int64_t row = std::max<int64_t>(1, s.n * s.inner);
  // Whole blocks of rows stay together.
  const int64_t pieces = (s.outer + 15) / 16;
  parallel_for(pieces, std::max<int64_t>(1, grain / (16 * row)), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * 16, last = std::min(end * 16, s.outer);
    run(first, cpu::ScanShape{last - first, s.n, s.inner});
  });
}

void infer_scan(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = number_type(call);
  meta.sizes = call.in(0).sizes;
}

template <class Kernel>
void run_scan(const Call& call, const Kernel& kernel) {
  TensorBody& out = call.out();
  const DType compute = compute_type(out.dtype);
  const Tensor as = converted(call.in(0), compute), x = dense(*body(as));
  const Tensor y = out.dtype == compute ? borrow(&out) : make_tensor(out.sizes, compute);
  const cpu::ScanShape s = shape_of(call, out.sizes);
  const int64_t item = static_cast<int64_t>(size_of(compute));
  if (out.numel)
    over_outer(s, kGrain / 2, [&](int64_t first, const cpu::ScanShape& part) {
      const int64_t at = first * s.n * s.inner * item;
      kernel(compute, static_cast<const char*>(x.data()) + at, static_cast<char*>(y.data()) + at,
             part);
    });
  if (out.dtype != compute) copy_into(out, *body(y));
}

// ---- linear_scan(a, b): s[j] = b[j] + a[j] s[j-1], or s[j] = b[j] + a[j+1] s[j+1] in reverse.
// Each is the adjoint of the other, so that gradients of any order are scans again.

void infer_linear_scan(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

void forward_linear_scan(const Call& call) {
  const Tensor a = dense(call.in(0)), b = dense(call.in(1));
  if (a.numel() == 0) return;
  cpu::linear_scan(a.dtype(), call.attrs.ints[1] != 0, a.data(), b.data(), call.out().data,
                   shape_of(call, a.sizes()));
}

// x with a first slice of `fill` along dim and without its last one; toward: the other way round.
Tensor shifted(const Tensor& x, int64_t dim, double fill, bool toward = false) {
  const int64_t n = x.size(dim);
  Shape edge = x.sizes();
  edge[static_cast<int>(dim)] = 1;
  const Tensor first = full(edge, fill, x.dtype());
  return toward ? cat({slice(x, dim, 1, n), first}, dim)
                : cat({first, slice(x, dim, 0, n - 1)}, dim);
}

void backward_linear_scan(Backward& b);

// One dim of input 0, along which everything goes.
void check_scan(const Call& call, int inputs, int outputs) {
  need_counts(call, inputs, inputs, outputs);
  need_mask(call, call.in(0).sizes.size(), true);
}

void check_linear(const Call& call) {
  check_scan(call, 2, 1);
  need_float(call, 0);
  need_like(call, 1, 0);
}

void check_numbers(const Call& call) {
  check_scan(call, 1, 1);
  need_dtype_number(call, 2, true);
}

constexpr Op op_linear_scan = {
    .name = "linear_scan",
    .traits = kReduction,
    .infer = infer_linear_scan,
    .forward = {forward_linear_scan},
    .backward = backward_linear_scan,
    .reads = {reads_input(0) | reads_output(), reads_input(0)},
    .attrs = ";;dims,reverse",
    .doc = "s[j] = b[j] + a[j] * s[j-1], or s[j] = b[j] + a[j+1] * s[j+1] in reverse",
    .batch = by_mask(3),
    .check = check_linear};

Tensor linear_scan(const Tensor& a, const Tensor& b, int64_t mask, bool reverse) {
  Attrs attrs;
  attrs.ints[0] = mask;
  attrs.ints[1] = reverse;
  return dispatch(op_linear_scan, {a, b}, attrs);
}

void backward_linear_scan(Backward& b) {
  const bool reverse = b.attrs().ints[1] != 0;
  const int64_t dim = dim_of(b);
  const Tensor t = linear_scan(b.input(0), b.grad(), b.attrs().ints[0], !reverse);
  if (b.needs(0)) {
    const Tensor s = b.output();
    b.set(0, reverse ? shifted(t, dim, 0) * s : t * shifted(s, dim, 0));
  }
  if (b.needs(1)) b.set(1, t);
}

// ---- cumsum

void forward_cumsum(const Call& call) {
  const bool reverse = call.attrs.ints[1] != 0;
  run_scan(call, [&](DType dtype, const void* x, void* y, const cpu::ScanShape& s) {
    cpu::cumsum(dtype, reverse, x, y, s);
  });
}

void backward_cumsum(Backward& b);

constexpr Op op_cumsum = {.name = "cumsum",
                          .traits = kReduction,
                          .infer = infer_scan,
                          .forward = {forward_cumsum},
                          .backward = backward_cumsum,
                          .attrs = ";;dims,reverse,dtype",
                          .doc = "sums of the elements up to each along a dim",
                          .batch = by_mask(1),
                          .check = check_numbers};

void backward_cumsum(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.ints[1] = !attrs.ints[1];
  attrs.ints[2] = -1;
  b.set(0, dispatch(op_cumsum, {to(b.grad(), b.input_dtype(0))}, attrs));
}

// ---- cumprod and prod: what multiplies x[j] is the product before it and a scan of what follows,
// so that zeros need no division

void forward_cumprod(const Call& call) {
  run_scan(call, [](DType dtype, const void* x, void* y, const cpu::ScanShape& s) {
    cpu::cumprod(dtype, x, y, s);
  });
}

void backward_cumprod(Backward& b) {
  const Tensor y = b.output(), x = to(b.input(0), y.dtype());
  if (x.numel() == 0 || x.dim() == 0) return b.set(0, b.grad());
  b.set(0, shifted(y, dim_of(b), 1) * linear_scan(x, b.grad(), b.attrs().ints[0], true));
}

constexpr Op op_cumprod = {.name = "cumprod",
                           .traits = kReduction,
                           .infer = infer_scan,
                           .forward = {forward_cumprod},
                           .backward = backward_cumprod,
                           .reads = {reads_input(0) | reads_output()},
                           .attrs = ";;dims,reverse,dtype",
                           .doc = "products of the elements up to each along a dim",
                           .batch = by_mask(1),
                           .check = check_numbers};

void infer_prod(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = number_type(call);
  meta.sizes =
      reduced_sizes(call.in(0).sizes, static_cast<Mask>(call.attrs.ints[0]), call.attrs.ints[1]);
}

void forward_prod(const Call& call) {
  constexpr int64_t kChunk = 1 << 16;
  TensorBody& out = call.out();
  const DType compute = compute_type(out.dtype);
  const Tensor as = converted(call.in(0), compute), x = dense(*body(as));
  const Tensor y = out.dtype == compute ? borrow(&out) : make_tensor(out.sizes, compute);
  const cpu::ScanShape s = shape_of(call, x.sizes());
  const int64_t item = static_cast<int64_t>(size_of(compute));
  const char* from = static_cast<const char*>(x.data());
  char* to = static_cast<char*>(y.data());
  const int64_t length = std::max<int64_t>(1, kChunk / std::max<int64_t>(1, s.inner));
  if (s.outer == 1 && s.inner > 0 && s.n > 4 * length && s.n * s.inner > 2 * kChunk) {
    const int64_t chunks = (s.n + length - 1) / length, step = length * s.inner * item;
    // Products of parts may lie outside of the range of float32 where the whole does not.
    const DType wide = is_floating(compute) ? DType::kFloat64 : compute;
    const Tensor parts = make_tensor({chunks, s.inner}, wide);
    char* part = static_cast<char*>(parts.data());
    const int64_t part_size = s.inner * static_cast<int64_t>(size_of(wide));
    parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        cpu::prod(compute, from + c * step, wide, part + c * part_size,
                  {1, std::min(length, s.n - c * length), s.inner});
    });
    cpu::prod(wide, part, compute, to, {1, chunks, s.inner});
  } else if (out.numel) {
    over_outer(s, kGrain, [&](int64_t first, const cpu::ScanShape& part) {
      cpu::prod(compute, from + first * s.n * s.inner * item, compute, to + first * s.inner * item,
                part);
    });
  }
  if (out.dtype != compute) copy_into(out, *body(y));
}

void infer_prod_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(1).dtype;
  meta.sizes = call.in(1).sizes;
}

void forward_prod_backward(const Call& call) {
  const Tensor g = dense(call.in(0)), x = dense(call.in(1));
  if (x.numel() == 0) return;
  const cpu::ScanShape s = shape_of(call, x.sizes());
  const int64_t item = static_cast<int64_t>(size_of(x.dtype()));
  over_outer(s, kGrain, [&](int64_t first, const cpu::ScanShape& part) {
    const int64_t at = first * s.n * s.inner * item;
    cpu::float_products_backward(
        x.dtype(), static_cast<const char*>(g.data()) + first * s.inner * item,
        static_cast<const char*>(x.data()) + at, call.out().data + at, part);
  });
}

void check_prod_backward(const Call& call) {
  need_counts(call, 2, 2);
  need_float(call, 1);
  need_mask(call, call.in(1).sizes.size(), true);
  need_dtype_of(call, 0, 1);
  const cpu::ScanShape s = shape_of(call, call.in(1).sizes);
  need_numel(call, 0, s.outer * s.inner);
}

constexpr Op op_prod_backward = {.name = "prod_backward",
                                 .traits = kReduction,
                                 .infer = infer_prod_backward,
                                 .forward = {forward_prod_backward},
                                 .attrs = ";;dims,keepdim,dtype",
                                 .doc = "g times the product of all other elements",
                                 .batch = by_mask(3),
                                 .check = check_prod_backward};

void backward_prod(Backward& b) {
  const Tensor g = b.grad(), x = to(b.input(0), g.dtype());
  if (!thread_state.grad_enabled) return b.set(0, dispatch(op_prod_backward, {g, x}, b.attrs()));
  if (x.numel() == 0) return b.set(0, with_dims(b, g) * x);
  const int64_t dim = dim_of(b), mask = b.attrs().ints[0];
  if (x.dim() == 0) return b.set(0, g);
  Shape edge = x.sizes();
  edge[static_cast<int>(dim)] = 1;
  Tensor last = ones(edge, x.dtype());
  const int64_t n = x.size(dim);
  if (n > 1) {
    edge[static_cast<int>(dim)] = n - 1;
    last = cat({zeros(edge, x.dtype()), last}, dim);
  }
  const Tensor before = shifted(cumprod(x, dim), dim, 1), behind = linear_scan(x, last, mask, true);
  b.set(0, with_dims(b, g) * before * behind);
}

constexpr Op op_prod = {.name = "prod",
                        .traits = kReduction,
                        .infer = infer_prod,
                        .forward = {forward_prod},
                        .backward = backward_prod,
                        .reads = {reads_input(0)},
                        .attrs = ";;dims,keepdim,dtype",
                        .doc = "product of all elements along a dim",
                        .batch = by_mask(1),
                        .check = check_numbers};

// ---- cummax, cummin: values and places; the gradient goes to the places

void infer_running_extreme(const Call& call, OutputMetas& outputs) {
  OutputMeta& values = outputs.add();
  values.dtype = call.in(0).dtype;
  values.sizes = call.in(0).sizes;
  OutputMeta& indices = outputs.add();
  indices.dtype = DType::kInt64;
  indices.sizes = call.in(0).sizes;
}

template <bool kLargest>
void forward_extreme(const Call& call) {
  const Tensor x = dense(call.in(0));
  if (x.numel() == 0) return;
  const cpu::ScanShape s = shape_of(call, x.sizes());
  const int64_t item = static_cast<int64_t>(size_of(x.dtype()));
  over_outer(s, kGrain / 4, [&](int64_t first, const cpu::ScanShape& part) {
    const int64_t at = first * s.n * s.inner;
    cpu::cumulative_extreme(x.dtype(), kLargest, static_cast<const char*>(x.data()) + at * item,
                            call.out(0).data + at * item,
                            reinterpret_cast<int64_t*>(call.out(1).data) + at, part);
  });
}

void infer_add_along(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

void forward_add_along(const Call& call) {
  const Tensor g = dense(call.in(0)), index = dense(call.in(1));
  TensorBody& out = call.out();
  if (!out.numel) return;
  check_positions(call, index, shape_of(call, out.sizes).n);
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  cpu::add_along(out.dtype, g.data(), index.data_as<int64_t>(), out.data,
                 shape_of(call, out.sizes));
}

void forward_gather_along(const Call& call) {
  const Tensor x = dense(call.in(0)), index = dense(call.in(1));
  check_positions(call, index, shape_of(call, x.sizes()).n);
  if (x.numel())
    cpu::gather_along(x.dtype(), x.data(), index.data_as<int64_t>(), call.out().data,
                      shape_of(call, x.sizes()));
}

void backward_add_along(Backward& b);
void backward_gather_along(Backward& b);

void check_along(const Call& call) {
  check_scan(call, 2, 1);
  need_float(call, 0);
  need_dtype(call, 1, DType::kInt64);
  need_sizes(call, 1, call.in(0).sizes);
}

constexpr Op op_add_along = {.name = "add_along",
                             .traits = kCopies,
                             .infer = infer_add_along,
                             .forward = {forward_add_along},
                             .backward = backward_add_along,
                             .reads = {reads_input(1)},
                             .attrs = ";;dims",
                             .doc = "zeros with g[j] added at place index[j] of a dim",
                             .batch = by_mask(3),
                             .check = check_along};
constexpr Op op_gather_along = {.name = "gather_along",
                                .traits = kCopies,
                                .infer = infer_add_along,
                                .forward = {forward_gather_along},
                                .backward = backward_gather_along,
                                .reads = {reads_input(1)},
                                .attrs = ";;dims",
                                .doc = "x[index[j]] along a dim",
                                .batch = by_mask(3),
                                .check = check_along};

void backward_add_along(Backward& b) {
  b.set(0, dispatch(op_gather_along, {b.grad(), b.input(1)}, b.attrs()));
}
void backward_gather_along(Backward& b) {
  b.set(0, dispatch(op_add_along, {b.grad(), b.input(1)}, b.attrs()));
}
void backward_running_extreme(Backward& b) {
  b.set(0, dispatch(op_add_along, {b.grad(), b.output(1)}, b.attrs()));
}

constexpr Op running_extreme_op(const char* name, const char* doc, void (*forward)(const Call&)) {
  return {.name = name,
          .traits = kReduction,
          .infer = infer_running_extreme,
          .forward = {forward},
          .backward = backward_running_extreme,
          .reads = {reads_output(1)},
          .attrs = ";;dims",
          .doc = doc,
          .batch = by_mask(1),
          .check = [](const Call& call) { check_scan(call, 1, 2); }};
}
constexpr Op op_cummax = running_extreme_op(
    "cummax", "largest elements up to each along a dim, and their places", forward_extreme<true>);
constexpr Op op_cummin = running_extreme_op(
    "cummin", "smallest elements up to each along a dim, and their places", forward_extreme<false>);

// ---- logcumsumexp

void infer_logcumsumexp(const Call& call, OutputMetas& outputs) {
  if (!is_floating(call.in(0).dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for ",
         name_of(call.in(0).dtype));
  infer_scan(call, outputs);
}

void forward_logcumsumexp(const Call& call) {
  run_scan(call, [](DType dtype, const void* x, void* y, const cpu::ScanShape& s) {
    cpu::logcumsumexp(dtype, x, y, s);
  });
}

// dx[j] = exp(x[j] - y[j]) r[j], r[j] = g[j] + exp(y[j] - y[j+1]) r[j+1]: no factor exceeds 1.
void backward_logcumsumexp(Backward& b) {
  const Tensor x = b.input(0), y = b.output();
  if (x.numel() == 0 || x.dim() == 0) return b.set(0, b.grad());
  constexpr double kNothing = -std::numeric_limits<double>::infinity();
  const Tensor none = eq(y, scalar(kNothing)), level = where(none, scalar(0.0), y);
  const Tensor factor = exp(shifted(y, dim_of(b), kNothing) - level);
  b.set(0, exp(x - level) * linear_scan(factor, b.grad(), b.attrs().ints[0], true));
}

void check_logcumsumexp(const Call& call) {
  check_scan(call, 1, 1);
  need_number(call, 2, -1, static_cast<int64_t>(DType::kFloat64));
}

constexpr Op op_logcumsumexp = {.name = "logcumsumexp",
                                .traits = kReduction,
                                .infer = infer_logcumsumexp,
                                .forward = {forward_logcumsumexp},
                                .backward = backward_logcumsumexp,
                                .reads = {reads_input(0) | reads_output()},
                                .attrs = ";;dims,reverse,dtype",
                                .doc = "log of the sums of exponentials up to each along a dim",
                                .batch = by_mask(1),
                                .check = check_logcumsumexp};

constexpr const Op* kScanOps[] = {&op_linear_scan,   &op_cumsum,      &op_cumprod, &op_prod,
                                  &op_prod_backward, &op_cummax,      &op_cummin,  &op_add_along,
                                  &op_gather_along,  &op_logcumsumexp};

std::pair<Tensor, Tensor> with_places(const Op& op, const Tensor& x, int64_t dim) {
  return dispatch_pair(op, {x}, scan_attrs(x, dim));
}

}  // namespace

OpList scan_ops() { return {kScanOps, std::size(kScanOps)}; }

}  // namespace detail

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return detail::dispatch(detail::op_cumsum, {x}, detail::scan_attrs(x, dim, dtype));
}
Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return detail::dispatch(detail::op_cumprod, {x}, detail::scan_attrs(x, dim, dtype));
}
std::pair<Tensor, Tensor> cummax(const Tensor& x, int64_t dim) {
  return detail::with_places(detail::op_cummax, x, dim);
}
std::pair<Tensor, Tensor> cummin(const Tensor& x, int64_t dim) {
  return detail::with_places(detail::op_cummin, x, dim);
}
Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  return detail::dispatch(detail::op_logcumsumexp, {x}, detail::scan_attrs(x, dim));
}

Tensor prod(const Tensor& x, std::optional<int64_t> dim, bool keepdim, std::optional<DType> dtype) {
  const Tensor rows = dim || x.dim() == 1 ? x : reshape(x, {x.numel()});
  detail::Attrs attrs = detail::scan_attrs(rows, dim.value_or(0), dtype);
  attrs.ints[1] = dim && keepdim;
  return detail::dispatch(detail::op_prod, {rows}, attrs);
}

}  // namespace autograd
