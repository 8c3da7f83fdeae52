// The calls of the user's hooks in a backward pass.
#pragma once
#include <utility>

#include "core/location.hpp"
#include "core/node.hpp"
#include "core/text.hpp"

namespace autograd::detail {

// By number: a hook may register further ones.
inline void run_accumulation_hooks(TensorBody* leaf) {
  const Tensor t = borrow(leaf);
  for (size_t i = 0; leaf->hooks && i < leaf->hooks->after_accumulation.size(); ++i) {
    const AccumulationHook hook = leaf->hooks->after_accumulation[i];
    hook(t);
  }
}

// The results of a hook on a node take the place of what it saw.
inline void replace_gradients(Vector<Tensor>& seen, std::vector<Tensor> changed, const Node& node,
                              const char* what) {
  if (changed.empty()) return;
  if (changed.size() != seen.size())
    fail(ErrorCode::kRuntime, "hook on ", backward_name(*node.op),
         " has returned an incorrect number of values: got ", changed.size(), ", but expected ",
         seen.size(), " (", what, ")");
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] && changed[i] && changed[i].sizes() != seen[i].sizes())
      fail(ErrorCode::kRuntime, "hook on ", backward_name(*node.op),
           " has changed the size of value ", i, " of ", what, ": ", seen[i].sizes(), " became ",
           changed[i].sizes());
    if (changed[i]) seen[i] = std::move(changed[i]);
  }
}

inline void run_prehooks(Node& node, Vector<Tensor>& grads) {
  for (size_t i = 0; i < node.extra->prehooks.size(); ++i) {
    const NodePrehook hook = node.extra->prehooks[i];
    replace_gradients(grads, hook({grads.begin(), grads.end()}), node, "the gradients of outputs");
  }
}

inline void run_hooks_after(Node& node, Vector<Tensor>& results, const Vector<Tensor>& grads) {
  for (size_t i = 0; i < node.extra->hooks.size(); ++i) {
    const NodeHook hook = node.extra->hooks[i];
    replace_gradients(results, hook({results.begin(), results.end()}, {grads.begin(), grads.end()}),
                      node, "the gradients of inputs");
  }
}

inline Tensor run_hooks(const Hooks& hooks, Tensor grad) {
  const LocationScope user(0);
  // By number: a hook may register further ones.
  for (size_t i = 0; i < hooks.list.size(); ++i) {
    const GradientHook hook = hooks.list[i];
    Tensor changed = hook(grad);
    if (!changed) continue;
    if (changed.sizes() != grad.sizes())
      fail(ErrorCode::kRuntime, "a hook has changed the size of value: the gradient has sizes ",
           grad.sizes(), ", the hook returned ", changed.sizes());
    if (changed.dtype() != grad.dtype())
      fail(ErrorCode::kRuntime, "a hook has changed the type of value: the gradient has ",
           name_of(grad.dtype()), ", the hook returned ", name_of(changed.dtype()));
    grad = std::move(changed);
  }
  return grad;
}

}  // namespace autograd::detail
