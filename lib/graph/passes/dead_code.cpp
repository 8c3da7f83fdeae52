// Dead code: ops whose results lead to no output and to no change of memory from outside.
#include <algorithm>

#include "graph/passes/passes.hpp"

namespace autograd::detail {

GraphData without_dead_code(const GraphData& graph, PassReport& report) {
  Rewrite rewrite(graph);
  // A live op or the caller looks at the value, and at its memory.
  std::vector<char> is_read(graph.values.size(), 0), is_seen(graph.values.size(), 0);
  const auto read = [&](int v) {
    if (v < 0) return;
    is_read[static_cast<size_t>(v)] = 1;
    is_seen[static_cast<size_t>(rewrite.memory.root(v))] = 1;
  };
  for (int v : graph.outputs) read(v);
  for (int i = rewrite.n_ops() - 1; i >= 0; --i) {
    const GraphOp& op = rewrite.op(i);
    const auto is_needed = [&](int v) {
      return is_read[static_cast<size_t>(v)] ||
             (rewrite.memory.writes(i) && (rewrite.memory.is_outside(v) ||
                                           is_seen[static_cast<size_t>(rewrite.memory.root(v))]));
    };
    if (is_random(op) || op.outputs.empty() ||
        std::any_of(op.outputs.begin(), op.outputs.end(), is_needed)) {
      for (int v : op.inputs) read(v);
      continue;
    }
    rewrite.drop(i);
    report.note("dead code", std::string(op.op->name) + " is never used", &op);
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
