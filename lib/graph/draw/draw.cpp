// The drawing functions of Graph.
#include "autograd/graph.hpp"
#include "graph/draw/sketch.hpp"

namespace autograd {

namespace {
const detail::GraphData kNothing;
}  // namespace

std::string Graph::dot(const DrawOptions& options) const {
  return detail::dot_text(data_ ? *data_ : kNothing, options);
}
std::string Graph::svg(const DrawOptions& options) const {
  return detail::svg_text(data_ ? *data_ : kNothing, options);
}

}  // namespace autograd
