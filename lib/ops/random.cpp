// Random numbers: in-place ops, so that whoever watches the door sees every draw.
#include "autograd/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {

namespace detail {
namespace {

enum Distribution {
  kUniform,      // in [reals[0], reals[1])
  kNormal,       // mean, deviation
  kInteger,      // in [ints[1], ints[2])
  kExponential,  // rate
  kLogNormal,    // mean, deviation of the logarithm
  kCauchy,       // median, scale
  kGeometric     // probability
};

void infer_random(const Call& call, OutputMetas& outputs) {
  const TensorBody& self = call.in(0);
  if (call.attrs.ints[0] != kInteger && call.attrs.ints[0] != kGeometric &&
      !is_floating(self.dtype))
    fail(ErrorCode::kNotImplemented, call.op.name, ": random floats need a float tensor, got ",
         name_of(self.dtype));
  if (call.attrs.ints[0] == kGeometric && self.dtype == DType::kBool)
    fail(ErrorCode::kNotImplemented, "geometric_: not implemented for 'Bool'");
  OutputMeta& meta = outputs.add();
  meta.dtype = self.dtype;
  meta.sizes = self.sizes;
}

/// Replaces n floats by a function of each, a row of pointwise.def.
template <class T>
void replace(cpu::PointwiseOp op, T* x, int64_t n) {
  constexpr DType kType = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
  const double none[3] = {};
  const void* const in[cpu::kMaxPointwiseInputs] = {x};
  cpu::pointwise_kernel(op, kType)(in, x, n, none);
}

/// Replaces n numbers by a + b times each.
template <class T>
void scale(double a, double b, T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(a + b * static_cast<double>(x[i]));
}

/// Uniform or standard normal numbers made those of the distribution.
template <class T>
void shape(const Attrs& attrs, T* x, int64_t n) {
  using cpu::PointwiseOp;
  const double a = attrs.reals[0], b = attrs.reals[1];
  switch (static_cast<Distribution>(attrs.ints[0])) {
    case kUniform:
      return scale(a, b - a, x, n);
    case kNormal:
      return scale(a, b, x, n);
    case kLogNormal:
      scale(a, b, x, n);
      return replace(PointwiseOp::k_exp, x, n);
    case kExponential: {
      // Never 0, so that its logarithm is finite.
      constexpr T kLeast = std::numeric_limits<T>::epsilon() / 2;
      for (int64_t i = 0; i < n; ++i) x[i] = x[i] < kLeast ? -kLeast : -x[i];
      replace(PointwiseOp::k_log1p, x, n);
      return scale(0, -1 / a, x, n);
    }
    case kCauchy: {
      constexpr double kPi = 3.14159265358979323846;
      scale(-kPi / 2, kPi, x, n);
      replace(PointwiseOp::k_tan, x, n);
      return scale(a, b, x, n);
    }
    case kGeometric:
      scale(0, -1, x, n);
      replace(PointwiseOp::k_log1p, x, n);
      scale(0, 1 / std::log1p(-a), x, n);
      replace(PointwiseOp::k_ceil, x, n);
      for (int64_t i = 0; i < n; ++i) x[i] = x[i] < 1 ? 1 : x[i];
      return;
    case kInteger:
      return;
  }
}

void fill_random(const Call& call, cpu::Philox rng, char* out, int64_t begin, int64_t n) {
  const Attrs& a = call.attrs;
  const DType dtype = call.in(0).dtype;
  if (a.ints[0] == kInteger)
    return cpu::fill_randint(dtype, rng, begin, a.ints[1], a.ints[2], out, n);
  if (a.ints[0] == kGeometric && !is_floating(dtype)) {
    for (int64_t i = 0; i < n; ++i) {
      double x;
      cpu::fill_uniform(DType::kFloat64, rng, begin + i, &x, 1);
      shape(a, &x, 1);
      cpu::convert(&x, DType::kFloat64, 1, out + static_cast<size_t>(i) * size_of(dtype), dtype, 1,
                   1);
    }
    return;
  }
  const bool normal = a.ints[0] == kNormal || a.ints[0] == kLogNormal;
  if (normal)
    cpu::fill_normal(dtype, rng, begin, out, n);
  else
    cpu::fill_uniform(dtype, rng, begin, out, n);
  const bool plain = a.ints[0] == kUniform || a.ints[0] == kNormal;
  if (plain && a.reals[0] == 0 && a.reals[1] == 1) return;
  if (dtype == DType::kFloat32)
    shape(a, reinterpret_cast<float*>(out), n);
  else
    shape(a, reinterpret_cast<double*>(out), n);
}

void forward_random(const Call& call) {
  TensorBody& self = call.in(0);
  const cpu::Philox rng = take_random(self.numel);
  Tensor filled = self.is_contiguous ? borrow(&self) : make_tensor(self.sizes, self.dtype);
  char* out = body(filled)->data;
  parallel_for(self.numel, kGrain / 4, [&](int64_t begin, int64_t end) {
    fill_random(call, rng, out + static_cast<size_t>(begin) * size_of(self.dtype), begin,
                end - begin);
  });
  if (!self.is_contiguous) copy_into(self, *body(filled));
}

// The new values do not depend on the old ones: no gradient reaches them.
void check_random(const Call& call) {
  need_counts(call, 1, 1);
  need_number(call, 0, kUniform, kGeometric);
  if (call.attrs.ints[0] == kInteger)
    need(call, call.attrs.ints[1] < call.attrs.ints[2], "a range without integers");
}

constexpr Op op_random = {
    .name = "random_",
    .traits = kRandom | kInPlace | kOverwrites,
    .infer = infer_random,
    .forward = {forward_random},
    .backward = [](Backward& b) { b.set(0, zeros(b.input_sizes(0), b.input_dtype(0))); },
    .attrs = ";low_or_mean,high_or_std;distribution,low,high",
    .doc = "self filled with random numbers",
    .batch = {1},
    .check = check_random};

// ---- bernoulli(p): 1 with probability p; no gradient

void infer_bernoulli(const Call& call, OutputMetas& outputs) {
  const TensorBody& p = call.in(0);
  if (!is_floating(p.dtype))
    fail(ErrorCode::kNotImplemented, "bernoulli: not implemented for ", name_of(p.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = p.dtype;
  meta.sizes = p.sizes;
}

template <class T>
void draw_bernoulli(cpu::Philox rng, const T* p, T* out, int64_t begin, int64_t end) {
  constexpr int64_t kPiece = 512;
  double u[kPiece];
  for (int64_t i = begin; i < end; i += kPiece) {
    const int64_t n = std::min(kPiece, end - i);
    cpu::fill_uniform(DType::kFloat64, rng, i, u, n);
    for (int64_t j = 0; j < n; ++j) out[i + j] = u[j] < static_cast<double>(p[i + j]) ? T{1} : T{0};
  }
}

template <class T>
void forward_bernoulli_as(const Call& call) {
  const Tensor p = dense(call.in(0));
  const T* chance = static_cast<const T*>(p.data());
  for (int64_t i = 0; i < p.numel(); ++i)
    if (!(chance[i] >= 0 && chance[i] <= 1))
      fail(ErrorCode::kRuntime, "bernoulli: Expected p_in >= 0 && p_in <= 1 to be true, but got ",
           chance[i], " in the tensor of sizes ", p.sizes());
  const cpu::Philox rng = take_random(p.numel());
  T* out = reinterpret_cast<T*>(call.out().data);
  parallel_for(p.numel(), kGrain / 4,
               [&](int64_t begin, int64_t end) { draw_bernoulli(rng, chance, out, begin, end); });
}

void forward_bernoulli(const Call& call) {
  if (call.in(0).dtype == DType::kFloat32)
    forward_bernoulli_as<float>(call);
  else
    forward_bernoulli_as<double>(call);
}

constexpr Op op_bernoulli = {
    .name = "bernoulli",
    .traits = kRandom,
    .infer = infer_bernoulli,
    .forward = {forward_bernoulli},
    .backward = [](Backward& b) { b.set(0, zeros(b.input_sizes(0), b.input_dtype(0))); },
    .doc = "1 with probability p, else 0",
    .batch = {1},
    .check = takes<1>};

// ---- multinomial: places drawn with the weights of each row. ints: samples, replacement

void infer_multinomial(const Call& call, OutputMetas& outputs) {
  const TensorBody& p = call.in(0);
  const int64_t samples = call.attrs.ints[0];
  const int rank = p.sizes.size();
  if (rank < 1 || rank > 2)
    fail(ErrorCode::kRuntime, "multinomial: prob_dist must be 1 or 2 dim, got sizes ", p.sizes);
  if (!is_floating(p.dtype))
    fail(ErrorCode::kRuntime,
         "multinomial only supports floating-point dtypes for input, got: ", name_of(p.dtype));
  if (samples <= 0) fail(ErrorCode::kRuntime, "cannot sample n_sample <= 0 samples, got ", samples);
  if (!call.attrs.ints[1] && samples > p.sizes.back())
    fail(ErrorCode::kRuntime,
         "cannot sample n_sample > prob_dist.size(-1) samples without replacement, got ", samples,
         " of sizes ", p.sizes);
  OutputMeta& meta = outputs.add();
  meta.dtype = DType::kInt64;
  meta.sizes = p.sizes;
  meta.sizes[rank - 1] = samples;
}

// With replacement: the first place whose running sum exceeds a uniform number of the total.
void draw_with(const double* p, int64_t n, cpu::Philox rng, int64_t at, int64_t samples,
               int64_t* out, double* sums) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) sums[i] = total += p[i];
  cpu::pause_after(n);
  for (int64_t s = 0; s < samples; ++s) {
    cpu::pause_after(32);
    double u;
    cpu::fill_uniform(DType::kFloat64, rng, at + s, &u, 1);
    int64_t place = std::upper_bound(sums, sums + n, u * total) - sums;
    while (place >= n || (place > 0 && p[place] == 0)) --place;
    out[s] = place;
  }
}

// Without: the largest of p / an exponential number (Efraimidis and Spirakis, "Weighted random
// sampling with a reservoir", 2006).
void draw_without(const double* p, int64_t n, cpu::Philox rng, int64_t at, int64_t samples,
                  int64_t* out, double* keys, int64_t* places) {
  cpu::fill_uniform(DType::kFloat64, rng, at, keys, n);
  for (int64_t i = 0; i < n; ++i) {
    const double exponential = std::max(-std::log1p(-keys[i]), 1e-300);
    keys[i] = p[i] > 0 ? p[i] / exponential : -static_cast<double>(i + 1);
    places[i] = i;
    cpu::pause_after(8);
  }
  std::partial_sort(places, places + samples, places + n, [&](int64_t a, int64_t b) {
    cpu::pause_after(1);
    return keys[a] > keys[b];
  });
  std::copy_n(places, samples, out);
}

void check_weights(const double* p, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(p[i] >= 0) || std::isinf(p[i]))
      fail(ErrorCode::kRuntime,
           "probability tensor contains either `inf`, `nan` or element < 0: ", p[i]);
    total += p[i];
  }
  if (!(total > 0))
    fail(ErrorCode::kRuntime, "invalid multinomial distribution (sum of probabilities <= 0), got ",
         total);
}

