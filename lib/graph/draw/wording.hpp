// What boxes and lines say.
#pragma once
#include <string>

#include "graph/ir.hpp"

namespace autograd::detail {

/// "[2, 3]", with the dtype where it is not the usual one.
std::string shape_text(const GraphValue& value);
/// "float32 [2, 3], 24 bytes".
std::string type_text(const GraphValue& value);
/// "matmul, add, relu": the ops of a body in order; with their shapes, one a line.
std::string contents_text(const GraphData& body, bool shapes);
/// A number as short as a reader needs it: 0.3536 for 0.35355339059327373.
std::string short_number(const std::string& text);
/// The attributes that say more than the shapes around do.
std::string detail_text(const GraphData& graph, const GraphOp& op);
/// Broken into lines at commas outside of brackets; what does not fit into so many is left out.
std::string wrapped(const std::string& text, size_t most);

}  // namespace autograd::detail
