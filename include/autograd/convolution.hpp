// Convolutions over one to three spatial dims.
#pragma once
#include "autograd/tensor.hpp"

namespace autograd {

/// One entry serves all spatial dims, else one per dim.
struct ConvOptions {
  Shape stride = {1};
  Shape padding = {0};
  Shape dilation = {1};
  int64_t groups = 1;
  bool same = false;  ///< pads so that the output is as large as the input; stride must be 1
};

struct ConvTransposeOptions {
  Shape stride = {1};
  Shape padding = {0};
  Shape output_padding = {0};
  int64_t groups = 1;
  Shape dilation = {1};
};

/// y[n, o, p] = bias[o] + sum_{c, k} weight[o, c, k] x[n, c, p stride + k dilation - padding].
/// Input [N, C, spatial...] or [C, spatial...], weight [O, C / groups, kernel...], bias [O] or
/// undefined; output size (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1.
Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});
Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});

/// The transposed map of the convolution with the same weight [C, O / groups, kernel...]: takes
/// [N, C, spatial...] to [N, O, ...], output size (in - 1) stride - 2 padding + dilation (kernel -
/// 1) + output_padding + 1.
Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});
Tensor conv_transpose3d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});

}  // namespace autograd
