// Names of what a plan reads, for its pictures.
#pragma once
#include <string>
#include <vector>

#include "autograd/graph.hpp"
#include "graph/plan.hpp"

namespace autograd::detail {

/// The graph that a plan runs, or that was captured, with the names of its leaves and gradients:
/// those of `names`, of `inputs` by their number ("" is none), and of states after the parameters
/// that they belong to. Modules are told by the names of parameters.
GraphData named_graph(const Plan& plan, bool as_captured, const GraphNames& names,
                      const std::vector<std::string>& inputs);

}  // namespace autograd::detail