void forward_multinomial(const Call& call) {
  const Tensor as = make_tensor(call.in(0).sizes, DType::kFloat64);
  copy_into(*body(as), call.in(0));
  TensorBody& out = call.out();
  const int64_t samples = call.attrs.ints[0], n = as.sizes().back();
  const bool replacement = call.attrs.ints[1] != 0;
  if (out.numel == 0) return;
  const int64_t rows = out.numel / samples, drawn = replacement ? samples : n;
  const Tensor keys = make_tensor({n}, DType::kFloat64), places = make_tensor({n}, DType::kInt64);
  for (int64_t r = 0; r < rows; ++r) check_weights(as.data_as<double>() + r * n, n);
  const cpu::Philox rng = take_random(rows * drawn);
  for (int64_t r = 0; r < rows; ++r) {
    const double* p = as.data_as<double>() + r * n;
    int64_t* to = reinterpret_cast<int64_t*>(out.data) + r * samples;
    if (replacement)
      draw_with(p, n, rng, r * drawn, samples, to, keys.data_as<double>());
    else
      draw_without(p, n, rng, r * drawn, samples, to, keys.data_as<double>(),
                   places.data_as<int64_t>());
  }
}

void check_multinomial(const Call& call) {
  need_counts(call, 1, 1);
  need_number(call, 0, 1, kMostElements);
}

