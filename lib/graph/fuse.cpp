// A graph as the compiler would execute it, with a report of what it did.
#include <algorithm>
#include <map>

#include "autograd/graph.hpp"
#include "graph/analysis.hpp"
#include "graph/draw/style.hpp"
#include "graph/ir.hpp"
#include "graph/passes/passes.hpp"

namespace autograd {

namespace detail {
namespace {

int64_t count_edges(const GraphData& graph) {
  int64_t count = 0;
  for (const GraphOp& op : graph.ops)
    for (int v : op.inputs) count += v >= 0;
  return count;
}

// Leaves that something reads, and ops.
int64_t count_nodes(const GraphData& graph) {
  std::vector<char> read(graph.values.size(), 0);
  for (const GraphOp& op : graph.ops)
    for (int v : op.inputs)
      if (v >= 0) read[static_cast<size_t>(v)] = 1;
  int64_t count = static_cast<int64_t>(graph.ops.size());
  for (size_t v = 0; v < read.size(); ++v) count += read[v] && graph.values[v].is_leaf();
  return count;
}

void append_counts(std::string& text, const char* name, const GraphData& graph) {
  const GraphCost cost = total_cost(graph);
  text.append(", \"").append(name).append("\": {\"ops\": ");
  text += std::to_string(graph.ops.size());
  text.append(", \"nodes\": ").append(std::to_string(count_nodes(graph)));
  text.append(", \"edges\": ").append(std::to_string(count_edges(graph)));
  text.append(", \"flops\": ").append(number_text(cost.flops));
  text.append(", \"bytes\": ").append(number_text(cost.bytes_read + cost.bytes_written));
  text.append(", \"peak_bytes\": ").append(number_text(peak_bytes(graph))).append("}");
}

std::string report_text(const PassReport& report, const GraphData& before, const GraphData& after) {
  std::map<std::pair<std::string, std::string>, int> counts;
  std::vector<std::pair<std::string, std::string>> order;
  for (const PassReport::Change& change : report.changes)
    if (counts[{change.pass, change.what}]++ == 0) order.emplace_back(change.pass, change.what);
  std::string text = "{\"changes\": [";
  for (size_t i = 0; i < order.size(); ++i) {
    text.append(i ? ", " : "").append("{\"pass\": ").append(json_quoted(order[i].first));
    text.append(", \"what\": ").append(json_quoted(order[i].second));
    text.append(", \"count\": ").append(std::to_string(counts[order[i]])).append("}");
  }
  text += "], \"refusals\": [";
  for (size_t i = 0; i < report.refusals.size(); ++i) {
    const PassReport::Refusal& refusal = report.refusals[i];
    text.append(i ? ", " : "").append("{\"what\": ").append(json_quoted(refusal.what));
    text.append(", \"why\": ").append(json_quoted(refusal.why));
    text.append(", \"count\": ").append(std::to_string(refusal.count)).append("}");
  }
  text += "]";
  append_counts(text, "before", before);
  append_counts(text, "after", after);
  return text + "}";
}

void renumber(GraphData& graph, int from, int by) {
  for (GraphOp& op : graph.ops)
    for (auto* list : {&op.inputs, &op.outputs, &op.saved})
      for (int& v : *list)
        if (v >= from) v += by;
  for (int& v : graph.outputs)
    if (v >= from) v += by;
}

int count_leaves(const GraphData& graph) {
  int leaves = 0;
  for (const GraphValue& v : graph.values) leaves += v.is_leaf();
  return leaves;
}

// The passes know steps of one optimizer by the options that they read, which a recording does not
// show: for them they are leaves behind the others.
void show_options(GraphData& graph) {
  const int leaves = count_leaves(graph), n = static_cast<int>(graph.options.size());
  renumber(graph, leaves, n);
  for (int k = 0; k < n; ++k) {
    GraphValue value;
    value.role = Role::kInput;
    value.dtype = DType::kFloat64;
    value.sizes = {static_cast<int64_t>(graph.options[static_cast<size_t>(k)].size())};
    value.strides = {1};
    graph.values.insert(graph.values.begin() + leaves + k, value);
  }
  for (GraphOp& op : graph.ops)
    if (op.options >= 0) op.inputs.push_back(leaves + op.options);
}

void hide_options(GraphData& graph, int n) {
  const int leaves = count_leaves(graph) - n;
  for (GraphOp& op : graph.ops)
    if (op.options >= 0) op.inputs.pop_back();
  graph.values.erase(graph.values.begin() + leaves, graph.values.begin() + leaves + n);
  renumber(graph, leaves + n, -n);
}

/// Finds what modules have made beside what was wanted of them, such as the last state of a GRU: a
/// result that nothing reads and no variable holds, of a call that has made another one for use.
class Byproducts {
 public:
  explicit Byproducts(GraphData& graph)
      : graph_(graph), used_(graph.scopes.size(), 0), held_(graph.scopes.size(), -1) {
    for (const GraphOp& op : graph.ops)
      for (int v : op.inputs)
        if (v >= 0 && !value(v).is_leaf()) use(scope_of(v), op.scope);
    for (size_t v = 0; v < graph.values.size(); ++v)
      if (is_held(static_cast<int>(v)))
        for (int s = scope_of(static_cast<int>(v)); s >= 0; s = parent(s))
          held_[static_cast<size_t>(s)] = static_cast<int>(v);
  }

