// Counting flops, bytes and live memory.
#include "graph/analysis.hpp"

#include <algorithm>

namespace autograd::detail {
namespace {

double elements(const Shape& sizes) {
  double count = 1;
  for (int64_t size : sizes) count *= static_cast<double>(size);
  return count;
}

const GraphValue& value(const GraphData& graph, int v) {
  return graph.values[static_cast<size_t>(v)];
}

double largest(const GraphData& graph, const std::vector<int>& values) {
  double most = 0;
  for (int v : values)
    if (v >= 0) most = std::max(most, elements(value(graph, v).sizes));
  return most;
}

// What the op's record counts, or else one operation for each element that is read or made.
double flops_of(const GraphData& graph, const GraphOp& op) {
  if (op.body) return total_cost(*op.body).flops;
  const uint32_t traits = op.op->traits;
  if (op.op->flops) {
    std::vector<const Shape*> inputs, outputs;
    for (int v : op.inputs) inputs.push_back(v < 0 ? nullptr : &value(graph, v).sizes);
    for (int v : op.outputs) outputs.push_back(&value(graph, v).sizes);
    return op.op->flops({op.attrs, inputs.data(), static_cast<int>(inputs.size()), outputs.data(),
                         static_cast<int>(outputs.size())});
  }
  if (traits & (kView | kCopies)) return 0;
  if (traits & kPointwise) return largest(graph, op.outputs);
  return std::max(largest(graph, op.inputs), largest(graph, op.outputs));
}

}  // namespace

void add_cost(GraphCost& sum, const GraphCost& cost) {
  sum.flops += cost.flops;
  sum.bytes_read += cost.bytes_read;
  sum.bytes_written += cost.bytes_written;
  if (cost.seconds >= 0) sum.seconds = std::max(sum.seconds, 0.0) + cost.seconds;
}

double bytes_of(const GraphValue& value) {
  double count = 1;
  for (int d = 0; d < value.sizes.size(); ++d) {
    const bool repeats = !value.strides.empty() && value.strides[d] == 0 && value.sizes[d] > 0;
    if (!repeats) count *= static_cast<double>(value.sizes[d]);
  }
  return count * static_cast<double>(size_of(value.dtype));
}

GraphCost cost_of(const GraphData& graph, const GraphOp& op) {
  GraphCost cost;
  cost.seconds = op.seconds;
  if (op.op->traits & kView) return cost;
  cost.flops = flops_of(graph, op);
  // An input that is given twice is read once.
  std::vector<int> inputs = op.inputs;
  std::sort(inputs.begin(), inputs.end());
  inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
  for (int v : inputs)
    if (v >= 0) cost.bytes_read += bytes_of(value(graph, v));
  for (int v : op.outputs) cost.bytes_written += bytes_of(value(graph, v));
  return cost;
}

GraphCost total_cost(const GraphData& graph) {
  GraphCost total;
  for (const GraphOp& op : graph.ops) add_cost(total, cost_of(graph, op));
  return total;
}

double peak_bytes(const GraphData& graph) {
  struct Memory {
    double bytes = 0;
    int first = -1, last = -1;  // ops
    bool was_there = false;
  };
  // Values of one storage share one memory; where the storage is unknown, each has its own.
  int known = 0;
  for (const GraphValue& v : graph.values) known = std::max(known, v.storage + 1);
  std::vector<Memory> memories(static_cast<size_t>(known) + graph.values.size());
  const int n = static_cast<int>(graph.ops.size());
  const auto memory_of = [&](int v) -> Memory& {
    const int storage = value(graph, v).storage;
    return memories[static_cast<size_t>(storage >= 0 ? storage : known + v)];
  };
  for (size_t v = 0; v < graph.values.size(); ++v) {
    Memory& memory = memory_of(static_cast<int>(v));
    memory.bytes = std::max(memory.bytes, bytes_of(graph.values[v]));
    memory.was_there |= graph.values[v].is_leaf();
  }
  for (int i = 0; i < n; ++i) {
    const GraphOp& op = graph.ops[static_cast<size_t>(i)];
    for (const auto* list : {&op.inputs, &op.outputs})
      for (int v : *list) {
        if (v < 0) continue;
        Memory& memory = memory_of(v);
        if (memory.first < 0) memory.first = i;
        memory.last = i;
      }
  }
  // The nodes keep what they saved until their gradient rule has run.
  std::vector<int> rule(graph.ops.size(), n);
  for (int i = 0; i < n; ++i) {
    const GraphOp& op = graph.ops[static_cast<size_t>(i)];
    if (op.phase == Phase::kBackward && op.forward >= 0) rule[static_cast<size_t>(op.forward)] = i;
  }
  for (size_t i = 0; i < rule.size(); ++i)
    for (int v : graph.ops[i].saved)
      if (v >= 0) memory_of(v).last = std::max(memory_of(v).last, rule[i]);
  for (int v : graph.outputs) memory_of(v).last = n;
  std::vector<double> change(static_cast<size_t>(n) + 2, 0);
  for (const Memory& memory : memories) {
    if (memory.was_there || memory.first < 0) continue;
    change[static_cast<size_t>(memory.first)] += memory.bytes;
    change[static_cast<size_t>(memory.last) + 1] -= memory.bytes;
  }
  double now = 0, most = 0;
  for (double each : change) most = std::max(most, now += each);
  return most;
}

}  // namespace autograd::detail
