// The public poolings: check what they are given, in PyTorch's words, and call the records.
#include "autograd/pooling.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "autograd/ops.hpp"
#include "core/text.hpp"
#include "ops/pool.hpp"

namespace autograd {
namespace detail {
namespace {

struct PoolCall {
  const char* name;
  int dims;
  const Tensor& x;
};

const char* word_of(int n) { return n == 1 ? "one int" : n == 2 ? "two ints" : "three ints"; }

Shape per_dim(const PoolCall& c, const char* what, const Shape& values) {
  if (values.size() != 1 && values.size() != c.dims)
    fail(ErrorCode::kRuntime, c.name, ": ", what, " must be a single int, or a tuple of ",
         word_of(c.dims), ", got ", values);
  for (int64_t v : values)
    if (v > std::numeric_limits<int32_t>::max() || v < std::numeric_limits<int32_t>::min())
      fail(ErrorCode::kRuntime, c.name,
           ": value cannot be converted to type int without overflow: ", what, "=", values);
  return values.size() == c.dims ? values : Shape::filled(c.dims, values[0]);
}

void check_positive(const PoolCall& c, const char* what, const Shape& values) {
  for (int64_t v : values)
    if (v <= 0)
      fail(ErrorCode::kRuntime, c.name, ": ", what, " should be greater than zero, but got ",
           values, " for input ", c.x.sizes());
}

/// Only the batch may be empty.
void check_input(const PoolCall& c) {
  const Shape& sizes = c.x.sizes();
  bool fits = sizes.size() == c.dims + 1 || sizes.size() == c.dims + 2;
  for (int d = sizes.size() == c.dims + 2 ? 1 : 0; fits && d < sizes.size(); ++d)
    fits = sizes[d] > 0;
  if (!fits)
    fail(ErrorCode::kRuntime, c.name, ": Expected non-empty ", c.dims + 1, "D or ", c.dims + 2,
         "D (batch mode) tensor with optional 0 dim batch size for input, but got: ", sizes);
}

std::string by(const Shape& sizes) {
  std::string text;
  for (int d = 0; d < sizes.size(); ++d) text.append(d ? "x" : "").append(std::to_string(sizes[d]));
  return text;
}

struct PoolLists {
  Shape kernel, stride, padding, dilation;
  bool ceil_mode;
};

/// Windows along a dim; with ceil_mode one more may begin inside and end outside.
int64_t count_windows(const PoolLists& l, int d, int64_t in) {
  const int64_t stride = l.stride[d], pad = l.padding[d];
  int64_t room = in + 2 * pad - l.dilation[d] * (l.kernel[d] - 1) - 1;
  if (l.ceil_mode) room += stride - 1;
  int64_t out = (room >= 0 ? room / stride : -((-room + stride - 1) / stride)) + 1;
  if (l.ceil_mode && (out - 1) * stride >= in + pad) --out;
  return out;
}

Attrs pool_attrs(const PoolCall& c, const PoolLists& l) {
  check_positive(c, "kernel size", l.kernel);
  check_positive(c, "stride", l.stride);
  check_positive(c, "dilation", l.dilation);
  for (int d = 0; d < c.dims; ++d) {
    if (l.padding[d] < 0)
      fail(ErrorCode::kRuntime, c.name, ": pad must be non-negative, but got pad=", l.padding);
    if (l.padding[d] > (l.dilation[d] * (l.kernel[d] - 1) + 1) / 2 ||
        l.padding[d] > l.kernel[d] / 2)
      fail(ErrorCode::kRuntime, c.name,
           ": pad should be at most half of effective kernel size, but got pad=", l.padding,
           ", kernel_size=", l.kernel, " and dilation=", l.dilation);
  }
  check_input(c);
  Attrs attrs;
  attrs.lists[0] = l.kernel;
  Shape in, out;
  bool too_small = false;
  for (int d = 0; d < c.dims; ++d) {
    in.push_back(c.x.size(d - c.dims));
    out.push_back(count_windows(l, d, in[d]));
    too_small |= out[d] < 1;
  }
  if (too_small)
    fail(ErrorCode::kRuntime, c.name, ": Given input size: (", by(in),
         "). Calculated output size: (", by(out), "). Output size is too small; got input ",
         c.x.sizes(), ", kernel_size=", l.kernel);
  for (const Shape* list : {&l.stride, &l.padding, &l.dilation})
    for (int64_t v : *list) attrs.lists[1].push_back(v);
  for (const Shape* list : {&in, &out})
    for (int64_t v : *list) attrs.lists[2].push_back(v);
  return attrs;
}

std::pair<Tensor, Tensor> max_pool(const char* name, int dims, const Tensor& x, const Shape& kernel,
                                   const MaxPoolOptions& options) {
  const PoolCall c{name, dims, x};
  PoolLists l;
  l.kernel = per_dim(c, "kernel_size", kernel);
  l.stride = options.stride.empty() ? l.kernel : per_dim(c, "stride", options.stride);
  l.padding = per_dim(c, "padding", options.padding);
  l.dilation = per_dim(c, "dilation", options.dilation);
  l.ceil_mode = options.ceil_mode;
  const Attrs attrs = pool_attrs(c, l);
  if (x.dtype() == DType::kBool)
    fail(ErrorCode::kNotImplemented, name, ": not implemented for bool");
  return pool_max(x, attrs);
}

void check_mean_dtype(const char* name, const Tensor& x, bool or_int64) {
  if (!is_floating(x.dtype()) && !(or_int64 && x.dtype() == DType::kInt64))
    fail(ErrorCode::kNotImplemented, name, ": not implemented for ", name_of(x.dtype()));
}

Tensor avg_pool(const char* name, int dims, const Tensor& x, const Shape& kernel,
                const AvgPoolOptions& options) {
  const PoolCall c{name, dims, x};
  PoolLists l;
  l.kernel = per_dim(c, "kernel_size", kernel);
  l.stride = options.stride.empty() ? l.kernel : per_dim(c, "stride", options.stride);
  l.padding = per_dim(c, "padding", options.padding);
  l.dilation = Shape::filled(dims, 1);
  l.ceil_mode = options.ceil_mode;
  if (options.divisor_override && *options.divisor_override == 0)
    fail(ErrorCode::kRuntime, name, ": divisor must be not zero");
  Attrs attrs = pool_attrs(c, l);
  check_mean_dtype(name, x, true);
  attrs.ints[0] = options.count_include_pad;
  attrs.ints[1] = options.divisor_override.value_or(0);
  return pool_mean(x, attrs);
}

Attrs adaptive_attrs(const PoolCall& c, const Shape& output, int first_non_empty) {
  const Shape& sizes = c.x.sizes();
  if (sizes.size() != c.dims + 1 && sizes.size() != c.dims + 2)
    fail(ErrorCode::kRuntime, c.name, ": Expected ", c.dims + 1, " to ", c.dims + 2,
         " dimensions, but got ", sizes.size(), "-dimensional tensor of sizes ", sizes);
  if (output.size() != c.dims)
    fail(ErrorCode::kRuntime, c.name, ": output_size must be ", c.dims, " ints, got ", output);
  for (int d = first_non_empty; d < sizes.size(); ++d)
    if (sizes[d] == 0)
      fail(ErrorCode::kRuntime, c.name,
           ": Expected input to have non-zero size for non-batch dimensions, but input has sizes ",
           sizes, " with dimension ", d, " being empty");
  Attrs attrs;
  for (int d = 0; d < c.dims; ++d) attrs.lists[2].push_back(sizes[sizes.size() - c.dims + d]);
  for (int64_t size : output) {
    if (size < 0)
      fail(ErrorCode::kRuntime, c.name,
           ": elements of output_size must be greater than or equal to 0 but received ", output);
    if (size > std::numeric_limits<int32_t>::max())
      fail(ErrorCode::kRuntime, c.name, ": output_size ", output, " is too large");
    attrs.lists[2].push_back(size);
  }
  return attrs;
}

Tensor adaptive_avg_pool(const char* name, int dims, const Tensor& x, const Shape& output) {
  const PoolCall c{name, dims, x};
  const Attrs attrs = adaptive_attrs(c, output, dims == 3 ? 1 : std::max(1, x.dim() - dims));
  check_mean_dtype(name, x, false);
  if (x.numel() && output == Shape::filled(dims, 1)) {
    Shape all;
    for (int d = -dims; d < 0; ++d) all.push_back(d);
    return mean(x, all, true);
  }
  return pool_mean(x, attrs);
}

std::pair<Tensor, Tensor> adaptive_max_pool(const char* name, int dims, const Tensor& x,
                                            const Shape& output) {
  const PoolCall c{name, dims, x};
  const Attrs attrs = adaptive_attrs(c, output, 1);
  check_mean_dtype(name, x, false);
  return pool_max(x, attrs);
}

}  // namespace
}  // namespace detail

// Three dims each: the functions differ in the rank they expect.
#define AG_POOL(n)                                                                                 \
  std::pair<Tensor, Tensor> max_pool##n##d_with_indices(const Tensor& input, const Shape& kernel,  \
                                                        const MaxPoolOptions& options) {           \
    return detail::max_pool("max_pool" #n "d", n, input, kernel, options);                         \
  }                                                                                                \
  Tensor max_pool##n##d(const Tensor& input, const Shape& kernel, const MaxPoolOptions& options) { \
    return detail::max_pool("max_pool" #n "d", n, input, kernel, options).first;                   \
  }                                                                                                \
  Tensor avg_pool##n##d(const Tensor& input, const Shape& kernel, const AvgPoolOptions& options) { \
    return detail::avg_pool("avg_pool" #n "d", n, input, kernel, options);                         \
  }                                                                                                \
  Tensor adaptive_avg_pool##n##d(const Tensor& input, const Shape& output_size) {                  \
    return detail::adaptive_avg_pool("adaptive_avg_pool" #n "d", n, input, output_size);           \
  }                                                                                                \
  std::pair<Tensor, Tensor> adaptive_max_pool##n##d_with_indices(const Tensor& input,              \
                                                                 const Shape& output_size) {       \
    return detail::adaptive_max_pool("adaptive_max_pool" #n "d", n, input, output_size);           \
  }                                                                                                \
  Tensor adaptive_max_pool##n##d(const Tensor& input, const Shape& output_size) {                  \
    return detail::adaptive_max_pool("adaptive_max_pool" #n "d", n, input, output_size).first;     \
  }
AG_POOL(1)
AG_POOL(2)
AG_POOL(3)
#undef AG_POOL

}  // namespace autograd