// The rows of all examples are rows.
bool batch_multinomial(const BatchedCall& c) {
  const Tensor weights = c.front(0);
  const int64_t choices = weights.size(-1);
  c.make({reshape(weights, {weights.numel() / choices, choices})}, c.attrs);
  Shape sizes = weights.sizes();
  sizes[sizes.size() - 1] = c.attrs.ints[0];
  c.outputs[0] = reshape(c.outputs[0], sizes);
  return true;
}

constexpr Op op_multinomial = {.name = "multinomial",
                               .traits = kRandom,
                               .infer = infer_multinomial,
                               .forward = {forward_multinomial},
                               .attrs = ";;num_samples,replacement",
                               .doc = "places drawn with the weights of each row",
                               .batch = {.call = batch_multinomial},
                               .check = check_multinomial};

// ---- in each row of self a permutation of its places

void infer_randperm(const Call& call, OutputMetas& outputs) {
  outputs.add().dtype = DType::kInt64;
  outputs[0].sizes = call.in(0).sizes;
}

void forward_randperm(const Call& call) {
  TensorBody& out = call.out();
  const int64_t n = out.sizes.back();
  int64_t* row = reinterpret_cast<int64_t*>(out.data);
  for (int64_t done = 0; done < out.numel; done += n)
    cpu::fill_randperm(take_random(n), row + done, n);
}

