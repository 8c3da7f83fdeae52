// Values that gradients read, packed and unpacked by the user's hooks.
#include "core/saved.hpp"

#include <utility>

#include "core/record.hpp"
#include "core/thread_state.hpp"

namespace autograd {
namespace detail {

PackedValue::PackedValue(PackedValue&& other) noexcept
    : kind(other.kind),
      index(other.index),
      hooks(std::move(other.hooks)),
      content(std::move(other.content)),
      node(std::exchange(other.node, nullptr)),
      leaf(std::exchange(other.leaf, nullptr)),
      output_index(other.output_index) {}

PackedValue::~PackedValue() {
  if (leaf) Tensor::adopt(leaf);
  if (node) node->drop();
}

namespace {

PackedValue& pack(Node* node, PackedValue::Kind kind, int index, const Tensor& value) {
  const std::shared_ptr<const SavedTensorHooks> hooks = thread_state.saved_hooks->hooks;
  const uint32_t before = body(value)->storage->version.load(std::memory_order_relaxed);
  PackedValue packed(kind, index);
  {
    NoGrad off;
    packed.content = hooks->pack(value);
  }
  if (body(value)->storage->version.load(std::memory_order_relaxed) != before)
    fail(ErrorCode::kRuntime,
         "A saved tensor pack hook is modifying its input in place. Tensors provided as input to "
         "pack hook can not be modified by in-place operations: clone() first");
  packed.hooks = hooks;
  return node->extras().packed.emplace_back(std::move(packed));
}

void backward_unpacked(Backward& b) { b.set(0, b.grad()); }

// A leaf's value in another tensor: its gradient goes to the leaf.
constexpr Op kUnpacked = {.name = "unpacked",
                          .traits = 0,
                          .infer = nullptr,
                          .forward = {nullptr},
                          .backward = backward_unpacked,
                          .doc = "a saved value that a hook has unpacked"};

void give_history(TensorBody* b, Node* node, uint32_t index) {
  node->retain();
  b->node = node;
  b->output_index = index;
}

void give_leaf(const Tensor& t, TensorBody* leaf) {
  NodeOwner owner{Node::make(kUnpacked)};
  record_edge(owner.node, leaf);
  NodeOutput& output = owner.node->outputs.add();
  output.dtype = t.dtype();
  output.sizes = t.sizes();
  give_history(body(t), owner.node, 0);
}

}  // namespace

void pack_saved(Node* node) {
  for (int i = 0; i < node->inputs.size(); ++i) {
    NodeInput& input = node->inputs[i];
    // A number of the program is no tensor of its own, and the package keeps one for all its uses.
    if (!input.saved || body(input.saved)->is_number) continue;
    pack(node, PackedValue::kInput, i, input.saved);
    input.saved = Tensor();
  }
  for (int i = 0; i < node->outputs.size(); ++i) {
    NodeOutput& output = node->outputs[i];
    if (!output.saved) continue;
    pack(node, PackedValue::kOutput, i, output.saved);
    output.saved = Tensor();
  }
  if (!node->extra) return;
  std::vector<SavedValue>& saved = saved_values(node->extra->context);
  for (size_t i = 0; i < saved.size(); ++i) {
    if (!saved[i].value) continue;
    PackedValue& packed = pack(node, PackedValue::kSaved, static_cast<int>(i), saved[i].value);
    TensorBody* b = body(saved[i].value);
    if (saved[i].output < 0 && b->node) {
      b->node->retain();
      packed.node = b->node;
      packed.output_index = b->output_index;
    } else if (saved[i].output < 0 && b->requires_grad) {
      packed.leaf = static_cast<TensorBody*>(borrow(b).release());
    }
    saved[i].value = Tensor();
  }
}

Tensor unpack_saved(Node& node, PackedValue::Kind kind, int index) {
  if (!node.extra) return Tensor();
  for (const PackedValue& packed : node.extra->packed) {
    if (packed.kind != kind || packed.index != index) continue;
    // The hook may run any code: keep what it needs alive.
    const std::shared_ptr<const SavedTensorHooks> hooks = packed.hooks;
    const std::shared_ptr<void> content = packed.content;
    Node* from = packed.node;
    TensorBody* leaf = packed.leaf;
    uint32_t from_index = packed.output_index;
    if (kind == PackedValue::kInput) {
      from = node.inputs[index].node;
      leaf = node.inputs[index].leaf;
      from_index = node.inputs[index].index;
    } else if (kind == PackedValue::kOutput) {
      from = &node;
      from_index = static_cast<uint32_t>(index);
    } else if (const int32_t output =
                   saved_values(node.extra->context)[static_cast<size_t>(index)].output;
               output >= 0) {
      from = &node;
      from_index = static_cast<uint32_t>(output);
    }
    if (from) from->retain();
    const NodeOwner owner{from};
    const Tensor kept_leaf = borrow(leaf);
    const Tensor value = hooks->unpack(content);
    if (!value) fail(ErrorCode::kRuntime, "a saved tensor unpack hook returned no tensor");
    const TensorBody* v = body(value);
    Tensor result = make_alias(v, v->sizes, v->strides, 0);
    if (!is_floating(v->dtype)) return result;
    if (from)
      give_history(body(result), from, from_index);
    else if (leaf)
      give_leaf(result, leaf);
    return result;
  }
  return Tensor();
}

}  // namespace detail

void push_saved_tensor_hooks(SavedTensorHooks hooks) {
  detail::SavedHooksScope*& top = detail::thread_state.saved_hooks;
  top =
      new detail::SavedHooksScope{std::make_shared<const SavedTensorHooks>(std::move(hooks)), top};
}

void pop_saved_tensor_hooks() {
  detail::SavedHooksScope*& top = detail::thread_state.saved_hooks;
  if (!top) fail(ErrorCode::kRuntime, "there are no hooks on saved tensors to take away");
  const std::unique_ptr<detail::SavedHooksScope> gone(top);
  top = gone->outer;
}

}  // namespace autograd
