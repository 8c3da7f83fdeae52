// A sum over dims on both sides of others, such as a bias's gradient over images and positions, is
// computed group by group: over the last dims first. Written as two ops, the first can end the
// group of pointwise ops that made the numbers.
#include <algorithm>
#include <string>

#include "graph/passes/passes.hpp"
#include "ops/fused.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

/// The last dims of a sum over more than them; none if it is no such sum.
Mask last_dims(const GraphData& graph, const GraphOp& op) {
  static const Op* const sum = find_op("sum");
  if (op.op != sum || op.inputs.size() != 1 || op.in_place) return 0;
  const GraphValue& in = graph.values[static_cast<size_t>(op.inputs[0])];
  const GraphValue& out = graph.values[static_cast<size_t>(op.outputs[0])];
  if (in.op < 0 || !is_fusable_step(*graph.ops[static_cast<size_t>(in.op)].op) ||
      !is_floating(in.dtype) || in.dtype != out.dtype || !is_row_major(in.sizes, in.strides))
    return 0;
  const Mask mask = static_cast<Mask>(op.attrs.ints[0]);
  const auto sums = [&](int d) { return (mask >> d & 1) != 0; };
  Attrs first = op.attrs;
  Mask last = 0;
  int d = in.sizes.size() - 1;
  int64_t summed = 1, kept = 1, before = 1;
  for (; d >= 0 && sums(d); --d) {
    last |= Mask{1} << d;
    summed *= in.sizes[d];
  }
  for (; d >= 0; --d) (sums(d) ? before : kept) *= in.sizes[d];
  first.ints[0] = last;
  std::string why;
  const bool pays = summed > 1 && kept > 1 && before > 1 &&
                    is_fusable_sum(*op.op, first, in.sizes, in.dtype, out.dtype, &why);
  return pays ? last : 0;
}

}  // namespace

GraphData with_split_sums(const GraphData& graph, PassReport& report) {
  GraphData result = graph;
  result.ops.clear();
  std::vector<int> moved(graph.ops.size());
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    GraphOp op = graph.ops[i];
    if (op.forward >= 0) op.forward = moved[static_cast<size_t>(op.forward)];
    if (const Mask last = last_dims(graph, op)) {
      GraphOp first = op;
      first.attrs.ints[0] = last;
      first.attrs.ints[1] = 1;  // keepdim
      GraphValue part = graph.values[static_cast<size_t>(op.inputs[0])];
      part.sizes = reduced_sizes(part.sizes, last, true);
      part.strides = contiguous_strides(part.sizes);
      part.op = static_cast<int>(result.ops.size());
      part.role = Role::kIntermediate;
      part.name.clear();
      part.storage = -1;
      for (const GraphValue& value : result.values)
        part.storage = std::max(part.storage, value.storage);
      ++part.storage;
      first.outputs = {static_cast<int>(result.values.size())};
      op.inputs = first.outputs;
      result.values.push_back(std::move(part));
      result.ops.push_back(std::move(first));
      report.note("split sums", "sum = sum of sums over the last dims", &op);
    }
    moved[i] = static_cast<int>(result.ops.size());
    for (int v : op.outputs) result.values[static_cast<size_t>(v)].op = moved[i];
    result.ops.push_back(std::move(op));
  }
  return result;
}

}  // namespace autograd::detail
