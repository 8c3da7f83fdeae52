// Sum, mean, variance, extremes and their positions.
#include "ops/reduce.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/index.hpp"
#include "kernels/cpu/mask.hpp"
#include "kernels/cpu/reduce.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ---- sum and mean

DType sum_type(const Call& call) {
  if (call.attrs.ints[2] >= 0) return static_cast<DType>(call.attrs.ints[2]);
  return is_floating(call.in(0).dtype) ? call.in(0).dtype : DType::kInt64;
}

void infer_sum(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = sum_type(call);
  meta.sizes =
      reduced_sizes(call.in(0).sizes, static_cast<Mask>(call.attrs.ints[0]), call.attrs.ints[1]);
}

void infer_mean(const Call& call, OutputMetas& outputs) {
  const int64_t asked = call.attrs.ints[2];
  const DType dtype = asked >= 0 ? static_cast<DType>(asked) : call.in(0).dtype;
  if (!is_floating(dtype))
    fail(ErrorCode::kRuntime,
         "mean(): could not infer output dtype. Input dtype must be either a floating point or "
         "complex dtype. "
         "Got: ",
         name_of(dtype));
  infer_sum(call, outputs);
  outputs[0].dtype = dtype;
}

void forward_sum(const Call& call) {
  TensorBody &out = call.out(), &in = call.in(0);
  if (in.dtype == DType::kBool && in.is_contiguous && out.numel == 1 &&
      out.dtype == DType::kInt64) {
    *reinterpret_cast<int64_t*>(out.data) =
        cpu::count_true(reinterpret_cast<const uint8_t*>(in.data), in.numel);
    return;
  }
  // bool and small integers are summed in int64 whatever the output is.
  const DType compute = is_floating(out.dtype) ? out.dtype : DType::kInt64;
  Tensor x = converted(call.in(0), compute);
  Tensor total = out.dtype == compute ? borrow(&out) : make_tensor(out.sizes, compute);
  run_reduce(call.op.name, cpu::ReduceOp::kSum, *body(x), static_cast<Mask>(call.attrs.ints[0]),
             *body(total), nullptr);
  if (out.dtype != compute) copy_into(out, *body(total));
}

void forward_mean(const Call& call) {
  forward_sum(call);
  TensorBody& out = call.out();
  const double n =
      static_cast<double>(reduced_count(call.in(0).sizes, static_cast<Mask>(call.attrs.ints[0])));
  for (int64_t i = 0; i < out.numel; ++i) {
    if (out.dtype == DType::kFloat32)
      reinterpret_cast<float*>(out.data)[i] /= static_cast<float>(n);
    else
      reinterpret_cast<double*>(out.data)[i] /= n;
  }
}

// The attributes of a reduction of input 0 to one result, or to values and their places.
template <bool kSingle, int kOutputs>
void check_reduction(const Call& call) {
  need_counts(call, 1, 1, kOutputs);
  need_mask(call, call.in(0).sizes.size(), kSingle);
}

void check_sum(const Call& call) {
  check_reduction<false, 1>(call);
  need_dtype_number(call, 2, true);
}

void check_var(const Call& call) {
  check_reduction<false, 1>(call);
  need_number(call, 2, -1, -1);
}

constexpr Op op_sum = {
    .name = "sum",
    .traits = kReduction,
    .infer = infer_sum,
    .forward = {forward_sum},
    .backward = [](Backward& b) { b.set(0, expand(with_dims(b, b.grad()), b.input_sizes(0))); },
    .attrs = ";;dims,keepdim,dtype",
    .doc = "sum over dims",
    .batch = by_mask(1),
    .check = check_sum};

constexpr Op op_mean = {
    .name = "mean",
    .traits = kReduction,
    .infer = infer_mean,
    .forward = {forward_mean},
    .backward =
        [](Backward& b) {
          // Nothing is divided where the gradient has no elements.
          b.set(0, expand(with_dims(b, b.grad()) / std::max(1.0, count_of(b)), b.input_sizes(0)));
        },
    .attrs = ";;dims,keepdim,dtype",
    .doc = "sum over dims / number of elements",
    .batch = by_mask(1),
    .check = check_sum};

// ---- var

