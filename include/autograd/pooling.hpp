// Pooling over one to three spatial dims, and the windows of images as columns.
#pragma once
#include <optional>
#include <utility>

#include "autograd/tensor.hpp"

namespace autograd {

/// One entry serves all spatial dims, else one per dim; no stride means the kernel's size.
struct MaxPoolOptions {
  Shape stride = {};
  Shape padding = {0};
  Shape dilation = {1};
  bool ceil_mode = false;  ///< windows may begin inside and end outside
};

struct AvgPoolOptions {
  Shape stride = {};
  Shape padding = {0};
  bool ceil_mode = false;
  bool count_include_pad = true;
  std::optional<int64_t> divisor_override = std::nullopt;
};

/// The maximum of each window of [N, C, spatial...] or [C, spatial...]; padding never wins, NaN
/// does. With indices: also its int64 position in the flattened spatial dims.
Tensor max_pool1d(const Tensor& input, const Shape& kernel, const MaxPoolOptions& options = {});
Tensor max_pool2d(const Tensor& input, const Shape& kernel, const MaxPoolOptions& options = {});
Tensor max_pool3d(const Tensor& input, const Shape& kernel, const MaxPoolOptions& options = {});
std::pair<Tensor, Tensor> max_pool1d_with_indices(const Tensor& input, const Shape& kernel,
                                                  const MaxPoolOptions& options = {});
std::pair<Tensor, Tensor> max_pool2d_with_indices(const Tensor& input, const Shape& kernel,
                                                  const MaxPoolOptions& options = {});
std::pair<Tensor, Tensor> max_pool3d_with_indices(const Tensor& input, const Shape& kernel,
                                                  const MaxPoolOptions& options = {});

/// The sum of each window over divisor_override, else over its number of elements, padding counted
/// or not.
Tensor avg_pool1d(const Tensor& input, const Shape& kernel, const AvgPoolOptions& options = {});
Tensor avg_pool2d(const Tensor& input, const Shape& kernel, const AvgPoolOptions& options = {});
Tensor avg_pool3d(const Tensor& input, const Shape& kernel, const AvgPoolOptions& options = {});

/// The same for windows from floor(i in / out) to ceil((i + 1) in / out), so that the output has
/// the given sizes.
Tensor adaptive_avg_pool1d(const Tensor& input, const Shape& output_size);
Tensor adaptive_avg_pool2d(const Tensor& input, const Shape& output_size);
Tensor adaptive_avg_pool3d(const Tensor& input, const Shape& output_size);
Tensor adaptive_max_pool1d(const Tensor& input, const Shape& output_size);
Tensor adaptive_max_pool2d(const Tensor& input, const Shape& output_size);
Tensor adaptive_max_pool3d(const Tensor& input, const Shape& output_size);
std::pair<Tensor, Tensor> adaptive_max_pool1d_with_indices(const Tensor& input,
                                                           const Shape& output_size);
std::pair<Tensor, Tensor> adaptive_max_pool2d_with_indices(const Tensor& input,
                                                           const Shape& output_size);
std::pair<Tensor, Tensor> adaptive_max_pool3d_with_indices(const Tensor& input,
                                                           const Shape& output_size);

/// One entry serves both dims, else one per dim.
struct Im2colOptions {
  Shape dilation = {1};
  Shape padding = {0};
  Shape stride = {1};
};

/// The windows of images [N, C, H, W] or [C, H, W] as columns: [N, C kernel, windows].
Tensor im2col(const Tensor& input, const Shape& kernel, const Im2colOptions& options = {});
/// The transposed map: adds columns up to images of the given size.
Tensor col2im(const Tensor& input, const Shape& output_size, const Shape& kernel,
              const Im2colOptions& options = {});

}  // namespace autograd
