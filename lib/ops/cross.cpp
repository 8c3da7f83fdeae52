// The cross product of vectors of 3.
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "kernels/cpu/linalg.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ints[0]: the dim of 3

void infer_cross(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = broadcast_sizes("linalg.cross", call.in(0).sizes, call.in(1).sizes);
}

Tensor dense_as(TensorBody& t, const Shape& sizes) {
  if (t.sizes == sizes) return dense(t);
  Tensor copy = make_tensor(sizes, t.dtype);
  copy_into(*body(copy), t);
  return copy;
}

void forward_cross(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor a = dense_as(call.in(0), out.sizes), b = dense_as(call.in(1), out.sizes);
  int64_t inner = 1;
  for (int d = static_cast<int>(call.attrs.ints[0]) + 1; d < out.sizes.size(); ++d)
    inner *= out.sizes[d];
  cpu::cross(out.dtype, out.numel / (3 * inner), inner, a.data(), b.data(), out.data);
}

// <g, a x b> = <a, b x g> = <b, g x a>
void backward_cross(Backward& r) {
  const int64_t dim = r.attrs().ints[0];
  if (r.needs(0)) r.set(0, linalg_cross(r.input(1), r.grad(), dim));
  if (r.needs(1)) r.set(1, linalg_cross(r.grad(), r.input(0), dim));
}

void check_cross(const Call& call) {
  need_counts(call, 2, 2);
  const int rank = call.in(0).sizes.size(), dim = need_dim(call, 0, rank);
  need(call, rank > 0 && call.in(0).dtype != DType::kBool, "vectors of numbers are wanted");
  need_dtype_of(call, 1, 0);
  for (int i = 0; i < 2; ++i) {
    need_rank(call, i, rank);
    need(call, call.in(i).sizes[dim] == 3, "vectors of 3 are wanted");
  }
}

constexpr Op op_cross = {.name = "cross",
                         .traits = kProduct,
                         .infer = infer_cross,
                         .forward = {forward_cross},
                         .backward = backward_cross,
                         .reads = {reads_input(1), reads_input(0)},
                         .attrs = ";;dim",
                         .doc = "cross product of vectors of 3",
                         .flops = each_flops<3>,
                         .batch = by_dim(3),
                         .check = check_cross};

constexpr const Op* kCrossOps[] = {&op_cross};

}  // namespace

OpList cross_ops() { return {kCrossOps, std::size(kCrossOps)}; }

}  // namespace detail

Tensor linalg_cross(const Tensor& a, const Tensor& b, int64_t dim) {
  constexpr const char* kName = "linalg.cross";
  if (a.dim() != b.dim())
    fail(ErrorCode::kRuntime, kName, ": inputs must have the same number of dimensions; got sizes ",
         a.sizes(), " and ", b.sizes());
  const int d = detail::normalize_dim(dim, a.dim());
  if (a.dim() == 0 || a.sizes()[d] != 3 || b.sizes()[d] != 3)
    fail(ErrorCode::kRuntime, kName, ": inputs dimension ", dim, " must have length 3. Got ",
         a.dim() ? a.sizes()[d] : 0, " and ", b.dim() ? b.sizes()[d] : 0, "; got sizes ", a.sizes(),
         " and ", b.sizes());
  if (a.dtype() != b.dtype())
    fail(ErrorCode::kRuntime, kName, ": expected scalar type ", name_of(a.dtype()), " but found ",
         name_of(b.dtype()));
  if (a.dtype() == DType::kBool)
    fail(ErrorCode::kNotImplemented, "\"cross\" not implemented for 'Bool'");
  detail::Attrs attrs;
  attrs.ints[0] = d;
  return detail::dispatch(detail::op_cross, {a, b}, attrs);
}

}  // namespace autograd
