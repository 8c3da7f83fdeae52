// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011).
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

/// A stream position: element i of a fill is a pure function of (seed, offset + i), whatever the
/// number of threads.
struct Philox {
  uint64_t seed;
  uint64_t offset;
};

/// n numbers uniform in [0, 1) (24 random bits for float32, 53 for float64); starts at element
/// `first` of the stream.
void fill_uniform(DType dtype, Philox rng, int64_t first, void* out, int64_t n);
/// n standard normal numbers (Box-Muller on the uniforms of the same counter).
void fill_normal(DType dtype, Philox rng, int64_t first, void* out, int64_t n);
/// n integers uniform in [low, high), any dtype.
void fill_randint(DType dtype, Philox rng, int64_t first, int64_t low, int64_t high, void* out,
                  int64_t n);
/// A random permutation of 0..n-1 (Fisher-Yates).
void fill_randperm(Philox rng, int64_t* out, int64_t n);

}  // namespace autograd::cpu
