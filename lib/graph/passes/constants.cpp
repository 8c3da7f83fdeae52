// Constant folding: pointwise ops on numbers that were written in the code.
#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "graph/passes/passes.hpp"
#include "ops/fused.hpp"

namespace autograd::detail {

namespace {

/// The result of the op on its numbers, computed by the op itself in the dtype of its result.
double folded(Rewrite& rewrite, const GraphOp& op) {
  const DType dtype = rewrite.value(op.outputs[0]).dtype;
  std::vector<Tensor> numbers;
  for (int v : op.inputs)
    numbers.push_back(full({}, rewrite.value(rewrite.current(v)).number, dtype));
  const std::vector<Arg> inputs(numbers.begin(), numbers.end());
  const NoGrad off;
  return dispatch(*op.op, inputs.data(), static_cast<int>(inputs.size()), op.attrs).item();
}

}  // namespace

GraphData with_folded_constants(const GraphData& graph, PassReport& report) {
  Rewrite rewrite(graph);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    const GraphOp& op = rewrite.op(i);
    if (!is_fusable_step(*op.op) || op.outputs.size() != 1 || rewrite.memory.writes(i)) continue;
    const int out = op.outputs[0];
    const GraphValue& result = rewrite.value(out);
    bool is_foldable = is_floating(result.dtype) && result.sizes.empty() &&
                       !rewrite.memory.is_output(out) && !rewrite.memory.is_written(out);
    for (int v : op.inputs) is_foldable = is_foldable && rewrite.is_number(v);
    if (!is_foldable) continue;
    const double number = folded(rewrite, op);
    report.note("constant folding", std::string(op.op->name) + " is " + number_text(number), &op);
    const DType dtype = result.dtype;
    rewrite.replace(out, rewrite.add_number(dtype, number));
    rewrite.drop(i);
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
