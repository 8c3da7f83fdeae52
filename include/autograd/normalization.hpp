// Normalization layers and dropout. Weights and biases may be undefined; statistics are those of
// PyTorch: variances are biased in the result and unbiased in running averages.
#pragma once
#include <optional>

#include "autograd/tensor.hpp"

namespace autograd {

/// (x - mean) / sqrt(var + eps) * weight + bias over the last dims, whose sizes are
/// normalized_shape.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = Tensor(),
                  const Tensor& bias = Tensor(), double eps = 1e-5);
/// x / sqrt(mean x^2 + eps) * weight over the last dims; eps is the dtype's machine epsilon unless
/// given.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = Tensor(),
                std::optional<double> eps = std::nullopt);
/// x [N, C, ...]: each of num_groups groups of channels of each sample is normalized; weight and
/// bias [C].
Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = Tensor(),
                  const Tensor& bias = Tensor(), double eps = 1e-5);
/// x [N, C, ...]: each channel is normalized, by its own statistics if training, else by the
/// running ones. If training, running = (1 - momentum) running + momentum statistics, in place.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum = 0.1,
                  double eps = 1e-5);
/// x [N, C, ...]: each channel of each sample is normalized.
Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool use_input_stats = true,
                     double momentum = 0.1, double eps = 1e-5);

/// Zeros each element with probability p and multiplies the others by 1 / (1 - p); x itself if not
/// training.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);
/// The same for whole channels of x [N, C, ...].
Tensor feature_dropout(const Tensor& x, double p = 0.5, bool training = true);
/// Dropout that keeps mean 0 and variance 1 behind a SELU: dropped elements become
/// -scale * alpha, and all are scaled and shifted.
Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool training = true);
/// The same for whole channels of x [N, C, ...].
Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool training = true);

}  // namespace autograd
