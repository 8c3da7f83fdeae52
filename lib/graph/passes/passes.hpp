// What makes a captured graph smaller. Each pass is a function from a graph to a graph that
// computes the same outputs and makes the same changes to memory from outside, in a file of its
// own. Leaves keep their numbers, outputs their places; new leaves are numbers and stand behind the
// old ones.
#pragma once
#include "graph/passes/rewrite.hpp"

namespace autograd::detail {

/// Changes in place of memory that nobody else looks at become ops with a result of their own.
GraphData without_in_place(const GraphData& graph, PassReport& report);
/// Ops whose results nobody needs go. Random ops stay: what follows them draws other numbers.
GraphData without_dead_code(const GraphData& graph, PassReport& report);
/// Of ops that do the same with the same values, one stays.
GraphData without_repeats(const GraphData& graph, PassReport& report);
/// Ops on known numbers become numbers.
GraphData with_folded_constants(const GraphData& graph, PassReport& report);
/// The equations of algebra.def, from left to right, as long as one applies.
GraphData with_simpler_algebra(const GraphData& graph, PassReport& report);
/// Transposes of the factors of a product become flags of the product.
GraphData with_folded_transposes(const GraphData& graph, PassReport& report);
/// A matrix product and the sum or the bias that it is added to become one op.
GraphData with_fused_sums_of_products(const GraphData& graph, PassReport& report);
/// Cross entropy, its gradient and the product that makes the logits become one op.
GraphData with_fused_losses(const GraphData& graph, PassReport& report);
/// Pointwise ops between a view of a product and a view back work on the product's shape.
GraphData with_moved_views(const GraphData& graph, PassReport& report);
/// The gradient of ReLU before max pooling is taken of what was pooled.
GraphData with_pooled_gradients(const GraphData& graph, PassReport& report);
/// Sums of pointwise ops' results over dims on both sides of others become two.
GraphData with_split_sums(const GraphData& graph, PassReport& report);
/// Pointwise ops of one shape, and the sums they end in, become fused ops; so do matrix products
/// with what follows them.
GraphData with_fused_pointwise(const GraphData& graph, PassReport& report);
/// Convolutions, norm layers and their gradients, and the pointwise ops before and behind them,
/// become one op.
GraphData with_fused_pieces(const GraphData& graph, PassReport& report);
/// The steps of an optimizer for its parameters become one.
GraphData with_joined_updates(const GraphData& graph, PassReport& report);

/// All passes in order; AUTOGRAD_LOG=passes prints each change to stderr. verify() runs after each.
GraphData optimise(const GraphData& graph, PassReport& report);

/// Throws Error (runtime) with the place unless ops, values and outputs fit each other.
void verify(const GraphData& graph);

}  // namespace autograd::detail
