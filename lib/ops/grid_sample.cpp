// Images read at the points of a grid, and grids of affine maps.
#include "kernels/cpu/grid_sample.hpp"

#include <algorithm>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ints: mode, padding, align_corners. lists[0], of the gradient: which of the two are wanted.

SampleMode mode_of(const Attrs& attrs) { return static_cast<SampleMode>(attrs.ints[0]); }
SamplePadding padding_of(const Attrs& attrs) { return static_cast<SamplePadding>(attrs.ints[1]); }

cpu::SampleGrid sample_grid(const Attrs& attrs, const Shape& x, const Shape& grid) {
  cpu::SampleGrid s{x.size() - 2,
                    {1, 1, 1},
                    x[1],
                    1,
                    static_cast<cpu::SampleMode>(attrs.ints[0]),
                    static_cast<cpu::SamplePadding>(attrs.ints[1]),
                    attrs.ints[2] != 0};
  for (int d = 0; d < s.dims; ++d) {
    s.sizes[d] = x[d + 2];
    s.points *= grid[d + 1];
  }
  return s;
}

void check_sampling(const TensorBody& x, const TensorBody& grid, SampleMode mode) {
  const Shape &a = x.sizes, &b = grid.sizes;
  if (a.empty() || b.empty() || a[0] != b[0])
    fail(ErrorCode::kRuntime,
         "grid_sampler(): expected grid and input to have same batch size, but got input with "
         "sizes ",
         a, " and grid with sizes ", b);
  if ((a.size() != 4 && a.size() != 5) || a.size() != b.size())
    fail(ErrorCode::kRuntime,
         "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got "
         "input with sizes ",
         a, " and grid with sizes ", b);
  if (b.back() != a.size() - 2)
    fail(ErrorCode::kRuntime, "grid_sampler(): expected grid to have size ", a.size() - 2,
         " in last dimension, but got grid with sizes ", b);
  for (int d = 2; d < a.size(); ++d)
    if (a[d] == 0)
      fail(ErrorCode::kRuntime,
           "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
           "sizes ",
           a, " with dimension ", d, " being empty");
  if (mode == SampleMode::kCubic && a.size() != 4)
    fail(ErrorCode::kRuntime, "grid_sampler(): bicubic interpolation only supports 4D input, got ",
         a);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, "grid_sampler: not implemented for ", name_of(x.dtype));
  if (grid.dtype != x.dtype)
    fail(ErrorCode::kRuntime, "grid_sampler(): expected scalar type ", name_of(x.dtype),
         " but found ", name_of(grid.dtype));
}

Shape sampled_sizes(const Shape& x, const Shape& grid) {
  Shape sizes = x;
  for (int d = 2; d < x.size(); ++d) sizes[d] = grid[d - 1];
  return sizes;
}

void infer_sample(const Call& call, OutputMetas& outputs) {
  check_sampling(call.in(0), call.in(1), mode_of(call.attrs));
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = sampled_sizes(call.in(0).sizes, call.in(1).sizes);
}

// Calls work(first image, images) on parts of the batch.
template <class Work>
void over_images(const cpu::SampleGrid& s, int64_t images, const Work& work) {
  int64_t each = s.points * (s.channels + 4);
  for (int d = 0; d < s.dims; ++d) each *= 2;
  parallel_for(images, std::max<int64_t>(1, kGrain / 4 / std::max<int64_t>(1, each)),
               [&](int64_t begin, int64_t end) { work(begin, end - begin); });
}

const char* at(const Tensor& t, int64_t first, int64_t images) {
  return static_cast<const char*>(t.data()) +
         first * (t.numel() / images) * static_cast<int64_t>(size_of(t.dtype()));
}

void forward_sample(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor x = dense(call.in(0)), grid = dense(call.in(1)), y = borrow(&out);
  const cpu::SampleGrid s = sample_grid(call.attrs, x.sizes(), grid.sizes());
  const int64_t n = x.size(0);
  over_images(s, n, [&](int64_t first, int64_t images) {
    cpu::grid_sample(out.dtype, s, at(x, first, n), at(grid, first, n), images,
                     const_cast<char*>(at(y, first, n)));
  });
}

