// Names of kinds, roles, scopes and of what ops read.
#include <set>
#include <string_view>

#include "graph/analysis.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

const char* kind_name(const Op& op) {
  const struct {
    uint32_t trait;
    const char* name;
  } kinds[] = {{kUpdate, "update"},       {kView, "view"},          {kProduct, "product"},
               {kLoss, "loss"},           {kRandom, "random"},      {kCopies, "copy"},
               {kReduction, "reduction"}, {kPointwise, "pointwise"}};
  for (const auto& kind : kinds)
    if (op.traits & kind.trait) return kind.name;
  return "other";
}

const char* role_name(Role role) {
  switch (role) {
    case Role::kParameter:
      return "parameter";
    case Role::kBuffer:
      return "buffer";
    case Role::kInput:
      return "input";
    case Role::kConstant:
      return "constant";
    case Role::kIntermediate:
      return "intermediate";
    case Role::kOutput:
      return "output";
  }
  return "?";
}

namespace {

// The value that v shows all elements of, in other sizes or another order.
int seen_as(const GraphData& graph, int v) {
  const auto value = [&](int i) -> const GraphValue& {
    return graph.values[static_cast<size_t>(i)];
  };
  for (int op = value(v).op; op >= 0; op = value(v).op) {
    const GraphOp& view = graph.ops[static_cast<size_t>(op)];
    if (!(view.op->traits & kView) || view.inputs[0] < 0 ||
        bytes_of(value(view.inputs[0])) != bytes_of(value(v)))
      break;
    v = view.inputs[0];
  }
  return v;
}

}  // namespace

void name_arguments(GraphData& graph) {
  std::set<std::string> taken;
  for (const GraphValue& value : graph.values) taken.insert(value.name);
  for (const GraphOp& op : graph.ops) {
    if (op.op->traits & kUpdate) continue;  // these name states after their parameters
    std::string_view words = op.op->inputs;
    for (size_t i = 0; i < op.inputs.size() && !words.empty(); ++i) {
      const size_t comma = words.find(',');
      const std::string word(words.substr(0, comma));
      words = comma == std::string_view::npos ? "" : words.substr(comma + 1);
      if (word.empty() || op.inputs[i] < 0) continue;
      GraphValue& value = graph.values[static_cast<size_t>(seen_as(graph, op.inputs[i]))];
      if (value.op >= 0 || value.role != Role::kInput || !value.name.empty()) continue;
      value.name = word;
      for (int n = 2; !taken.insert(value.name).second; ++n)
        value.name = word + "_" + std::to_string(n);
    }
  }
}

std::string scope_path(const GraphData& graph, int scope) {
  std::string path;
  for (int s = scope; s >= 0; s = graph.scopes[static_cast<size_t>(s)].parent) {
    const std::string& name = graph.scopes[static_cast<size_t>(s)].name;
    if (!name.empty()) path = path.empty() ? name : name + "." + path;
  }
  return path;
}

}  // namespace autograd::detail
