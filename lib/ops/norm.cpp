// Norms of vectors: (sum |x|^ord)^(1 / ord) and its limits.
#include <cmath>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/indexing.hpp"
#include "ops/reduce.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

double order_of(const Attrs& attrs) { return attrs.reals[0]; }

void infer_norm(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  const int64_t asked = call.attrs.ints[2];
  if (!is_floating(x.dtype))
    fail(ErrorCode::kRuntime,
         "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
         name_of(x.dtype));
  const DType dtype = asked >= 0 ? static_cast<DType>(asked) : x.dtype;
  if (!is_floating(dtype))
    fail(ErrorCode::kRuntime,
         "linalg.vector_norm: dtype should be floating point or complex, but got ", name_of(dtype));
  if (x.dtype == DType::kFloat64 && dtype == DType::kFloat32)
    fail(ErrorCode::kRuntime, "linalg.vector_norm: the dtype of the input (", name_of(x.dtype),
         ") should be convertible without narrowing to the specified dtype (", name_of(dtype), ")");
  const Mask mask = static_cast<Mask>(call.attrs.ints[0]);
  const double ord = order_of(call.attrs);
  if (reduced_count(x.sizes, mask) == 0 && (ord < 0 || std::isinf(ord)))
    fail(ErrorCode::kRuntime, "linalg.vector_norm cannot compute the ", ord,
         " norm on an empty tensor or dimension because the operation does not have an identity; "
         "got sizes ",
         x.sizes);
  OutputMeta& meta = outputs.add();
  meta.dtype = dtype;
  meta.sizes = reduced_sizes(x.sizes, mask, call.attrs.ints[1]);
}

// kernel(x) or kernel(x, number), into a new tensor or, if `in_place`, x itself.
Tensor applied(cpu::PointwiseOp kernel, const Tensor& x, const Tensor& number = Tensor(),
               bool in_place = false) {
  const double none[2] = {0, 0};
  Tensor out = in_place ? x : make_tensor(x.sizes(), x.dtype());
  const Arg inputs[2] = {x, number};
  run_pointwise(static_cast<int>(kernel), x.dtype(), none, *body(out), inputs, number ? 2 : 1,
                false);
  return out;
}

Tensor is_not_zero(const Tensor& x) {
  const double none[2] = {0, 0};
  const Tensor flags = make_tensor(x.sizes(), DType::kBool), zero = scalar(0.0);
  const Arg inputs[2] = {x, zero};
  run_pointwise(static_cast<int>(cpu::PointwiseOp::k_ne), x.dtype(), none, *body(flags), inputs, 2,
                false);
  return flags;
}

void forward_norm(const Call& call) {
  using cpu::PointwiseOp;
  using cpu::ReduceOp;
  TensorBody& out = call.out();
  const Mask mask = static_cast<Mask>(call.attrs.ints[0]);
  const Tensor x = converted(call.in(0), out.dtype), y = borrow(&out);
  const double ord = order_of(call.attrs);
  const auto reduce = [&](ReduceOp op, const Tensor& t) {
    run_reduce(call.op.name, op, *body(t), mask, out, nullptr);
  };
  if (ord == 2) {
    reduce(ReduceOp::kSumSquares, x);
    applied(PointwiseOp::k_sqrt, y, Tensor(), true);
  } else if (ord == 1) {
    reduce(ReduceOp::kSumAbs, x);
  } else if (ord == 0) {
    reduce(ReduceOp::kSum, converted(*body(is_not_zero(x)), out.dtype));
  } else if (std::isinf(ord)) {
    reduce(ord > 0 ? ReduceOp::kMax : ReduceOp::kMin, applied(PointwiseOp::k_abs, x));
  } else {
    const Tensor powers =
        applied(PointwiseOp::k_pow, applied(PointwiseOp::k_abs, x), scalar(ord), true);
    reduce(ReduceOp::kSum, powers);
    applied(PointwiseOp::k_pow, y, scalar(1 / ord), true);
  }
}

// Where the norm or an element is 0, 1 takes its place in the denominators: the gradient there is
// 0.
Tensor zeros_as_ones(const Tensor& t) { return where(eq(t, scalar(0.0)), scalar(1.0), t); }

void backward_norm(Backward& b) {
  const double ord = order_of(b.attrs());
  const Tensor y = with_dims(b, b.output()), g = with_dims(b, b.grad()),
               x = to(b.input(0), y.dtype());
  if (ord == 2) return b.set(0, x * (g / zeros_as_ones(y)));
  if (ord == 1) return b.set(0, g * sign(x));
  if (ord == 0) return b.set(0, zeros_like(x));
  const Tensor size = abs(x);
  if (std::isinf(ord)) {
    const Tensor hits = to(eq(size, y), x.dtype());
    return b.set(0, sign(x) * hits * (g / sum(hits, dims_of(b.attrs(), x.dim()), true)));
  }
  const Tensor base = ord < 2 ? zeros_as_ones(size) : size;
  b.set(0, sign(x) * pow(base, scalar(ord - 1)) * (g / pow(zeros_as_ones(y), scalar(ord - 1))));
}

void check_norm(const Call& call) {
  need_counts(call, 1, 1);
  need_mask(call, call.in(0).sizes.size());
  need_dtype_number(call, 2, true);
}

constexpr Op op_vector_norm = {.name = "vector_norm",
                               .traits = kReduction,
                               .infer = infer_norm,
                               .forward = {forward_norm},
                               .backward = backward_norm,
                               .reads = {reads_input(0) | reads_output()},
                               .attrs = ";ord;dims,keepdim,dtype",
                               .doc = "(sum |x|^ord)^(1 / ord) over dims",
                               .batch = by_mask(1),
                               .check = check_norm};
constexpr const Op* kNormOps[] = {&op_vector_norm};

}  // namespace

OpList norm_ops() { return {kNormOps, std::size(kNormOps)}; }

}  // namespace detail

Tensor vector_norm(const Tensor& x, double ord, const Shape& dims, bool keepdim,
                   std::optional<DType> dtype) {
  detail::Attrs attrs = detail::reduce_attrs(x, dims, keepdim);
  attrs.reals[0] = ord;
  if (dtype) attrs.ints[2] = static_cast<int64_t>(*dtype);
  return detail::dispatch(detail::op_vector_norm, {x}, attrs);
}

Tensor renorm(const Tensor& x, double p, int64_t dim, double maxnorm) {
  if (!(p > 0)) fail(ErrorCode::kRuntime, "renorm: non-positive-norm not supported, got ", p);
  if (!(maxnorm >= 0))
    fail(ErrorCode::kRuntime, "renorm: expected maxnorm to be >= 0 but got ", maxnorm);
  if (x.dim() < 2)
    fail(ErrorCode::kRuntime, "renorm: input needs at least 2 dimensions, got ", x.dim(),
         " dimensions (sizes ", x.sizes(), ")");
  Shape others = detail::all_dims(x.dim());
  others.erase(detail::normalize_dim(dim, x.dim()));
  const Tensor norms = vector_norm(x, p, others, true), most = scalar(maxnorm);
  return x * where(gt(norms, most), most / (norms + scalar(1e-7)), scalar(1.0));
}
Tensor& renorm_(Tensor& self, double p, int64_t dim, double maxnorm) {
  return copy_(self, renorm(clone(self), p, dim, maxnorm));
}

}  // namespace autograd
