// What the ops of a graph cost, from their shapes alone.
#pragma once
#include "autograd/graph.hpp"
#include "graph/ir.hpp"

namespace autograd::detail {

/// Adds the work of one to that of others.
void add_cost(GraphCost& sum, const GraphCost& cost);

/// Bytes of the elements of a value; a stride of 0 repeats an element without storing it.
double bytes_of(const GraphValue& value);
/// The cost of an op. Views cost nothing; a fused op reads and writes only what crosses its border.
GraphCost cost_of(const GraphData& graph, const GraphOp& op);
GraphCost total_cost(const GraphData& graph);

/// The most bytes of results that are alive at a time, if each is freed after its last use; what
/// was there before the graph is not counted, and what it returns lives to the end.
double peak_bytes(const GraphData& graph);

}  // namespace autograd::detail
