// Tensors out of nothing: constants, ranges, random numbers, the caller's memory.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/interrupt.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "kernels/cpu/pointwise.hpp"

namespace autograd {
namespace {

using detail::make_tensor;

/// Calls write(address, first, count) for consecutive elements of a new tensor, that is, of memory
/// that Ctrl-C may leave half written.
template <class Write>
void write_parts(Tensor& t, const Write& write) {
  constexpr int64_t kPart = 1 << 21;
  const int64_t n = t.numel(), item = static_cast<int64_t>(size_of(t.dtype()));
  if (n == 0) return;
  char* const data = static_cast<char*>(t.data());
  if (n < detail::kLongWork) return write(data, int64_t{0}, n);
  const detail::LongKernel kernel(n);
  for (int64_t first = 0; first < n; first += kPart) {
    if (first > 0) detail::poll_in_kernel();
    write(data + first * item, first, std::min(kPart, n - first));
  }
}

/// write(first, n, numbers) writes elements first to first + n.
template <class WriteBlock>
void write_blocks(Tensor& t, const WriteBlock& write) {
  constexpr int64_t kBlock = 256;
  const DType dtype = t.dtype();
  const int64_t item = static_cast<int64_t>(size_of(dtype));
  write_parts(t, [&](char* out, int64_t first, int64_t count) {
    double numbers[kBlock];
    for (int64_t at = 0; at < count; at += kBlock) {
      const int64_t n = std::min(kBlock, count - at);
      write(static_cast<double>(first + at), static_cast<int32_t>(n), numbers);
      cpu::convert(numbers, DType::kFloat64, 1, out + at * item, dtype, 1, n);
    }
  });
}

/// Element i becomes number(i).
template <class Number>
void write_numbers(Tensor& t, const Number& number) {
  write_blocks(t, [&](double first, int32_t n, double* numbers) {
    for (int32_t i = 0; i < n; ++i) numbers[i] = number(first + i);
  });
}

/// weight(x) for x from 0 to 1.
template <class Weight>
Tensor window(int64_t n, bool periodic, DType dtype, const Weight& weight) {
  if (!is_floating(dtype))
    fail(ErrorCode::kRuntime, "a window expects floating point dtypes, got: ", name_of(dtype));
  if (n < 0)
    fail(ErrorCode::kRuntime,
         "a window requires non-negative window_length, got window_length=", n);
  if (n == 1) return ones({1}, dtype);
  Tensor t = make_tensor({n}, dtype);
  const double steps = static_cast<double>(periodic ? n : n - 1);
  write_numbers(t, [&](double i) { return weight(i / steps); });
  return t;
}

}  // namespace

Tensor empty(const Shape& sizes, DType dtype) { return make_tensor(sizes, dtype); }

Tensor zeros(const Shape& sizes, DType dtype) {
  Tensor t = make_tensor(sizes, dtype);
  write_parts(t, [&](char* out, int64_t, int64_t count) {
    std::memset(out, 0, static_cast<size_t>(count) * size_of(dtype));
  });
  return t;
}

Tensor full(const Shape& sizes, const Scalar& value, DType dtype) {
  Tensor t = make_tensor(sizes, dtype);
  const int64_t integer = value.integer();
  const double real = value.real();
  const bool is_real = value.dtype() == DType::kFloat64;
  write_parts(t, [&](char* out, int64_t, int64_t count) {
    cpu::convert(is_real ? static_cast<const void*>(&real) : &integer,
                 is_real ? DType::kFloat64 : DType::kInt64, 0, out, dtype, 1, count);
  });
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
  const auto is_whole = [](double x) { return std::trunc(x) == x && std::abs(x) < 1e15; };
  if (dtype == DType::kInt64 && is_whole(start) && is_whole(step) && std::abs(end) < 1e15) {
    const auto from = static_cast<int64_t>(start), by = static_cast<int64_t>(step);
    write_parts(t, [&](char* out, int64_t first, int64_t n) {
      auto* const numbers = reinterpret_cast<int64_t*>(out);
      for (int64_t i = 0; i < n; ++i) numbers[i] = from + (first + i) * by;
    });
    return t;
  }
  write_numbers(t, [&](double i) { return start + i * step; });
  return t;
}

Tensor linspace(double start, double end, int64_t steps, DType dtype) {
  if (steps < 0)
    fail(ErrorCode::kRuntime, "linspace: number of steps must be non-negative, got ", steps);
  Tensor t = make_tensor({steps}, dtype);
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  // From both ends, so that the last number is exactly `end`.
  const double last = static_cast<double>(steps - 1);
  const int64_t half = steps == 1 ? 1 : steps / 2;
  write_blocks(t, [&](double first, int32_t n, double* numbers) {
    const auto from_start = static_cast<int32_t>(
        std::clamp(static_cast<double>(half) - first, 0.0, static_cast<double>(n)));
    for (int32_t i = 0; i < from_start; ++i) numbers[i] = start + step * (first + i);
    for (int32_t i = from_start; i < n; ++i) numbers[i] = end - step * (last - (first + i));
  });
  return t;
}

Tensor cosine_window(int64_t n, bool periodic, double a, double b, double c, DType dtype) {
  return window(n, periodic, dtype, [=](double x) {
    const double angle = 2 * M_PI * x;
    return a - b * std::cos(angle) + (c != 0 ? c * std::cos(2 * angle) : 0);
  });
}

Tensor bartlett_window(int64_t n, bool periodic, DType dtype) {
  return window(n, periodic, dtype, [](double x) { return 1 - std::abs(2 * x - 1); });
}

Tensor kaiser_window(int64_t n, bool periodic, double beta, DType dtype) {
  const auto kernel = cpu::pointwise_kernel(cpu::PointwiseOp::k_i0, DType::kFloat64);
  const auto i0 = [=](double x) {
    const void* const in[] = {&x};
    kernel(in, &x, 1, nullptr);
    return x;
  };
  const double whole = i0(beta);
  return window(n, periodic, dtype, [=](double x) {
    const double apart = 2 * x - 1;
    return i0(beta * std::sqrt(std::max(0.0, 1 - apart * apart))) / whole;
  });
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
    const char* const from = static_cast<const char*>(data);
    const int64_t item = static_cast<int64_t>(size_of(dtype));
    write_parts(t, [&](char* out, int64_t first, int64_t count) {
      if (dtype == DType::kBool)
        cpu::convert(from + first, DType::kUInt8, 1, out, DType::kBool, 1, count);
      else
        std::memcpy(out, from + first * item, static_cast<size_t>(count * item));
    });
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
