// The history of a tensor as a graph that can be printed and drawn.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

namespace detail {
struct GraphData;
}

/// Where the edges of a drawing run.
enum class DrawDirection { kDown, kRight, kUp, kLeft };

struct DrawOptions {
  DrawDirection direction = DrawDirection::kDown;
  int64_t depth = -1;   ///< modules deeper than this are drawn closed; -1: none
  uint32_t phases = 0;  ///< bits: 1 forward, 2 backward, 4 optimizer; 0 for all
  bool roll_up = true;  ///< three and more equal modules in a row are drawn once, "x 3"
  bool legend = true;
};

/// Ops and values in single assignment form. A graph holds no tensor memory.
class Graph {
 public:
  /// The recorded history of t. `named` leaves get their names.
  static Graph from_tensor(const Tensor& t,
                           const std::vector<std::pair<std::string, Tensor>>& named = {});
  /// A graph of the library's own making.
  static Graph from_data(std::shared_ptr<const detail::GraphData> data) {
    Graph graph;
    graph.data_ = std::move(data);
    return graph;
  }
  int64_t num_ops() const;
  int64_t num_values() const;
  /// DOT text for Graphviz: canonical, the same for the same computation.
  std::string dot(const DrawOptions& options = {}) const;
  /// The drawing as SVG, for light and dark pages; needs nothing installed.
  std::string svg(const DrawOptions& options = {}) const;
  /// One op a line: "%3 = mul(%1, %2) : float32 [2, 3]".
  std::string text() const;

 private:
  std::shared_ptr<const detail::GraphData> data_;
};

}  // namespace autograd
