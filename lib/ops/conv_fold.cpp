// im2col and col2im: windows of images as columns, and the transposed map. Each is the other's
// gradient.
#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/conv_gather.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// lists[0] kernel and dilation, lists[1] padding and stride, lists[2] height and width of the
// image.

cpu::Window window(const Attrs& attrs) {
  cpu::Window w{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
  for (int d = 0; d < 2; ++d) {
    w.in[d + 1] = attrs.lists[2][d];
    w.kernel[d + 1] = attrs.lists[0][d];
    w.dilation[d + 1] = attrs.lists[0][d + 2];
    w.pad[d + 1] = attrs.lists[1][d];
    w.stride[d + 1] = attrs.lists[1][d + 2];
    const int64_t room = w.in[d + 1] + 2 * w.pad[d + 1] - w.dilation[d + 1] * (w.kernel[d + 1] - 1);
    w.out[d + 1] = room < 1 ? 0 : (room - 1) / w.stride[d + 1] + 1;
  }
  return w;
}

void infer_im2col(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  const cpu::Window w = window(call.attrs);
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = {x.sizes[0], x.sizes[1] * w.taps(), w.out_size()};
}

void infer_col2im(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  const cpu::Window w = window(call.attrs);
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = {x.sizes[0], x.sizes[1] / w.taps(), w.in[1], w.in[2]};
}

/// work(channel of all images, its image offset, its column offset) in parallel, in elements.
template <class Work>
void over_channels(const cpu::Window& w, int64_t channels, const Work& work) {
  const int64_t columns = w.taps() * w.out_size();
  parallel_for(
      channels, std::max<int64_t>(1, kGrain / (columns + 1)),
      [&](int64_t begin, int64_t end) { work(end - begin, begin * w.in_size(), begin * columns); });
}

void forward_im2col(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor x = dense(call.in(0));
  const cpu::Window w = window(call.attrs);
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  over_channels(w, x.size(0) * x.size(1), [&](int64_t n, int64_t image, int64_t columns) {
    cpu::windows_to_columns(out.dtype, w, static_cast<const char*>(x.data()) + image * item, n,
                            out.data + columns * item, w.out_size());
  });
}

void forward_col2im(const Call& call) {
  TensorBody& out = call.out();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  if (call.in(0).numel == 0 || out.numel == 0) return;
  const Tensor x = dense(call.in(0));
  const cpu::Window w = window(call.attrs);
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  over_channels(w, out.sizes[0] * out.sizes[1], [&](int64_t n, int64_t image, int64_t columns) {
    cpu::add_columns_to_windows(out.dtype, w, static_cast<const char*>(x.data()) + columns * item,
                                w.out_size(), n, out.data + image * item);
  });
}

void backward_im2col(Backward& b);
void backward_col2im(Backward& b);

void check_fold(const Call& call, int rank) {
  constexpr int64_t kMost = int64_t{1} << 24;
  need_counts(call, 1, 1);
  need_float(call, 0);
  need_rank(call, 0, rank);
  need_list(call, 0, 4, 1, kMost);
  const Shape& second = need_list(call, 1, 4, 0, kMost);
  need(call, second[2] > 0 && second[3] > 0, "a stride is 0");
  need_list(call, 2, 2, 0, kMost);
  const cpu::Window w = window(call.attrs);
  need(call, w.taps() <= kMostElements && w.out_size() <= kMostElements, "too many windows");
}

void check_im2col(const Call& call) {
  check_fold(call, 4);
  const Shape &x = call.in(0).sizes, &image = call.attrs.lists[2];
  need(call, x[2] == image[0] && x[3] == image[1], "an argument of other sizes is wanted");
}

void check_col2im(const Call& call) {
  check_fold(call, 3);
  const cpu::Window w = window(call.attrs);
  const Shape& x = call.in(0).sizes;
  need(call, x[1] % w.taps() == 0 && x[2] == w.out_size(), "an argument of other sizes is wanted");
}

// The images of all examples are images.
bool batch_folds(const BatchedCall& c) {
  const Tensor x = c.values[0];
  Shape sizes(x.sizes().data() + 1, x.dim() - 1);
  sizes[0] *= c.size;
  c.make({reshape(x, sizes)}, c.attrs);
  sizes = c.outputs[0].sizes();
  sizes[0] = x.size(1);
  sizes.insert(0, c.size);
  c.outputs[0] = reshape(c.outputs[0], sizes);
  return true;
}

constexpr Op op_im2col = {.name = "im2col",
                          .traits = kCopies,
                          .infer = infer_im2col,
                          .forward = {forward_im2col},
                          .backward = backward_im2col,
                          .attrs = "kernel+dilation,padding+stride,size",
                          .doc = "windows of images as columns",
                          .batch = {.call = batch_folds},
                          .check = check_im2col};

constexpr Op op_col2im = {.name = "col2im",
                          .traits = kCopies,
                          .infer = infer_col2im,
                          .forward = {forward_col2im},
                          .backward = backward_col2im,
                          .attrs = "kernel+dilation,padding+stride,size",
                          .doc = "columns added up to images",
                          .batch = {.call = batch_folds},
                          .check = check_col2im};

void backward_im2col(Backward& b) { b.set(0, dispatch(op_col2im, {b.grad()}, b.attrs())); }
void backward_col2im(Backward& b) { b.set(0, dispatch(op_im2col, {b.grad()}, b.attrs())); }

constexpr const Op* kFoldOps[] = {&op_im2col, &op_col2im};

void add_pair(Shape& list, const char* name, const char* what, const Shape& values, int64_t least) {
  if (values.size() != 1 && values.size() != 2)
    fail(ErrorCode::kRuntime, name, ": It is expected ", what, " equals to 2, but got size ",
         values.size());
  for (int d = 0; d < 2; ++d) {
    const int64_t value = values[values.size() == 1 ? 0 : d];
    if (value < least)
      fail(ErrorCode::kRuntime, name, ": ", what,
           least ? " should be greater than zero" : " should be non-negative", ", but got ",
           values);
    if (value > INT32_MAX)
      fail(ErrorCode::kRuntime, name, ": ", what, " is too large, got ", values);
    list.push_back(value);
  }
}

Attrs fold_attrs(const char* name, const Shape& kernel, const Im2colOptions& options) {
  Attrs attrs;
  add_pair(attrs.lists[0], name, "kernel_size", kernel, 1);
  add_pair(attrs.lists[0], name, "dilation", options.dilation, 1);
  add_pair(attrs.lists[1], name, "padding", options.padding, 0);
  add_pair(attrs.lists[1], name, "stride", options.stride, 1);
  return attrs;
}

void check_dtype(const char* name, const Tensor& x) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kNotImplemented, name, ": not implemented for ", name_of(x.dtype()));
}