void check_sample_call(const Call& call, int x) {
  need_number(call, 0, 0, static_cast<int64_t>(SampleMode::kCubic));
  need_number(call, 1, 0, static_cast<int64_t>(SamplePadding::kReflection));
  need_number(call, 2, 0, 1);
  check_sampling(call.in(x), call.in(x + 1), mode_of(call.attrs));
}

void check_sample(const Call& call) {
  need_counts(call, 2, 2);
  check_sample_call(call, 0);
}

// The images of all examples are images.
bool batch_sample(const BatchedCall& c) {
  Vector<Tensor> images;
  for (int i = 0; i < c.n_inputs; ++i) images.push_back(flatten(c.front(i), 0, 1));
  c.make(images, c.attrs);
  const int64_t each = c.sizes(0)[0];
  for (int i = 0; i < c.n_outputs; ++i)
    if (c.outputs[i].dim() > 1)
      c.outputs[i] = unflatten(c.outputs[i], 0, {c.size, each});
    else
      c.outputs[i] = expand(unsqueeze(c.outputs[i], 0), {c.size, 0});
  return true;
}

void backward_sample(Backward& b);

constexpr Op op_sample = {
    .name = "grid_sample",
    .traits = kReduction,
    .infer = infer_sample,
    .forward = {forward_sample},
    .backward = backward_sample,
    .reads = {reads_input(0) | reads_input(1), reads_input(0) | reads_input(1)},
    .attrs = ";;mode,padding_mode,align_corners",
    .doc = "images read at the points of a grid",
    .batch = {.call = batch_sample},
    .check = check_sample};

// ---- grid_sample_backward(g, x, grid)

void infer_sample_backward(const Call& call, OutputMetas& outputs) {
  for (int i : {0, 1}) {
    OutputMeta& meta = outputs.add();
    meta.dtype = call.in(0).dtype;
    meta.sizes = call.attrs.lists[0][i] ? call.in(i + 1).sizes : Shape{0};
  }
}

void forward_sample_backward(const Call& call) {
  TensorBody &dx = call.out(0), &dgrid = call.out(1);
  for (TensorBody* out : {&dx, &dgrid})
    std::memset(out->data, 0, static_cast<size_t>(out->numel) * size_of(out->dtype));
  if (call.in(0).numel == 0) return;
  const Tensor g = dense(call.in(0)), x = dense(call.in(1)), grid = dense(call.in(2));
  const Tensor to_x = borrow(&dx), to_grid = borrow(&dgrid);
  const cpu::SampleGrid s = sample_grid(call.attrs, x.sizes(), grid.sizes());
  const int64_t n = x.size(0);
  over_images(s, n, [&](int64_t first, int64_t images) {
    cpu::grid_sample_backward(dx.dtype, s, at(g, first, n), at(x, first, n), at(grid, first, n),
                              images, dx.numel ? const_cast<char*>(at(to_x, first, n)) : nullptr,
                              dgrid.numel ? const_cast<char*>(at(to_grid, first, n)) : nullptr);
  });
}

void check_sample_backward(const Call& call) {
  need_counts(call, 3, 3, 2);
  check_sample_call(call, 1);
  need_list(call, 0, 2, 0, 1);
  need_dtype_of(call, 0, 1);
  need_sizes(call, 0, sampled_sizes(call.in(1).sizes, call.in(2).sizes));
}

constexpr Op op_sample_backward = {.name = "grid_sample_backward",
                                   .traits = kReduction,
                                   .infer = infer_sample_backward,
                                   .forward = {forward_sample_backward},
                                   .attrs = "wanted;;mode,padding_mode,align_corners",
                                   .doc = "gradients of grid_sample for the images and the grid",
                                   .check = check_sample_backward};

// ---- the same composed of public ops, for higher orders

// What a point reads along a dim: positions (whole numbers, as floats), what each counts for.
struct Tap {
  Tensor position, weight;
};

