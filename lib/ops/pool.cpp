// Pooling: the records. A mean of windows and its transposed map are each other's gradient, and so
// are picking elements at positions and adding to them.
#include "kernels/cpu/pool.hpp"

#include <algorithm>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/record.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/pool.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {
namespace {

// lists[0] kernel (empty: adaptive), lists[1] stride, padding and dilation, lists[2] spatial sizes
// of the input and of the output; ints[0] whether means count padding, ints[1] divisor or 0.

int spatial_dims(const Attrs& attrs) { return attrs.lists[2].size() / 2; }

Shape with_spatial(const Shape& sizes, const Attrs& attrs, bool out) {
  const int n = spatial_dims(attrs);
  Shape result(sizes.data(), sizes.size() - n);
  for (int d = 0; d < n; ++d) result.push_back(attrs.lists[2][out ? n + d : d]);
  return result;
}

/// The windows of all dims, and memory for them.
struct Windows {
  cpu::PoolDim dims[3];
  Vector<cpu::PoolRange> ranges;
  int64_t in = 1, out = 1;
};

cpu::PoolRange window(const Attrs& attrs, int d, int64_t i) {
  const int n = spatial_dims(attrs);
  const int64_t in = attrs.lists[2][d], out = attrs.lists[2][n + d];
  if (attrs.lists[0].empty()) {
    // i * in / out without overflow.
    const int64_t begin = i / out * in + i % out * in / out, rest = (i + 1) % out * in;
    const int64_t end = (i + 1) / out * in + (rest + out - 1) / out;
    return {begin, end, end - begin};
  }
  const int64_t kernel = attrs.lists[0][d], stride = attrs.lists[1][d],
                padding = attrs.lists[1][n + d], dilation = attrs.lists[1][2 * n + d];
  const int64_t start = i * stride - padding;
  const int64_t stop = std::min(start + (kernel - 1) * dilation + 1, in + padding);
  const int64_t begin = start < 0 ? start + (-start + dilation - 1) / dilation * dilation : start;
  const int64_t end = std::min(stop, in);
  return {begin, end, attrs.ints[0] ? stop - start : end - begin};
}

void set_windows(const Attrs& attrs, Windows& w) {
  const int n = spatial_dims(attrs);
  int64_t total = 0;
  for (int d = 0; d < n; ++d) total += attrs.lists[2][n + d];
  w.ranges.resize(static_cast<size_t>(total + 1));
  w.ranges[0] = {0, 1, 1};
  size_t at = 1;
  for (int d = 0; d < 3; ++d) {
    const int s = d - (3 - n);
    if (s < 0) {
      w.dims[d] = {1, 1, 1, w.ranges.data()};
      continue;
    }
    const int64_t in = attrs.lists[2][s], out = attrs.lists[2][n + s];
    w.dims[d] = {in, out, attrs.lists[0].empty() ? 1 : attrs.lists[1][2 * n + s],
                 w.ranges.data() + at};
    for (int64_t i = 0; i < out; ++i) w.ranges[at++] = window(attrs, s, i);
    w.in *= in;
    w.out *= out;
  }
}

/// work(first plane, planes) in parallel; a plane costs about `each` steps.
template <class Work>
void over_planes(int64_t planes, int64_t each, const Work& work) {
  const int64_t grain = std::max<int64_t>(1, kGrain / 4 / std::max<int64_t>(each, 1));
  parallel_for(planes, grain, [&](int64_t begin, int64_t end) { work(begin, end - begin); });
}

// ---- max_pool -> values, positions

// The windows that the attributes describe; what is read lies within the image.
void check_windows(const Call& call) {
  constexpr int64_t kMost = int64_t{1} << 24;
  const int n = spatial_dims(call.attrs);
  need(call, n >= 1 && n <= 3, "one to three spatial dims are wanted");
  const Shape& sizes = need_list(call, 2, 2 * n, 0, kMost);
  if (!call.attrs.lists[0].empty()) {
    need_list(call, 0, n, 1, kMost);
    const Shape& list = need_list(call, 1, 3 * n, 0, kMost);
    for (int d = 0; d < n; ++d)
      need(call, list[d] > 0 && list[2 * n + d] > 0, "a stride or a dilation is 0");
  }
  for (int d = 0; d < n; ++d)
    for (int64_t i = 0; i < sizes[n + d]; ++i) {
      const cpu::PoolRange range = window(call.attrs, d, i);
      need(call, range.begin >= 0 && range.begin < range.end && range.end <= sizes[d],
           "a window without elements");
    }
}

// Input i ends in the spatial sizes of the image, or of what windows give.
void check_planes(const Call& call, int i, bool out) {
  const int n = spatial_dims(call.attrs);
  const Shape& sizes = call.in(i).sizes;
  need(call, sizes.size() >= n, "an argument has too few dims");
  for (int d = 0; d < n; ++d)
    need(call, sizes[sizes.size() - n + d] == call.attrs.lists[2][out ? n + d : d],
         "an argument of other sizes is wanted");
}

template <int kOutputs, bool kOut>
void check_pool(const Call& call) {
  need_counts(call, 1, 1, kOutputs);
  const DType dtype = call.in(0).dtype;
  need(call,
       is_floating(dtype) || (kOutputs == 2 && dtype != DType::kBool) || dtype == DType::kInt64,
       "numbers are wanted");
  check_windows(call);
  check_planes(call, 0, kOut);
}

template <bool kOut>
void check_picks(const Call& call) {
  need_counts(call, 2, 2);
  need_float(call, 0);
  need_dtype(call, 1, DType::kInt64);
  check_windows(call);
  check_planes(call, 0, kOut);
  check_planes(call, 1, true);
  const int n = spatial_dims(call.attrs);
  const Shape &x = call.in(0).sizes, &index = call.in(1).sizes;
  need(call,
       x.size() == index.size() &&
           Shape(x.data(), x.size() - n) == Shape(index.data(), index.size() - n),
       "an argument of other sizes is wanted");
}

void infer_max(const Call& call, OutputMetas& outputs) {
  const Shape sizes = with_spatial(call.in(0).sizes, call.attrs, true);
  outputs.add(call.in(0).dtype, sizes);
  outputs.add(DType::kInt64, sizes);
}

void forward_max(const Call& call) {
  if (call.out().numel == 0) return;
  const Tensor x = dense(call.in(0));
  Windows w;
  set_windows(call.attrs, w);
  TensorBody &values = call.out(0), &indices = call.out(1);
  const int64_t bytes = item_size(values.dtype);
  over_planes(values.numel / w.out, w.in + w.out, [&](int64_t first, int64_t planes) {
    cpu::max_windows(values.dtype, w.dims, planes,
                     static_cast<const char*>(x.data()) + first * w.in * bytes,
                     values.data + first * w.out * bytes,
                     reinterpret_cast<int64_t*>(indices.data) + first * w.out);
  });
}

Tensor scatter(const Tensor& g, const Tensor& index, const Attrs& attrs);
Tensor gather(const Tensor& x, const Tensor& index, const Attrs& attrs);

constexpr const char* kPoolAttrs = "kernel,stride+padding+dilation,size+sizes;;include_pad,divisor";

constexpr Op op_pool_max = {
    .name = "max_pool",
    .traits = kReduction,
    .infer = infer_max,
    .forward = {forward_max},
    .backward = [](Backward& b) { set_in_pieces(b, 0, scatter(b.grad(), b.output(1), b.attrs())); },
    .reads = {reads_output(1)},
    .attrs = kPoolAttrs,
    .doc = "maximum of each window, and its position",
    .batch = {1},
    .check = (check_pool<2, false>)};

// ---- pool_scatter(g, positions) and pool_gather(x, positions)

void infer_pool_scatter(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(0).dtype, with_spatial(call.in(0).sizes, call.attrs, false));
}

