// Convolutions: one record, and the two that its gradients are made of. The gradients of each of
// the three are again calls of the three.
#include <algorithm>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/conv_geometry.hpp"
#include "ops/flops.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// lists[0] stride; lists[1] padding in front, then the spatial sizes that do not follow from the
// tensors (of the output, the input or the kernel); lists[2] dilation; ints[0] groups. How much is
// padded behind follows from the sizes.

// No stride, padding or size in a call from elsewhere is larger.
constexpr int64_t kMostPadding = int64_t{1} << 24;

int spatial_dims(const Call& call) { return call.attrs.lists[0].size(); }

Shape given_sizes(const Call& call) {
  const int n = spatial_dims(call);
  return Shape(call.attrs.lists[1].data() + n, n);
}

ConvGeometry geometry(const Attrs& attrs, int64_t batch, int64_t channels, int64_t filters,
                      const int64_t* in, const int64_t* kernel, const int64_t* out) {
  ConvGeometry g{};
  g.batch = batch, g.channels = channels, g.filters = filters, g.groups = attrs.ints[0];
  const int n = attrs.lists[0].size();
  cpu::Window& w = g.window;
  for (int d = 0; d < 3; ++d) {
    const int s = d - (3 - n);
    const bool used = s >= 0;
    w.in[d] = used ? in[s] : 1;
    w.kernel[d] = used ? kernel[s] : 1;
    w.out[d] = used ? out[s] : 1;
    w.stride[d] = used ? attrs.lists[0][s] : 1;
    w.pad[d] = used ? attrs.lists[1][s] : 0;
    w.dilation[d] = used ? attrs.lists[2][s] : 1;
  }
  return g;
}

void add_output(OutputMetas& outputs, DType dtype, int64_t first, int64_t second,
                const Shape& spatial) {
  OutputMeta& meta = outputs.add();
  meta.dtype = dtype;
  meta.sizes = {first, second};
  for (int64_t size : spatial) meta.sizes.push_back(size);
}

/// Zeros, or the bias of each channel, where there is nothing to multiply.
void fill_empty(TensorBody& out, const Tensor& bias) {
  if (!bias) {
    std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
    return;
  }
  Shape sizes = Shape::filled(out.sizes.size(), 1);
  sizes[1] = out.sizes[1];
  Tensor view = make_alias(body(bias), sizes, contiguous_strides(sizes), 0);
  copy_into(out, *body(view));
}

Tensor optional_bias(const Call& call) { return call.has(2) ? dense(call.in(2)) : Tensor(); }

const char* data_or_null(const Tensor& t) {
  return t ? static_cast<const char*>(t.data()) : nullptr;
}

// The windows of `kernel` at `out` places lie within the padded `in`, of which what is padded
// behind is not more than one position longer than what is padded in front.
void check_windows(const Call& call, const int64_t* in, const int64_t* kernel, const int64_t* out) {
  const int n = spatial_dims(call);
  for (int d = 0; d < n; ++d) {
    const int64_t pad = call.attrs.lists[1][d];
    const int64_t last =
        (out[d] - 1) * call.attrs.lists[0][d] + (kernel[d] - 1) * call.attrs.lists[2][d] + 1;
    need(call, out[d] >= 0 && last - pad <= in[d] + pad + 1, "windows beyond the image");
  }
}

// Two tensors [a, b, ...] and, maybe, a bias; lists[1] ends in the spatial sizes of the result.
void check_images(const Call& call, int most_inputs) {
  need_counts(call, 2, most_inputs);
  const int n = spatial_dims(call);
  need(call, n >= 1 && n <= 3, "one to three spatial dims are wanted");
  for (int i = 0; i < 2; ++i) need_rank(call, i, n + 2);
  need_list(call, 0, n, 1, kMostPadding);
  need_list(call, 1, 2 * n, 0, kMostPadding);
  need_list(call, 2, n, 1, kMostPadding);
  need_number(call, 0, 1, kMostPadding);
  need_dtype_of(call, 1, 0);
  need(call, call.in(0).dtype != DType::kBool, "numbers are wanted");
  if (!call.has(2)) return;
  need_dtype_of(call, 2, 0);
  need_rank(call, 2, 1);
}

// ---- convolution(image, weight, bias)

void infer_convolution(const Call& call, OutputMetas& outputs) {
  const TensorBody &x = call.in(0), &w = call.in(1);
  add_output(outputs, x.dtype, x.sizes[0], w.sizes[0], given_sizes(call));
}

