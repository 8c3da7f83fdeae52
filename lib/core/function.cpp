// Hooks on gradients, and functions with gradient rules of their own.
#include "autograd/function.hpp"

#include <memory>
#include <utility>

#include "core/node.hpp"
#include "core/record.hpp"
#include "core/text.hpp"
#include "core/thread_state.hpp"

namespace autograd {

using detail::body;
using detail::TensorBody;

void register_hook(const Tensor& t, GradientHook hook) {
  TensorBody* b = body(t);
  if (b->source) detail::refresh_view(b);
  if (!b->needs_grad())
    fail(ErrorCode::kRuntime,
         "cannot register a hook on a tensor that doesn't require gradient (sizes ", b->sizes, ")");
  if (!b->node) {
    if (!b->hooks) b->hooks = new detail::Hooks;
    b->hooks->list.push_back(std::move(hook));
    return;
  }
  std::unique_ptr<detail::Hooks>& hooks = b->node->outputs[static_cast<int>(b->output_index)].hooks;
  if (!hooks) hooks = std::make_unique<detail::Hooks>();
  hooks->list.push_back(std::move(hook));
}

std::vector<Tensor> record_function(const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& outputs, GradientRule rule) {
  std::vector<Tensor> aliases;
  aliases.reserve(outputs.size());
  for (const Tensor& t : outputs) aliases.push_back(t.detach());
  bool wanted = false;
  for (const Tensor& t : inputs) wanted |= t.requires_grad();
  if (wanted && detail::thread_state.grad_enabled)
    detail::record_rule(inputs, aliases, std::move(rule));
  return aliases;
}

}  // namespace autograd
