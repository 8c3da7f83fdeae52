// Updates: the steps of one optimizer become one op over all parameters, which reads the options
// and plans the step once. The op's inputs are those of the parameters one after the other, then
// the options; ints[0] counts the parameters.
#include <algorithm>

#include "graph/passes/passes.hpp"

namespace autograd::detail {

namespace {

bool is_update(const GraphOp& op) { return op.op->traits & kUpdate && op.inputs.size() >= 3; }

/// Both are steps of one call of the optimizer.
bool belong_together(const GraphOp& a, const GraphOp& b) {
  return a.op == b.op && a.inputs.back() == b.inputs.back() && a.inputs.size() == b.inputs.size() &&
         a.attrs.ints[0] == 0 && b.attrs.ints[0] == 0;
}

}  // namespace

GraphData with_joined_updates(const GraphData& graph, PassReport& report) {
  Rewrite rewrite(graph);
  std::vector<char> done(graph.ops.size(), 0);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    if (!is_update(rewrite.op(i)) || done[static_cast<size_t>(i)]) continue;
    std::vector<int> steps = {i};
    for (int k = i + 1; k < rewrite.n_ops(); ++k) {
      if (!is_update(rewrite.op(k)) || done[static_cast<size_t>(k)] ||
          !belong_together(rewrite.op(i), rewrite.op(k)))
        continue;
      steps.push_back(k);
      if (!rewrite.can_join(steps)) steps.pop_back();
    }
    if (steps.size() == 1) continue;
    GraphOp joined = rewrite.op(steps.back());
    joined.inputs.clear();
    joined.outputs.clear();
    for (int k : steps) {
      const GraphOp& step = rewrite.op(k);
      joined.inputs.insert(joined.inputs.end(), step.inputs.begin(), step.inputs.end() - 1);
      joined.outputs.insert(joined.outputs.end(), step.outputs.begin(), step.outputs.end());
      done[static_cast<size_t>(k)] = 1;
      rewrite.merge(k, steps.back());
    }
    joined.inputs.push_back(rewrite.op(i).inputs.back());
    joined.attrs.ints[0] = static_cast<int64_t>(steps.size());
    report.note(
        "updates",
        std::string(joined.op->name) + " of " + std::to_string(steps.size()) + " parameters",
        &joined);
    rewrite.put(steps.back(), std::move(joined));
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
