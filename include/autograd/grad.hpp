// Gradient mode and the two ways to differentiate: accumulate into leaves, or return.
#pragma once
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

/// True if ops of this thread record gradients.
bool grad_enabled();
/// Switches recording for this thread; returns what it was.
bool set_grad_enabled(bool enabled);

/// True if tensors that this thread makes can never take part in a gradient. Nothing is recorded
/// then, whatever grad_enabled() says.
bool inference_mode();
/// Switches inference mode for this thread; returns what it was.
bool set_inference_mode(bool enabled);

/// Turns recording off (or on) for a scope.
class GradMode {
 public:
  explicit GradMode(bool enabled) : previous_(set_grad_enabled(enabled)) {}
  ~GradMode() { set_grad_enabled(previous_); }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};
struct EnableGrad : GradMode {
  EnableGrad() : GradMode(true) {}
};

/// Inference mode for a scope: as NoGrad, and without any preparation for a later gradient.
class InferenceMode {
 public:
  explicit InferenceMode(bool enabled = true)
      : grad_(!enabled), previous_(set_inference_mode(enabled)) {}
  ~InferenceMode() { set_inference_mode(previous_); }
  InferenceMode(const InferenceMode&) = delete;
  InferenceMode& operator=(const InferenceMode&) = delete;

 private:
  GradMode grad_;
  bool previous_;
};

/// Debugging of gradients, for all threads: if `enabled`, each op's gradient is checked for NaN (if
/// `check_nan`), and the first one found is an Error (runtime) that names the op.
void set_anomaly_detection(bool enabled, bool check_nan = true);
bool anomaly_detection();
bool anomaly_checks_nan();

struct BackwardOptions {
  bool retain_graph = false;  ///< keep the buffers for another backward
  bool create_graph =
      false;  ///< make the gradients differentiable (implies retain_graph in PyTorch's default)
  bool allow_unused = false;  ///< grad(): an input that is not reached gives an undefined tensor
                              ///< instead of an error
};

/// Adds the gradients of sum_i <grads[i], tensors[i]> to `.grad` of the leaves, or of `inputs` only
/// if there are any. grads may be shorter than tensors or hold undefined tensors where the tensor
/// has one element (then 1 is used).
void backward(const std::vector<Tensor>& tensors, const std::vector<Tensor>& grads = {},
              const BackwardOptions& options = {}, const std::vector<Tensor>& inputs = {});

/// Gradients of the same sum with respect to `inputs`; accumulates nothing.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {},
                         const BackwardOptions& options = {});

// ---- for transforms of functions, see func in Python

/// `t` as an input to differentiate a function by: a leaf of its own, or a view of `t` if `t` has
/// a history or requires grad and recording is on, so that gradients go on to it. Inside vmap it
/// counts as different for each example. Throws Error (runtime) unless the elements are floats.
Tensor transform_input(const Tensor& t);
/// True if the outputs depend on leaves that require grad besides `inputs`.
bool depends_on_others(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs);

/// Removes (or zeroes) the gradients.
void zero_grad(const std::vector<Tensor>& tensors, bool set_to_none = true);

}  // namespace autograd
