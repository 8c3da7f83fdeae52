// Max pooling: its gradient puts each number back where the largest one came from. Where ReLU comes
// before, what its gradient lets pass is known from the largest ones alone: they are asked, not all
// of the image.
#include "graph/passes/passes.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

GraphData with_pooled_gradients(const GraphData& graph, PassReport& report) {
  const Op *const pool = find_op("max_pool"), *const scatter = find_op("pool_scatter");
  const Op* const relu = find_op("relu_backward");
  Rewrite rewrite(graph);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    GraphOp& outer = rewrite.op(i);
    if (outer.op != relu || outer.in_place || rewrite.maker(outer.inputs[0]) < 0) continue;
    const int spread = outer.inputs[0], at = rewrite.maker(spread);
    GraphOp& inner = rewrite.op(at);
    if (inner.op != scatter || rewrite.is_result(spread) ||
        rewrite.readers(spread) != std::vector<int>{i} || rewrite.memory.is_written(spread))
      continue;
    // pool_scatter(g, positions), relu_backward(g, x, y)
    const int positions = inner.inputs[1], from = rewrite.maker(positions);
    if (from < 0 || rewrite.op(from).op != pool || rewrite.op(from).outputs[1] != positions ||
        outer.inputs.size() != 3 || rewrite.op(from).inputs[0] != outer.inputs[2])
      continue;
    const int pooled = rewrite.op(from).outputs[0], y = outer.inputs[2];
    if (rewrite.memory.is_written(pooled) || rewrite.memory.is_written(y) ||
        rewrite.value(inner.inputs[0]).sizes != rewrite.value(pooled).sizes ||
        rewrite.value(inner.inputs[0]).dtype != rewrite.value(spread).dtype)
      continue;
    std::swap(inner.op, outer.op);
    std::swap(inner.attrs, outer.attrs);
    inner.inputs = {inner.inputs[0], -1, pooled};
    outer.inputs = {spread, positions};
    rewrite.value(spread).sizes = rewrite.value(pooled).sizes;
    rewrite.value(spread).strides = contiguous_strides(rewrite.value(pooled).sizes);
    report.note("pools",
                "relu_backward(pool_scatter(g), y) = pool_scatter(relu_backward(g, max y))",
                &outer);
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
