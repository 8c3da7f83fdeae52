// Tensors put together along a dim, and taken apart.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// PyTorch lets empty 1-d tensors pass through cat whatever the other shapes are.
bool is_skipped(const Shape& sizes) { return sizes.size() == 1 && sizes[0] == 0; }

void infer_cat(const Call& call, OutputMetas& outputs) {
  const int dim = static_cast<int>(call.attrs.ints[0]);
  OutputMeta& meta = outputs.add();
  meta.dtype = result_type(call.inputs, call.n_inputs);
  bool first = true;
  Shape first_sizes;
  for (int i = 0; i < call.n_inputs; ++i) {
    const Shape& sizes = call.in(i).sizes;
    if (sizes.empty())
      fail(ErrorCode::kRuntime, "zero-dimensional tensor (at position ", i,
           ") cannot be concatenated");
    if (is_skipped(sizes)) continue;
    if (first) {
      meta.sizes = first_sizes = sizes;
      first = false;
      continue;
    }
    if (sizes.size() != meta.sizes.size())
      fail(ErrorCode::kRuntime, "Tensors must have same number of dimensions: got ",
           meta.sizes.size(), " and ", sizes.size(), " (sizes ", first_sizes, " and ", sizes, ")");
    for (int d = 0; d < sizes.size(); ++d)
      if (d != dim && sizes[d] != meta.sizes[d])
        fail(ErrorCode::kRuntime, "Sizes of tensors must match except in dimension ", dim,
             ". Expected size ", meta.sizes[d], " but got size ", sizes[d], " for tensor number ",
             i, " in the list (sizes ", first_sizes, " and ", sizes, ")");
    meta.sizes[dim] += sizes[dim];
  }
  if (first) meta.sizes = {0};
}

void forward_cat(const Call& call) {
  const int dim = static_cast<int>(call.attrs.ints[0]);
  TensorBody& out = call.out();
  int64_t at = 0;
  for (int i = 0; i < call.n_inputs; ++i) {
    TensorBody& in = call.in(i);
    if (is_skipped(in.sizes)) continue;
    Tensor part = make_alias(&out, in.sizes, out.strides, in.numel ? at * out.strides[dim] : 0);
    copy_into(*body(part), in);
    at += in.sizes[dim];
  }
}

void backward_cat(Backward& b) {
  const int dim = static_cast<int>(b.attrs().ints[0]);
  const Tensor g = b.grad();
  int64_t at = 0;
  for (int i = 0; i < b.n_inputs(); ++i) {
    const Shape& sizes = b.input_sizes(i);
    if (is_skipped(sizes)) {
      if (b.needs(i)) b.set(i, zeros(sizes, g.dtype()));
      continue;
    }
    if (b.needs(i)) b.set(i, slice(g, dim, at, at + sizes[dim]));
    at += sizes[dim];
  }
}

constexpr Op op_cat = {.name = "cat",
                       .traits = kCopies,
                       .infer = infer_cat,
                       .forward = {forward_cat},
                       .backward = backward_cat,
                       .attrs = ";;dim",
                       .doc = "tensors joined along an existing dim"};

constexpr const Op* kJoinOps[] = {&op_cat};

}  // namespace

OpList join_ops() { return {kJoinOps, std::size(kJoinOps)}; }

}  // namespace detail

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim) {
  if (tensors.empty()) fail(ErrorCode::kValue, "cat: expected a non-empty list of Tensors");
  int rank = 1;
  for (const Tensor& t : tensors)
    if (!detail::is_skipped(t.sizes())) {
      rank = t.dim();
      break;
    }
  detail::Attrs attrs;
  attrs.ints[0] = detail::normalize_dim(dim, rank);
  std::vector<detail::Arg> inputs(tensors.begin(), tensors.end());
  return detail::dispatch(detail::op_cat, inputs.data(), static_cast<int>(inputs.size()), attrs);
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t dim) {
  if (tensors.empty()) fail(ErrorCode::kRuntime, "stack expects a non-empty TensorList");
  const int d = detail::normalize_dim(dim, tensors[0].dim() + 1);
  std::vector<Tensor> parts;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].sizes() != tensors[0].sizes())
      fail(ErrorCode::kRuntime, "stack expects each tensor to be equal size, but got ",
           tensors[0].sizes(), " at entry 0 and ", tensors[i].sizes(), " at entry ", i);
    parts.push_back(unsqueeze(tensors[i], d));
  }
  return cat(parts, d);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim) {
  if (x.dim() == 0) fail(ErrorCode::kRuntime, "split expects at least a 1-dimensional tensor");
  const int d = detail::normalize_dim(dim, x.dim());
  int64_t at = 0;
  std::vector<Tensor> parts;
  for (int64_t size : sizes) {
    if (size < 0)
      fail(ErrorCode::kRuntime,
           "split_with_sizes expects split_sizes have only non-negative entries, got ", size);
    if (size > x.sizes()[d] - at) {
      at = -1;
      break;
    }
    parts.push_back(slice(x, d, at, at + size));
    at += size;
  }
  if (at != x.sizes()[d])
    fail(ErrorCode::kRuntime, "split_with_sizes expects split_sizes to sum exactly to ",
         x.sizes()[d], " (input tensor's size at dimension ", d, ")");
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  if (x.dim() == 0) fail(ErrorCode::kRuntime, "chunk expects at least a 1-dimensional tensor");
  if (chunks <= 0)
    fail(ErrorCode::kRuntime, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  const int64_t size = x.size(dim);
  const int64_t each = (size + chunks - 1) / chunks;
  std::vector<int64_t> sizes;
  // An empty dim is cut into as many empty pieces as were asked for.
  if (each == 0) sizes.assign(static_cast<size_t>(chunks), 0);
  for (int64_t at = 0; each && at < size; at += each) sizes.push_back(std::min(each, size - at));
  return split(x, sizes, dim);
}

}  // namespace autograd
