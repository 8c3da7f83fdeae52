// The drawing functions of Graph.
#include "autograd/graph.hpp"
#include "graph/draw/sketch.hpp"

namespace autograd {

std::string Graph::dot(const DrawOptions& options) const {
  return detail::dot_text(data(), options);
}
std::string Graph::svg(const DrawOptions& options) const {
  return detail::svg_text(data(), options);
}

std::string Graph::html(const std::string& title, const std::string& name,
                        const std::vector<std::pair<std::string, Graph>>& others,
                        const DrawOptions& options) const {
  std::vector<detail::NamedGraph> graphs{{name, &data()}};
  for (const auto& [other, graph] : others) graphs.emplace_back(other, &graph.data());
  return detail::html_text(graphs, title, options);
}

}  // namespace autograd
