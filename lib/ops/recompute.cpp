// Runs a composite again to differentiate it.
#include "ops/recompute.hpp"

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/thread_state.hpp"

namespace autograd::detail {

void differentiate_composite(Backward& r, const Composite& composite) {
  const EnableGrad recording;
  std::vector<Tensor> inputs, wanted;
  std::vector<int> places;
  for (int i = 0; i < r.n_inputs(); ++i) {
    if (!r.has_input(i)) {
      inputs.emplace_back();
      continue;
    }
    Tensor x = r.input(i);
    if (r.needs(i)) {
      // A view of its own, so that the same tensor given twice gets two gradients.
      Shape dims;
      for (int d = 0; d < x.dim(); ++d) dims.push_back(d);
      x = permute(x, dims);
      wanted.push_back(x);
      places.push_back(i);
    }
    inputs.push_back(std::move(x));
  }
  const std::vector<Tensor> all = composite(inputs);
  std::vector<Tensor> outputs, grads;
  for (int i = 0; i < static_cast<int>(all.size()); ++i)
    if (r.has_grad(i) && all[static_cast<size_t>(i)].requires_grad()) {
      outputs.push_back(all[static_cast<size_t>(i)]);
      grads.push_back(r.grad(i));
    }
  if (outputs.empty()) return;
  BackwardOptions options;
  options.retain_graph = options.create_graph = options.allow_unused = true;
  const std::vector<Tensor> found = grad(outputs, wanted, grads, options);
  for (size_t i = 0; i < found.size(); ++i) r.set(places[i], found[i]);
}

bool wants_composite(const Backward& r) {
  if (thread_state.grad_enabled) return true;
  for (int i = 0; i < r.n_outputs(); ++i)
    if (r.has_grad(i) && !has_elements(r.grad(i))) return true;
  return false;
}

}  // namespace autograd::detail
