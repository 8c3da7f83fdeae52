// Images and sequences in another size: one op that changes one dim, applied dim by dim.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/record.hpp"
#include "kernels/cpu/resample.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// reals: scale, 0 for none. ints: dim, size, mode.
Interpolation interpolation_of(const Attrs& attrs) {
  return static_cast<Interpolation>(attrs.ints[2]);
}

bool aligns_corners(Interpolation mode) {
  return mode == Interpolation::kLinearAligned || mode == Interpolation::kCubicAligned;
}

// Steps in the input per step in the output.
template <class T>
T step_of(int64_t n_in, int64_t n_out, double scale, bool aligned) {
  if (aligned) return n_out > 1 ? static_cast<T>(n_in - 1) / static_cast<T>(n_out - 1) : T(0);
  return scale > 0 ? static_cast<T>(1.0 / scale) : static_cast<T>(n_in) / static_cast<T>(n_out);
}

struct TapList {
  std::vector<int64_t> begin, from;
  std::vector<double> weight;

  void add(int64_t position, double w) {
    from.push_back(position);
    weight.push_back(w);
  }
  cpu::Taps taps(int64_t n_in) const {
    return {n_in, static_cast<int64_t>(begin.size()) - 1, begin.data(), from.data(), weight.data()};
  }
};

// PyTorch computes positions in single precision, whatever the dtype.
void add_nearest(TapList& list, int64_t i, int64_t n_in, float step, bool exact) {
  const float at = (static_cast<float>(i) + (exact ? 0.5f : 0.0f)) * step;
  // Also for a step that is infinite.
  const bool inside = at < static_cast<float>(n_in - 1);
  list.add(inside ? static_cast<int64_t>(at) : n_in - 1, 1);
}

template <class T>
void add_linear(TapList& list, int64_t i, int64_t n_in, T step, bool aligned) {
  const T at = aligned ? step * static_cast<T>(i)
                       : std::max(step * (static_cast<T>(i) + T(0.5)) - T(0.5), T(0));
  const T last = static_cast<T>(n_in - 1);
  const int64_t low = static_cast<int64_t>(std::min(at, last));
  const T rest = std::min(std::max(at - static_cast<T>(low), T(0)), T(1));
  const int64_t high = std::min(low + 1, n_in - 1);
  if (high == low) return list.add(low, 1);
  list.add(low, static_cast<double>(T(1) - rest));
  list.add(high, static_cast<double>(rest));
}

