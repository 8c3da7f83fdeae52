// Dropout and its relatives.
#include "kernels/cpu/dropout.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// Outputs: y and the mask, bool. reals: p, scale.
void infer_dropout(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  OutputMeta& y = outputs.add();
  y.dtype = x.dtype;
  y.sizes = x.sizes;
  OutputMeta& mask = outputs.add();
  mask.dtype = DType::kBool;
  mask.sizes = x.sizes;
}

void forward_dropout(const Call& call) {
  constexpr int64_t kPiece = 1024;
  const Tensor x = dense(call.in(0));
  const cpu::Philox rng = take_random(x.numel());
  const int64_t item = static_cast<int64_t>(size_of(x.dtype()));
  parallel_for(x.numel(), kGrain / 4, [&](int64_t begin, int64_t end) {
    float u[kPiece];
    for (int64_t i = begin; i < end; i += kPiece) {
      const int64_t n = std::min(kPiece, end - i);
      cpu::fill_uniform(DType::kFloat32, rng, i, u, n);
      cpu::dropout(x.dtype(), static_cast<const char*>(x.data()) + i * item, u, call.attrs.reals[0],
                   call.attrs.reals[1], call.out(0).data + i * item,
                   reinterpret_cast<uint8_t*>(call.out(1).data) + i, n);
    }
  });
}

void infer_masked(const Call& call, OutputMetas& outputs) {
  OutputMeta& y = outputs.add();
  y.dtype = call.in(0).dtype;
  y.sizes = call.in(0).sizes;
}

void forward_masked(const Call& call) {
  const Tensor g = dense(call.in(0)), mask = dense(call.in(1));
  const int64_t item = static_cast<int64_t>(size_of(g.dtype()));
  parallel_for(g.numel(), kGrain, [&](int64_t begin, int64_t end) {
    cpu::apply_mask(g.dtype(), static_cast<const char*>(g.data()) + begin * item,
                    static_cast<const uint8_t*>(mask.data()) + begin, call.attrs.reals[1],
                    call.out().data + begin * item, end - begin);
  });
}

void backward_masked(Backward& b);

void check_masked(const Call& call) {
  need_counts(call, 2, 2);
  need_float(call, 0);
  need_dtype(call, 1, DType::kBool);
  need_sizes(call, 1, call.in(0).sizes);
}

void check_dropout(const Call& call) {
  need_counts(call, 1, 1, 2);
  need_float(call, 0);
}

constexpr Op op_dropout_backward = {.name = "dropout_backward",
                                    .traits = kReduction,
                                    .infer = infer_masked,
                                    .forward = {forward_masked},
                                    .backward = backward_masked,
                                    .reads = {reads_input(1)},
                                    .attrs = ";p,scale",
                                    .doc = "g * scale where the mask holds, else 0",
                                    .batch = {3},
                                    .check = check_masked};

void backward_masked(Backward& b) {
  b.set(0, dispatch(op_dropout_backward, {b.grad(), b.input(1)}, b.attrs()));
}

constexpr Op op_dropout = {
    .name = "dropout",
    .traits = kRandom,
    .infer = infer_dropout,
    .forward = {forward_dropout},
    .backward =
        [](Backward& b) {
          b.set(0, dispatch(op_dropout_backward, {b.grad(), b.output(1)}, b.attrs()));
        },
    .reads = {reads_output(1)},
    .attrs = ";p,scale",
    .doc = "each element kept with probability 1 - p and multiplied by scale, else 0",
    .batch = {1},
    .check = check_dropout};

constexpr const Op* kDropoutOps[] = {&op_dropout, &op_dropout_backward};

// x masked; y = x * scale where an element is kept.
Tensor masked(const Tensor& x, double p, double scale) {
  Attrs attrs;
  attrs.reals[0] = p;
  attrs.reals[1] = scale;
  return dispatch_pair(op_dropout, {x}, attrs).first;
}

void check_probability(const Tensor& x, double p) {
  body(x);
  if (!(p >= 0 && p <= 1))
    fail(ErrorCode::kValue, "dropout probability has to be between 0 and 1, but got ", p);
}

void check_float(const Tensor& x) {
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kRuntime,
         "dropout: result type Float can't be cast to the desired output type ", name_of(x.dtype()),
         " (of the input, sizes ", x.sizes(), ")");
}

// Ones of sizes [N, C, 1, ...].
Tensor one_per_channel(const Tensor& x) {
  if (x.dim() < 2)
    fail(ErrorCode::kRuntime,
         "Feature dropout requires at least 2 dimensions in the input, got sizes ", x.sizes());
  Shape sizes = Shape::filled(x.dim(), 1);
  sizes[0] = x.size(0);
  sizes[1] = x.size(1);
  return ones(sizes, x.dtype());
}

// Dropped elements get the value that SELU approaches at -infinity; a and b restore mean and
// variance (Klambauer et al., "Self-normalizing neural networks", 2017).
Tensor alpha_masked(const Tensor& x, const Tensor& model, double p) {
  constexpr double kAlpha = 1.7580993408473766;
  if (p == 1) return x * 0.0;
  const double a = 1 / std::sqrt((kAlpha * kAlpha * p + 1) * (1 - p));
  const Tensor keep = masked(model, p, 1);
  const Tensor shift = (keep - 1.0) * (kAlpha * a) + kAlpha * a * p;
  return x * (keep * a) + shift;
}

}  // namespace

OpList dropout_ops() { return {kDropoutOps, std::size(kDropoutOps)}; }

}  // namespace detail

Tensor dropout(const Tensor& x, double p, bool training) {
  detail::check_probability(x, p);
  if (!training || p == 0 || x.numel() == 0) return x;
  detail::check_float(x);
  return p == 1 ? x * 0.0 : detail::masked(x, p, 1 / (1 - p));
}

Tensor feature_dropout(const Tensor& x, double p, bool training) {
  detail::check_probability(x, p);
  if (!training || p == 0 || x.numel() == 0) return x;
  detail::check_float(x);
  const Tensor model = detail::one_per_channel(x);
  return p == 1 ? x * 0.0 : x * detail::masked(model, p, 1 / (1 - p));
}

Tensor alpha_dropout(const Tensor& x, double p, bool training) {
  detail::check_probability(x, p);
  if (!training || p == 0 || x.numel() == 0) return x;
  detail::check_float(x);
  return detail::alpha_masked(x, ones(x.sizes(), x.dtype()), p);
}

Tensor feature_alpha_dropout(const Tensor& x, double p, bool training) {
  detail::check_probability(x, p);
  if (!training || p == 0 || x.numel() == 0) return x;
  detail::check_float(x);
  return detail::alpha_masked(x, detail::one_per_channel(x), p);
}

}  // namespace autograd
