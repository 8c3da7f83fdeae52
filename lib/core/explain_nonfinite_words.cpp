// How explain_nonfinite names operations, leaves, elements and values.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/explain_nonfinite.hpp"

namespace autograd::detail {

std::string value_text(double v) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.6g", std::isnan(v) ? std::nan("") : v);
  return text;
}

std::string op_text(const Node& node) {
  return concat("'", node.op->name, "'", at_line(node.location));
}

std::string element_text(const Shape& sizes, int64_t i) {
  if (i < 0 || sizes.empty()) return "";
  return concat("element ", place_of(sizes, i), " of ");
}

std::string leaf_text(const ValuesBehind& values, const TensorBody* leaf) {
  const std::string name = values.name_of_leaf(leaf);
  if (!name.empty()) return concat("the parameter '", name, "'");
  return concat("the leaf of sizes ", leaf->sizes, " made", at_line(leaf->made_at));
}

void set_parameter(NonfiniteExplanation& found, const ValuesBehind& values,
                   const TensorBody* leaf) {
  if (!leaf) return;
  found.parameter = values.name_of_leaf(leaf);
  found.parameter_at = leaf->made_at;
}

std::vector<NonfiniteInput> describe_inputs(const ValuesBehind& values, const Node& node,
                                            const Shape& of, int64_t i) {
  std::vector<NonfiniteInput> list;
  for (int k = 0; k < node.inputs.size(); ++k) {
    const NodeInput& input = node.inputs[k];
    if (!input.id) continue;
    NonfiniteInput& item = list.emplace_back();
    item.op = input.node ? input.node->op->name : input.leaf ? "leaf" : "constant";
    item.location = input.node ? input.node->location : input.leaf ? input.leaf->made_at : 0;
    item.sizes = input.sizes;
    const Tensor t = values.input(node, k);
    if (!t) continue;
    item.is_known = true;
    item.low = std::numeric_limits<double>::infinity(), item.high = -item.low;
    for (const double v : t.to_vector()) {
      item.low = std::min(item.low, std::isnan(v) ? item.low : v);
      item.high = std::max(item.high, std::isnan(v) ? item.high : v);
    }
    if (t.numel() == 0) item.low = item.high = 0;
    const bool fits = (node.op->traits & kPointwise) && i >= 0 && t.dim() <= of.size();
    item.has_value = t.numel() == 1 || fits;
    if (item.has_value)
      item.value = element_of(t, t.numel() == 1 ? 0 : before_broadcast(t.sizes(), of, i));
  }
  return list;
}

std::string list_values(const std::vector<NonfiniteInput>& inputs) {
  std::string text;
  for (const NonfiniteInput& input : inputs) {
    if (!input.is_known) continue;
    if (!text.empty()) text += " and ";
    if (input.has_value)
      text += value_text(input.value);
    else
      text += concat("values from ", value_text(input.low), " to ", value_text(input.high));
  }
  return text;
}

}  // namespace autograd::detail
