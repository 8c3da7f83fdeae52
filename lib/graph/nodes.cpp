// Nodes and edges of a graph, for readers of all kinds.
#include <algorithm>

#include "autograd/error.hpp"
#include "autograd/graph.hpp"
#include "graph/analysis.hpp"
#include "graph/draw/style.hpp"
#include "graph/ir.hpp"

namespace autograd {

namespace detail {
namespace {

class Nodes {
 public:
  explicit Nodes(const GraphData& graph) : graph_(graph) {
    for (size_t v = 0; v < graph.values.size(); ++v) {
      if (!graph.values[v].is_leaf()) continue;
      index_of_leaf_.resize(v + 1, -1);
      index_of_leaf_[v] = leaves_++;
    }
  }

  std::vector<GraphNode> nodes() const {
    std::vector<GraphNode> list;
    for (size_t v = 0; v < graph_.values.size(); ++v)
      if (graph_.values[v].is_leaf()) list.push_back(leaf(v));
    const std::vector<uint64_t> ids = content_ids(graph_);
    for (size_t i = 0; i < graph_.ops.size(); ++i) {
      list.push_back(op(i));
      list.back().id = ids[i];
    }
    return list;
  }

  std::vector<GraphEdge> edges() const {
    std::vector<char> kept(graph_.values.size(), 0);  // by the op that makes it
    for (const GraphOp& op : graph_.ops)
      for (int v : op.saved)
        if (v >= 0 && contains(op.outputs, v)) kept[static_cast<size_t>(v)] = 1;
    std::vector<GraphEdge> list;
    for (size_t i = 0; i < graph_.ops.size(); ++i) {
      const GraphOp& op = graph_.ops[i];
      for (size_t k = 0; k < op.inputs.size(); ++k)
        if (op.inputs[k] >= 0) list.push_back(edge(i, k, kept));
      for (int before : op.after) {
        GraphEdge& order = list.emplace_back();
        order.source = leaves_ + before;
        order.target = leaves_ + static_cast<int64_t>(i);
        order.order = true;
      }
    }
    return list;
  }

 private:
  static bool contains(const std::vector<int>& list, int v) {
    return std::find(list.begin(), list.end(), v) != list.end();
  }
  const GraphValue& value(int v) const { return graph_.values[static_cast<size_t>(v)]; }
  std::string key(int v) const {
    if (v < 0) return "";
    return value(v).is_leaf() ? "v" + std::to_string(v) : "op" + std::to_string(value(v).op);
  }

  static void describe(GraphNode& node, const GraphValue& value) {
    node.shapes.push_back(value.sizes);
    node.dtypes.push_back(value.dtype);
    node.storage.push_back(value.storage);
    node.needs_grad |= value.needs_grad;
    if (node.name.empty()) node.name = value.name;
  }

  GraphNode leaf(size_t v) const {
    const GraphValue& value = graph_.values[v];
    GraphNode node;
    node.key = key(static_cast<int>(v));
    node.kind = role_name(value.role);
    node.has_number = value.has_number;
    node.number = value.number;
    describe(node, value);
    return node;
  }

  GraphNode op(size_t i) const {
    const GraphOp& op = graph_.ops[i];
    GraphNode node;
    node.key = "op" + std::to_string(i);
    node.op = op.op->name;
    node.kind = kind_name(*op.op);
    for (int v : op.outputs) describe(node, value(v));
    node.attrs = attr_pairs(*op.op, op.attrs);
    for (int v : op.inputs) node.inputs.push_back(key(v));
    for (int v : op.saved)
      if (v >= 0) node.saved.push_back(key(v));
    node.in_place = op.in_place;
    node.phase = name_of(op.phase);
    if (op.forward >= 0) node.forward = "op" + std::to_string(op.forward);
    if (op.scope >= 0) {
      node.module = scope_path(graph_, op.scope);
      node.module_type = graph_.scopes[static_cast<size_t>(op.scope)].type;
    }
    node.file = op.file;
    node.line = op.line;
    node.cost = cost_of(graph_, op);
    if (op.body)
      for (GraphNode& inner : Nodes(*op.body).nodes())
        if (!inner.op.empty()) node.body.push_back(std::move(inner));
    return node;
  }

  GraphEdge edge(size_t i, size_t k, const std::vector<char>& kept) const {
    const GraphOp& op = graph_.ops[i];
    const int v = op.inputs[k];
    GraphEdge edge;
    edge.target = leaves_ + static_cast<int64_t>(i);
    edge.input = static_cast<int>(k);
    if (value(v).is_leaf()) {
      edge.source = index_of_leaf_[static_cast<size_t>(v)];
    } else {
      const auto& made = graph_.ops[static_cast<size_t>(value(v).op)].outputs;
      edge.source = leaves_ + value(v).op;
      edge.output = static_cast<int>(std::find(made.begin(), made.end(), v) - made.begin());
    }
    edge.shape = value(v).sizes;
    edge.dtype = value(v).dtype;
    edge.needs_grad = value(v).needs_grad;
    edge.saved = kept[static_cast<size_t>(v)] || contains(op.saved, v);
    return edge;
  }

  const GraphData& graph_;
  int64_t leaves_ = 0;
  std::vector<int64_t> index_of_leaf_;
};

}  // namespace
}  // namespace detail

std::vector<GraphNode> Graph::nodes() const { return detail::Nodes(data()).nodes(); }
std::vector<GraphEdge> Graph::edges() const { return detail::Nodes(data()).edges(); }
GraphCost Graph::cost() const { return detail::total_cost(data()); }
double Graph::peak_bytes() const { return detail::peak_bytes(data()); }

}  // namespace autograd