void check_randperm(const Call& call) {
  need_counts(call, 1, 1);
  need_dtype(call, 0, DType::kInt64);
  need(call, !call.in(0).sizes.empty() && call.in(0).is_contiguous, "a list is wanted");
}

constexpr Op op_randperm = {.name = "randperm",
                            .traits = kRandom | kInPlace | kOverwrites,
                            .infer = infer_randperm,
                            .forward = {forward_randperm},
                            .doc = "the numbers below n in random order",
                            .check = check_randperm};

constexpr const Op* kRandomOps[] = {&op_random, &op_bernoulli, &op_multinomial, &op_randperm};

Tensor& draw(Tensor& self, Distribution distribution, double a, double b, int64_t low = 0,
             int64_t high = 0) {
  Attrs attrs;
  attrs.reals[0] = a;
  attrs.reals[1] = b;
  attrs.ints[0] = distribution;
  attrs.ints[1] = low;
  attrs.ints[2] = high;
  dispatch_in_place(op_random, {self}, attrs);
  return self;
}

}  // namespace

OpList random_ops() { return {kRandomOps, std::size(kRandomOps)}; }

}  // namespace detail

Tensor rand(const Shape& sizes, DType dtype) {
  Tensor t = detail::make_random_target(sizes, dtype);
  return detail::draw(t, detail::kUniform, 0, 1);
}

Tensor randn(const Shape& sizes, DType dtype) {
  Tensor t = detail::make_random_target(sizes, dtype);
  return detail::draw(t, detail::kNormal, 0, 1);
}

