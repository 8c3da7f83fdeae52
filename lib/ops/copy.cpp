// Conversion, copies and fills: the copy kernel with another output type or a given output.
#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/runs.hpp"
#include "kernels/cpu/stream.hpp"
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

void forward_to(const Call& call) { copy_into(call.out(), call.in(0)); }

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

void forward_assign(const Call& call) { copy_into(call.out(), call.in(1)); }

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

/// out = src, both of the same sizes and dense.
void convert_dense(TensorBody& out, const TensorBody& src) {
  const cpu::ConvertRun run = cpu::convert_run(src.dtype, out.dtype);
  const auto from = static_cast<int64_t>(size_of(src.dtype)),
             to = static_cast<int64_t>(size_of(out.dtype));
  parallel_for(out.numel, kGrain, [&](int64_t begin, int64_t end) {
    run(src.data + begin * from, out.data + begin * to, end - begin);
  });
}

void fill_dense(TensorBody& out, const TensorBody& number) {
  const auto item = static_cast<int64_t>(size_of(out.dtype));
  parallel_for(out.numel, kGrain, [&](int64_t begin, int64_t end) {
    cpu::convert(number.data, number.dtype, 0, out.data + begin * item, out.dtype, 1, end - begin);
  });
}

/// Are all elements the same one?
bool is_number(const TensorBody& t) {
  for (int d = 0; d < t.sizes.size(); ++d)
    if (t.sizes[d] != 1 && t.strides[d] != 0) return false;
  return t.numel > 0;
}

void copy_of_dtype(TensorBody& out, TensorBody& src) {
  const double none[2] = {0, 0};
  const Arg from(&src);
  run_pointwise(kCopy, src.dtype, none, out, &from, 1, false);
}

}  // namespace

void copy_into(TensorBody& out, TensorBody& src) {
  const bool converts = out.dtype != src.dtype;
  if (converts && out.is_contiguous && src.is_contiguous && out.sizes == src.sizes)
    return convert_dense(out, src);
  if (!is_number(src)) return copy_of_dtype(out, src);
  const bool is_small = out.numel * static_cast<int64_t>(size_of(out.dtype)) < cpu::kStreamedBytes;
  if (out.is_contiguous && is_small) return fill_dense(out, src);
  if (!converts) return copy_of_dtype(out, src);
  const Tensor number = make_tensor({}, out.dtype);  // converted once, not for each element
  cpu::convert(src.data, src.dtype, 0, number.data(), out.dtype, 1, 1);
  copy_of_dtype(out, *body(number));
}

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
