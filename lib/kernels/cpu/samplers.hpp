// Numbers drawn by rejection, which take one element of the random stream or more.
#pragma once
#include <cstdint>

#include "kernels/cpu/random.hpp"

namespace autograd::cpu {

/// As many uniform numbers in [0, 1) as one element asks for: its own part of a stream.
class Uniforms {
 public:
  /// Elements of the stream that one element of a result sets aside. Hardly any draw takes more;
  /// one that does goes on in the stream of another seed.
  static constexpr int64_t kReserved = 32;

  Uniforms(Philox rng, int64_t element) : rng_(rng), first_(element * kReserved) {}
  double next();
  double normal();

 private:
  Philox rng_;
  int64_t first_;
  int64_t taken_ = 0;
  double ready_[8];
};

/// The gamma distribution of shape a > 0 and rate 1 (Marsaglia and Tsang, "A Simple Method for
/// Generating Gamma Variables", 2000); as a logarithm, since small shapes draw numbers that no
/// float holds.
double draw_log_gamma(double a, Uniforms& uniforms);

/// Events in a unit of time of a rate >= 0 (below 10 by inversion; above, Hormann, "The transformed
/// rejection method for generating Poisson random variables", 1993).
double draw_poisson(double rate, Uniforms& uniforms);

/// Successes in a whole number of trials >= 0 with probability p in [0, 1] each (a mean below 10 by
/// inversion; above, Hormann, "The generation of binomial random variates", 1993).
double draw_binomial(double trials, double p, Uniforms& uniforms);

}  // namespace autograd::cpu
