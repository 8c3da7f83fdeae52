// Graphs of recorded history: the live nodes behind a tensor, each once, as ops in topological
// order.
#include <unordered_map>
#include <unordered_set>

#include "autograd/graph.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "graph/ir.hpp"
#include "graph/places.hpp"

namespace autograd {

namespace detail {
namespace {

/// Numbers follow the structure alone (inputs in their order, depth first), never addresses or ids
/// of tensors.
class History {
 public:
  History(const Tensor& t, const GraphNames& names) {
    for (const auto& [name, tensor] : names.tensors) names_.emplace(body(tensor)->id, name);
    for (const auto& [name, tensor] : names.buffers) {
      names_.emplace(body(tensor)->id, name);
      buffers_.insert(body(tensor)->id);
    }
    TensorBody* root = body(t);
    if (root->source) refresh_view(root);
    if (!root->node) {
      graph_.outputs = {add_leaf(root->id, root->dtype, root->sizes, root->requires_grad)};
      return;
    }
    order_from(root->node);
    // Only now it is known which inputs are outputs that carry no gradient; they count as edges
    // too.
    if (!side_outputs_.empty()) order_from(root->node);
    for (const Node* node : order_) add_leaves(*node);
    for (const Node* node : order_) add_op(*node);
    const int output = values_of_.at(root->node)[root->output_index];
    graph_.values[static_cast<size_t>(output)].role = Role::kOutput;
    graph_.outputs = {output};
    name_results(names);
    name_arguments(graph_);
    scopes_from_names(graph_);
  }
  GraphData take() { return std::move(graph_); }

 private:
  /// Output `index` of a node; node is nullptr if there is none.
  struct Source {
    const Node* node = nullptr;
    uint32_t index = 0;
  };

  void order_from(const Node* root);
  void finish(const Node* node);
  Source source_of(const NodeInput& input) const;
  void add_leaves(const Node& node);
  int add_leaf(uint64_t id, DType dtype, const Shape& sizes, bool is_parameter);
  void add_op(const Node& node);
  void set_storage(const Node& node, const GraphOp& op);
  int storage_number(const Tensor& saved, const TensorBody* leaf);
  void name_results(const GraphNames& names);
  GraphValue& value(int v) { return graph_.values[static_cast<size_t>(v)]; }