Tensor randint(int64_t low, int64_t high, const Shape& sizes, DType dtype) {
  if (low >= high)
    fail(ErrorCode::kRuntime,
         "randint: random_ expects 'from' to be less than 'to', but got from=", low,
         " >= to=", high);
  Tensor t = detail::make_random_target(sizes, dtype);
  return detail::draw(t, detail::kInteger, 0, 1, low, high);
}

Tensor randperm(int64_t n) {
  if (n < 0) fail(ErrorCode::kRuntime, "randperm: n must be non-negative, got ", n);
  Tensor t = detail::make_random_target({n}, DType::kInt64);
  detail::dispatch_in_place(detail::op_randperm, {t});
  return t;
}

Tensor& uniform_(Tensor& self, double low, double high) {
  const double most = self.dtype() == DType::kFloat32 ? std::numeric_limits<float>::max()
                                                      : std::numeric_limits<double>::max();
  const auto must_fit = [&](const char* name, double bound) {
    if (!(std::abs(bound) <= most))
      fail(ErrorCode::kRuntime, "uniform_: ", name, " is out of bounds for ", name_of(self.dtype()),
           ": ", bound);
  };
  must_fit("from", low);
  must_fit("to", high);
  if (!(low <= high))
    fail(ErrorCode::kRuntime, "uniform_ expects to return a [from, to) range, but found from=", low,
         " > to=", high);
  if (high - low > most)
    fail(ErrorCode::kRuntime, "uniform_ expects to - from to be at most the largest ",
         name_of(self.dtype()), ", but found from=", low, " and to=", high);
  return detail::draw(self, detail::kUniform, low, high);
}

Tensor& normal_(Tensor& self, double mean, double std) {
  if (!(std >= 0)) fail(ErrorCode::kRuntime, "normal_ expects std >= 0.0, but found std ", std);
  return detail::draw(self, detail::kNormal, mean, std);
}

Tensor& random_(Tensor& self, int64_t low, int64_t high) {
  if (low >= high)
    fail(ErrorCode::kRuntime, "random_ expects 'from' to be less than 'to', but got from=", low,
         " >= to=", high);
  return detail::draw(self, detail::kInteger, 0, 1, low, high);
}

Tensor& exponential_(Tensor& self, double rate) {
  if (!is_floating(self.dtype()))
    fail(ErrorCode::kRuntime,
         "Exponential distribution is a continuous probability distribution. dtype must be a "
         "floating point but you specified ",
         name_of(self.dtype()));
  if (!(rate > 0))
    fail(ErrorCode::kRuntime, "exponential_ expects lambda > 0.0, but found lambda=", rate);
  return detail::draw(self, detail::kExponential, rate, 0);
}

Tensor& log_normal_(Tensor& self, double mean, double std) {
  if (!(std > 0)) fail(ErrorCode::kRuntime, "log_normal_ expects std > 0.0, but found std=", std);
  return detail::draw(self, detail::kLogNormal, mean, std);
}

Tensor& cauchy_(Tensor& self, double median, double sigma) {
  if (!is_floating(self.dtype()))
    fail(ErrorCode::kRuntime,
         "Cauchy distribution is a continuous probability distribution. dtype must be a floating "
         "point but you specified ",
         name_of(self.dtype()));
  if (!(sigma > 0))
    fail(ErrorCode::kRuntime, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  return detail::draw(self, detail::kCauchy, median, sigma);
}

Tensor& geometric_(Tensor& self, double p) {
  if (!(p > 0 && p < 1))
    fail(ErrorCode::kRuntime, "geometric_ expects p to be in (0, 1), but got p=", p);
  return detail::draw(self, detail::kGeometric, p, 0);
}

Tensor bernoulli(const Tensor& p) { return detail::dispatch(detail::op_bernoulli, {p}); }

Tensor multinomial(const Tensor& weights, int64_t num_samples, bool replacement) {
  detail::Attrs attrs;
  attrs.ints[0] = num_samples;
  attrs.ints[1] = replacement;
  return detail::dispatch(detail::op_multinomial, {weights}, attrs);
}

}  // namespace autograd