void convolution_in_pieces(const Call& call, const Pieces& pieces) {
  TensorBody &x = call.in(0), &w = call.in(1), &out = call.out();
  if (out.numel == 0) return;
  const Tensor bias = optional_bias(call);
  if (x.numel == 0 || w.numel == 0) {
    fill_empty(out, bias);
    return pieces.end_piece(0, out.numel);
  }
  const Tensor image = dense(x), weight = dense(w);
  const ConvGeometry g = geometry(call.attrs, x.sizes[0], x.sizes[1], w.sizes[0],
                                  x.sizes.data() + 2, w.sizes.data() + 2, out.sizes.data() + 2);
  run_convolution(g, x.dtype, data_or_null(image), data_or_null(weight), data_or_null(bias),
                  out.data, pieces);
}

void forward_convolution(const Call& call) { convolution_in_pieces(call, {}); }

/// The channels of one group of one image.
int64_t image_unit(const Attrs& attrs, const Shape& sizes) {
  int64_t unit = 1;
  for (int d = 1; d < sizes.size(); ++d) unit *= sizes[d];
  return unit / attrs.ints[0];
}

Tensor convolve(const Tensor& x, const Tensor& w, const Tensor& bias, const Attrs& attrs);
Tensor convolve_back(const Tensor& g, const Tensor& w, const Tensor& bias, const Attrs& attrs);
Tensor correlate(const Tensor& g, const Tensor& x, const Attrs& attrs);

/// The attributes with other given sizes: the spatial ones of `sizes`.
Attrs with_sizes(Attrs attrs, const Shape& sizes) {
  const int n = attrs.lists[0].size();
  for (int d = 0; d < n; ++d) attrs.lists[1][n + d] = sizes[d + 2];
  return attrs;
}

Tensor bias_gradient(const Tensor& g) {
  Shape dims = {0};
  for (int d = 2; d < g.dim(); ++d) dims.push_back(d);
  return sum(g, dims);
}

void backward_convolution(Backward& b) {
  const Tensor g = b.grad();
  if (b.needs(0))
    b.set(0, convolve_back(g, b.input(1), {}, with_sizes(b.attrs(), b.input_sizes(0))));
  if (b.needs(1)) b.set(1, correlate(g, b.input(0), with_sizes(b.attrs(), b.input_sizes(1))));
  if (b.needs(2)) b.set(2, bias_gradient(g));
}

constexpr const char* kConvAttrs = "stride,padding+sizes,dilation;;groups";

// [n, images, channels, ...] as [images, n * channels, ...], and back.
Tensor to_groups(const Tensor& t) {
  Shape sizes(t.sizes().data() + 1, t.dim() - 1);
  sizes[1] *= t.size(0);
  return reshape(transpose(t, 0, 1), sizes);
}
Tensor from_groups(const Tensor& t, int64_t n) {
  Shape sizes = t.sizes();
  sizes[1] /= n;
  sizes.insert(1, n);
  return transpose(reshape(t, sizes), 0, 1);
}
// [n, k, ...] as [n * k, ...].
Tensor merged(const Tensor& t) {
  Shape sizes(t.sizes().data() + 1, t.dim() - 1);
  sizes[0] *= t.size(0);
  return reshape(t, sizes);
}

// Weights of their own: the examples become groups of channels.
bool batch_groups_of_images(const BatchedCall& c) {
  if (c.size == 0) return false;
  Attrs attrs = c.attrs;
  attrs.ints[0] *= c.size;
  Vector<Tensor> arguments = {to_groups(c.front(0)), merged(c.front(1))};
  if (c.n_inputs > 2) arguments.push_back(c.has(2) ? merged(c.front(2)) : Tensor());
  c.make(arguments, attrs);
  c.outputs[0] = from_groups(c.outputs[0], c.size);
  return true;
}

// The gradient of the weights of each example.
bool batch_weight_gradient(const BatchedCall& c) {
  if (c.size == 0) return false;
  Attrs attrs = c.attrs;
  attrs.ints[0] *= c.size;
  c.make({to_groups(c.front(0)), to_groups(c.front(1))}, attrs);
  Shape sizes = c.outputs[0].sizes();
  sizes[0] /= c.size;
  sizes.insert(0, c.size);
  c.outputs[0] = reshape(c.outputs[0], sizes);
  return true;
}

