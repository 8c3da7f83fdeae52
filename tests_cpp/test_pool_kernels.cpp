// Maxima of windows of two by two: every instruction set against a plain loop.
#include <algorithm>
#include <cmath>

#include "kernel_test.hpp"
#include "kernels/cpu/pool.hpp"

namespace autograd::cpu {
namespace {

/// Windows 2 j, 2 j + 1 of a dim of `in` elements.
struct Pairs {
  std::vector<PoolRange> ranges;
  PoolDim dim;

  explicit Pairs(int64_t in) : ranges(in / 2) {
    for (int64_t j = 0; j < in / 2; ++j) ranges[j] = {2 * j, 2 * j + 2, 2};
    dim = {in, in / 2, 1, ranges.data()};
  }
};

TEST(PoolKernels, MaximaOfSquares) {
  for_each_target([] {
    const PoolRange all{0, 1, 1};
    std::mt19937 random(3);
    for (const int64_t height : {2, 5, 8}) {
      for (int64_t width = 2; width <= 71; ++width) {
        const int64_t planes = 3, in = height * width, rows = height / 2, row = width / 2;
        std::vector<float> x = normal_numbers<float>(planes * in, static_cast<uint32_t>(width));
        for (float& each : x) {  // equal ones, NaN and infinities among them
          if (random() % 3 == 0) each = std::round(each);
          if (random() % 17 == 0) each = static_cast<float>(random() % 2 ? kNaN : -kInf);
        }
        const Pairs tall(height), wide(width);
        const PoolDim dims[3] = {{1, 1, 1, &all}, tall.dim, wide.dim};
        Guarded<float> values(planes * rows * row, 1);
        Guarded<int64_t> indices(planes * rows * row, 1);
        max_windows(DType::kFloat32, dims, planes, x.data(), values.data(), indices.data());
        values.expect_intact();
        indices.expect_intact();
        for (int64_t at = 0; at < planes * rows * row; ++at) {
          const int64_t plane = at / (rows * row), j = at / row % rows, k = at % row;
          const float* from = x.data() + plane * in;
          const auto better = [&](int64_t a, int64_t b) {
            return from[b] > from[a] || std::isnan(from[b]) ? b : a;
          };
          const int64_t first = 2 * j * width + 2 * k,
                        lower = better(first + width, first + width + 1);
          const int64_t upper = better(first, first + 1), best = better(upper, lower);
          ASSERT_EQ(indices[at], best) << height << " x " << width << " at " << at;
          ASSERT_TRUE(close(values[at], from[best], 0));
        }
      }
    }
  });
}

}  // namespace
}  // namespace autograd::cpu
