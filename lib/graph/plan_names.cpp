// A plan keeps the tensors behind its leaves, so that they can be found among those with a name.
#include "graph/plan_names.hpp"

#include <algorithm>
#include <unordered_map>

#include "graph/places.hpp"

namespace autograd::detail {
namespace {

struct Given {
  const std::string* name;
  const TensorBody* tensor;
  bool is_buffer;
};

class TensorNames {
 public:
  explicit TensorNames(const GraphNames& names) {
    for (const auto& [name, tensor] : names.tensors) add(name, tensor, false);
    for (const auto& [name, tensor] : names.buffers) add(name, tensor, true);
  }

  /// nullptr if it has no name. detach() makes another tensor of the same elements.
  const Given* of(const Tensor& t) const {
    if (!t) return nullptr;
    const TensorBody* b = body(t);
    const auto found = by_data_.find(b->data);
    if (found == by_data_.end()) return nullptr;
    const std::vector<Given>& all = found->second;
    for (const Given& each : all)
      if (each.tensor == b) return &each;
    for (const Given& each : all)
      if (each.tensor->storage == b->storage && each.tensor->dtype == b->dtype &&
          each.tensor->sizes == b->sizes && each.tensor->strides == b->strides)
        return &each;
    return nullptr;
  }

 private:
  void add(const std::string& name, const Tensor& t, bool is_buffer) {
    const TensorBody* b = body(t);
    by_data_[b->data].push_back({&name, b, is_buffer});
  }

  std::unordered_map<const void*, std::vector<Given>> by_data_;
};

class LeafNames {
 public:
  LeafNames(GraphData& graph, const Capture& capture, const GraphNames& names,
            const std::vector<std::string>& inputs)
      : graph_(graph), capture_(capture), named_(names), inputs_(inputs) {}

  void run() {
    for (size_t v = 0; v < capture_.leaves.size(); ++v) name(capture_.leaves[v], graph_.values[v]);
    std::unordered_map<int, int> first;  // by storage
    for (size_t v = 0; v < capture_.leaves.size(); ++v)
      if (graph_.values[v].storage >= 0)
        first.try_emplace(graph_.values[v].storage, static_cast<int>(v));
    const auto first_of = [&](int v) {
      const auto found = first.find(graph_.values[static_cast<size_t>(v)].storage);
      return found == first.end() ? v : found->second;
    };
    for (const GraphOp& op : graph_.ops)
      if (op.op->traits & kUpdate) name_states(graph_, op, first_of);
    name_arguments(graph_);
  }

  /// "" if the tensor has no name.
  std::string of_gradient(const CapturedGrad& grad) const {
    std::string name = grad.input >= 0 ? of_input(grad.input) : "";
    const Given* given = name.empty() ? named_.of(grad.of) : nullptr;
    if (given) name = *given->name;
    return name.empty() ? "" : name + ".grad";
  }

 private:
  std::string of_input(int number) const {
    return static_cast<size_t>(number) < inputs_.size() ? inputs_[static_cast<size_t>(number)] : "";
  }

  void name(const CapturedLeaf& leaf, GraphValue& value) {
    switch (leaf.origin) {
      case Origin::kInput:
        value.name = of_input(leaf.number);
        break;
      case Origin::kOptions:
        value.name = "options";
        return;
      case Origin::kGradient:
        value.name = of_gradient(capture_.grads[static_cast<size_t>(leaf.number)]);
        return;
      default:
        break;
    }
    const Given* given = value.name.empty() ? named_.of(leaf.tensor) : nullptr;
    if (!given) return;
    value.name = *given->name;
    if (given->is_buffer) value.role = Role::kBuffer;
  }

  GraphData& graph_;
  const Capture& capture_;
  const TensorNames named_;
  const std::vector<std::string>& inputs_;
};

void find_lines(std::vector<GraphOp>& ops, Places& places) {
  for (GraphOp& op : ops) {
    if (op.location && op.file.empty()) places.set(op.location, op);
    if (!op.body) continue;
    auto body = std::make_shared<GraphData>(*op.body);
    find_lines(body->ops, places);
    op.body = std::move(body);
  }
}

}  // namespace

GraphData named_graph(const Plan& plan, bool as_captured, const GraphNames& names,
                      const std::vector<std::string>& inputs) {
  const Capture& capture = plan.capture();
  GraphData captured = plan.captured();
  LeafNames leaves(captured, capture, names, inputs);
  leaves.run();
  GraphData graph = as_captured ? captured : plan.graph();
  // Passes leave leaves where they are.
  for (size_t v = 0; v < capture.leaves.size(); ++v) {
    graph.values[v].name = captured.values[v].name;
    graph.values[v].role = captured.values[v].role;
  }
  const std::vector<int> ends = as_captured ? outputs_for_passes(capture) : graph.outputs;
  for (size_t i = 0; i < capture.grads.size(); ++i) {
    const size_t at = capture.graph.outputs.size() + i;
    const int v = at < ends.size() ? ends[at] : -1;
    if (v < 0 || !graph.values[static_cast<size_t>(v)].name.empty()) continue;
    graph.values[static_cast<size_t>(v)].name = leaves.of_gradient(capture.grads[i]);
  }
  if (graph.scopes.empty()) scopes_from_names(graph);
  Places places;
  find_lines(graph.ops, places);
  return graph;
}

}  // namespace autograd::detail