// Within 0 and size - 1; no slope at the ends.
Tensor clipped(const Tensor& at, int64_t size) {
  const double last = static_cast<double>(size - 1);
  const Tensor inside = logical_and(at > 0.0, at < last);
  return where(inside, at, nan_to_num(clamp(at.detach(), Scalar(0.0), Scalar(last)), 0.0));
}

Tensor reflected(const Tensor& at, int64_t size, bool aligned) {
  const double low = aligned ? 0.0 : -0.5, span = static_cast<double>(aligned ? size - 1 : size);
  if (span == 0) return zeros_like(at);
  const Tensor from = abs(at - low), rest = fmod(from, scalar(span));
  const Tensor is_even = fmod(floor(from.detach() / span), scalar(2.0)) == 0.0;
  return where(is_even, rest + low, span - rest + low);
}

Tensor padded(Tensor at, int64_t size, const Attrs& attrs) {
  if (padding_of(attrs) == SamplePadding::kZeros) return at;
  if (padding_of(attrs) == SamplePadding::kReflection) at = reflected(at, size, attrs.ints[2] != 0);
  return clipped(at, size);
}

std::vector<Tap> cubic_taps(const Tensor& at, int64_t size, const Attrs& attrs) {
  constexpr double a = -0.75;
  const Tensor low = floor(at.detach()), t = at - low;
  const auto near = [](const Tensor& x) { return ((a + 2) * x - (a + 3)) * x * x + 1.0; };
  const auto far = [](const Tensor& x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const Tensor weights[4] = {far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)};
  std::vector<Tap> taps;
  for (int k = 0; k < 4; ++k)
    taps.push_back({padded(low + static_cast<double>(k - 1), size, attrs), weights[k]});
  return taps;
}

std::vector<Tap> taps_of(const Tensor& coordinate, int64_t size, const Attrs& attrs) {
  const bool aligned = attrs.ints[2] != 0;
  const double steps = static_cast<double>(aligned ? size - 1 : size);
  const Tensor at = (coordinate + 1.0) * (steps / 2) - (aligned ? 0.0 : 0.5);
  if (mode_of(attrs) == SampleMode::kCubic) return cubic_taps(at, size, attrs);
  const Tensor place = padded(at, size, attrs);
  if (mode_of(attrs) == SampleMode::kNearest)
    return {{round(place.detach()), ones({}, place.dtype())}};
  const Tensor low = floor(place.detach()), t = place - low;
  return {{low, 1.0 - t}, {low + 1.0, t}};
}

Tensor composed_sample(const Tensor& x, const Tensor& grid, const Attrs& attrs) {
  const int dims = x.dim() - 2;
  const int64_t n = x.size(0), channels = x.size(1);
  const Tensor points = flatten(grid, 1, -2), planes = flatten(x, 2);
  std::vector<std::vector<Tap>> taps;
  for (int d = 0; d < dims; ++d)
    taps.push_back(taps_of(select(points, -1, dims - 1 - d), x.size(d + 2), attrs));
  Tensor total;
  std::vector<size_t> k(static_cast<size_t>(dims), 0);
  for (;;) {
    Tensor weight, place, inside;
    for (int d = 0; d < dims; ++d) {
      const Tap& tap = taps[static_cast<size_t>(d)][k[static_cast<size_t>(d)]];
      const double size = static_cast<double>(x.size(d + 2));
      const Tensor within = logical_and(tap.position >= 0.0, tap.position < size);
      const Tensor position = to(where(within, tap.position, zeros({}, x.dtype())), DType::kInt64);
      weight = weight ? weight * tap.weight : tap.weight;
      inside = inside ? logical_and(inside, within) : within;
      place = place ? place * scalar(x.size(d + 2)) + position : position;
    }
    const Tensor index = expand(unsqueeze(place, 1), {n, channels, points.size(1)});
    const Tensor read = where(unsqueeze(inside, 1), gather(planes, 2, index), zeros({}, x.dtype()));
    const Tensor term = read * (weight.dim() ? unsqueeze(weight, 1) : weight);
    total = total ? total + term : term;
    int d = dims - 1;
    for (; d >= 0; --d) {
      if (++k[static_cast<size_t>(d)] < taps[static_cast<size_t>(d)].size()) break;
      k[static_cast<size_t>(d)] = 0;
    }
    if (d < 0) return reshape(total, sampled_sizes(x.sizes(), grid.sizes()));
  }
}

