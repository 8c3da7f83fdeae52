// What transforms of functions need of the engine: inputs to differentiate by, gradients of and by
// tensors that stand for examples, and whether a result depends on more than the inputs.
#include <algorithm>
#include <unordered_set>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "core/thread_state.hpp"

namespace autograd {
namespace detail {

namespace {

uint64_t highest_level(const std::vector<Tensor>& tensors, uint64_t level = 0) {
  for (const Tensor& t : tensors)
    if (body(t)->is_batched) level = std::max(level, body(t)->level);
  return level;
}

void check_varies(const std::vector<Tensor>& inputs, uint64_t level) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!vmap_varies(inputs[i], level))
      fail(ErrorCode::kRuntime, "grad: input ", i, " (sizes ", inputs[i].sizes(),
           ") is the same for all examples of a vmap, the outputs are not: its gradient for one "
           "example is not known. Use func.grad, func.vjp or func.jacrev instead of autograd.grad "
           "inside a function being vmapped");
}

// The gradient of an output that was left out is 1 if an example has one element.
Tensor all_of_gradient(const Tensor& output, const Tensor& grad, size_t i, const VmapLevel& level) {
  if (grad) return without_level(grad, level);
  if (output.numel() != 1)
    fail(ErrorCode::kRuntime, "grad can be implicitly created only for scalar outputs (output ", i,
         " has sizes ", output.sizes(),
         "): reduce it to one number, or give a gradient of its shape");
  Shape sizes = output.sizes();
  sizes.insert(0, level.size);
  return ones(sizes, output.dtype());
}

}  // namespace

bool any_batched(const std::vector<Tensor>& tensors) {
  for (const Tensor& t : tensors)
    if (body(t)->is_batched) return true;
  return false;
}

std::vector<Tensor> batched_grad(const std::vector<Tensor>& outputs,
                                 const std::vector<Tensor>& inputs,
                                 const std::vector<Tensor>& grad_outputs,
                                 const BackwardOptions& options) {
  const VmapLevel& level = active_level(highest_level(outputs, highest_level(inputs)));
  check_varies(inputs, level.id);
  std::vector<Tensor> all_outputs, all_inputs, all_grads;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor given = i < grad_outputs.size() ? grad_outputs[i] : Tensor();
    if (given && given.sizes() != outputs[i].sizes())
      fail(ErrorCode::kRuntime, "Mismatch in shape: grad_output[", i, "] has a shape of ",
           given.sizes(), " and output[", i, "] has a shape of ", outputs[i].sizes());
    all_outputs.push_back(without_level(outputs[i], level));
    all_grads.push_back(all_of_gradient(outputs[i], given, i, level));
  }
  for (const Tensor& t : inputs) all_inputs.push_back(without_level(t, level));
  std::vector<Tensor> results = grad(all_outputs, all_inputs, all_grads, options);
  for (Tensor& t : results)
    if (t) t = with_level(t, level);
  return results;
}

}  // namespace detail

using detail::body;

Tensor transform_input(const Tensor& t) {
  const Tensor mine = detail::lifted(t);
  if (!is_floating(t.dtype()))
    fail(ErrorCode::kRuntime,
         "only Tensors of floating point dtype can require gradients (this one is ",
         name_of(t.dtype()), ")");
  if (detail::thread_state.grad_enabled && mine.requires_grad()) return view(mine, mine.sizes());
  const Tensor fresh = mine.detach();
  detail::innermost(body(fresh))->requires_grad = true;
  return fresh;
}

bool depends_on_others(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs) {
  std::unordered_set<const void*> seen;
  std::vector<const detail::Node*> pending;
  for (const Tensor& t : inputs) {
    const detail::TensorBody* b = detail::innermost(body(t));
    // What depends on an input depends on what that depends on.
    if (b->node) return true;
    seen.insert(b);
  }
  const auto reach = [&](const detail::Node* node, const detail::TensorBody* leaf) {
    if (leaf) return seen.find(leaf) == seen.end();
    if (node && seen.insert(node).second) pending.push_back(node);
    return false;
  };
  for (const Tensor& t : outputs) {
    detail::TensorBody* b = detail::innermost(body(t));
    if (b->source) detail::refresh_view(b);
    if (reach(b->node, b->node || !b->requires_grad ? nullptr : b)) return true;
  }
  while (!pending.empty()) {
    const detail::Node* node = pending.back();
    pending.pop_back();
    for (const detail::NodeInput& input : node->inputs)
      if (reach(input.node, input.leaf)) return true;
  }
  return false;
}

}  // namespace autograd
