// The recorded op behind a tensor, for users.
#include "autograd/grad_fn.hpp"

#include "autograd/current_backward.hpp"
#include "core/nested_backward.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace autograd {

using detail::Node;

GradFn::GradFn(const GradFn& other) : node_(other.node_) {
  if (node_) node_->retain();
}

GradFn::~GradFn() {
  if (node_) node_->drop();
}

Node* GradFn::node() const {
  if (!node_) fail(ErrorCode::kRuntime, "an undefined grad_fn was used");
  return node_;
}

GradFn GradFn::of(const Tensor& t) {
  detail::TensorBody* b = detail::body(t);
  if (b->source) detail::refresh_view(b);
  if (b->node) b->node->retain();
  return adopt(b->node);
}

std::string GradFn::name() const { return detail::backward_name(*node()->op); }

int GradFn::n_inputs() const { return node()->inputs.size(); }

GradEdge GradFn::next(int i) const {
  if (i < 0 || i >= n_inputs())
    fail(ErrorCode::kIndex, name(), " has ", n_inputs(), " inputs, there is no input ", i);
  const detail::NodeInput& input = node()->inputs[i];
  GradEdge edge;
  if (input.node) input.node->retain();
  edge.fn = adopt(input.node);
  edge.leaf = detail::borrow(input.leaf);
  edge.index = static_cast<int>(input.index);
  return edge;
}

void GradFn::register_prehook(NodePrehook hook) const {
  node()->extras().prehooks.push_back(std::move(hook));
}

void GradFn::register_hook(NodeHook hook) const {
  node()->extras().hooks.push_back(std::move(hook));
}

Context* GradFn::context() const {
  return node()->op->traits & detail::kFunction ? &node()->extra->context : nullptr;
}

bool current_backward_reaches(const GradEdge& place) {
  const detail::RunningBackward* const running = detail::running_backward;
  if (!running) return false;
  GradFn fn = place.fn;
  const detail::NodeOwner node{fn.release()};
  return running->reaches(node.node ? static_cast<const void*>(node.node)
                                    : detail::body(place.leaf));
}

}  // namespace autograd