void backward_sample(Backward& b) {
  const Attrs& attrs = b.attrs();
  if (wants_composite(b))
    return differentiate_composite(b, [&](const std::vector<Tensor>& inputs) {
      return std::vector<Tensor>{composed_sample(inputs[0], inputs[1], attrs)};
    });
  Attrs wanted = attrs;
  wanted.lists[0] = {b.needs(0), b.needs(1)};
  auto [dx, dgrid] = dispatch_pair(op_sample_backward, {b.grad(), b.input(0), b.input(1)}, wanted);
  if (b.needs(0)) b.set(0, std::move(dx));
  if (b.needs(1)) b.set(1, std::move(dgrid));
}

constexpr const Op* kGridSampleOps[] = {&op_sample, &op_sample_backward};

// Positions along a dim of affine_grid, from -1 to 1.
Tensor steps_along(int64_t n, bool aligned, DType dtype) {
  if (n <= 1) return zeros({n}, dtype);
  const Tensor steps = linspace(-1, 1, n, dtype);
  return aligned ? steps : steps * (static_cast<double>(n - 1) / static_cast<double>(n));
}

}  // namespace

OpList grid_sample_ops() { return {kGridSampleOps, std::size(kGridSampleOps)}; }

}  // namespace detail

Tensor grid_sample(const Tensor& x, const Tensor& grid, SampleMode mode, SamplePadding padding,
                   bool align_corners) {
  detail::Attrs attrs;
  attrs.ints[0] = static_cast<int64_t>(mode);
  attrs.ints[1] = static_cast<int64_t>(padding);
  attrs.ints[2] = align_corners;
  return detail::dispatch(detail::op_sample, {x, grid}, attrs);
}

Tensor affine_grid(const Tensor& theta, const Shape& sizes, bool align_corners) {
  const int dims = sizes.size() - 2;
  if (dims != 2 && dims != 3)
    fail(ErrorCode::kNotImplemented,
         "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
         "respectively. Got size ",
         sizes);
  if (!is_floating(theta.dtype()))
    fail(ErrorCode::kValue, "Expected theta to have floating point type, but got ",
         name_of(theta.dtype()));
  if (theta.dim() != 3 || theta.size(1) != dims || theta.size(2) != dims + 1)
    fail(ErrorCode::kValue, "Expected a batch of ", dims, "D affine matrices of shape Nx", dims,
         "x", dims + 1, " for size ", sizes, ". Got ", theta.sizes());
  for (int64_t size : sizes)
    if (size <= 0) fail(ErrorCode::kValue, "Expected non-zero, positive output size. Got ", sizes);
  if (theta.size(0) != sizes[0])
    fail(ErrorCode::kRuntime, "affine_grid: expected ", sizes[0], " affine matrices for size ",
         sizes, ", got ", theta.sizes());
  Shape points(sizes.data() + 2, dims);
  std::vector<Tensor> columns;
  for (int d = dims - 1; d >= 0; --d) {
    Shape along = Shape::filled(dims, 1);
    along[d] = points[d];
    const Tensor steps = detail::steps_along(points[d], align_corners, theta.dtype());
    columns.push_back(expand(reshape(steps, along), points));
  }
  columns.push_back(ones(points, theta.dtype()));
  const Tensor base = reshape(stack(columns, -1), {1, -1, dims + 1});
  Shape result{sizes[0]};
  for (int64_t n : points) result.push_back(n);
  result.push_back(dims);
  return reshape(matmul(base, transpose(theta, 1, 2)), result);
}

}  // namespace autograd
