// Transposes of matrices next to products: mm reads its factors either way round, so
// mm(A^T, B) needs no A^T, and (A B)^T is the product B^T A^T.
#include "graph/passes/passes.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

/// Op i swaps the last two dims of a matrix, or of each of a batch.
bool is_transpose(Rewrite& rewrite, int i, const Op* permute) {
  if (i < 0 || rewrite.op(i).op != permute) return false;
  const Shape& dims = rewrite.op(i).attrs.lists[0];
  const int n = dims.size();
  if (n != 2 && n != 3) return false;
  if (n == 3 && dims[0] != 0) return false;
  return dims[n - 2] == n - 1 && dims[n - 1] == n - 2;
}

}  // namespace

GraphData with_folded_transposes(const GraphData& graph, PassReport& report) {
  const Op* const permute = find_op("permute");
  const Op* const products[] = {find_op("mm"), find_op("bmm")};
  Rewrite rewrite(graph);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    GraphOp& op = rewrite.op(i);
    if (op.op != products[0] && op.op != products[1]) continue;
    for (int k = 0; k < 2; ++k) {
      int& factor = op.inputs[static_cast<size_t>(k)];
      factor = rewrite.current(factor);
      const int view = rewrite.maker(factor);
      if (!is_transpose(rewrite, view, permute)) continue;
      factor = rewrite.op(view).inputs[0];
      op.attrs.ints[k] = !op.attrs.ints[k];
      report.note("transpose",
                  std::string(op.op->name) + " reads its " + (k == 0 ? "first" : "second") +
                      " factor transposed",
                  &op);
    }
    // The only look at the result is a transposed one.
    const int out = op.outputs[0];
    if (rewrite.is_result(out) || rewrite.readers(out).size() != 1) continue;
    const int view = rewrite.readers(out)[0];
    if (!is_transpose(rewrite, view, permute) || rewrite.memory.is_written(out)) continue;
    const int turned = rewrite.op(view).outputs[0];
    if (rewrite.is_result(turned)) continue;
    rewrite.value(out).sizes = rewrite.value(turned).sizes;
    rewrite.value(out).strides = contiguous_strides(rewrite.value(out).sizes);
    op.inputs = {op.inputs[1], op.inputs[0]};
    const int64_t ta = op.attrs.ints[0], tb = op.attrs.ints[1];
    op.attrs.ints[0] = !tb;
    op.attrs.ints[1] = !ta;
    rewrite.replace(turned, out);
    rewrite.drop(view);
    report.note("transpose", std::string(op.op->name) + " gives its result transposed", &op);
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
