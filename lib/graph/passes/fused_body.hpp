// What a fused op shows of the ops it stands for.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "graph/passes/rewrite.hpp"

namespace autograd::detail {

/// The ops as a graph of their own, which takes `inputs` and gives `outputs`; of ops that are fused
/// themselves, those that they stand for.
std::shared_ptr<const GraphData> body_of(Rewrite& rewrite, const std::vector<int>& ops,
                                         const std::vector<int>& inputs,
                                         const std::vector<int>& outputs);

/// "linear + relu": their names, and of fused ones those of their parts.
std::string names_of(Rewrite& rewrite, const std::vector<int>& ops);

/// The innermost module that holds all of the ops.
int common_scope(const Rewrite& rewrite, const std::vector<int>& ops);

}  // namespace autograd::detail
