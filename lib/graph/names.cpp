// Names of kinds, roles and scopes.
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

std::string scope_path(const GraphData& graph, int scope) {
  std::string path;
  for (int s = scope; s >= 0; s = graph.scopes[static_cast<size_t>(s)].parent) {
    const std::string& name = graph.scopes[static_cast<size_t>(s)].name;
    if (!name.empty()) path = path.empty() ? name : name + "." + path;
  }
  return path;
}

}  // namespace autograd::detail
