// Tensors out of nothing: constants, ranges, random numbers, the caller's memory.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "kernels/cpu/pointwise.hpp"

namespace autograd {
namespace {

using detail::make_tensor;

void store(const Scalar& value, Tensor& out) {
  const int64_t integer = value.integer();
  const double real = value.real();
  const bool is_real = value.dtype() == DType::kFloat64;
  cpu::convert(is_real ? static_cast<const void*>(&real) : &integer,
               is_real ? DType::kFloat64 : DType::kInt64, 0, out.data(), out.dtype(), 1,
               out.numel());
}

}  // namespace

Tensor empty(const Shape& sizes, DType dtype) { return make_tensor(sizes, dtype); }

Tensor zeros(const Shape& sizes, DType dtype) {
  Tensor t = make_tensor(sizes, dtype);
  if (t.numel()) std::memset(t.data(), 0, static_cast<size_t>(t.numel()) * size_of(dtype));
  return t;
}

Tensor full(const Shape& sizes, const Scalar& value, DType dtype) {
  Tensor t = make_tensor(sizes, dtype);
  store(value, t);
  return t;
}

Tensor ones(const Shape& sizes, DType dtype) { return full(sizes, 1, dtype); }
// Examples like examples, so that they can be written to.
Tensor empty_like(const Tensor& t) {
  return detail::written_with(empty(t.sizes(), t.dtype()), {&t});
}
Tensor zeros_like(const Tensor& t) {
  return detail::written_with(zeros(t.sizes(), t.dtype()), {&t});
}
Tensor ones_like(const Tensor& t) { return detail::written_with(ones(t.sizes(), t.dtype()), {&t}); }

Tensor scalar(const Scalar& value) {
  Tensor t = make_tensor({}, value.dtype());
  if (value.dtype() == DType::kFloat64)
    *reinterpret_cast<double*>(t.data()) = value.real();
  else if (value.dtype() == DType::kInt64)
    *reinterpret_cast<int64_t*>(t.data()) = value.integer();
  else
    *reinterpret_cast<uint8_t*>(t.data()) = value.integer() != 0;
  t.head()->is_number = true;
  // Bindings keep numbers for later calls, in whatever mode they are made.
  detail::body(t)->is_inference = false;
  return t;
}

Tensor arange(double start, double end, double step, DType dtype) {
  if (step == 0) fail(ErrorCode::kRuntime, "arange: step must be nonzero");
  if (!std::isfinite(start) || !std::isfinite(end) || std::isnan(step))
    fail(ErrorCode::kRuntime, "arange: unsupported range: ", start, " -> ", end);
  if ((end - start) * step < 0)
    fail(ErrorCode::kRuntime, "arange: upper bound and lower bound inconsistent with step sign (",
         start, " to ", end, " by ", step, ")");
  if (dtype == DType::kBool) fail(ErrorCode::kNotImplemented, "arange: not defined for bool");
  const double count = std::ceil((end - start) / step);
  if (!(count < 9e18)) fail(ErrorCode::kRuntime, "arange: invalid size, possible overflow");
  Tensor t = make_tensor({static_cast<int64_t>(count)}, dtype);
  double value[1];
  for (int64_t i = 0; i < t.numel(); ++i) {
    value[0] = start + static_cast<double>(i) * step;
    cpu::convert(value, DType::kFloat64, 1,
                 static_cast<char*>(t.data()) + static_cast<size_t>(i) * size_of(dtype), dtype, 1,
                 1);
  }
  return t;
}

Tensor linspace(double start, double end, int64_t steps, DType dtype) {
  if (steps < 0)
    fail(ErrorCode::kRuntime, "linspace: number of steps must be non-negative, got ", steps);
  Tensor t = make_tensor({steps}, dtype);
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  for (int64_t i = 0; i < steps; ++i) {
    // From both ends, so that the last number is exactly `end`.
    const double value = i < steps / 2 ? start + step * static_cast<double>(i)
                                       : end - step * static_cast<double>(steps - 1 - i);
    const double only = steps == 1 ? start : value;
    cpu::convert(&only, DType::kFloat64, 1,
                 static_cast<char*>(t.data()) + static_cast<size_t>(i) * size_of(dtype), dtype, 1,
                 1);
  }
  return t;
}

Tensor eye(int64_t n, int64_t m, DType dtype) {
  if (n < 0 || m < 0)
    fail(ErrorCode::kRuntime, "eye: n and m must be greater or equal to 0, got ", n, " and ", m);
  Tensor t = zeros({n, m}, dtype);
  const int64_t diagonal = std::min(n, m);
  if (diagonal == 0) return t;
  const int64_t one = 1;
  cpu::convert(&one, DType::kInt64, 0, t.data(), dtype, m + 1, diagonal);
  return t;
}

Tensor from_data(const void* data, DType dtype, const Shape& sizes) {
  Tensor t = make_tensor(sizes, dtype);
  if (t.numel()) {
    if (!data)
      fail(ErrorCode::kValue, "from_data: data is NULL but the tensor has ", t.numel(),
           " elements");
    if (dtype == DType::kBool)
      cpu::convert(data, DType::kUInt8, 1, t.data(), DType::kBool, 1, t.numel());
    else
      std::memcpy(t.data(), data, static_cast<size_t>(t.numel()) * size_of(dtype));
  }
  return t;
}

Tensor from_blob(void* data, DType dtype, const Shape& sizes, const Shape& strides,
                 void (*deleter)(void*), void* context) {
  const int64_t numel = detail::checked_numel(sizes);
  if (sizes.size() != strides.size())
    fail(ErrorCode::kValue, "from_blob: sizes ", sizes, " and strides ", strides,
         " differ in length");
  if (numel && !data)
    fail(ErrorCode::kValue, "from_blob: data is NULL but the tensor has ", numel, " elements");
  int64_t last = 0;
  for (int d = 0; numel && d < sizes.size(); ++d) {
    if (strides[d] < 0)
      fail(ErrorCode::kValue, "from_blob: negative strides are not supported, got ", strides);
    int64_t extent;
    if (__builtin_mul_overflow(sizes[d] - 1, strides[d], &extent) ||
        __builtin_add_overflow(last, extent, &last))
      fail(ErrorCode::kValue, "from_blob: sizes ", sizes, " and strides ", strides, " overflow");
  }
  const size_t bytes = numel ? static_cast<size_t>(last + 1) * size_of(dtype) : 0;
  return detail::make_over(detail::Storage::wrap(data, bytes, deleter, context), dtype, sizes,
                           strides);
}

Tensor from_blob(void* data, DType dtype, const Shape& sizes) {
  return from_blob(data, dtype, sizes, detail::contiguous_strides(sizes));
}

}  // namespace autograd