/// Only the batch may be empty.
void check_sizes(const char* name, const Shape& sizes, int rank) {
  bool fits = sizes.size() == rank || sizes.size() == rank - 1;
  for (int d = sizes.size() == rank ? 1 : 0; fits && d < sizes.size(); ++d) fits = sizes[d] > 0;
  if (!fits)
    fail(
        ErrorCode::kRuntime, name, ": Expected ", rank - 1, "D or ", rank,
        "D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
        "but got: ",
        sizes);
}

}  // namespace

OpList fold_ops() { return {kFoldOps, std::size(kFoldOps)}; }

}  // namespace detail

Tensor im2col(const Tensor& input, const Shape& kernel, const Im2colOptions& options) {
  detail::Attrs attrs = detail::fold_attrs("im2col", kernel, options);
  detail::check_sizes("im2col", input.sizes(), 4);
  attrs.lists[2] = {input.size(-2), input.size(-1)};
  const cpu::Window w = detail::window(attrs);
  if (w.out_size() == 0)
    fail(ErrorCode::kRuntime, "unfold: Given input with spatial size ", attrs.lists[2],
         ", kernel_size=", kernel, ", dilation=", options.dilation, ", padding=", options.padding,
         ", calculated shape of the array of sliding blocks as [", w.out[1], ", ", w.out[2],
         "], but its components must be at least one; got input ", input.sizes());
  detail::check_dtype("im2col", input);
  if (input.dim() == 4) return detail::dispatch(detail::op_im2col, {input}, attrs);
  return squeeze(detail::dispatch(detail::op_im2col, {unsqueeze(input, 0)}, attrs), {0});
}

Tensor col2im(const Tensor& input, const Shape& output_size, const Shape& kernel,
              const Im2colOptions& options) {
  detail::Attrs attrs = detail::fold_attrs("col2im", kernel, options);
  detail::add_pair(attrs.lists[2], "col2im", "output_size", output_size,
                   std::numeric_limits<int64_t>::min());
  detail::check_sizes("col2im", input.sizes(), 3);
  const cpu::Window w = detail::window(attrs);
  if (input.size(-2) % w.taps() != 0)
    fail(ErrorCode::kRuntime, "fold: Expected size of input's dimension ", input.dim() - 2,
         " to be divisible by the product of kernel_size, but got input.size(", input.dim() - 2,
         ")=", input.size(-2), " and kernel_size=", kernel, ", input ", input.sizes());
  if (input.size(-1) != w.out_size())
    fail(ErrorCode::kRuntime, "fold: Given output_size=", output_size, ", kernel_size=", kernel,
         ", dilation=", options.dilation, ", padding=", options.padding,
         ", stride=", options.stride, ", expected size of input's dimension ", input.dim() - 1,
         " to match the calculated number of sliding blocks ", w.out[1], " * ", w.out[2], " = ",
         w.out_size(), ", but got input.size(", input.dim() - 1, ")=", input.size(-1), ", input ",
         input.sizes());
  detail::check_dtype("col2im", input);
  if (input.dim() == 3) return detail::dispatch(detail::op_col2im, {input}, attrs);
  return squeeze(detail::dispatch(detail::op_col2im, {unsqueeze(input, 0)}, attrs), {0});
}

}  // namespace autograd
