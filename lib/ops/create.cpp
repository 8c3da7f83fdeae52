// Tensors out of nothing: constants, ranges, random numbers, the caller's memory.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/ops.hpp"
#include "autograd/random.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/registry.hpp"

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
Tensor empty_like(const Tensor& t) { return empty(t.sizes(), t.dtype()); }
Tensor zeros_like(const Tensor& t) { return zeros(t.sizes(), t.dtype()); }
Tensor ones_like(const Tensor& t) { return ones(t.sizes(), t.dtype()); }

Tensor scalar(const Scalar& value) {
  Tensor t = make_tensor({}, value.dtype());
  if (value.dtype() == DType::kFloat64)
    *reinterpret_cast<double*>(t.data()) = value.real();
  else if (value.dtype() == DType::kInt64)
    *reinterpret_cast<int64_t*>(t.data()) = value.integer();
  else
    *reinterpret_cast<uint8_t*>(t.data()) = value.integer() != 0;
  t.head()->is_number = true;
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

// ---- random numbers: in-place ops, so that whoever watches the door sees every draw

namespace detail {
namespace {

enum Distribution { kUniform, kNormal, kInteger };

void infer_random(const Call& call, OutputMetas& outputs) {
  const TensorBody& self = call.in(0);
  if (call.attrs.ints[0] != kInteger && !is_floating(self.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": random floats need a float tensor, got ",
         name_of(self.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = self.dtype;
  meta.sizes = self.sizes;
}

void fill_random(const Call& call, cpu::Philox rng, char* out, int64_t begin, int64_t n) {
  const Attrs& a = call.attrs;
  const DType dtype = call.in(0).dtype;
  if (a.ints[0] == kInteger)
    return cpu::fill_randint(dtype, rng, begin, a.ints[1], a.ints[2], out, n);
  if (a.ints[0] == kUniform)
    cpu::fill_uniform(dtype, rng, begin, out, n);
  else
    cpu::fill_normal(dtype, rng, begin, out, n);
  const double shift = a.reals[0],
               scale = a.ints[0] == kUniform ? a.reals[1] - a.reals[0] : a.reals[1];
  if (shift == 0 && scale == 1) return;
  for (int64_t i = 0; i < n; ++i) {
    if (dtype == DType::kFloat32) {
      float& x = reinterpret_cast<float*>(out)[i];
      x = static_cast<float>(shift + scale * x);
    } else {
      double& x = reinterpret_cast<double*>(out)[i];
      x = shift + scale * x;
    }
  }
}

void forward_random(const Call& call) {
  TensorBody& self = call.in(0);
  const cpu::Philox rng = take_random(self.numel);
  Tensor filled = self.is_contiguous ? borrow(&self) : make_tensor(self.sizes, self.dtype);
  char* out = body(filled)->data;
  parallel_for(self.numel, kGrain / 4, [&](int64_t begin, int64_t end) {
    fill_random(call, rng, out + static_cast<size_t>(begin) * size_of(self.dtype), begin,
                end - begin);
  });
  if (!self.is_contiguous) copy_into(self, *body(filled));
}

// The new values do not depend on the old ones: no gradient reaches them.
constexpr Op op_random = {
    .name = "random_",
    .traits = kRandom | kInPlace,
    .infer = infer_random,
    .forward = {forward_random},
    .backward = [](Backward& b) { b.set(0, zeros(b.input_sizes(0), b.input_dtype(0))); },
    .attrs = ";low_or_mean,high_or_std;distribution,low,high",
    .doc = "self filled with random numbers"};
constexpr const Op* kRandomOps[] = {&op_random};

Tensor& draw(Tensor& self, Distribution distribution, double a, double b, int64_t low = 0,
             int64_t high = 0) {
  Attrs attrs;
  attrs.reals[0] = a;
  attrs.reals[1] = b;
  attrs.ints[0] = distribution;
  attrs.ints[1] = low;
  attrs.ints[2] = high;
  dispatch_in_place(op_random, {self}, attrs);
  return self;
}

}  // namespace

OpList random_ops() { return {kRandomOps, std::size(kRandomOps)}; }

}  // namespace detail

Tensor rand(const Shape& sizes, DType dtype) {
  Tensor t = make_tensor(sizes, dtype);
  return detail::draw(t, detail::kUniform, 0, 1);
}

Tensor randn(const Shape& sizes, DType dtype) {
  Tensor t = make_tensor(sizes, dtype);
  return detail::draw(t, detail::kNormal, 0, 1);
}

Tensor randint(int64_t low, int64_t high, const Shape& sizes, DType dtype) {
  if (low >= high)
    fail(ErrorCode::kRuntime,
         "randint: random_ expects 'from' to be less than 'to', but got from=", low,
         " >= to=", high);
  Tensor t = make_tensor(sizes, dtype);
  return detail::draw(t, detail::kInteger, 0, 1, low, high);
}

Tensor randperm(int64_t n) {
  if (n < 0) fail(ErrorCode::kRuntime, "randperm: n must be non-negative, got ", n);
  Tensor t = make_tensor({n}, DType::kInt64);
  cpu::fill_randperm(detail::take_random(n), t.data_as<int64_t>(), n);
  return t;
}

Tensor& uniform_(Tensor& self, double low, double high) {
  if (!(low <= high))
    fail(ErrorCode::kRuntime, "uniform_ expects to return a [from, to) range, but found from=", low,
         " > to=", high);
  return detail::draw(self, detail::kUniform, low, high);
}

Tensor& normal_(Tensor& self, double mean, double std) {
  if (!(std >= 0)) fail(ErrorCode::kRuntime, "normal_ expects std >= 0.0, but found std ", std);
  return detail::draw(self, detail::kNormal, mean, std);
}

}  // namespace autograd