// One more dim of images, where the weights are the same for all.
bool batch_images(const BatchedCall& c) {
  if (c.is_batched(1) || c.is_batched(2)) return batch_groups_of_images(c);
  const Tensor x = c.values[0];
  Shape sizes(x.sizes().data() + 1, x.dim() - 1);
  sizes[0] *= x.size(0);
  c.make({reshape(x, sizes), c.values[1], c.has(2) ? c.values[2] : Tensor()}, c.attrs);
  sizes = c.outputs[0].sizes();
  sizes[0] = x.size(1);
  sizes.insert(0, c.size);
  c.outputs[0] = reshape(c.outputs[0], sizes);
  return true;
}

void check_convolution(const Call& call) {
  check_images(call, 3);
  const Shape &x = call.in(0).sizes, &w = call.in(1).sizes;
  const int64_t groups = call.attrs.ints[0];
  need(call, x[1] == w[1] * groups && w[0] % groups == 0, "channels do not fit");
  if (call.has(2)) need_sizes(call, 2, {w[0]});
  const Shape out = given_sizes(call);
  check_windows(call, x.data() + 2, w.data() + 2, out.data());
}

constexpr Op op_convolution = {.name = "convolution",
                               .traits = kProduct,
                               .infer = infer_convolution,
                               .forward = {forward_convolution},
                               .backward = backward_convolution,
                               .reads = {reads_input(1), reads_input(0)},
                               .attrs = kConvAttrs,
                               .doc = "weight applied to all windows of an image, plus bias",
                               .optional_inputs = 4,
                               .flops = convolution_flops,
                               .batch = {.call = batch_images},
                               .check = check_convolution};

// ---- convolution_transpose(out, weight, bias): the gradient for the image, and an op of its own

void infer_transpose(const Call& call, OutputMetas& outputs) {
  const TensorBody &g = call.in(0), &w = call.in(1);
  add_output(outputs, g.dtype, g.sizes[0], w.sizes[1] * call.attrs.ints[0], given_sizes(call));
}

void transpose_in_pieces(const Call& call, const Pieces& pieces) {
  TensorBody &y = call.in(0), &w = call.in(1), &image = call.out();
  if (image.numel == 0) return;
  const Tensor bias = optional_bias(call);
  if (y.numel == 0 || w.numel == 0) {
    fill_empty(image, bias);
    return pieces.end_piece(0, image.numel);
  }
  const Tensor from = dense(y), weight = dense(w);
  const ConvGeometry g = geometry(call.attrs, y.sizes[0], image.sizes[1], y.sizes[1],
                                  image.sizes.data() + 2, w.sizes.data() + 2, y.sizes.data() + 2);
  run_convolution_input(g, y.dtype, data_or_null(from), data_or_null(weight), data_or_null(bias),
                        image.data, pieces);
}

void forward_transpose(const Call& call) { transpose_in_pieces(call, {}); }

void backward_transpose(Backward& b) {
  const Tensor v = b.grad();
  if (b.needs(0)) b.set(0, convolve(v, b.input(1), {}, with_sizes(b.attrs(), b.input_sizes(0))));
  if (b.needs(1)) b.set(1, correlate(b.input(0), v, with_sizes(b.attrs(), b.input_sizes(1))));
  if (b.needs(2)) b.set(2, bias_gradient(v));
}

void check_transpose(const Call& call) {
  check_images(call, 3);
  const Shape &y = call.in(0).sizes, &w = call.in(1).sizes;
  const int64_t groups = call.attrs.ints[0];
  need(call, y[1] == w[0] && w[0] % groups == 0, "channels do not fit");
  if (call.has(2)) need_sizes(call, 2, {w[1] * groups});
  const Shape image = given_sizes(call);
  check_windows(call, image.data(), w.data() + 2, y.data() + 2);
}

constexpr Op op_transpose = {.name = "convolution_transpose",
                             .traits = kProduct,
                             .infer = infer_transpose,
                             .forward = {forward_transpose},
                             .backward = backward_transpose,
                             .reads = {reads_input(1), reads_input(0)},
                             .attrs = kConvAttrs,
                             .doc = "the transposed map of a convolution, plus bias",
                             .optional_inputs = 4,
                             .flops = convolution_transpose_flops,
                             .batch = {.call = batch_images},
                             .check = check_transpose};

// ---- convolution_weight(out, image): the gradient for the weight

void infer_weight(const Call& call, OutputMetas& outputs) {
  const TensorBody &g = call.in(0), &x = call.in(1);
  add_output(outputs, g.dtype, g.sizes[1], x.sizes[1] / call.attrs.ints[0], given_sizes(call));
}

