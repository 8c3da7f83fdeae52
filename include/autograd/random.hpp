// Random numbers: one counter-based generator (Philox4x32-10) for the process.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

/// The same seed gives the same numbers, whatever the number of threads.
void manual_seed(int64_t seed);

/// Where a stream of random numbers stands: its seed, and how many numbers have been taken.
struct RandomState {
  uint64_t seed;
  uint64_t offset;
};
/// The process's stream.
RandomState random_state();
void set_random_state(const RandomState& state);

/// From here on the calling thread draws from a stream of its own instead of the process's, until
/// end_random_stream(), which returns where it stands; Error (runtime) if there is none.
void begin_random_stream(const RandomState& start);
RandomState end_random_stream();

/// Uniform in [0, 1); float dtypes.
Tensor rand(const Shape& sizes, DType dtype = DType::kFloat32);
/// Standard normal; float dtypes.
Tensor randn(const Shape& sizes, DType dtype = DType::kFloat32);
/// Uniform integers in [low, high).
Tensor randint(int64_t low, int64_t high, const Shape& sizes, DType dtype = DType::kInt64);
/// A random permutation of 0..n-1, int64.
Tensor randperm(int64_t n);
/// Fills in place: uniform in [low, high); normal.
Tensor& uniform_(Tensor& self, double low, double high);
Tensor& normal_(Tensor& self, double mean, double std);
/// Integers uniform in [low, high).
Tensor& random_(Tensor& self, int64_t low, int64_t high);
/// rate e^(-rate x); never 0.
Tensor& exponential_(Tensor& self, double rate = 1);
/// e to a normal number.
Tensor& log_normal_(Tensor& self, double mean = 1, double std = 2);
Tensor& cauchy_(Tensor& self, double median = 0, double sigma = 1);
/// Trials to the first success, 1, 2, ..., each with probability p in (0, 1).
Tensor& geometric_(Tensor& self, double p);
/// 1 with probability p, else 0, for each p in [0, 1].
Tensor bernoulli(const Tensor& p);
/// A number of the gamma distribution of each shape > 0 and rate 1; 0 or NaN for others. Gradient
/// by the shapes: how the number moves where its probability is kept.
Tensor standard_gamma(const Tensor& shape);
/// How many events of each rate >= 0 there are in a unit of time, as floats; gradient of zeros.
Tensor poisson(const Tensor& rate);
/// How many of each number of trials succeed, with probability p each; of one float dtype, and
/// broadcast. A gradient of zeros.
Tensor binomial(const Tensor& trials, const Tensor& p);
/// int64 places drawn with the weights of each row of [n] or [rows, n], all different unless
/// replacement.
Tensor multinomial(const Tensor& weights, int64_t num_samples, bool replacement = false);

}  // namespace autograd