  void forget(PassReport& report) {
    std::vector<int> wanted;
    for (int v : graph_.outputs) {
      const int scope = value(v).is_leaf() || is_held(v) ? -1 : scope_of(v);
      const int held = scope < 0 ? -1 : held_[static_cast<size_t>(scope)];
      if (scope < 0 || (held < 0 && !used_[static_cast<size_t>(scope)])) {
        wanted.push_back(v);
        continue;
      }
      if (held >= 0 && !used_[static_cast<size_t>(scope)]) wanted.push_back(held);
      value(v).role = Role::kIntermediate;
      const GraphOp& op = graph_.ops[static_cast<size_t>(value(v).op)];
      report.note("unused results", std::string("nobody holds that of ") + op.op->name, &op);
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    for (int v : wanted)
      if (!value(v).is_leaf()) value(v).role = Role::kOutput;
    graph_.outputs = std::move(wanted);
  }

 private:
  GraphValue& value(int v) { return graph_.values[static_cast<size_t>(v)]; }
  int parent(int scope) const { return graph_.scopes[static_cast<size_t>(scope)].parent; }
  int scope_of(int v) { return graph_.ops[static_cast<size_t>(value(v).op)].scope; }
  bool is_held(int v) {
    return !value(v).is_leaf() && (!value(v).name.empty() || value(v).was_read);
  }

  // What was made in a call is read by an op elsewhere: all calls around it that the reader is not
  // in have made something for use.
  void use(int scope, int reader) {
    for (; scope >= 0; scope = parent(scope)) {
      int around = reader;
      while (around >= 0 && around != scope) around = parent(around);
      if (around == scope) return;
      used_[static_cast<size_t>(scope)] = 1;
    }
  }

  GraphData& graph_;
  std::vector<char> used_;  // by call of a module
  std::vector<int> held_;   // a value
};

}  // namespace
}  // namespace detail

Graph Graph::fuse() const {
  detail::GraphData graph = data();
  for (detail::GraphOp& op : graph.ops) {
    // Numbers of ops that go; passes find the order of changes by themselves. Nothing is kept for
    // gradients: those that are wanted are part of the graph.
    op.after.clear();
    op.saved.clear();
    op.seconds = -1;
  }
  graph.seconds = -1;
  graph.measured = {};
  detail::PassReport report;
  if (graph.outputs_are_guessed) detail::Byproducts(graph).forget(report);
  detail::show_options(graph);
  detail::GraphData fused = detail::optimise(graph, report);
  detail::hide_options(fused, static_cast<int>(data().options.size()));
  fused.options = data().options;
  fused.report = detail::report_text(report, data(), fused);
  return from_data(detail::hold(std::move(fused)));
}

std::string Graph::report() const { return data().report; }

}  // namespace autograd
