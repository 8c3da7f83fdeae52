// Instance norm: batch norm where every channel of every sample is a channel of its own.
#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/text.hpp"
#include "ops/normalize.hpp"

namespace autograd {

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool use_input_stats,
                     double momentum, double eps) {
  if (!use_input_stats && !(running_mean && running_var))
    fail(ErrorCode::kRuntime,
         "instance_norm: Expected running_mean and running_var to be defined when use_input_stats "
         "is false");
  if (x.dim() < 2)
    fail(ErrorCode::kRuntime, "instance_norm: expected input [N, C, ...], got sizes ", x.sizes());
  if (use_input_stats) detail::check_statistics_of_examples(x, running_mean, running_var);
  // Every channel of every sample is a channel of one sample.
  const int64_t samples = x.size(0), channels = x.size(1);
  Shape sizes = x.sizes();
  sizes[0] = 1;
  sizes[1] = samples * channels;
  const auto repeated = [&](const Tensor& t, const char* what) {
    if (!t) return t;
    if (t.dim() != 1 || t.numel() != channels)
      fail(ErrorCode::kRuntime, "instance_norm: ", what, " should contain ", channels,
           " elements not ", t.numel(), ": got ", what, " of shape ", t.sizes(),
           " for input of shape ", x.sizes());
    return reshape(expand(t, {samples, channels}), {samples * channels});
  };
  const Tensor mean_in = repeated(running_mean, "running_mean"),
               var_in = repeated(running_var, "running_var"), w = repeated(weight, "weight"),
               b = repeated(bias, "bias");
  if (!running_mean && !running_var && x.numel()) return group_norm(x, channels, weight, bias, eps);
  const bool updates = use_input_stats && samples > 1;
  const Tensor means = mean_in && updates ? clone(mean_in) : mean_in,
               vars = var_in && updates ? clone(var_in) : var_in;
  const Tensor y = batch_norm(reshape(x, sizes), means, vars, w, b, use_input_stats, momentum, eps);
  if (updates) {
    GradMode off(false);
    Tensor mean_out = running_mean, var_out = running_var;
    if (means) copy_(mean_out, mean(reshape(means, {samples, channels}), {0}));
    if (vars) copy_(var_out, mean(reshape(vars, {samples, channels}), {0}));
  }
  return reshape(y, x.sizes());
}

}  // namespace autograd
