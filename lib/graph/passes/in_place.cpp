// Changes in place: `x += g`, where x is a result that nobody looks at any more, is `x' = x + g`.
// Later passes see plain values; the memory plan gives x' the memory of x again.
#include <algorithm>

#include "graph/passes/passes.hpp"
#include "ops/fused.hpp"

namespace autograd::detail {

namespace {

/// The op out of place gives the dtype that it gave in place.
bool keeps_dtype(Rewrite& rewrite, const GraphOp& op) {
  const GraphValue& self = rewrite.value(op.inputs[0]);
  return std::all_of(op.inputs.begin(), op.inputs.end(), [&](int v) {
    return v < 0 || rewrite.value(v).dtype == self.dtype ||
           (rewrite.value(v).sizes.empty() && is_floating(self.dtype));
  });
}

}  // namespace

GraphData without_in_place(const GraphData& graph, PassReport& report) {
  Rewrite rewrite(graph);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    GraphOp& op = rewrite.op(i);
    if (!op.in_place || op.outputs.size() != 1 || !is_fusable_step(*op.op)) continue;
    const int before = op.inputs[0], after = op.outputs[0];
    if (rewrite.memory.is_outside(before) || rewrite.is_result(before)) continue;
    // Only the line of values that are changed one after the other: a view would see the change.
    const auto is_line = [&](int v) {
      const int maker = rewrite.maker(v);
      return !is_view(rewrite.op(maker)) && !is_random(rewrite.op(maker));
    };
    const std::vector<int>& sharing = rewrite.memory.sharing(before);
    const auto is_read_later = [&](int reader) { return reader > i; };
    const std::vector<int>& readers = rewrite.readers(before);
    if (!std::all_of(sharing.begin(), sharing.end(), is_line) || !keeps_dtype(rewrite, op) ||
        rewrite.value(after).strides != contiguous_strides(rewrite.value(after).sizes) ||
        std::any_of(readers.begin(), readers.end(), is_read_later))
      continue;
    op.in_place = false;
    rewrite.value(after).storage = rewrite.new_storage();
    report.note("in place", std::string(op.op->name) + "_ becomes " + op.op->name, &op);
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
