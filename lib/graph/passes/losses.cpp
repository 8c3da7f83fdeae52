// Losses: softmax cross entropy and its gradient become one op, which has both from one look at the
// logits, where the gradient from above is a known number, as it is for a loss that backward()
// starts from.
#include "graph/passes/passes.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

/// The op that gave a backward op its logarithms, and the same arguments; -1 if there is none.
int forward_of(Rewrite& rewrite, int i, const Op* forward) {
  const GraphOp& op = rewrite.op(i);
  const int lse = op.inputs[3], maker = rewrite.maker(lse);
  if (maker < 0 || rewrite.op(maker).op != forward) return -1;
  const GraphOp& loss = rewrite.op(maker);
  const auto input = [](const GraphOp& of, size_t k) {
    return k < of.inputs.size() ? of.inputs[k] : -1;
  };
  const bool same = loss.outputs[1] == lse && input(loss, 0) == op.inputs[1] &&
                    input(loss, 1) == op.inputs[2] && input(loss, 2) == input(op, 4) &&
                    loss.attrs.ints[0] == op.attrs.ints[0] &&
                    loss.attrs.ints[1] == op.attrs.ints[1];
  return same ? maker : -1;
}

}  // namespace

GraphData with_fused_losses(const GraphData& graph, PassReport& report) {
  const Op *const forward = find_op("cross_entropy"), *const step = find_op("cross_entropy_step");
  const Op* const backward = find_op("cross_entropy_backward");
  const char* const what = "cross_entropy + cross_entropy_backward";
  Rewrite rewrite(graph);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    if (rewrite.op(i).op != backward) continue;
    const int maker = forward_of(rewrite, i, forward);
    if (maker < 0) continue;
    const int g = rewrite.op(i).inputs[0], lse = rewrite.op(i).inputs[3];
    if (!rewrite.is_number(g)) {
      report.refuse(what, "the gradient of the loss is no known number");
    } else if (rewrite.is_result(lse) || rewrite.readers(lse) != std::vector<int>{i}) {
      report.refuse(what, "others need the logarithms of the sums");
    } else if (!rewrite.can_join({maker, i})) {
      report.refuse(what, "other ops lie between");
    } else {
      GraphOp both = rewrite.op(maker);
      both.op = step;
      both.attrs.reals[0] = rewrite.value(g).number;
      both.outputs = {both.outputs[0], rewrite.op(i).outputs[0]};
      report.note("losses", std::string(what) + " = cross_entropy_step", &both);
      rewrite.merge(i, maker);
      rewrite.put(maker, std::move(both));
    }
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
