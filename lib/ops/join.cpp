// Tensors put together along a dim, and taken apart.
#include <algorithm>
#include <cstring>
#include <limits>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
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
    if (__builtin_add_overflow(meta.sizes[dim], sizes[dim], &meta.sizes[dim]))
      fail(ErrorCode::kRuntime, "cat: the sizes of ", call.n_inputs, " tensors along dimension ",
           dim, " overflow (sizes ", first_sizes, " and ", sizes, ")");
  }
  if (first) meta.sizes = {0};
}

// Writes a small row-major input of the result's dtype to positions `at` and on of dim.
void copy_rows(const TensorBody& in, TensorBody& out, int dim, int64_t at) {
  const size_t item = size_of(in.dtype);
  int64_t outer = 1;
  for (int d = 0; d < dim; ++d) outer *= in.sizes[d];
  const size_t row = static_cast<size_t>(in.numel / outer) * item;
  const size_t step = static_cast<size_t>(out.numel / outer) * item;
  char* to = out.data + static_cast<size_t>(at * out.strides[dim]) * item;
  if (row == item)
    return cpu::convert(in.data, in.dtype, 1, to, out.dtype, out.numel / outer, outer);
  for (int64_t o = 0; o < outer; ++o)
    std::memcpy(to + static_cast<size_t>(o) * step, in.data + static_cast<size_t>(o) * row, row);
}

void forward_cat(const Call& call) {
  const int dim = static_cast<int>(call.attrs.ints[0]);
  TensorBody& out = call.out();
  int64_t at = 0;
  for (int i = 0; i < call.n_inputs; ++i) {
    TensorBody& in = call.in(i);
    if (is_skipped(in.sizes)) continue;
    if (in.is_contiguous && in.dtype == out.dtype && in.numel > 0 && in.numel < kGrain) {
      copy_rows(in, out, dim, at);
    } else {
      Tensor part = make_alias(&out, in.sizes, out.strides, in.numel ? at * out.strides[dim] : 0);
      copy_into(*body(part), in);
    }
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

bool batch_cat(const BatchedCall& c) {
  Vector<Tensor> values;
  for (int i = 0; i < c.n_inputs; ++i) {
    if (is_skipped(c.sizes(i)) && c.n_inputs > 1) return false;
    values.push_back(c.front(i));
  }
  Attrs attrs = c.attrs;
  ++attrs.ints[0];
  c.make(values, attrs);
  return true;
}

void check_cat(const Call& call) {
  need_counts(call, 1, 1 << 16);
  for (int i = 0; i < call.n_inputs; ++i)
    if (!is_skipped(call.in(i).sizes)) need_dim(call, 0, call.in(i).sizes.size());
}

constexpr Op op_cat = {.name = "cat",
                       .traits = kCopies,
                       .infer = infer_cat,
                       .forward = {forward_cat},
                       .backward = backward_cat,
                       .attrs = ";;dim",
                       .doc = "tensors joined along an existing dim",
                       .batch = {.call = batch_cat},
                       .check = check_cat};

constexpr const Op* kJoinOps[] = {&op_cat};

using OneTensor = Tensor (*)(const Tensor& x);

std::vector<Tensor> each(const std::vector<Tensor>& tensors, OneTensor change) {
  std::vector<Tensor> changed;
  changed.reserve(tensors.size());
  for (const Tensor& t : tensors) changed.push_back(change(t));
  return changed;
}

// Only views of empty or repeated elements can be this many: a mistake, found before it takes the
// memory of all these tensors.
void check_parts(const char* name, int64_t parts, const Tensor& x) {
  constexpr int64_t kMostParts = int64_t{1} << 24;
  if (parts > kMostParts)
    fail(ErrorCode::kRuntime, name, ": ", parts, " parts are too many, expected at most ",
         kMostParts, " (input sizes ", x.sizes(), ")");
}

void check_any(const char* name, const std::vector<Tensor>& tensors) {
  if (tensors.empty()) fail(ErrorCode::kRuntime, name, " expects a non-empty TensorList");
}

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
  detail::check_parts("split", static_cast<int64_t>(sizes.size()), x);
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
    detail::poll_interrupt(0);  // there may be millions
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
  const int64_t each = size / chunks + (size % chunks != 0);
  detail::check_parts("chunk", each ? size / each : chunks, x);
  std::vector<int64_t> sizes;
  // An empty dim is cut into as many empty pieces as were asked for.
  if (each == 0) sizes.assign(static_cast<size_t>(chunks), 0);
  for (int64_t at = 0; each && at < size; at += each) sizes.push_back(std::min(each, size - at));
  return split(x, sizes, dim);
}

std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<int64_t>& indices,
                                 int64_t dim) {
  if (x.dim() == 0)
    fail(ErrorCode::kRuntime,
         "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  const int d = detail::normalize_dim(dim, x.dim());
  detail::check_parts("tensor_split", static_cast<int64_t>(indices.size()) + 1, x);
  std::vector<Tensor> parts;
  int64_t at = 0;
  for (int64_t end : indices) {
    parts.push_back(slice(x, d, at, end));
    detail::poll_interrupt(0);
    at = end;
  }
  parts.push_back(slice(x, d, at, std::numeric_limits<int64_t>::max()));
  return parts;
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  if (x.dim() == 0)
    fail(ErrorCode::kIndex, "Dimension specified as ", dim,
         " but tensor has no dimensions (unbind)");
  const int d = detail::normalize_dim(dim, x.dim());
  detail::check_parts("unbind", x.sizes()[d], x);
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < x.sizes()[d]; ++i) {
    parts.push_back(select(x, d, i));
    detail::poll_interrupt(0);
  }
  return parts;
}