// Keys' kernel with a = -0.75; positions outside are those at the edge.
template <class T>
void add_cubic(TapList& list, int64_t i, int64_t n_in, T step, bool aligned) {
  const T at = aligned ? step * static_cast<T>(i) : step * (static_cast<T>(i) + T(0.5)) - T(0.5);
  const T floor = std::min(std::floor(at), static_cast<T>(n_in - 1));
  const T t = std::min(std::max(at - floor, T(0)), T(1)), a = T(-0.75);
  const auto near = [a](T x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [a](T x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const T weights[4] = {far(t + 1), near(t), near(1 - t), far(2 - t)};
  for (int64_t k = 0; k < 4; ++k)
    list.add(std::clamp<int64_t>(static_cast<int64_t>(floor) - 1 + k, 0, n_in - 1),
             static_cast<double>(weights[k]));
}

void add_area(TapList& list, int64_t i, int64_t n_in, int64_t n_out) {
  const auto at = [&](int64_t k, int64_t round_up) {
    return static_cast<int64_t>((static_cast<__int128>(k) * n_in + (round_up ? n_out - 1 : 0)) /
                                n_out);
  };
  const int64_t first = at(i, 0), end = at(i + 1, 1);
  for (int64_t k = first; k < end; ++k) list.add(k, 1.0 / static_cast<double>(end - first));
}

template <class T>
TapList make_taps(const Attrs& attrs, int64_t n_in) {
  const int64_t n_out = attrs.ints[1];
  const Interpolation mode = interpolation_of(attrs);
  const bool aligned = aligns_corners(mode);
  const T step = step_of<T>(n_in, n_out, attrs.reals[0], aligned);
  const float nearest_step = step_of<float>(n_in, n_out, attrs.reals[0], false);
  TapList list;
  list.begin.reserve(static_cast<size_t>(n_out) + 1);
  for (int64_t i = 0; i < n_out; ++i) {
    list.begin.push_back(static_cast<int64_t>(list.from.size()));
    switch (mode) {
      case Interpolation::kNearest:
      case Interpolation::kNearestExact:
        add_nearest(list, i, n_in, nearest_step, mode == Interpolation::kNearestExact);
        break;
      case Interpolation::kLinear:
      case Interpolation::kLinearAligned:
        add_linear(list, i, n_in, step, aligned);
        break;
      case Interpolation::kCubic:
      case Interpolation::kCubicAligned:
        add_cubic(list, i, n_in, step, aligned);
        break;
      case Interpolation::kArea:
        add_area(list, i, n_in, n_out);
        break;
    }
  }
  list.begin.push_back(static_cast<int64_t>(list.from.size()));
  return list;
}

TapList taps_for(DType dtype, const Attrs& attrs, int64_t n_in) {
  return dtype == DType::kFloat32 ? make_taps<float>(attrs, n_in) : make_taps<double>(attrs, n_in);
}

void outer_and_inner(const Shape& sizes, int dim, int64_t& outer, int64_t& inner) {
  outer = inner = 1;
  for (int d = 0; d < sizes.size(); ++d)
    if (d != dim) (d < dim ? outer : inner) *= sizes[d];
}

void infer_resample(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, "interpolate: not implemented for ", name_of(x.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = x.sizes;
  meta.sizes[static_cast<int>(call.attrs.ints[0])] = call.attrs.ints[1];
}

// Runs kernel(from, to, taps, outer, inner) on parts of the outer dims.
template <class Kernel>
void over_outer(TensorBody& from, TensorBody& to, const Call& call, int64_t n_in,
                const Kernel& kernel) {
  if (from.numel == 0 || to.numel == 0) return;
  const int dim = static_cast<int>(call.attrs.ints[0]);
  const Tensor dense_from = dense(from);
  const TapList list = taps_for(from.dtype, call.attrs, n_in);
  int64_t outer, inner;
  outer_and_inner(from.sizes, dim, outer, inner);
  const int64_t each_from = from.numel / outer, each_to = to.numel / outer;
  const size_t item = size_of(from.dtype);
  parallel_for(outer, std::max<int64_t>(1, kGrain / 4 / (each_from + each_to)),
               [&](int64_t begin, int64_t end) {
                 kernel(from.dtype,
                        static_cast<const char*>(dense_from.data()) +
                            static_cast<size_t>(begin * each_from) * item,
                        to.data + static_cast<size_t>(begin * each_to) * item, list.taps(n_in),
                        end - begin, inner);
               });
}

void forward_resample(const Call& call) {
  TensorBody& x = call.in(0);
  over_outer(x, call.out(), call, x.sizes[static_cast<int>(call.attrs.ints[0])], cpu::resample);
}

void infer_resample_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = call.attrs.lists[0];
}

void forward_resample_backward(const Call& call) {
  TensorBody& out = call.out();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  over_outer(call.in(0), out, call, out.sizes[static_cast<int>(call.attrs.ints[0])],
             cpu::resample_backward);
}

void backward_resample(Backward& b);
void backward_resample_backward(Backward& b);

void check_resampling(const Call& call, const Shape& in) {
  constexpr int64_t kMost = int64_t{1} << 26;
  need_counts(call, 1, 1);
  need_float(call, 0);
  need(call, !in.empty(), "a tensor with dims is wanted");
  const int dim = need_dim(call, 0, in.size());
  need_number(call, 1, 1, kMost);
  need_number(call, 2, 0, static_cast<int64_t>(Interpolation::kArea));
  need(call, in[dim] > 0 && in[dim] <= kMost, "a dim is empty or too long");
  const double scale = call.attrs.reals[0];
  need(call, scale == 0 || (scale >= 1e-6 && scale <= 1e6), "a scale is out of range");
}

void check_resample(const Call& call) {
  need_counts(call, 1, 1);
  check_resampling(call, call.in(0).sizes);
}

void check_resample_backward(const Call& call) {
  Shape sizes = need_sizes_list(call, 0);
  check_resampling(call, sizes);
  sizes[static_cast<int>(call.attrs.ints[0])] = call.attrs.ints[1];
  need_sizes(call, 0, sizes);
}

constexpr Op op_resample = {.name = "interpolate",
                            .traits = kReduction,
                            .infer = infer_resample,
                            .forward = {forward_resample},
                            .backward = backward_resample,
                            .attrs = ";scale;dim,size,mode",
                            .doc = "x with another size of one dim",
                            .batch = by_dim(1),
                            .check = check_resample};
constexpr Op op_resample_backward = {.name = "interpolate_backward",
                                     .traits = kReduction,
                                     .infer = infer_resample_backward,
                                     .forward = {forward_resample_backward},
                                     .backward = backward_resample_backward,
                                     .attrs = "sizes;scale;dim,size,mode",
                                     .doc = "g added up where it was read",
                                     .batch = by_sizes_and_dim(1),
                                     .check = check_resample_backward};

void backward_resample(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[0] = b.input_sizes(0);
  Tensor gradient = dispatch(op_resample_backward, {b.grad()}, attrs);
  if (interpolation_of(attrs) == Interpolation::kArea)
    set_in_pieces(b, 0, std::move(gradient));
  else
    b.set(0, std::move(gradient));
}
// Linear in g: the transpose of the transpose.
void backward_resample_backward(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.lists[0] = {};
  b.set(0, dispatch(op_resample, {b.grad()}, attrs));
}

constexpr const Op* kInterpolateOps[] = {&op_resample, &op_resample_backward};

// Integers have neighbours but no averages.
Tensor nearest_integers(const Tensor& x, const Attrs& attrs) {
  const TapList list = make_taps<float>(attrs, x.size(attrs.ints[0]));
  return index_select(x, attrs.ints[0], tensor(list.from));
}

}  // namespace

OpList interpolate_ops() { return {kInterpolateOps, std::size(kInterpolateOps)}; }

}  // namespace detail

