// Channels that become pixels, pixels that become channels, and channels in another order.
#include <limits>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

int64_t factor_of(const Call& call, const char* what) {
  const int64_t factor = call.attrs.ints[0];
  const Shape& sizes = call.in(0).sizes;
  if (sizes.size() < 3)
    fail(ErrorCode::kRuntime, call.op.name,
         " expects input to have at least 3 dimensions, but got input with ", sizes.size(),
         " dimension(s), sizes ", sizes);
  if (factor <= 0)
    fail(ErrorCode::kRuntime, call.op.name, " expects a positive ", what, ", but got ", factor);
  if (sizes.size() + 2 > kMaxDims)
    fail(ErrorCode::kRuntime, call.op.name, ": at most ", kMaxDims - 2,
         " dims are supported, got sizes ", sizes);
  return factor;
}

void infer_shuffle(const Call& call, OutputMetas& outputs) {
  const int64_t factor = factor_of(call, "upscale_factor");
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
  const int c = meta.sizes.size() - 3;
  const int64_t channels = meta.sizes[c], limit = std::numeric_limits<int32_t>::max();
  if (factor > limit || channels % (factor * factor))
    fail(ErrorCode::kRuntime,
         "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
         "upscale_factor, but input.size(-3)=",
         channels, " is not divisible by ", factor, " squared (sizes ", call.in(0).sizes, ")");
  meta.sizes[c] = channels / (factor * factor);
  for (int d : {c + 1, c + 2})
    if (__builtin_mul_overflow(meta.sizes[d], factor, &meta.sizes[d]))
      fail(ErrorCode::kRuntime, "pixel_shuffle: upscale_factor ", factor, " is too large");
}

void infer_unshuffle(const Call& call, OutputMetas& outputs) {
  const int64_t factor = factor_of(call, "downscale_factor");
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.in(0).sizes;
  const int c = meta.sizes.size() - 3;
  const int64_t h = meta.sizes[c + 1], w = meta.sizes[c + 2];
  if (h % factor || w % factor)
    fail(ErrorCode::kRuntime, "pixel_unshuffle expects ", h % factor ? "height" : "width",
         " to be divisible by downscale_factor, but input.size(", h % factor ? -2 : -1,
         ")=", h % factor ? h : w, " is not divisible by ", factor, " (sizes ", call.in(0).sizes,
         ")");
  int64_t planes;
  if (__builtin_mul_overflow(factor, factor, &planes) ||
      __builtin_mul_overflow(planes, meta.sizes[c], &meta.sizes[c]))
    fail(ErrorCode::kRuntime, "pixel_unshuffle: downscale_factor ", factor, " is too large");
  meta.sizes[c + 1] = h / factor;
  meta.sizes[c + 2] = w / factor;
}

// `many` has the channels and `large` the pixels: both seen as [..., C, r, r, H, W].
void copy_pixels(TensorBody& out, TensorBody& in, TensorBody& many, TensorBody& large, int64_t r) {
  const int c = many.sizes.size() - 3;
  Shape sizes, apart, spread;
  for (int d = 0; d < c; ++d) {
    sizes.push_back(many.sizes[d]);
    apart.push_back(many.strides[d]);
    spread.push_back(large.strides[d]);
  }
  const int64_t channel = many.strides[c], row = large.strides[c + 1],
                column = large.strides[c + 2];
  for (int64_t n : {large.sizes[c], r, r, many.sizes[c + 1], many.sizes[c + 2]}) sizes.push_back(n);
  for (int64_t n :
       {channel * r * r, channel * r, channel, many.strides[c + 1], many.strides[c + 2]})
    apart.push_back(n);
  for (int64_t n : {large.strides[c], row, column, row * r, column * r}) spread.push_back(n);
  const Tensor to = make_alias(&out, sizes, &out == &many ? apart : spread, 0);
  const Tensor from = make_alias(&in, sizes, &in == &many ? apart : spread, 0);
  copy_into(*body(to), *body(from));
}

void forward_shuffle(const Call& call) {
  copy_pixels(call.out(), call.in(0), call.in(0), call.out(), call.attrs.ints[0]);
}
void forward_unshuffle(const Call& call) {
  copy_pixels(call.out(), call.in(0), call.out(), call.in(0), call.attrs.ints[0]);
}

constexpr Op op_shuffle = {
    .name = "pixel_shuffle",
    .traits = kCopies,
    .infer = infer_shuffle,
    .forward = {forward_shuffle},
    .backward = [](Backward& b) { b.set(0, pixel_unshuffle(b.grad(), b.attrs().ints[0])); },
    .attrs = ";;upscale_factor",
    .doc = "channels become pixels",
    .batch = {1},
    .check = takes<1>};

constexpr Op op_unshuffle = {
    .name = "pixel_unshuffle",
    .traits = kCopies,
    .infer = infer_unshuffle,
    .forward = {forward_unshuffle},
    .backward = [](Backward& b) { b.set(0, pixel_shuffle(b.grad(), b.attrs().ints[0])); },
    .attrs = ";;downscale_factor",
    .doc = "pixels become channels",
    .batch = {1},
    .check = takes<1>};

constexpr const Op* kPixelOps[] = {&op_shuffle, &op_unshuffle};

}  // namespace

OpList pixel_ops() { return {kPixelOps, std::size(kPixelOps)}; }

}  // namespace detail

Tensor pixel_shuffle(const Tensor& x, int64_t factor) {
  detail::Attrs attrs;
  attrs.ints[0] = factor;
  return detail::dispatch(detail::op_shuffle, {x}, attrs);
}

Tensor pixel_unshuffle(const Tensor& x, int64_t factor) {
  detail::Attrs attrs;
  attrs.ints[0] = factor;
  return detail::dispatch(detail::op_unshuffle, {x}, attrs);
}

Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  const Shape& sizes = x.sizes();
  if (sizes.size() < 3)
    fail(ErrorCode::kRuntime,
         "channel_shuffle expects input with > 2 dims, but got input with sizes ", sizes);
  if (groups <= 0)
    fail(ErrorCode::kRuntime,
         "Number of groups to divide channels in must be positive. Value of groups:", groups);
  if (sizes[1] % groups)
    fail(ErrorCode::kRuntime, "Number of channels must be divisible by groups. Got ", sizes[1],
         " channels and ", groups, " groups.");
  Shape grouped = {sizes[0], groups, sizes[1] / groups};
  for (int d = 2; d < sizes.size(); ++d) grouped.push_back(sizes[d]);
  return reshape(clone(transpose(reshape(x, grouped), 1, 2)), sizes);
}

}  // namespace autograd
