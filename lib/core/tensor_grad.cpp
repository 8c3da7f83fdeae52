// The autograd side of Tensor: who requires grad, where the gradient is kept.
#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "core/text.hpp"
#include "core/thread_state.hpp"

namespace autograd {

using detail::body;
using detail::TensorBody;

namespace {
// Views learn here that their base became part of a graph.
TensorBody* current(const Tensor& t) {
  TensorBody* b = detail::innermost(body(t));
  if (b->source) detail::refresh_view(b);
  return b;
}
}  // namespace

bool Tensor::requires_grad() const { return current(*this)->needs_grad(); }

Tensor& Tensor::requires_grad_(bool value) {
  TensorBody* b = body(*this);
  if (b->is_batched)
    fail(ErrorCode::kRuntime,
         "You are attempting to call Tensor.requires_grad_() (or perhaps using "
         "autograd.functional.* APIs) inside of a function being transformed by vmap. This is "
         "unsupported, please attempt to use the transforms of func (e.g. grad, vjp, jacrev, "
         "jacfwd, hessian) or call requires_grad_() outside of a function being transformed "
         "instead.");
  if (value && !is_floating(b->dtype))
    fail(ErrorCode::kRuntime,
         "only Tensors of floating point dtype can require gradients (this one is ",
         name_of(b->dtype), ")");
  if (value && b->is_inference && !detail::thread_state.inference)
    fail(ErrorCode::kRuntime,
         "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
  if (b->node) {
    if (value) return *this;
    fail(ErrorCode::kRuntime,
         "you can only change requires_grad flags of leaf variables. If you want to use a computed "
         "variable in a subgraph that doesn't require differentiation use var_no_grad = "
         "var.detach().");
  }
  // Consecutive leaves get different bits: the parameters of a small model clash with none.
  static std::atomic<uint8_t> next_leaf{0};
  if (value && !b->requires_grad)
    b->leaf_number = next_leaf.fetch_add(1, std::memory_order_relaxed) % 64;
  b->requires_grad = value;
  return *this;
}

bool Tensor::is_inference() const { return body(*this)->is_inference; }

bool Tensor::is_leaf() const { return detail::innermost(body(*this))->node == nullptr; }

Tensor Tensor::grad() const {
  TensorBody* b = body(*this);
  if (detail::observer()) [[unlikely]]
    detail::observer()->on_grad_read(*b);
  return detail::borrow(b->grad);
}

void Tensor::set_grad(const Tensor& grad) const {
  TensorBody* b = body(*this);
  if (grad.defined()) {
    if (grad.sizes() != b->sizes)
      fail(ErrorCode::kRuntime, "assigned grad has data of a different size: the tensor has sizes ",
           b->sizes, ", the gradient ", grad.sizes());
    if (grad.dtype() != b->dtype)
      fail(ErrorCode::kRuntime, "assigned grad has data of a different type: the tensor has ",
           name_of(b->dtype), ", the gradient ", name_of(grad.dtype()));
    if (body(grad) == b) fail(ErrorCode::kRuntime, "can't assign Variable as its own grad");
  }
  Tensor copy = grad;
  Tensor::adopt(std::exchange(b->grad, static_cast<TensorBody*>(copy.release())));
  if (detail::observer()) [[unlikely]]
    detail::observer()->on_grad_set(*b);
}

void Tensor::retain_grad() const {
  if (body(*this)->is_batched)
    fail(ErrorCode::kRuntime,
         "vmap: retain_grad() of a tensor that stands for one example is not supported");
  TensorBody* b = current(*this);
  if (!b->needs_grad())
    fail(ErrorCode::kRuntime, "can't retain_grad on Tensor that has requires_grad=False");
  if (!b->node) return;
  b->retains_grad = true;
  b->node->outputs[b->output_index].retained = b;
}

bool Tensor::retains_grad() const { return body(*this)->retains_grad; }

std::string Tensor::grad_fn() const {
  const TensorBody* b = current(*this);
  return b->node ? b->node->op->name : "";
}

void Tensor::backward(const Tensor& grad, bool retain_graph, bool create_graph) const {
  BackwardOptions options;
  options.retain_graph = retain_graph;
  options.create_graph = create_graph;
  autograd::backward({*this}, {grad}, options);
}

Tensor Tensor::detach() const {
  const TensorBody* b = body(*this);
  if (b->is_batched) return detail::make_example(detail::borrow(b->batch).detach(), b->level);
  Tensor alias = detail::make_alias(b, b->sizes, b->strides, 0);
  TensorBody* detached = body(alias);
  detached->made_at = detail::here();
  detached->cut = b->needs_grad() ? detail::Cut::kDetach : b->cut;
  detached->cut_at = b->needs_grad() ? detached->made_at : b->cut_at;
  detached->leaves = detail::leaves_behind(b);
  return alias;
}

void zero_grad(const std::vector<Tensor>& tensors, bool set_to_none) {
  for (const Tensor& t : tensors) {
    TensorBody* b = body(t);
    if (set_to_none) {
      // Without one, too: an observer learns that from here on there is none.
      if (b->grad || detail::observer()) t.set_grad(Tensor());
      continue;
    }
    Tensor current = t.grad();
    if (!current) continue;
    if (body(current)->needs_grad())
      t.set_grad(zeros(b->sizes, b->dtype));
    else
      zero_(current);
  }
}

}  // namespace autograd
