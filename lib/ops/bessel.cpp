// Modified Bessel functions of the first kind, of order 0 and 1, plain and times exp(-|x|).
#include "kernels/cpu/bessel.hpp"

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr int64_t kStepsOfElement = 32;

void infer_bessel(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
}

template <int kOrder, bool kScaled>
void forward_bessel(const Call& call) {
  TensorBody& out = call.out();
  const Tensor x = dense(call.in(0));
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  const char* from = static_cast<const char*>(x.data());
  parallel_for(out.numel, kGrain / kStepsOfElement, [&](int64_t begin, int64_t end) {
    cpu::bessel_i(out.dtype, kOrder, kScaled, from + begin * item, out.data + begin * item,
                  end - begin);
  });
}

// y / x where y goes to x / 2 near 0.
Tensor over_x(const Tensor& y, const Tensor& x) {
  const Tensor zero = eq(x, scalar(0.0));
  return where(zero, scalar(0.5), y / where(zero, scalar(1.0), x));
}

void backward_i0(Backward& b) { b.set(0, b.grad() * i1(b.input(0))); }
void backward_i0e(Backward& b) {
  const Tensor x = b.input(0);
  b.set(0, b.grad() * (i1e(x) - sign(x) * b.output()));
}
void backward_i1(Backward& b) {
  const Tensor x = b.input(0);
  b.set(0, b.grad() * (i0(x) - over_x(b.output(), x)));
}
void backward_i1e(Backward& b) {
  const Tensor x = b.input(0), y = b.output();
  b.set(0, b.grad() * (i0e(x) - sign(x) * y - over_x(y, x)));
}

void check_bessel(const Call& call) {
  need_counts(call, 1, 1);
  need_float(call, 0);
}

constexpr Op op_i0 = {.name = "i0",
                      .traits = 0,
                      .infer = infer_bessel,
                      .forward = {forward_bessel<0, false>},
                      .backward = backward_i0,
                      .reads = {reads_input(0)},
                      .doc = "modified Bessel function of the first kind, order 0",
                      .batch = {1},
                      .check = check_bessel};
constexpr Op op_i0e = {.name = "i0e",
                       .traits = 0,
                       .infer = infer_bessel,
                       .forward = {forward_bessel<0, true>},
                       .backward = backward_i0e,
                       .reads = {reads_input(0) | reads_output()},
                       .doc = "i0 times exp(-|x|)",
                       .batch = {1},
                       .check = check_bessel};
constexpr Op op_i1 = {.name = "i1",
                      .traits = 0,
                      .infer = infer_bessel,
                      .forward = {forward_bessel<1, false>},
                      .backward = backward_i1,
                      .reads = {reads_input(0) | reads_output()},
                      .doc = "modified Bessel function of the first kind, order 1",
                      .batch = {1},
                      .check = check_bessel};
constexpr Op op_i1e = {.name = "i1e",
                       .traits = 0,
                       .infer = infer_bessel,
                       .forward = {forward_bessel<1, true>},
                       .backward = backward_i1e,
                       .reads = {reads_input(0) | reads_output()},
                       .doc = "i1 times exp(-|x|)",
                       .batch = {1},
                       .check = check_bessel};

constexpr const Op* kBesselOps[] = {&op_i0, &op_i0e, &op_i1, &op_i1e};

// Integers become floats of the default dtype.
Tensor of_floats(const Op& op, const Tensor& x) {
  return dispatch(op, {is_floating(x.dtype()) ? x : to(x, default_dtype())});
}

}  // namespace

OpList bessel_ops() { return {kBesselOps, std::size(kBesselOps)}; }

}  // namespace detail

Tensor i0(const Tensor& x) { return detail::of_floats(detail::op_i0, x); }
Tensor i0e(const Tensor& x) { return detail::of_floats(detail::op_i0e, x); }
Tensor i1(const Tensor& x) { return detail::of_floats(detail::op_i1, x); }
Tensor i1e(const Tensor& x) { return detail::of_floats(detail::op_i1e, x); }

}  // namespace autograd
