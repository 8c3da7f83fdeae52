// Conversion, copies and fills: the copy kernel with another output type or a given output.
#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/pointwise.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr int kCopy = static_cast<int>(cpu::PointwiseOp::k_copy);

// ---- conversion: the copy kernel with another output type; the engine converts the gradient back

void infer_to(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = static_cast<DType>(call.attrs.ints[0]);
  meta.sizes = call.in(0).sizes;
}

void forward_to(const Call& call) {
  run_pointwise(kCopy, call.in(0).dtype, call.attrs.reals, call.out(), call.inputs, 1, false);
}

void check_to(const Call& call) {
  need_counts(call, 1, 1);
  need_dtype_number(call, 0);
}

constexpr Op op_to = {.name = "to",
                      .traits = kPointwise | kCopies,
                      .infer = infer_to,
                      .forward = {forward_to},
                      .backward = [](Backward& b) { b.set(0, b.grad()); },
                      .attrs = ";;dtype",
                      .doc = "x converted to dtype",
                      .kernel = kCopy,
                      .check = check_to};

// ---- copy_(self, src): self becomes src, broadcast and converted

void infer_assign(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes, call.in(1).sizes);
}

void forward_assign(const Call& call) {
  TensorBody &out = call.out(), &src = call.in(1);
  if (src.numel == 1 && out.is_contiguous && out.numel <= kGrain)
    return cpu::convert(src.data, src.dtype, 0, out.data, out.dtype, 1, out.numel);
  run_pointwise(kCopy, call.in(1).dtype, call.attrs.reals, call.out(), call.inputs + 1, 1, false);
}

constexpr Op op_assign = {.name = "copy_",
                          .traits = kPointwise | kCopies | kInPlace | kOverwrites,
                          .infer = infer_assign,
                          .forward = {forward_assign},
                          .backward =
                              [](Backward& b) {
                                if (b.needs(0)) b.set(0, zeros(b.input_sizes(0), b.input_dtype(0)));
                                if (b.needs(1)) b.set(1, b.grad());
                              },
                          .doc = "self = src",
                          .check = takes<2>};

constexpr const Op* kCopyOps[] = {&op_to, &op_assign};

}  // namespace

OpList copy_ops() { return {kCopyOps, std::size(kCopyOps)}; }

}  // namespace detail

using detail::dispatch;
using detail::dispatch_in_place;

Tensor clone(const Tensor& x) { return detail::apply(cpu::PointwiseOp::k_copy, {x}); }

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone(x); }

Tensor to(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype && !x.head()->is_number) return x;
  detail::Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(dtype);
  return dispatch(detail::op_to, {x}, attrs);
}

Tensor& copy_(Tensor& self, const Tensor& src) {
  dispatch_in_place(detail::op_assign, {self, src});
  return self;
}

Tensor& fill_(Tensor& self, const Tensor& value) {
  if (value.numel() != 1)
    fail(ErrorCode::kRuntime, "fill_: the value must have one element, got sizes ", value.sizes());
  return copy_(self, value.dim() ? reshape(value, {}) : value);
}

Tensor& zero_(Tensor& self) { return fill_(self, scalar(0)); }

}  // namespace autograd