void forward_pool_scatter(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor g = dense(call.in(0)), index = dense(call.in(1));
  const int n = spatial_dims(call.attrs);
  int64_t size = 1, count = 1;
  for (int d = 0; d < n; ++d) {
    size *= call.attrs.lists[2][d];
    count *= call.attrs.lists[2][n + d];
  }
  check_positions(call, index, size);
  const int64_t bytes = item_size(out.dtype);
  over_planes(out.numel / size, size + count, [&](int64_t first, int64_t planes) {
    cpu::scatter_planes(out.dtype, static_cast<const char*>(g.data()) + first * count * bytes,
                        index.data_as<int64_t>() + first * count, planes, count, size,
                        out.data + first * size * bytes);
  });
}

void infer_pool_gather(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(0).dtype, call.in(1).sizes);
}

void forward_pool_gather(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor x = dense(call.in(0)), index = dense(call.in(1));
  const int n = spatial_dims(call.attrs);
  int64_t size = 1, count = 1;
  for (int d = 0; d < n; ++d) {
    size *= call.attrs.lists[2][d];
    count *= call.attrs.lists[2][n + d];
  }
  check_positions(call, index, size);
  cpu::gather_planes(out.dtype, x.data(), index.data_as<int64_t>(), out.numel / count, count, size,
                     out.data);
}