// ---- the stacks

Tensor atleast_1d(const Tensor& x) { return x.dim() ? x : view(x, {1}); }

Tensor atleast_2d(const Tensor& x) {
  return x.dim() > 1 ? x : x.dim() ? unsqueeze(x, 0) : view(x, {1, 1});
}

Tensor atleast_3d(const Tensor& x) {
  if (x.dim() == 0) return view(x, {1, 1, 1});
  if (x.dim() == 1) return view(x, {1, x.sizes()[0], 1});
  return x.dim() == 2 ? unsqueeze(x, -1) : x;
}

Tensor hstack(const std::vector<Tensor>& tensors) {
  detail::check_any("hstack", tensors);
  return cat(detail::each(tensors, atleast_1d), tensors[0].dim() <= 1 ? 0 : 1);
}

Tensor vstack(const std::vector<Tensor>& tensors) {
  detail::check_any("vstack", tensors);
  return cat(detail::each(tensors, atleast_2d), 0);
}

Tensor dstack(const std::vector<Tensor>& tensors) {
  detail::check_any("dstack", tensors);
  return cat(detail::each(tensors, atleast_3d), 2);
}

Tensor column_stack(const std::vector<Tensor>& tensors) {
  detail::check_any("column_stack", tensors);
  return hstack(detail::each(tensors, [](const Tensor& x) {
    return x.dim() > 1 ? x : reshape(x, {x.numel(), 1});
  }));
}

Tensor block_diag(const std::vector<Tensor>& tensors) {
  // PyTorch's result for no tensors.
  if (tensors.empty()) return zeros({1, 0}, default_dtype());
  std::vector<detail::Arg> arguments(tensors.begin(), tensors.end());
  const DType dtype = detail::result_type(arguments.data(), static_cast<int>(arguments.size()));
  int64_t columns = 0, at = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].dim() > 2)
      fail(ErrorCode::kRuntime, "block_diag: Input tensors must have 2 or fewer dimensions. Input ",
           i, " has ", tensors[i].dim(), " dimensions, sizes ", tensors[i].sizes());
    if (__builtin_add_overflow(columns, atleast_2d(tensors[i]).sizes()[1], &columns))
      fail(ErrorCode::kRuntime, "block_diag: the columns of ", tensors.size(), " inputs overflow");
  }
  std::vector<Tensor> rows;
  for (const Tensor& t : tensors) {
    const Tensor block = to(atleast_2d(t), dtype);
    rows.push_back(pad(block, {at, columns - at - block.sizes()[1]}));
    at += block.sizes()[1];
  }
  return cat(rows, 0);
}

// ---- grids

std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& tensors) {
  Shape sizes;
  for (const Tensor& t : tensors)
    sizes = detail::broadcast_sizes("broadcast_tensors", sizes, t.sizes());
  std::vector<Tensor> all;
  for (const Tensor& t : tensors) all.push_back(expand(t, sizes));
  return all;
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, bool xy) {
  if (tensors.empty()) fail(ErrorCode::kRuntime, "meshgrid expects a non-empty TensorList");
  Shape sizes;
  for (const Tensor& t : tensors) {
    if (t.dim() > 1)
      fail(ErrorCode::kRuntime,
           "meshgrid: Expected 0D or 1D tensor in the tensor list but got sizes ", t.sizes());
    if (t.dtype() != tensors[0].dtype())
      fail(ErrorCode::kRuntime, "meshgrid: expects all tensors to have the same dtype, got ",
           name_of(tensors[0].dtype()), " and ", name_of(t.dtype()));
    sizes.push_back(t.numel());
  }
  std::vector<Tensor> grids;
  const bool swap = xy && tensors.size() > 1;
  for (int i = 0; i < sizes.size(); ++i) {
    Shape line = Shape::filled(sizes.size(), 1);
    line[i] = sizes[i];
    const Tensor grid = expand(view(tensors[static_cast<size_t>(i)], line), sizes);
    grids.push_back(swap ? transpose(grid, 0, 1) : grid);
  }
  return grids;
}

Tensor cartesian_prod(const std::vector<Tensor>& tensors) {
  for (const Tensor& t : tensors)
    if (t.dim() != 1)
      fail(ErrorCode::kRuntime, "cartesian_prod: Expect a 1D vector, but got shape ", t.sizes());
  if (tensors.size() == 1) return tensors[0];
  std::vector<Tensor> columns;
  for (const Tensor& grid : meshgrid(tensors)) columns.push_back(reshape(grid, {-1}));
  return stack(columns, 1);
}

}  // namespace autograd
