// The public convolutions: check what they are given, in PyTorch's order and words, and call the
// records with full lists.
#include "autograd/convolution.hpp"

#include <algorithm>
#include <string>

#include "autograd/ops.hpp"
#include "core/text.hpp"
#include "ops/conv_geometry.hpp"

namespace autograd {
namespace detail {
namespace {

// Beyond any size memory can hold, and small enough for sums and products of a few of them.
constexpr int64_t kLargestSize = int64_t{1} << 40;

/// A call as it was made, for texts and lists.
struct ConvCall {
  const char* name;
  int dims;
  bool transposed;
  const Tensor& weight;
};

/// One entry for all dims, or one per dim.
Shape per_dim(const ConvCall& c, const char* what, const Shape& values) {
  if (values.size() == c.dims) return values;
  if (values.size() == 1) return Shape::filled(c.dims, values[0]);
  fail(ErrorCode::kRuntime, c.name, ": expected ", what,
       " to be a single integer value or a list of ", c.dims,
       " values to match the convolution dimensions, but got ", what, "=", values);
}

void check_input_rank(const ConvCall& c, const Tensor& x) {
  if (x.dim() != c.dims + 1 && x.dim() != c.dims + 2)
    fail(ErrorCode::kRuntime, c.name, ": Expected ", c.dims + 1, "D (unbatched) or ", c.dims + 2,
         "D (batched) input to ", c.name, ", but got input of size: ", x.sizes());
}

void check_at_least(const Shape& values, int64_t least, const char* what, const char* word,
                    const ConvCall& c) {
  for (int64_t value : values) {
    if (value < least)
      fail(ErrorCode::kRuntime, c.name, ": ", word, " ", what, " is not supported, got ", what, "=",
           values, " for weight of size ", c.weight.sizes());
    if (value > kLargestSize)
      fail(ErrorCode::kRuntime, c.name, ": ", what, "=", values, " is too large, expected ", what,
           " to be at most ", kLargestSize);
  }
}

void check_weight(const ConvCall& c, int64_t groups) {
  const Shape& w = c.weight.sizes();
  if (groups <= 0)
    fail(ErrorCode::kRuntime, c.name,
         ": non-positive groups is not supported, got groups=", groups);
  if (w.size() != c.dims + 2)
    fail(ErrorCode::kRuntime, c.name, ": Expected ", c.dims + 2, "-dimensional weight for ", c.dims,
         "-dimensional convolution, but got weight of size ", w);
  if (w[0] < groups)
    fail(ErrorCode::kRuntime, c.name, ": Given groups=", groups,
         ", expected weight to be at least ", groups, " at dimension 0, but got weight of size ", w,
         " instead");
  if (w[0] % groups)
    fail(ErrorCode::kRuntime, c.name, ": Given groups=", groups,
         ", expected weight to be divisible by ", groups,
         " at dimension 0, but got weight of size ", w, " instead");
  for (int d = 2; d < w.size(); ++d)
    if (w[d] == 0)
      fail(ErrorCode::kRuntime, c.name,
           ": a kernel of size zero has no windows, got weight of size ", w);
}

void check_channels(const ConvCall& c, const Shape& x, const Tensor& bias, int64_t groups) {
  const Shape& w = c.weight.sizes();
  const std::string given = c.transposed ? std::string("transposed=1") : concat("groups=", groups);
  int64_t expected = 0, filters = w[0];
  if (c.transposed) {
    expected = w[0];
    if (__builtin_mul_overflow(w[1], groups, &filters)) filters = -1;
  } else if (__builtin_mul_overflow(w[1], groups, &expected)) {
    expected = -1;
  }
  if (x[1] != expected)
    fail(ErrorCode::kRuntime, c.name, ": Given ", given, ", weight of size ", w, ", expected input",
         x, " to have ", expected, " channels, but got ", x[1], " channels instead");
  if (bias && (bias.dim() != 1 || bias.sizes()[0] != filters))
    fail(ErrorCode::kRuntime, c.name, ": Given ", c.transposed ? "transposed=1, " : "",
         "weight of size ", w, ", expected bias to be 1-dimensional with ", filters,
         " elements, but got bias of size ", bias.sizes(), " instead");
}

void check_dtypes(const ConvCall& c, const Tensor& x, const Tensor& bias) {
  if (x.dtype() != c.weight.dtype())
    fail(ErrorCode::kRuntime, c.name, ": Input type (", name_of(x.dtype()), ") and weight type (",
         name_of(c.weight.dtype()), ") should be the same, got input ", x.sizes(), " and weight ",
         c.weight.sizes());
  if (bias && bias.dtype() != x.dtype())
    fail(ErrorCode::kRuntime, c.name, ": Input type (", name_of(x.dtype()), ") and bias type (",
         name_of(bias.dtype()), ") should be the same, got input ", x.sizes(), " and bias ",
         bias.sizes());
  if (x.dtype() == DType::kBool)
    fail(ErrorCode::kNotImplemented, c.name, ": not implemented for bool");
}

/// Text of sizes as in "5 x 7".
std::string by(const int64_t* sizes, int n) {
  std::string text;
  for (int d = 0; d < n; ++d) text.append(d ? " x " : "").append(std::to_string(sizes[d]));
  return text;
}

int64_t extent(const ConvCall& c, int d, const Shape& dilation) {
  const int64_t kernel = c.weight.sizes()[d + 2];
  int64_t reach;
  if (__builtin_mul_overflow(kernel - 1, dilation[d], &reach) || reach > kLargestSize)
    fail(ErrorCode::kRuntime, c.name, ": dilation=", dilation, " is too large for weight of size ",
         c.weight.sizes());
  return reach + 1;
}

void check_not_empty(const ConvCall& c, const Shape& x) {
  for (int d = 2; d < x.size(); ++d)
    if (x[d] == 0 && x[0] && x[1])
      fail(ErrorCode::kRuntime, c.name,
           ": Only zero batch or zero channel inputs are supported, but got input shape: ", x);
}

Tensor batched(const Tensor& x, int dims) { return x.dim() == dims + 1 ? unsqueeze(x, 0) : x; }

Tensor unbatched(const Tensor& y, const Tensor& x) {
  return x.dim() == y.dim() ? y : squeeze(y, {0});
}

/// The padding in front, and behind, of padding='same': an odd total has its surplus behind.
void pad_to_same(const ConvCall& c, const Shape& stride, const Shape& dilation, Shape& front,
                 Shape& behind) {
  for (int d = 0; d < c.dims; ++d) {
    if (stride[d] != 1)
      fail(ErrorCode::kRuntime, c.name,
           ": padding='same' is not supported for strided convolutions, got stride=", stride);
    const int64_t total = extent(c, d, dilation) - 1;
    front[d] = total / 2;
    behind[d] = total - total / 2;
  }
}

Tensor conv(const char* name, int dims, const Tensor& input, const Tensor& weight,
            const Tensor& bias, const ConvOptions& options) {
  const ConvCall c{name, dims, false, weight};
  check_input_rank(c, input);
  Shape stride = per_dim(c, "stride", options.stride);
  const Shape dilation = per_dim(c, "dilation", options.dilation);
  Shape front = options.same ? Shape::filled(dims, 0) : per_dim(c, "padding", options.padding);
  check_weight(c, options.groups);
  check_at_least(front, 0, "padding", "negative", c);
  for (int d = 0; d < dims; ++d) stride[d] = std::min(stride[d], kLargestSize);
  check_at_least(stride, 1, "stride", "non-positive", c);
  check_at_least(dilation, 1, "dilation", "non-positive", c);
  Shape behind = front;
  if (options.same) pad_to_same(c, stride, dilation, front, behind);
  const Tensor x = batched(input, dims);
  check_channels(c, x.sizes(), bias, options.groups);
  Attrs attrs;
  attrs.lists[0] = stride, attrs.lists[1] = front, attrs.lists[2] = dilation;
  attrs.ints[0] = options.groups;
  Shape padded = front, kernel = front;
  bool too_large = false;
  for (int d = 0; d < dims; ++d) {
    kernel[d] = extent(c, d, dilation);
    padded[d] = x.sizes()[d + 2] + front[d] + behind[d];
    too_large |= kernel[d] > padded[d];
    attrs.lists[1].push_back((padded[d] - kernel[d]) / stride[d] + 1);
  }
  if (too_large)
    fail(ErrorCode::kRuntime, name, ": Calculated padded input size per channel: (",
         by(padded.data(), dims), "). Kernel size: (", by(kernel.data(), dims),
         "). Kernel size can't be greater than actual input size; got input ", input.sizes(),
         " and weight ", weight.sizes());
  check_not_empty(c, x.sizes());
  check_dtypes(c, x, bias);
  return unbatched(convolution(x, weight, bias, attrs), input);
}

Tensor conv_transpose(const char* name, int dims, const Tensor& input, const Tensor& weight,
                      const Tensor& bias, const ConvTransposeOptions& options) {
  const ConvCall c{name, dims, true, weight};
  check_input_rank(c, input);
  const Shape stride = per_dim(c, "stride", options.stride);
  const Shape padding = per_dim(c, "padding", options.padding);
  const Shape extra = per_dim(c, "output_padding", options.output_padding);
  const Shape dilation = per_dim(c, "dilation", options.dilation);
  check_weight(c, options.groups);
  check_at_least(padding, 0, "padding", "negative", c);
  check_at_least(extra, 0, "output_padding", "negative", c);
  check_at_least(stride, 1, "stride", "non-positive", c);
  check_at_least(dilation, 1, "dilation", "non-positive", c);
  const Tensor x = batched(input, dims);
  check_channels(c, x.sizes(), bias, options.groups);
  check_not_empty(c, x.sizes());
  Attrs attrs;
  attrs.lists[0] = stride, attrs.lists[1] = padding, attrs.lists[2] = dilation;
  attrs.ints[0] = options.groups;
  for (int d = 0; d < dims; ++d) {
    if (extra[d] >= stride[d] && extra[d] >= dilation[d])
      fail(ErrorCode::kRuntime, name,
           ": output padding must be smaller than either stride or dilation, but got "
           "output_padding=",
           extra, ", stride=", stride, ", dilation=", dilation);
    int64_t steps;
    if (__builtin_mul_overflow(x.sizes()[d + 2] - 1, stride[d], &steps) || steps > kLargestSize)
      fail(ErrorCode::kRuntime, name, ": stride=", stride, " is too large for input ",
           input.sizes());
    const int64_t size = steps - 2 * padding[d] + extent(c, d, dilation) + extra[d];
    if (size < 1)
      fail(ErrorCode::kRuntime, name, ": Given input size per channel: (",
           by(x.sizes().data() + 2, dims), "). Calculated output size per channel: ", size,
           " at dim ", d, ". Output size is too small; got input ", input.sizes(), " and weight ",
           weight.sizes());
    attrs.lists[1].push_back(size);
  }
  check_dtypes(c, x, bias);
  return unbatched(convolution_transpose(x, weight, bias, attrs), input);
}

}  // namespace
}  // namespace detail

Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return detail::conv("conv1d", 1, input, weight, bias, options);
}
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return detail::conv("conv2d", 2, input, weight, bias, options);
}
Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias,
              const ConvOptions& options) {
  return detail::conv("conv3d", 3, input, weight, bias, options);
}

Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return detail::conv_transpose("conv_transpose1d", 1, input, weight, bias, options);
}
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return detail::conv_transpose("conv_transpose2d", 2, input, weight, bias, options);
}
Tensor conv_transpose3d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const ConvTransposeOptions& options) {
  return detail::conv_transpose("conv_transpose3d", 3, input, weight, bias, options);
}

}  // namespace autograd
