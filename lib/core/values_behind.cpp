#include "core/values_behind.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"

namespace autograd::detail {
namespace {

bool is_current(const Tensor& saved, uint32_t version) {
  return saved && body(saved)->storage->version.load(std::memory_order_relaxed) == version;
}

// A 0-d constant whose value the edge itself has kept.
Tensor number_of(const NodeInput& input) {
  Tensor t = full({}, input.number, input.dtype);
  body(t)->is_number = input.is_number;
  return t;
}

}  // namespace

double element_of(const Tensor& t, int64_t i) {
  const Shape& sizes = t.sizes();
  int64_t at = 0;
  for (int d = sizes.size() - 1; d >= 0; --d) {
    at += i % sizes[d] * t.strides()[d];
    i /= sizes[d];
  }
  switch (t.dtype()) {
    case DType::kFloat32:
      return static_cast<const float*>(t.data())[at];
    case DType::kFloat64:
      return static_cast<const double*>(t.data())[at];
    case DType::kInt32:
      return static_cast<const int32_t*>(t.data())[at];
    case DType::kInt64:
      return static_cast<double>(static_cast<const int64_t*>(t.data())[at]);
    default:
      return static_cast<const uint8_t*>(t.data())[at];
  }
}

Shape place_of(const Shape& sizes, int64_t i) {
  Shape place = sizes;
  for (int d = sizes.size() - 1; d >= 0; --d) {
    place[d] = i % sizes[d];
    i /= sizes[d];
  }
  return place;
}

int64_t before_broadcast(const Shape& sizes, const Shape& to, int64_t i) {
  const Shape place = place_of(to, i);
  int64_t at = 0;
  for (int d = 0; d < sizes.size(); ++d) {
    const int dim = d + to.size() - sizes.size();
    at = at * sizes[d] + (sizes[d] == 1 || dim < 0 ? 0 : place[dim]);
  }
  return at;
}

int64_t first_nonfinite(const Tensor& t) {
  if (!t || !is_floating(t.dtype())) return -1;
  const std::vector<double> values = t.to_vector();
  const auto found =
      std::find_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
  return found == values.end() ? -1 : found - values.begin();
}

std::vector<int64_t> bad_elements(const Tensor& t) {
  std::vector<int64_t> found;
  if (!t || !is_floating(t.dtype())) return found;
  const std::vector<double> values = t.to_vector();
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) found.push_back(static_cast<int64_t>(i));
  return found;
}

void ValuesBehind::add(Node* node, const Node* user) {
  if (users_.try_emplace(node, user).second) nodes_.push_back(node);
}

ValuesBehind::ValuesBehind(const Tensor& t, const GraphNames& known) {
  for (const auto* list : {&known.tensors, &known.buffers})
    for (const auto& [name, tensor] : *list) {
      const TensorBody* b = body(tensor);
      names_.try_emplace(b->id, name);
      if (!b->needs_grad() && !b->is_batched && tensor.version() == 0)
        by_id_.try_emplace(b->id, tensor);
    }
  TensorBody* root = body(t);
  if (!root->node) {
    if (root->requires_grad) leaves_.push_back(root);
    return;
  }
  add(root->node, nullptr);
  for (size_t i = 0; i < nodes_.size(); ++i)
    for (const NodeInput& input : nodes_[i]->inputs) {
      if (input.node) add(input.node, nodes_[i]);
      if (input.leaf && seen_leaves_.try_emplace(input.leaf, true).second)
        leaves_.push_back(input.leaf);
    }
  std::stable_sort(nodes_.begin(), nodes_.end(),
                   [](const Node* a, const Node* b) { return a->depth < b->depth; });
  for (Node* node : nodes_) outputs_[node].resize(static_cast<size_t>(node->outputs.size()));
  for (Node* node : nodes_) collect(*node);
  outputs_.at(root->node)[root->output_index] = t.detach();
}

void ValuesBehind::collect(const Node& node) {
  std::vector<Tensor>& outputs = outputs_.at(&node);
  for (int i = 0; i < node.outputs.size(); ++i)
    if (is_current(node.outputs[i].saved, node.outputs[i].version))
      outputs[static_cast<size_t>(i)] = node.outputs[i].saved.detach();
  for (const NodeInput& input : node.inputs) {
    if (input.leaf && input.saved && !is_current(input.saved, input.version))
      seen_leaves_[input.leaf] = false;  // it has another value now
    if (!is_current(input.saved, input.version)) continue;
    if (input.node)
      outputs_.at(input.node)[input.index] = input.saved.detach();
    else if (!input.leaf && input.version == 0)
      by_id_.try_emplace(input.id, input.saved);
  }
}

bool ValuesBehind::is_freed() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node* n) { return n->released; });
}

