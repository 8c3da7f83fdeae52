// Life of recorded ops, and what gradient rules may read of them.
#include "core/node.hpp"

#include <new>

#include "autograd/ops.hpp"
#include "core/saved.hpp"
#include "core/thread_state.hpp"

namespace autograd::detail {

Node* Node::make(const Op& op) {
  Node* node = new (allocate(sizeof(Node))) Node;
  node->op = &op;
  return node;
}

namespace {
void destroy_node(Node* node) {
  for (NodeInput& input : node->inputs) {
    if (input.leaf) Tensor::adopt(input.leaf);
    if (input.node) input.node->drop();
  }
  node->~Node();
  deallocate(node, sizeof(Node));
}
}  // namespace

void Node::drop() {
  if (refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  ThreadState& state = thread_state;
  // The outermost drop owns the queue; nested ones only add to it.
  thread_local Vector<Node*>* queue = nullptr;
  if (state.dropping) {
    queue->push_back(this);
    return;
  }
  Vector<Node*> pending;
  queue = &pending;
  state.dropping = true;
  destroy_node(this);
  while (!pending.empty()) {
    Node* next = pending.back();
    pending.pop_back();
    destroy_node(next);
  }
  state.dropping = false;
}

void Node::forget_retained(const TensorBody* t) {
  for (NodeOutput& output : outputs)
    if (output.retained == t) output.retained = nullptr;
}

void Node::release_saved() {
  for (NodeInput& input : inputs)
    if (input.saved) {
      input.saved = Tensor();
      released = true;
    }
  for (NodeOutput& output : outputs)
    if (output.saved) {
      output.saved = Tensor();
      released = true;
    }
  if (extra) release_extra();
}

void Node::release_extra() {
  if (!extra->packed.empty()) {
    // What goes may run code of the user's.
    const std::vector<PackedValue> gone = std::move(extra->packed);
    extra->packed.clear();
    released = true;
  }
  std::vector<SavedValue>& saved = saved_values(extra->context);
  if (saved.empty()) return;
  const std::vector<SavedValue> gone = std::move(saved);
  saved.clear();
  ContextAccess::set_released(extra->context);
  released = true;
}

std::string backward_name(const Op& op) {
  if (op.traits & kFunction) return std::string(op.name) + "Backward";
  std::string name;
  bool upper = true;
  for (const char* c = op.name; *c; ++c) {
    if (*c == '_') {
      upper = true;
      continue;
    }
    name += upper && *c >= 'a' && *c <= 'z' ? static_cast<char>(*c - 'a' + 'A') : *c;
    upper = false;
  }
  return name + "Backward0";
}

Tensor Backward::grad(int i) const {
  if (!grads_[i]) grads_[i] = zeros(output_sizes(i), node_.outputs[i].dtype);
  return grads_[i];
}

void fail_changed(const Node& node, const std::string& what, const Tensor& saved,
                  uint32_t version) {
  const Storage& storage = *body(saved)->storage;
  const Op* by = storage.changed_by.load();
  const bool is_optimizer = by && (by->traits & kUpdate);
  fail(ErrorCode::kRuntime,
       "one of the variables needed for gradient computation has been modified by an inplace "
       "operation: the ",
       what, " of '", node.op->name, "' (", name_of(saved.dtype()), " ", saved.sizes(),
       ") is at version ", storage.version.load(), "; expected version ", version,
       " instead. It was saved by '", node.op->name, "'", at_line(node.location),
       " and changed in place by '", by ? by->name : "another program", "'",
       at_line(storage.changed_at.load()),
       is_optimizer
           ? ". Call backward() before the optimizer's step(), or compute the loss anew "
             "after it"
           : ". Use the out-of-place form of that change, or clone() the tensor before it");
}

void fail_freed(const Node& node) {
  fail(ErrorCode::kRuntime,
       "Trying to backward through the graph a second time (or directly access saved tensors "
       "after they have "
       "already been freed), at op '",
       node.op->name, "'", at_line(node.location),
       ". Saved intermediate values of the graph are freed when you call .backward() or "
       "autograd.grad(). "
       "Specify retain_graph=True if you need to backward through the graph a second time");
}

void Backward::check_version(const char* what, const Tensor& saved, uint32_t version) const {
  if (!saved) fail_freed(node_);
  const uint32_t now = body(saved)->storage->version.load(std::memory_order_relaxed);
  if (now != version) fail_changed(node_, what, saved, version);
}

Tensor with_history(const Tensor& value, Node* node, uint32_t index) {
  Tensor alias = make_alias(body(value), value.sizes(), value.strides(), 0);
  node->retain();
  body(alias)->node = node;
  body(alias)->output_index = index;
  return alias;
}

Tensor Backward::input(int i) const {
  const NodeInput& input = node_.inputs[i];
  if (!input.saved && node_.extra)
    if (Tensor value = unpack_saved(node_, PackedValue::kInput, i)) return value;
  check_version(i == 0   ? "first input"
                : i == 1 ? "second input"
                         : "input",
                input.saved, input.version);
  const TensorBody* saved = body(input.saved);
  if (!thread_state.grad_enabled || !input.node || saved->node) return input.saved;
  // A copy of a value that was overwritten: for higher orders it takes the place of the old value
  // in the graph.
  return with_history(input.saved, input.node, input.index);
}

Tensor Backward::output(int i) const {
  const NodeOutput& output = node_.outputs[i];
  if (!output.saved && node_.extra)
    if (Tensor value = unpack_saved(node_, PackedValue::kOutput, i)) return value;
  check_version("output", output.saved, output.version);
  if (!thread_state.grad_enabled || !is_floating(output.dtype)) return output.saved;
  // For higher orders the value must know that this node made it.
  return with_history(output.saved, &node_, static_cast<uint32_t>(i));
}

}  // namespace autograd::detail