void infer_var(const Call& call, OutputMetas& outputs) {
  if (!is_floating(call.in(0).dtype))
    fail(ErrorCode::kRuntime, "var: only support floating point and complex dtypes, got ",
         name_of(call.in(0).dtype));
  infer_sum(call, outputs);
}

void forward_var(const Call& call) {
  run_reduce(call.op.name, cpu::ReduceOp::kVar, call.in(0), static_cast<Mask>(call.attrs.ints[0]),
             call.out(), call.attrs.reals);
}

void backward_var(Backward& b) {
  const Tensor x = b.input(0);
  const Shape dims = dims_of(b.attrs(), x.dim());
  const double divisor = count_of(b) - b.attrs().reals[0];
  if (divisor <= 0 && dims.size() == x.dim()) {
    const Tensor at_mean = eq(x, mean(x, dims, true));
    const double nan = std::numeric_limits<double>::quiet_NaN(),
                 infinity = std::numeric_limits<double>::infinity();
    return b.set(0, with_dims(b, b.grad()) * where(at_mean, scalar(nan), scalar(infinity)));
  }
  b.set(0, ((2.0 / divisor) * with_dims(b, b.grad())) * (x - mean(x, dims, true)));
}

// One number has no variance: its gradients of higher orders are not those of a row of one.
bool batch_var(const BatchedCall& c) {
  if (c.rank(0) == 0) return false;
  Attrs attrs = c.attrs;
  attrs.ints[0] <<= 1;
  c.make({c.values[0]}, attrs);
  return true;
}

constexpr Op op_var = {
    .name = "var",
    .traits = kReduction,
    .infer = infer_var,
    .forward = {forward_var},
    .backward = backward_var,
    .reads = {reads_input(0)},
    .attrs = ";correction;dims,keepdim",
    .doc = "sum of squared deviations from the mean / (number of elements - correction)",
    .flops = each_flops<4>,
    .batch = {.call = batch_var},
    .check = check_var};

// ---- amax, amin: equal extremes share the gradient

void infer_extreme(const Call& call, OutputMetas& outputs) {
  check_not_empty(call);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes =
      reduced_sizes(call.in(0).sizes, static_cast<Mask>(call.attrs.ints[0]), call.attrs.ints[1]);
}

template <cpu::ReduceOp op>
void forward_extreme(const Call& call) {
  run_reduce(call.op.name, op, call.in(0), static_cast<Mask>(call.attrs.ints[0]), call.out(),
             nullptr);
}

void backward_extreme(Backward& b) {
  const Tensor x = b.input(0);
  const Tensor hits = to(eq(x, with_dims(b, b.output())), x.dtype());
  const Shape dims = dims_of(b.attrs(), x.dim());
  b.set(0, hits * (with_dims(b, b.grad()) / sum(hits, dims, true)));
}

constexpr Op extreme_op(const char* name, const char* doc, void (*forward)(const Call&)) {
  return {.name = name,
          .traits = kReduction,
          .infer = infer_extreme,
          .forward = {forward},
          .backward = backward_extreme,
          .reads = {reads_input(0) | reads_output()},
          .attrs = ";;dims,keepdim",
          .doc = doc,
          .batch = by_mask(1),
          .check = check_reduction<false, 1>};
}
constexpr Op op_amax =
    extreme_op("amax", "largest element over dims", forward_extreme<cpu::ReduceOp::kMax>);
constexpr Op op_amin =
    extreme_op("amin", "smallest element over dims", forward_extreme<cpu::ReduceOp::kMin>);

// ---- argmax, argmin, and max, min along one dim

void infer_arg(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (x.dtype == DType::kBool)
    fail(ErrorCode::kRuntime, call.op.name, ": not implemented for 'Bool'");
  if (x.numel == 0 && call.attrs.ints[0] == (int64_t{1} << x.sizes.size()) - 1)
    fail(ErrorCode::kIndex, call.op.name,
         "(): Expected reduction dim to be specified for input.numel() == 0 (sizes ", x.sizes, ")");
  infer_extreme(call, outputs);
  outputs[0].dtype = DType::kInt64;
}

template <cpu::ReduceOp op>
void forward_arg(const Call& call) {
  // Positions count in row-major order of the reduced dims.
  TensorBody& x = call.in(0);
  const Tensor rows = dense(x);
  run_reduce(call.op.name, op, *body(rows), static_cast<Mask>(call.attrs.ints[0]), call.out(),
             nullptr);
}

