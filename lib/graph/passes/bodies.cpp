// What fused ops hold, for those who look at them.
#include <algorithm>
#include <map>
#include <utility>

#include "graph/passes/rewrite.hpp"

namespace autograd::detail {

namespace {

/// Collects ops of a graph as a graph of their own.
class Body {
 public:
  explicit Body(const GraphData& from)
      : from_(from), number_(from.values.size(), -1), body_(std::make_shared<GraphData>()) {}

  void add_input(int v) {
    const int leaf = add_leaf(v < 0 ? GraphValue() : from_.values[static_cast<size_t>(v)]);
    if (v >= 0 && number(v) < 0) number(v) = leaf;
  }
  void add_numbers(const GraphOp& op) {
    if (op.body) {
      std::vector<int>& here = inner_[&op];
      here.assign(op.body->values.size(), -1);
      for (size_t v = op.inputs.size(); v < here.size() && op.body->values[v].is_leaf(); ++v)
        here[v] = add_leaf(op.body->values[v]);
    }
    for (int v : op.inputs)
      if (v >= 0 && number(v) < 0 && from_.values[static_cast<size_t>(v)].is_leaf())
        number(v) = add_leaf(from_.values[static_cast<size_t>(v)]);
  }

  void add(const GraphOp& op) {
    if (op.body) return add_all_of(op);
    GraphOp part = op;
    for (int& v : part.inputs) v = v < 0 ? -1 : number(v);
    for (int& v : part.outputs) v = number(v) = add_result(from_.values[static_cast<size_t>(v)]);
    add_part(std::move(part));
  }

  std::shared_ptr<const GraphData> finish(const std::vector<int>& outputs) {
    for (int v : outputs) {
      body_->outputs.push_back(number(v));
      body_->values[static_cast<size_t>(number(v))].role = Role::kOutput;
    }
    return body_;
  }

 private:
  int& number(int v) { return number_[static_cast<size_t>(v)]; }

  int add_leaf(GraphValue value) {
    value.op = -1;
    if (!value.has_number) value.role = Role::kInput;
    body_->values.push_back(std::move(value));
    return static_cast<int>(body_->values.size()) - 1;
  }
  int add_result(GraphValue value) {
    value.op = static_cast<int>(body_->ops.size());
    value.role = Role::kIntermediate;
    body_->values.push_back(std::move(value));
    return static_cast<int>(body_->values.size()) - 1;
  }
  void add_part(GraphOp part) {
    part.saved.clear();
    part.forward = part.scope = -1;
    body_->ops.push_back(std::move(part));
  }

  void add_all_of(const GraphOp& op) {
    const GraphData& inner = *op.body;
    std::vector<int>& here = inner_[&op];
    for (size_t v = 0; v < op.inputs.size(); ++v)
      here[v] = op.inputs[v] < 0 ? -1 : number(op.inputs[v]);
    for (GraphOp part : inner.ops) {
      for (int& v : part.inputs) v = v < 0 ? -1 : here[static_cast<size_t>(v)];
      for (int& v : part.outputs)
        v = here[static_cast<size_t>(v)] = add_result(inner.values[static_cast<size_t>(v)]);
      add_part(std::move(part));
    }
    for (size_t k = 0; k < op.outputs.size(); ++k)
      number(op.outputs[k]) = here[static_cast<size_t>(inner.outputs[k])];
  }

  const GraphData& from_;
  std::vector<int> number_;                           // by value of the whole graph
  std::map<const GraphOp*, std::vector<int>> inner_;  // by value of what a fused op holds
  std::shared_ptr<GraphData> body_;
};

}  // namespace

std::shared_ptr<const GraphData> Rewrite::body_of(const std::vector<int>& ops,
                                                  const std::vector<int>& inputs,
                                                  const std::vector<int>& outputs) const {
  Body body(graph);
  for (int v : inputs) body.add_input(v);
  for (int i : ops) body.add_numbers(graph.ops[static_cast<size_t>(i)]);
  for (int i : ops) body.add(graph.ops[static_cast<size_t>(i)]);
  return body.finish(outputs);
}

int Rewrite::scope_around(const std::vector<int>& ops) const {
  const auto around = [&](int scope) {
    std::vector<int> path;
    for (; scope >= 0; scope = graph.scopes[static_cast<size_t>(scope)].parent)
      path.push_back(scope);
    return path;
  };
  std::vector<int> common = around(graph.ops[static_cast<size_t>(ops[0])].scope);
  for (int i : ops) {
    const std::vector<int> path = around(graph.ops[static_cast<size_t>(i)].scope);
    size_t same = 0;
    while (same < common.size() && same < path.size() &&
           common[common.size() - 1 - same] == path[path.size() - 1 - same])
      ++same;
    common.erase(common.begin(), common.end() - static_cast<ptrdiff_t>(same));
  }
  return common.empty() ? -1 : common.front();
}

std::string Rewrite::names_of(const std::vector<int>& ops) const {
  std::string names;
  const auto add = [&](const GraphOp& op) {
    names.append(names.empty() ? "" : " + ").append(op.op->name);
  };
  for (int i : ops) {
    const GraphOp& op = graph.ops[static_cast<size_t>(i)];
    if (!op.body)
      add(op);
    else
      std::for_each(op.body->ops.begin(), op.body->ops.end(), add);
  }
  return names;
}

}  // namespace autograd::detail
