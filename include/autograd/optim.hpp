// Optimizers: one call updates all parameters.
#pragma once
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};

/// PyTorch's update: d = g + weight_decay w; b = momentum b + (1 - dampening) d (d at the first
/// step); w -= lr (nesterov ? d + momentum b : b). Parameters without a gradient are passed over.
/// momentum_buffers: empty if momentum is 0, else one per parameter; an undefined one is made at
/// its first step.
void sgd_step(const std::vector<Tensor>& params, std::vector<Tensor>& momentum_buffers,
              const SGDOptions& options);

/// The same with its state.
class SGD {
 public:
  /// Throws Error (value) for options that make no sense, Error (runtime) for parameters that are
  /// not leaves.
  SGD(std::vector<Tensor> params, const SGDOptions& options);
  void step();
  void zero_grad();
  SGDOptions options;

 private:
  std::vector<Tensor> params_;
  std::vector<Tensor> momentum_buffers_;
};

}  // namespace autograd::optim