Tensor interpolate(const Tensor& x, const Shape& sizes, const std::vector<double>& scales,
                   Interpolation mode) {
  const int spatial = sizes.size(), rank = x.dim();
  if (spatial < 1 || spatial > 3 || rank != spatial + 2)
    fail(ErrorCode::kNotImplemented,
         "Input Error: Only 3D, 4D and 5D input Tensors supported, got sizes ", x.sizes(), " and ",
         spatial, " output sizes");
  if (!scales.empty() && scales.size() != static_cast<size_t>(spatial))
    fail(ErrorCode::kValue, "interpolate: ", scales.size(), " scale factors for ", spatial,
         " spatial dims");
  for (int d = 0; d < rank; ++d)
    if ((d > 0 && x.sizes()[d] <= 0) || (d > 1 && sizes[d - 2] <= 0))
      fail(ErrorCode::kRuntime,
           "Input and output sizes should be greater than 0, but got input of sizes ", x.sizes(),
           " and output sizes ", sizes);
  // The positions along a dim are listed, also where the result is empty.
  constexpr int64_t kLargest = int64_t{1} << 26;
  for (int64_t size : sizes)
    if (size > kLargest)
      fail(ErrorCode::kRuntime, "interpolate: output sizes ", sizes,
           " are too large, expected at most ", kLargest, " along a dim");
  const bool is_nearest = mode == Interpolation::kNearest || mode == Interpolation::kNearestExact;
  Shape all{x.sizes()[0], x.sizes()[1]};
  for (int64_t size : sizes) all.push_back(size);
  detail::checked_numel(all);
  Tensor y = x;
  // From the last dim on, as PyTorch adds up.
  for (int d = rank - 1; d > 1; --d) {
    detail::Attrs attrs;
    attrs.reals[0] = scales.empty() ? 0 : scales[static_cast<size_t>(d - 2)];
    attrs.ints[0] = d;
    attrs.ints[1] = sizes[d - 2];
    attrs.ints[2] = static_cast<int64_t>(mode);
    y = is_nearest && !is_floating(x.dtype()) ? detail::nearest_integers(y, attrs)
                                              : detail::dispatch(detail::op_resample, {y}, attrs);
  }
  return y;
}

}  // namespace autograd
