// The parts that floats are made of: fractions and exponents, and the float next to another one.
#include <cmath>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ---- frexp

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

// ---- nextafter(a, b), which broadcast

void infer_nextafter(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = result_type(call.inputs, 2);
  meta.sizes = broadcast_sizes("nextafter", call.in(0).sizes, call.in(1).sizes);
  if (!is_floating(meta.dtype))
    fail(ErrorCode::kNotImplemented, "\"nextafter\" not implemented for ", name_of(meta.dtype));
}

// An input in the sizes and the dtype of the result.
Tensor fitted(const Call& call, int i) {
  const Unobserved pause;
  const NoGrad off;
  const TensorBody& out = call.out();
  return contiguous(expand(to(borrow(&call.in(i)), out.dtype), out.sizes));
}

template <class T>
void step(const Tensor& a, const Tensor& b, TensorBody& out) {
  const T *from = a.data_as<T>(), *towards = b.data_as<T>();
  for (int64_t i = 0; i < out.numel; ++i)
    reinterpret_cast<T*>(out.data)[i] = std::nextafter(from[i], towards[i]);
}

void forward_nextafter(const Call& call) {
  const Tensor a = fitted(call, 0), b = fitted(call, 1);
  if (call.out().dtype == DType::kFloat32)
    step<float>(a, b, call.out());
  else
    step<double>(a, b, call.out());
}

// a moves along with the result, but where it is b.
void backward_nextafter(Backward& b) {
  if (b.needs(0)) b.set(0, where(ne(b.input(0), b.input(1)), b.grad(), scalar(0.0)));
  if (b.needs(1)) b.set(1, b.grad() * 0);
}

constexpr Op op_nextafter = {.name = "nextafter",
                             .traits = 0,
                             .infer = infer_nextafter,
                             .forward = {forward_nextafter},
                             .backward = backward_nextafter,
                             .reads = {reads_input(0) | reads_input(1), 0},
                             .doc = "the float next to a in the direction of b",
                             .batch = {.call = batch_broadcast},
                             .check = takes<2>};

constexpr const Op* kFloatPartOps[] = {&op_frexp, &op_nextafter};

}  // namespace

OpList float_part_ops() { return {kFloatPartOps, std::size(kFloatPartOps)}; }

}  // namespace detail

std::pair<Tensor, Tensor> frexp(const Tensor& x) {
  return detail::dispatch_pair(detail::op_frexp, {x});
}

Tensor nextafter(const Tensor& a, const Tensor& b) {
  return detail::dispatch(detail::op_nextafter, {a, b});
}

}  // namespace autograd
