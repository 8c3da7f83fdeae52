// Images read at the points of a grid.
#pragma once
#include <cstdint>

#include "autograd/dtype.hpp"

namespace autograd::cpu {

enum class SampleMode : int32_t { kLinear = 0, kNearest = 1, kCubic = 2 };
enum class SamplePadding : int32_t { kZeros = 0, kBorder = 1, kReflection = 2 };

/// Images of `channels` planes of sizes[dims], and `points` points of `dims` coordinates each, the
/// last dim's first: from -1 to 1 they go over the centres of the corner elements if `aligned`,
/// else over the edges of the image.
struct SampleGrid {
  int dims;
  int64_t sizes[3];
  int64_t channels, points;
  SampleMode mode;
  SamplePadding padding;
  bool aligned;
};

/// out[n][channel][point] for `images` images x[n][channel][...] and grids grid[n][point][dims].
void grid_sample(DType dtype, const SampleGrid& s, const void* x, const void* grid, int64_t images,
                 void* out);
/// The gradients dx, which has been cleared, and dgrid; either may be nullptr.
void grid_sample_backward(DType dtype, const SampleGrid& s, const void* g, const void* x,
                          const void* grid, int64_t images, void* dx, void* dgrid);

}  // namespace autograd::cpu
