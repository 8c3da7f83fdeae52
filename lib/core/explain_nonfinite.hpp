// The two halves of explain_nonfinite: values and gradients.
#pragma once
#include "core/values_behind.hpp"

namespace autograd::detail {

/// The loss is not finite: follows its bad elements back to the first one.
NonfiniteExplanation explain_bad_value(ValuesBehind& values, const Tensor& loss);
/// The loss is finite: looks for the first bad gradient.
NonfiniteExplanation explain_bad_gradient(ValuesBehind& values, const Tensor& loss);

/// The inputs of a node, as far as they are known, with the values that element `i` of a tensor of
/// sizes `of` was computed from.
std::vector<NonfiniteInput> describe_inputs(const ValuesBehind& values, const Node& node,
                                            const Shape& of, int64_t i);
/// "0 and -3.5", the single values; "" if there are none.
std::string list_values(const std::vector<NonfiniteInput>& inputs);
/// "'log' at file:line"
std::string op_text(const Node& node);
/// "the parameter 'fc.weight'", "the leaf of sizes [3] made at file:line"
std::string leaf_text(const ValuesBehind& values, const TensorBody* leaf);
/// "element [0, 2] of "
std::string element_text(const Shape& sizes, int64_t i);
/// "-inf", "3.5"
std::string value_text(double v);
void set_parameter(NonfiniteExplanation& found, const ValuesBehind& values, const TensorBody* leaf);

}  // namespace autograd::detail
