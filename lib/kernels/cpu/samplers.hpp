// Numbers drawn by rejection, which take one element of the random stream or more.
#pragma once
#include <cstdint>

#include "kernels/cpu/random.hpp"

namespace autograd::cpu {

/// As many random numbers as each of a number of elements asks for. In the stream, the first
/// numbers of all elements lie side by side, then the second ones, and so on, so that those of
/// neighbours are made together. Uniform and normal numbers take turns, for two normal numbers are
/// made of the two uniform ones in their places.
class Uniforms {
 public:
  /// Numbers that each element sets aside. Hardly any draw takes more; one that does goes on in the
  /// stream of another seed.
  static constexpr int64_t kReserved = 32;
  /// What `elements` of them take from a stream.
  static int64_t reserved(int64_t elements) { return row_of(elements) * kReserved + 1; }

  Uniforms(Philox rng, int64_t elements) : rng_(rng), row_(row_of(elements)) {
    rng_.offset += rng_.offset % 2;  // where a pair begins
  }
  /// From now on the numbers are those of element i; i + 1 .. end - 1 come next.
  void start(int64_t i, int64_t end) {
    if (i < first_ || i >= first_ + count_) {
      first_ = i;
      count_ = end - i < kTogether ? end - i : kTogether;
      made_ = 0;
    }
    at_ = i - first_;
    normals_ = uniforms_ = 0;
  }
  /// In [0, 1).
  double next() { return number(2 * uniforms_++ + 1); }
  double normal() { return number(2 * normals_++); }

 private:
  static constexpr int64_t kTogether = 64, kReady = 4;

  /// Even, so that no pair lies in two rows.
  static int64_t row_of(int64_t elements) { return elements + elements % 2; }
  double number(int64_t k) { return k < kReady && (made_ >> k & 1) ? ready_[k][at_] : made(k); }
  double made(int64_t k);
  void fill(int64_t k, int64_t first, int64_t count, double* out) const;

  Philox rng_;
  int64_t row_;
  int64_t first_ = 0, count_ = 0, at_ = 0;  // elements whose numbers are made together
  int64_t normals_ = 0, uniforms_ = 0;      // taken by this one
  uint32_t made_ = 0;                       // of ready_
  double ready_[kReady][kTogether];
};

/// The gamma distribution of shape a > 0 and rate 1 (Marsaglia and Tsang, "A Simple Method for
/// Generating Gamma Variables", 2000); 0 if no float64 is as small as the number.
double draw_gamma(double a, Uniforms& uniforms);

/// Events in a unit of time of a rate >= 0 (below 10 by inversion; above, Hormann, "The transformed
/// rejection method for generating Poisson random variables", 1993).
double draw_poisson(double rate, Uniforms& uniforms);
/// The same for elements i .. end - 1.
void draw_poissons(const double* rates, int64_t i, int64_t end, Uniforms& uniforms, double* out);

/// Successes in a whole number of trials >= 0 with probability p in [0, 1] each (a mean below 10 by
/// inversion; above, Hormann, "The generation of binomial random variates", 1993).
double draw_binomial(double trials, double p, Uniforms& uniforms);

}  // namespace autograd::cpu
