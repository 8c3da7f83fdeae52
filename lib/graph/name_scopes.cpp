// Modules of a graph that was not recorded, as far as the names of its parameters tell them.
#include <algorithm>
#include <map>
#include <string_view>

#include "graph/ir.hpp"

namespace autograd::detail {
namespace {

constexpr int kUnknown = -2;  // besides -1, which is outside of all modules

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

class NameScopes {
 public:
  explicit NameScopes(GraphData& graph) : graph_(graph) {}

  void run() {
    std::vector<int> own;
    for (const GraphOp& op : graph_.ops)
      own.push_back(op.phase == Phase::kForward ? scope_of_parameters(op) : kUnknown);
    if (graph_.scopes.empty()) return;
    // An op without parameters is in the innermost module that holds what it reads from and what
    // reads it.
    std::vector<int> before = own, after(own.size(), kUnknown);
    for (size_t i = 0; i < own.size(); ++i)
      for (int v : graph_.ops[i].inputs)
        if (own[i] == kUnknown && v >= 0 && maker(v) >= 0)
          before[i] = common(before[i], before[static_cast<size_t>(maker(v))]);
    for (size_t i = own.size(); i-- > 0;) {
      if (graph_.ops[i].phase != Phase::kForward) continue;
      if (own[i] != kUnknown) after[i] = own[i];
      for (int v : graph_.ops[i].inputs)
        if (v >= 0 && maker(v) >= 0) {
          int& of_maker = after[static_cast<size_t>(maker(v))];
          if (own[static_cast<size_t>(maker(v))] == kUnknown) of_maker = common(of_maker, after[i]);
        }
    }
    for (size_t i = 0; i < own.size(); ++i) {
      int scope = own[i];
      // What nothing reads is the end of the whole.
      if (scope == kUnknown) scope = after[i] == kUnknown ? -1 : common(before[i], after[i]);
      GraphOp& op = graph_.ops[i];
      // What a gradient rule does belongs to the module whose op it belongs to.
      if (op.phase == Phase::kForward)
        op.scope = std::max(scope, -1);
      else if (op.phase == Phase::kBackward && op.forward >= 0)
        op.scope = graph_.ops[static_cast<size_t>(op.forward)].scope;
    }
    // What a gradient rule does belongs to the module of the op whose rule it is.
    for (GraphOp& op : graph_.ops)
      if (op.forward >= 0) op.scope = graph_.ops[static_cast<size_t>(op.forward)].scope;
  }

 private:
  int maker(int v) const { return graph_.values[static_cast<size_t>(v)].op; }
  int parent(int s) const { return graph_.scopes[static_cast<size_t>(s)].parent; }

  int depth(int s) const {
    int depth = 0;
    for (; s >= 0; s = parent(s)) ++depth;
    return depth;
  }

  int common(int a, int b) const {
    if (a == kUnknown) return b;
    if (b == kUnknown) return a;
    for (; depth(a) > depth(b); a = parent(a)) {
    }
    for (; depth(b) > depth(a); b = parent(b)) {
    }
    for (; a != b; a = parent(a)) b = parent(b);
    return a;
  }

  // The module of the parameters that the op reads, kUnknown if it reads none with a path; the
  // steps of optimizers are in none.
  int scope_of_parameters(const GraphOp& op) {
    if (op.phase == Phase::kOptimizer) return -1;
    int scope = kUnknown;
    for (int v : op.inputs) {
      if (v < 0) continue;
      const GraphValue& value = graph_.values[static_cast<size_t>(v)];
      const bool belongs = value.role == Role::kParameter || value.role == Role::kBuffer;
      if (belongs && value.name.find('.') != std::string::npos)
        scope = common(scope, scope_of_path(value.name));
    }
    return scope;
  }

  // "layers.0.linear.weight" is in "linear" in "layers.0".
  int scope_of_path(std::string_view path) {
    int scope = -1;
    std::string name;
    for (size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
      name.append(name.empty() ? "" : ".").append(path.substr(0, dot));
      path.remove_prefix(dot + 1);
      // A list of modules is no module that is called.
      if (is_number(path.substr(0, path.find('.')))) continue;
      scope = add(scope, name);
      name.clear();
    }
    return scope;
  }

  int add(int parent, const std::string& name) {
    const auto [entry, added] =
        known_.try_emplace({parent, name}, static_cast<int>(graph_.scopes.size()));
    if (added) graph_.scopes.push_back({name, "", parent});
    return entry->second;
  }

  GraphData& graph_;
  std::map<std::pair<int, std::string>, int> known_;
};

}  // namespace

void scopes_from_names(GraphData& graph) { NameScopes(graph).run(); }

}  // namespace autograd::detail