  GraphData graph_;
  Places places_;
  std::unordered_map<uint64_t, int> storages_;  // by id of the storage
  int n_storages_ = 0;
  std::unordered_map<uint64_t, std::string> names_;  // by id of the tensor
  std::unordered_set<uint64_t> buffers_;             // by id of the tensor
  std::unordered_map<uint64_t, int> leaves_;         // by id of the tensor
  std::vector<const Node*> order_;                   // inputs before users
  std::unordered_map<const Node*, std::vector<int>> values_of_;
  // Outputs that carry no gradient, such as the positions that max finds, do not know their node;
  // by id of the tensor.
  std::unordered_map<uint64_t, Source> side_outputs_;
};

History::Source History::source_of(const NodeInput& input) const {
  if (input.node || input.leaf) return {input.node, input.index};
  const auto found = side_outputs_.find(input.id);
  return found == side_outputs_.end() ? Source{} : found->second;
}

// An explicit stack: histories may be 100,000 ops deep.
void History::order_from(const Node* root) {
  struct Visit {
    const Node* node;
    int next_input;
  };
  order_.clear();
  values_of_.clear();
  values_of_[root];
  std::vector<Visit> stack{{root, 0}};
  while (!stack.empty()) {
    Visit& visit = stack.back();
    if (visit.next_input == visit.node->inputs.size()) {
      finish(visit.node);
      stack.pop_back();
      continue;
    }
    const Node* input = source_of(visit.node->inputs[visit.next_input++]).node;
    if (input && values_of_.try_emplace(input).second) stack.push_back({input, 0});
  }
}

void History::finish(const Node* node) {
  order_.push_back(node);
  // Output 0 is left out: an op in place gives it the id of its own input.
  for (int i = 1; i < node->outputs.size(); ++i)
    if (!is_floating(node->outputs[i].dtype))
      side_outputs_[node->outputs[i].id] = {node, static_cast<uint32_t>(i)};
}

int History::add_leaf(uint64_t id, DType dtype, const Shape& sizes, bool is_parameter) {
  const auto [entry, added] = leaves_.try_emplace(id, static_cast<int>(graph_.values.size()));
  if (!added) return entry->second;
  GraphValue& value = graph_.values.emplace_back();
  const auto name = names_.find(id);
  if (name != names_.end()) value.name = name->second;
  value.role = is_parameter                            ? Role::kParameter
               : buffers_.count(id)                    ? Role::kBuffer
               : sizes.empty() && name == names_.end() ? Role::kConstant
                                                       : Role::kInput;
  value.dtype = dtype;
  value.sizes = sizes;
  value.needs_grad = is_parameter;
  return entry->second;
}

void History::add_leaves(const Node& node) {
  for (const NodeInput& input : node.inputs) {
    if (!input.id || source_of(input).node) continue;
    GraphValue& value = graph_.values[static_cast<size_t>(
        add_leaf(input.id, input.dtype, input.sizes, input.leaf != nullptr))];
    if (value.storage < 0) value.storage = storage_number(input.saved, input.leaf);
    if (input.saved || input.leaf)
      value.strides = input.saved ? input.saved.strides() : input.leaf->strides;
    if (value.role != Role::kConstant || !input.saved) continue;
    value.has_number = true;
    const Unobserved pause;  // it is no read of the program's
    value.number = input.saved.item();
  }
}

void History::add_op(const Node& node) {
  GraphOp& op = graph_.ops.emplace_back();
  op.op = node.op;
  op.attrs = node.attrs;
  places_.set(node.location, op);
  for (const NodeInput& input : node.inputs) {
    const Source source = source_of(input);
    if (source.node)
      op.inputs.push_back(values_of_.at(source.node)[source.index]);
    else
      op.inputs.push_back(input.id ? leaves_.at(input.id) : -1);
  }
  for (const NodeOutput& output : node.outputs) {
    op.outputs.push_back(static_cast<int>(graph_.values.size()));
    GraphValue& value = graph_.values.emplace_back();
    value.op = static_cast<int>(graph_.ops.size()) - 1;
    value.dtype = output.dtype;
    value.sizes = output.sizes;
    value.needs_grad = is_floating(output.dtype);
    // What is no view is made dense.
    if (output.saved)
      value.strides = output.saved.strides();
    else if (!(op.op->traits & (kView | kInPlace)))
      value.strides = contiguous_strides(output.sizes);
  }
  values_of_[&node] = op.outputs;
  op.in_place = node.inputs.size() > 0 && node.outputs.size() > 0 && node.inputs[0].id != 0 &&
                node.inputs[0].id == node.outputs[0].id;
  for (int i = 0; i < node.inputs.size(); ++i)
    if (node.inputs[i].saved) op.saved.push_back(op.inputs[static_cast<size_t>(i)]);
  for (int i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i].saved) op.saved.push_back(op.outputs[static_cast<size_t>(i)]);
  set_storage(node, op);
}

// A leaf's memory is known if it is saved, or accumulates.
int History::storage_number(const Tensor& saved, const TensorBody* leaf) {
  const TensorBody* known = saved ? body(saved) : leaf;
  if (!known) return n_storages_++;
  const auto [entry, added] = storages_.try_emplace(known->storage->id, n_storages_);
  if (added) ++n_storages_;
  return entry->second;
}

void History::set_storage(const Node& node, const GraphOp& op) {
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    const bool shares = i == 0 && (op.in_place || (op.op->traits & kView)) && !op.inputs.empty() &&
                        op.inputs[0] >= 0;
    value(op.outputs[i]).storage =
        shares ? value(op.inputs[0]).storage
               : storage_number(node.outputs[static_cast<int>(i)].saved, nullptr);
  }
}

void History::name_results(const GraphNames& names) {
  for (const auto* list : {&names.tensors, &names.buffers})
    for (const auto& [name, tensor] : *list) {
      const auto found = values_of_.find(body(tensor)->node);
      if (!body(tensor)->node || found == values_of_.end()) continue;
      std::string& known = value(found->second[body(tensor)->output_index]).name;
      if (known.empty()) known = name;
    }
}

}  // namespace
}  // namespace detail

Graph Graph::from_tensor(const Tensor& t, const GraphNames& names) {
  return from_data(detail::hold(detail::History(t, names).take()));
}

}  // namespace autograd