constexpr Op op_pool_scatter = {
    .name = "pool_scatter",
    .traits = kCopies,
    .infer = infer_pool_scatter,
    .forward = {forward_pool_scatter},
    .backward = [](Backward& b) { b.set(0, gather(b.grad(), b.input(1), b.attrs())); },
    .reads = {reads_input(1)},
    .attrs = kPoolAttrs,
    .doc = "planes of zeros to which g is added at positions",
    .batch = {3},
    .check = check_picks<true>};

constexpr Op op_pool_gather = {
    .name = "pool_gather",
    .traits = kCopies,
    .infer = infer_pool_gather,
    .forward = {forward_pool_gather},
    .backward = [](Backward& b) { b.set(0, scatter(b.grad(), b.input(1), b.attrs())); },
    .reads = {reads_input(1)},
    .attrs = kPoolAttrs,
    .doc = "elements of planes at positions",
    .batch = {3},
    .check = check_picks<false>};

Tensor scatter(const Tensor& g, const Tensor& index, const Attrs& attrs) {
  return dispatch(op_pool_scatter, {g, index}, attrs);
}
Tensor gather(const Tensor& x, const Tensor& index, const Attrs& attrs) {
  return dispatch(op_pool_gather, {x, index}, attrs);
}

// ---- avg_pool and its transposed map

void infer_pool_mean(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(0).dtype, with_spatial(call.in(0).sizes, call.attrs, true));
}

void infer_spread(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(0).dtype, with_spatial(call.in(0).sizes, call.attrs, false));
}

void forward_pool_mean(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor x = dense(call.in(0));
  Windows w;
  set_windows(call.attrs, w);
  const int64_t bytes = item_size(out.dtype);
  over_planes(out.numel / w.out, w.in + w.out, [&](int64_t first, int64_t planes) {
    cpu::mean_windows(out.dtype, w.dims, call.attrs.ints[1], planes,
                      static_cast<const char*>(x.data()) + first * w.in * bytes,
                      out.data + first * w.out * bytes);
  });
}

void forward_spread(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor g = dense(call.in(0));
  Windows w;
  set_windows(call.attrs, w);
  const int64_t bytes = item_size(out.dtype);
  over_planes(out.numel / w.in, w.in + w.out, [&](int64_t first, int64_t planes) {
    cpu::spread_windows(out.dtype, w.dims, call.attrs.ints[1], planes,
                        static_cast<const char*>(g.data()) + first * w.out * bytes,
                        out.data + first * w.in * bytes);
  });
}

void backward_mean(Backward& b);
void backward_spread(Backward& b);

constexpr Op op_pool_mean = {.name = "avg_pool",
                             .traits = kReduction,
                             .infer = infer_pool_mean,
                             .forward = {forward_pool_mean},
                             .backward = backward_mean,
                             .attrs = kPoolAttrs,
                             .doc = "mean of each window",
                             .batch = {1},
                             .check = (check_pool<1, false>)};

constexpr Op op_spread = {.name = "avg_pool_backward",
                          .traits = kReduction,
                          .infer = infer_spread,
                          .forward = {forward_spread},
                          .backward = backward_spread,
                          .attrs = kPoolAttrs,
                          .doc = "each number spread over its window",
                          .batch = {1},
                          .check = (check_pool<1, true>)};

void backward_mean(Backward& b) { set_in_pieces(b, 0, dispatch(op_spread, {b.grad()}, b.attrs())); }
void backward_spread(Backward& b) { b.set(0, dispatch(op_pool_mean, {b.grad()}, b.attrs())); }

constexpr const Op* kPoolOps[] = {&op_pool_max, &op_pool_scatter, &op_pool_gather, &op_pool_mean,
                                  &op_spread};

}  // namespace

OpList pool_ops() { return {kPoolOps, std::size(kPoolOps)}; }

std::pair<Tensor, Tensor> pool_max(const Tensor& x, const Attrs& attrs) {
  return dispatch_pair(op_pool_max, {x}, attrs);
}

Tensor pool_mean(const Tensor& x, const Attrs& attrs) { return dispatch(op_pool_mean, {x}, attrs); }

}  // namespace autograd::detail