Tensor ValuesBehind::output(const Node& node, int i) const {
  return outputs_.at(&node)[static_cast<size_t>(i)];
}

Tensor ValuesBehind::input(const Node& node, int i) const {
  const NodeInput& input = node.inputs[i];
  if (!input.id) return Tensor();
  if (is_current(input.saved, input.version)) return input.saved.detach();
  if (input.node) return output(*input.node, static_cast<int>(input.index));
  if (input.leaf) return seen_leaves_.at(input.leaf) ? borrow(input.leaf).detach() : Tensor();
  if (input.has_number) return number_of(input);
  const auto found = by_id_.find(input.id);
  return found == by_id_.end() || found->second.sizes() != input.sizes ? Tensor() : found->second;
}

bool ValuesBehind::knows_inputs(const Node& node) const {
  for (int i = 0; i < node.inputs.size(); ++i)
    if (node.inputs[i].id && !input(node, i)) return false;
  return true;
}

void ValuesBehind::complete() {
  for (Node* node : nodes_) {
    std::vector<Tensor>& outputs = outputs_.at(node);
    if (std::all_of(outputs.begin(), outputs.end(), [](const Tensor& t) { return t.defined(); }) ||
        !knows_inputs(*node))
      continue;
    std::vector<Tensor> inputs;
    for (int i = 0; i < node->inputs.size(); ++i) inputs.push_back(input(*node, i));
    const std::vector<Tensor> again = run_again(*node, inputs);
    for (size_t i = 0; i < again.size(); ++i) {
      if (!outputs[i] && again[i].sizes() == node->outputs[static_cast<int>(i)].sizes)
        outputs[i] = again[i];
      // Positions and the like don't know their node; output 0 may have the id of an input.
      if (i > 0) by_id_.try_emplace(node->outputs[static_cast<int>(i)].id, again[i]);
    }
  }
}

namespace {

// The change of a part through a view.
std::vector<Tensor> assign_again(const Node& node, const std::vector<Tensor>& inputs) {
  if (!node.extra || !node.extra->view_op) return {};
  const Tensor whole = clone(inputs[0]);
  Tensor part = dispatch(*node.extra->view_op, {whole}, node.attrs);
  copy_(part, inputs[1]);
  return {whole};
}

std::vector<Tensor> call_again(const Node& node, const std::vector<Tensor>& inputs) {
  const Op& op = *node.op;
  if (!op.infer) return assign_again(node, inputs);
  std::vector<Arg> args;
  for (const Tensor& t : inputs) args.emplace_back(t);
  const int n = static_cast<int>(args.size());
  if (op.traits & kInPlace) {
    const Tensor changed = clone(inputs[0]);
    args[0] = changed;
    dispatch_in_place(op, args.data(), n, node.attrs);
    return {changed};
  }
  std::vector<Tensor> outputs(static_cast<size_t>(node.outputs.size()));
  dispatch(op, args.data(), n, node.attrs, outputs.data(), node.outputs.size());
  return outputs;
}

}  // namespace

std::vector<Tensor> ValuesBehind::run_again(const Node& node,
                                            const std::vector<Tensor>& inputs) const {
  if (node.op->traits & (kFunction | kRandom | kUpdate) || inputs.empty()) return {};
  NoGrad off;
  const Unobserved pause;
  const LocationScope at(node.location ? node.location : kNowhere);
  try {
    return call_again(node, inputs);
  } catch (const Error&) {
    return {};
  }
}

std::vector<PathStep> ValuesBehind::path_to(const Node* node) const {
  std::vector<PathStep> path;
  for (; node; node = users_.at(node)) path.push_back({node->op->name, node->location});
  std::reverse(path.begin(), path.end());
  return path;
}

const TensorBody* ValuesBehind::leaf_behind(const Node* node) const {
  std::vector<const Node*> pending = {node};
  std::unordered_set<const Node*> seen;
  for (size_t i = 0; i < pending.size(); ++i)
    for (const NodeInput& input : pending[i]->inputs) {
      if (input.leaf) return input.leaf;
      if (input.node && seen.insert(input.node).second) pending.push_back(input.node);
    }
  return nullptr;
}

bool ValuesBehind::leads_to(const Node* node, const TensorBody* leaf) const {
  std::vector<const Node*> pending;
  if (node) pending.push_back(node);
  std::unordered_set<const Node*> seen;
  for (size_t i = 0; i < pending.size(); ++i)
    for (const NodeInput& input : pending[i]->inputs) {
      if (input.leaf == leaf) return true;
      if (input.node && seen.insert(input.node).second) pending.push_back(input.node);
    }
  return false;
}

std::string ValuesBehind::name_of_leaf(const TensorBody* leaf) const {
  const auto found = names_.find(leaf->id);
  return found == names_.end() ? "" : found->second;
}

}  // namespace autograd::detail
