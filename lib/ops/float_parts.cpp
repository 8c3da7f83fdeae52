// The parts that floats are made of: fractions and exponents.
#include <cmath>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

void infer_frexp(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kRuntime, "frexp() only supports floating-point dtypes, got ",
         name_of(x.dtype));
  for (DType dtype : {x.dtype, DType::kInt32}) {
    OutputMeta& meta = outputs.add();
    meta.dtype = dtype;
    meta.sizes = x.sizes;
  }
}

template <class T>
void take_apart(const Tensor& x, TensorBody& mantissa, TensorBody& exponent) {
  const T* from = x.data_as<T>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    int number = 0;  // stays where x is not finite
    reinterpret_cast<T*>(mantissa.data)[i] =
        std::isfinite(from[i]) ? std::frexp(from[i], &number) : from[i];
    reinterpret_cast<int32_t*>(exponent.data)[i] = number;
  }
}

void forward_frexp(const Call& call) {
  const Tensor x = dense(call.in(0));
  if (x.dtype() == DType::kFloat32)
    take_apart<float>(x, call.out(0), call.out(1));
  else
    take_apart<double>(x, call.out(0), call.out(1));
}

// The exponent is constant between steps.
void backward_frexp(Backward& b) {
  if (b.has_grad(0)) b.set(0, b.grad(0) / exp2(to(b.output(1), b.input_dtype(0))));
}

constexpr Op op_frexp = {.name = "frexp",
                         .traits = 0,
                         .infer = infer_frexp,
                         .forward = {forward_frexp},
                         .backward = backward_frexp,
                         .reads = {reads_output(1)},
                         .doc = "mantissa and exponent",
                         .batch = {1},
                         .check = [](const Call& call) { need_counts(call, 1, 1, 2); }};

constexpr const Op* kFloatPartOps[] = {&op_frexp};

}  // namespace

OpList float_part_ops() { return {kFloatPartOps, std::size(kFloatPartOps)}; }

}  // namespace detail

std::pair<Tensor, Tensor> frexp(const Tensor& x) {
  return detail::dispatch_pair(detail::op_frexp, {x});
}

}  // namespace autograd
