#include "graph/passes/fused_body.hpp"

#include <algorithm>

namespace autograd::detail {

namespace {

class Body {
 public:
  explicit Body(Rewrite& rewrite) : rewrite_(rewrite), number_(rewrite.graph.values.size(), -1) {}

  void add_input(int v) {
    if (number(v) >= 0) return;
    GraphValue value = rewrite_.value(v);
    value.op = -1;
    if (!value.has_number) value.role = Role::kInput;
    number(v) = add(std::move(value));
  }

  void add_op(int i) {
    const GraphOp& op = rewrite_.op(i);
    if (op.body) return add_parts(op);
    add_made(
        op, [&](int v) { return number(v); },
        [&](int v) { return number(v) = add(made(rewrite_.value(v))); });
  }

  std::shared_ptr<const GraphData> finish(const std::vector<int>& outputs) {
    for (int v : outputs) {
      graph_->outputs.push_back(number(v));
      graph_->values[static_cast<size_t>(number(v))].role = Role::kOutput;
    }
    return graph_;
  }

 private:
  int& number(int v) { return number_[static_cast<size_t>(v)]; }
  int add(GraphValue value) {
    graph_->values.push_back(std::move(value));
    return static_cast<int>(graph_->values.size()) - 1;
  }
  GraphValue made(GraphValue value) const {
    value.op = static_cast<int>(graph_->ops.size());
    value.role = Role::kIntermediate;
    return value;
  }

  /// The op with other numbers of its values.
  template <class Known, class Made>
  void add_made(GraphOp op, const Known& known, const Made& made) {
    op.saved.clear();
    op.forward = op.scope = -1;
    for (int& v : op.inputs) v = v < 0 ? -1 : known(v);
    for (int& v : op.outputs) v = made(v);
    graph_->ops.push_back(std::move(op));
  }

  /// The ops that a fused op stands for. Its body has the op's inputs as leaves, each once.
  void add_parts(const GraphOp& op) {
    const GraphData& body = *op.body;
    std::vector<int> inner(body.values.size(), -1), seen;
    for (int v : op.inputs) {
      if (std::find(seen.begin(), seen.end(), v) != seen.end()) continue;
      inner[seen.size()] = number(v);
      seen.push_back(v);
    }
    for (const GraphOp& part : body.ops)
      add_made(
          part, [&](int v) { return inner[static_cast<size_t>(v)]; },
          [&](int v) {
            return inner[static_cast<size_t>(v)] = add(made(body.values[static_cast<size_t>(v)]));
          });
    for (size_t k = 0; k < op.outputs.size(); ++k)
      number(op.outputs[k]) = inner[static_cast<size_t>(body.outputs[k])];
  }

  Rewrite& rewrite_;
  std::vector<int> number_;
  std::shared_ptr<GraphData> graph_ = std::make_shared<GraphData>();
};

}  // namespace

std::shared_ptr<const GraphData> body_of(Rewrite& rewrite, const std::vector<int>& ops,
                                         const std::vector<int>& inputs,
                                         const std::vector<int>& outputs) {
  Body body(rewrite);
  for (int v : inputs) body.add_input(v);
  for (int i : ops) body.add_op(i);
  return body.finish(outputs);
}

std::string names_of(Rewrite& rewrite, const std::vector<int>& ops) {
  std::string names;
  const auto add = [&](const GraphOp& op) {
    names.append(names.empty() ? "" : " + ").append(op.op->name);
  };
  for (int i : ops) {
    const GraphOp& op = rewrite.op(i);
    if (!op.body) add(op);
    for (size_t k = 0; op.body && k < op.body->ops.size(); ++k) add(op.body->ops[k]);
  }
  return names;
}

int common_scope(const Rewrite& rewrite, const std::vector<int>& ops) {
  const auto& scopes = rewrite.graph.scopes;
  const auto around = [&](int scope) {
    std::vector<int> path;
    for (; scope >= 0; scope = scopes[static_cast<size_t>(scope)].parent) path.push_back(scope);
    return path;
  };
  std::vector<int> common = around(rewrite.graph.ops[static_cast<size_t>(ops[0])].scope);
  for (int i : ops) {
    const std::vector<int> path = around(rewrite.graph.ops[static_cast<size_t>(i)].scope);
    size_t same = 0;
    while (same < common.size() && same < path.size() &&
           common[common.size() - 1 - same] == path[path.size() - 1 - same])
      ++same;
    common.erase(common.begin(), common.end() - static_cast<ptrdiff_t>(same));
  }
  return common.empty() ? -1 : common.front();
}

}  // namespace autograd::detail