void forward_weight(const Call& call) {
  TensorBody &y = call.in(0), &x = call.in(1), &w = call.out();
  if (w.numel == 0) return;
  if (y.numel == 0 || x.numel == 0) return fill_empty(w, {});
  const Tensor from = dense(y), image = dense(x);
  const ConvGeometry g = geometry(call.attrs, x.sizes[0], x.sizes[1], y.sizes[1],
                                  x.sizes.data() + 2, w.sizes.data() + 2, y.sizes.data() + 2);
  run_convolution_weight(g, y.dtype, data_or_null(from), data_or_null(image), w.data);
}

void backward_weight(Backward& b) {
  const Tensor v = b.grad();
  if (b.needs(0)) b.set(0, convolve(b.input(1), v, {}, with_sizes(b.attrs(), b.input_sizes(0))));
  if (b.needs(1))
    b.set(1, convolve_back(b.input(0), v, {}, with_sizes(b.attrs(), b.input_sizes(1))));
}

void check_weight(const Call& call) {
  check_images(call, 2);
  const Shape &y = call.in(0).sizes, &x = call.in(1).sizes;
  const int64_t groups = call.attrs.ints[0];
  need(call, y[0] == x[0] && x[1] % groups == 0 && y[1] % groups == 0, "channels do not fit");
  const Shape kernel = given_sizes(call);
  check_windows(call, x.data() + 2, kernel.data(), y.data() + 2);
}

constexpr Op op_weight = {.name = "convolution_weight",
                          .traits = kProduct,
                          .infer = infer_weight,
                          .forward = {forward_weight},
                          .backward = backward_weight,
                          .reads = {reads_input(1), reads_input(0)},
                          .attrs = kConvAttrs,
                          .doc = "the gradient of a convolution for its weight",
                          .flops = convolution_weight_flops,
                          .batch = {.call = batch_weight_gradient},
                          .check = check_weight};

Tensor convolve(const Tensor& x, const Tensor& w, const Tensor& bias, const Attrs& attrs) {
  return dispatch(op_convolution, {x, w, bias}, attrs);
}
Tensor convolve_back(const Tensor& g, const Tensor& w, const Tensor& bias, const Attrs& attrs) {
  return dispatch(op_transpose, {g, w, bias}, attrs);
}
Tensor correlate(const Tensor& g, const Tensor& x, const Attrs& attrs) {
  return dispatch(op_weight, {g, x}, attrs);
}

constexpr const Op* kConvOps[] = {&op_convolution, &op_transpose, &op_weight};
constexpr PiecewiseOp kConvPieces[] = {{&op_convolution, convolution_in_pieces, image_unit},
                                       {&op_transpose, transpose_in_pieces, image_unit}};

}  // namespace

OpList conv_ops() { return {kConvOps, std::size(kConvOps)}; }
std::span<const PiecewiseOp> conv_pieces() { return kConvPieces; }

Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Attrs& attrs) {
  return convolve(x, w, bias, attrs);
}
Tensor convolution_transpose(const Tensor& x, const Tensor& w, const Tensor& bias,
                             const Attrs& attrs) {
  return convolve_back(x, w, bias, attrs);
}

void run_convolution(const ConvGeometry& g, DType dtype, const char* image, const char* weight,
                     const char* bias, char* out, const Pieces& pieces) {
  if (winograd_convolution(g, dtype, image, weight, bias, out, pieces)) return;
  if (is_floating(dtype) && sheets_convolution(g, dtype, image, weight, bias, out, pieces)) return;
  columns_convolution(g, dtype, image, weight, bias, out, pieces);
}

void run_convolution_input(const ConvGeometry& g, DType dtype, const char* out, const char* weight,
                           const char* bias, char* image, const Pieces& pieces) {
  if (winograd_convolution_input(g, dtype, out, weight, bias, image, pieces)) return;
  if (is_floating(dtype) && sheets_convolution_input(g, dtype, out, weight, bias, image, pieces))
    return;
  columns_convolution_input(g, dtype, out, weight, bias, image, pieces);
}

void run_convolution_weight(const ConvGeometry& g, DType dtype, const char* out, const char* image,
                            char* weight) {
  if (is_floating(dtype) && sheets_convolution_weight(g, dtype, out, image, weight)) return;
  columns_convolution_weight(g, dtype, out, image, weight);
}

}  // namespace detail
}  // namespace autograd
