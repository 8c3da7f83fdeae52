// Numbers drawn from the gamma, Poisson and binomial distributions of tensors of parameters.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.hpp"
#include "autograd/random.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "kernels/cpu/samplers.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

void infer_float(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (!is_floating(x.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": not implemented for ", name_of(x.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = x.sizes;
}

constexpr int64_t kDrawGrain = kGrain / 64;

/// draw(i, uniforms) for each element i of the output, whatever the number of threads.
template <class T, class Draw>
void draw_each(const Call& call, const Draw& draw) {
  TensorBody& out = call.out();
  const cpu::Philox rng = take_random(cpu::Uniforms::reserved(out.numel));
  T* to = reinterpret_cast<T*>(out.data);
  parallel_for(out.numel, kDrawGrain, [&](int64_t begin, int64_t end) {
    cpu::Uniforms uniforms(rng, out.numel);
    for (int64_t i = begin; i < end; ++i) {
      uniforms.start(i, end);
      to[i] = static_cast<T>(draw(i, uniforms));
    }
  });
}

template <class Draw>
void draw_each_of(const Call& call, const Draw& draw) {
  if (call.in(0).dtype == DType::kFloat32)
    draw_each<float>(call, draw);
  else
    draw_each<double>(call, draw);
}

/// An input as float64 of the output's sizes.
Tensor numbers(const Call& call, int i) {
  Tensor t = make_tensor(call.out().sizes, DType::kFloat64);
  copy_into(*body(t), call.in(i));
  return t;
}

void zero_gradients(Backward& b) {
  for (int i = 0; i < b.n_inputs(); ++i)
    if (b.needs(i)) b.set(i, zeros(b.input_sizes(i), b.input_dtype(i)));
}

// ---- standard_gamma

void forward_standard_gamma(const Call& call) {
  const Tensor shape = numbers(call, 0);
  const double* a = shape.data_as<double>();
  // No draw is 0, so that its logarithm is finite.
  const double least = call.out().dtype == DType::kFloat32 ? std::numeric_limits<float>::min()
                                                           : std::numeric_limits<double>::min();
  draw_each_of(call, [&](int64_t i, cpu::Uniforms& uniforms) {
    if (!(a[i] > 0)) return a[i] == 0 ? 0 : std::numeric_limits<double>::quiet_NaN();
    if (std::isinf(a[i])) return a[i];
    return std::max(cpu::draw_gamma(a[i], uniforms), least);
  });
}

constexpr Op op_standard_gamma = {
    .name = "standard_gamma",
    .traits = kRandom,
    .infer = infer_float,
    .forward = {forward_standard_gamma},
    .backward =
        [](Backward& b) { b.set(0, b.grad() * gamma_number_slope(b.input(0), b.output())); },
    .reads = {reads_input(0) | reads_output()},
    .doc = "a number of the gamma distribution of this shape",
    .batch = {1},
    .check = takes<1>};

// ---- poisson

void forward_poisson(const Call& call) {
  const Tensor given = numbers(call, 0);
  const double* rate = given.data_as<double>();
  for (int64_t i = 0; i < given.numel(); ++i)
    if (!(rate[i] >= 0))
      fail(ErrorCode::kRuntime, "invalid Poisson rate, expected rate to be non-negative, got ",
           rate[i], " in the tensor of sizes ", given.sizes());
  const TensorBody& out = call.out();
  const cpu::Philox rng = take_random(cpu::Uniforms::reserved(out.numel));
  const Tensor events = make_tensor(out.sizes, DType::kFloat64);
  double* const to = events.data_as<double>();
  parallel_for(out.numel, kDrawGrain, [&](int64_t begin, int64_t end) {
    cpu::Uniforms uniforms(rng, out.numel);
    cpu::draw_poissons(rate, begin, end, uniforms, to);
  });
  copy_into(call.out(), *body(events));
}

constexpr Op op_poisson = {.name = "poisson",
                           .traits = kRandom,
                           .infer = infer_float,
                           .forward = {forward_poisson},
                           .backward = zero_gradients,
                           .doc = "events of this rate in a unit of time",
                           .batch = {1},
                           .check = takes<1>};

// ---- binomial

void infer_binomial(const Call& call, OutputMetas& outputs) {
  const TensorBody &trials = call.in(0), &p = call.in(1);
  for (const TensorBody* given : {&trials, &p})
    if (!is_floating(given->dtype))
      fail(ErrorCode::kValue, "binomial only supports floating-point dtypes for ",
           given == &p ? "prob" : "count", ", got: ", name_of(given->dtype));
  if (trials.dtype != p.dtype)
    fail(ErrorCode::kRuntime, "binomial: count and prob must have one dtype, found ",
         name_of(p.dtype), " but expected ", name_of(trials.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = trials.dtype;
  meta.sizes = broadcast_sizes("binomial", trials.sizes, p.sizes);
}

void forward_binomial(const Call& call) {
  const Tensor counts = numbers(call, 0), chances = numbers(call, 1);
  const double *trials = counts.data_as<double>(), *p = chances.data_as<double>();
  draw_each_of(call, [&](int64_t i, cpu::Uniforms& uniforms) {
    if (std::isnan(trials[i] + p[i])) return trials[i] + p[i];
    if (!(trials[i] > 0) || p[i] <= 0) return 0.0;
    if (p[i] >= 1 || std::isinf(trials[i])) return trials[i];
    return cpu::draw_binomial(trials[i], p[i], uniforms);
  });
}

bool batch_binomial(const BatchedCall& c) {
  // Numbers that differ though no parameter does are drawn one example at a time.
  return (c.is_batched(0) || c.is_batched(1)) && batch_broadcast(c);
}

constexpr Op op_binomial = {.name = "binomial",
                            .traits = kRandom,
                            .infer = infer_binomial,
                            .forward = {forward_binomial},
                            .backward = zero_gradients,
                            .doc = "successes in this many trials, each of this probability",
                            .inputs = "trials,p",
                            .batch = {.call = batch_binomial},
                            .check = takes<2>};

constexpr const Op* kSamplingOps[] = {&op_standard_gamma, &op_poisson, &op_binomial};

}  // namespace

OpList sampling_ops() { return {kSamplingOps, std::size(kSamplingOps)}; }

}  // namespace detail

Tensor standard_gamma(const Tensor& shape) {
  return detail::dispatch(detail::op_standard_gamma, {shape});
}
Tensor poisson(const Tensor& rate) { return detail::dispatch(detail::op_poisson, {rate}); }
Tensor binomial(const Tensor& trials, const Tensor& p) {
  return detail::dispatch(detail::op_binomial, {trials, p});
}

}  // namespace autograd