constexpr Op arg_op(const char* name, const char* doc, void (*forward)(const Call&)) {
  return {.name = name,
          .traits = kReduction,
          .infer = infer_arg,
          .forward = {forward},
          .attrs = ";;dims,keepdim",
          .doc = doc,
          .batch = by_mask(1),
          .check = check_reduction<false, 1>};
}
constexpr Op op_argmax =
    arg_op("argmax", "position of the first largest element", forward_arg<cpu::ReduceOp::kArgmax>);
constexpr Op op_argmin =
    arg_op("argmin", "position of the first smallest element", forward_arg<cpu::ReduceOp::kArgmin>);

void infer_extreme_dim(const Call& call, OutputMetas& outputs) {
  check_not_empty(call, true);
  infer_extreme(call, outputs);
  const Shape sizes = outputs[0].sizes;
  OutputMeta& indices = outputs.add();
  indices.dtype = DType::kInt64;
  indices.sizes = sizes;
}

template <cpu::ReduceOp op>
void forward_extreme_dim(const Call& call) {
  TensorBody& x = call.in(0);
  const Mask mask = static_cast<Mask>(call.attrs.ints[0]);
  const Tensor rows = dense(x);
  run_reduce(call.op.name, op, *body(rows), mask, call.out(1), nullptr);
  const Along a = along(x.sizes, mask);
  cpu::take_along(rows.data(), reinterpret_cast<const int64_t*>(call.out(1).data), call.out(0).data,
                  a.outer, a.n, a.inner, static_cast<int64_t>(size_of(x.dtype)));
}

void backward_extreme_dim(Backward& b);

constexpr Op extreme_dim_op(const char* name, const char* doc, void (*forward)(const Call&)) {
  return {.name = name,
          .traits = kReduction,
          .infer = infer_extreme_dim,
          .forward = {forward},
          .backward = backward_extreme_dim,
          .reads = {reads_output(1)},
          .attrs = ";;dims,keepdim",
          .doc = doc,
          .batch = by_mask(1),
          .check = check_reduction<true, 2>};
}
constexpr Op op_max_dim =
    extreme_dim_op("max_dim", "largest elements along a dim and their positions",
                   forward_extreme_dim<cpu::ReduceOp::kArgmax>);
constexpr Op op_min_dim =
    extreme_dim_op("min_dim", "smallest elements along a dim and their positions",
                   forward_extreme_dim<cpu::ReduceOp::kArgmin>);

// ---- their gradient: put_along(g, index) and its own, take_along(x, index); ints as in the
// reduction

void infer_put_along(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[0];
}

void forward_put_along(const Call& call) {
  TensorBody& out = call.out();
  const Tensor g = dense(call.in(0)), index = dense(call.in(1));
  const Along a = along(out.sizes, static_cast<Mask>(call.attrs.ints[0]));
  check_positions(call, index, a.n);
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  cpu::put_along(g.data(), index.data_as<int64_t>(), out.data, a.outer, a.n, a.inner,
                 static_cast<int64_t>(size_of(out.dtype)));
}

void infer_take_along(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(1).sizes;
}

void forward_take_along(const Call& call) {
  const Tensor x = dense(call.in(0)), index = dense(call.in(1));
  const Along a = along(x.sizes(), static_cast<Mask>(call.attrs.ints[0]));
  check_positions(call, index, a.n);
  cpu::take_along(x.data(), index.data_as<int64_t>(), call.out().data, a.outer, a.n, a.inner,
                  static_cast<int64_t>(size_of(x.dtype())));
}

void backward_put_along(Backward& b);
void backward_take_along(Backward& b);

// Input 0 or the result has the sizes; the index has them without the dim, or with 1 there.
void check_along(const Call& call, const Shape& sizes) {
  need_mask(call, sizes.size(), true);
  need_dtype(call, 1, DType::kInt64);
  const Along a = along(sizes, static_cast<Mask>(call.attrs.ints[0]));
  need_numel(call, 1, a.outer * a.inner);
}

void check_put_along(const Call& call) {
  need_counts(call, 2, 2);
  check_along(call, need_sizes_list(call, 0));
  need_numel(call, 0, call.in(1).numel);
}

void check_take_along(const Call& call) {
  need_counts(call, 2, 2);
  check_along(call, call.in(0).sizes);
}

constexpr Op op_put_along = {.name = "put_along",
                             .traits = kCopies,
                             .infer = infer_put_along,
                             .forward = {forward_put_along},
                             .backward = backward_put_along,
                             .reads = {reads_input(1)},
                             .attrs = "sizes;;dims,keepdim",
                             .doc = "zeros with g at one position of each row",
                             .batch = by_sizes_and_mask(3),
                             .check = check_put_along};
constexpr Op op_take_along = {.name = "take_along",
                              .traits = kCopies,
                              .infer = infer_take_along,
                              .forward = {forward_take_along},
                              .backward = backward_take_along,
                              .reads = {reads_input(1)},
                              .attrs = ";;dims,keepdim",
                              .doc = "one element of each row",
                              .batch = by_mask(3),
                              .check = check_take_along};

void backward_put_along(Backward& b) {
  b.set(0, dispatch(op_take_along, {b.grad(), b.input(1)}, b.attrs()));
}

void backward_take_along(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[0] = b.input_sizes(0);
  b.set(0, dispatch(op_put_along, {b.grad(), b.input(1)}, attrs));
}

void backward_extreme_dim(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[0] = b.input_sizes(0);
  b.set(0, dispatch(op_put_along, {b.grad(), b.output(1)}, attrs));
}

constexpr const Op* kReduceOps[] = {&op_sum,     &op_mean,      &op_var,       &op_amax,
                                    &op_amin,    &op_argmax,    &op_argmin,    &op_max_dim,
                                    &op_min_dim, &op_put_along, &op_take_along};

std::pair<Tensor, Tensor> extreme_dim(const Op& op, const Tensor& x, int64_t dim, bool keepdim) {
  const Attrs attrs = reduce_attrs(x, {dim}, keepdim);
  return dispatch_pair(op, {x}, attrs);
}

Tensor arg(const Op& op, const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  const Attrs attrs = reduce_attrs(x, dim ? Shape{*dim} : Shape{}, keepdim);
  return dispatch(op, {x}, attrs);
}

Tensor with_type(const Op& op, const Tensor& x, const Shape& dims, bool keepdim,
                 std::optional<DType> dtype) {
  Attrs attrs = reduce_attrs(x, dims, keepdim);
  if (dtype) attrs.ints[2] = static_cast<int64_t>(*dtype);
  return dispatch(op, {x}, attrs);
}

}  // namespace

Tensor put_along_dim(const Tensor& g, const Tensor& index, const Attrs& attrs) {
  return dispatch(op_put_along, {g, index}, attrs);
}

OpList reduce_ops() { return {kReduceOps, std::size(kReduceOps)}; }

}  // namespace detail

Tensor sum(const Tensor& x, const Shape& dims, bool keepdim, std::optional<DType> dtype) {
  return detail::with_type(detail::op_sum, x, dims, keepdim, dtype);
}
Tensor mean(const Tensor& x, const Shape& dims, bool keepdim, std::optional<DType> dtype) {
  return detail::with_type(detail::op_mean, x, dims, keepdim, dtype);
}

Tensor var(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  detail::Attrs attrs = detail::reduce_attrs(x, dims, keepdim);
  attrs.reals[0] = correction;
  return detail::dispatch(detail::op_var, {x}, attrs);
}

Tensor amax(const Tensor& x, const Shape& dims, bool keepdim) {
  return detail::dispatch(detail::op_amax, {x}, detail::reduce_attrs(x, dims, keepdim));
}
Tensor amin(const Tensor& x, const Shape& dims, bool keepdim) {
  return detail::dispatch(detail::op_amin, {x}, detail::reduce_attrs(x, dims, keepdim));
}
Tensor max(const Tensor& x) { return amax(x); }
Tensor min(const Tensor& x) { return amin(x); }

std::pair<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim) {
  return detail::extreme_dim(detail::op_max_dim, x, dim, keepdim);
}
std::pair<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim) {
  return detail::extreme_dim(detail::op_min_dim, x, dim, keepdim);
}

Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return detail::arg(detail::op_argmax, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return detail::arg(detail::op_argmin, x, dim, keepdim);
}

}  // namespace autograd
