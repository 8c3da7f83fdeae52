// The history of a tensor as a graph that can be printed and drawn.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

namespace detail {
struct GraphData;
}

/// Ops and values in single assignment form. A graph holds no tensor memory.
class Graph {
 public:
  /// The recorded history of t. `named` leaves get their names.
  static Graph from_tensor(const Tensor& t,
                           const std::vector<std::pair<std::string, Tensor>>& named = {});
  int64_t num_ops() const;
  int64_t num_values() const;
  /// DOT text for Graphviz: canonical, the same for the same computation.
  std::string dot() const;
  /// One op a line: "%3 = mul(%1, %2) : float32 [2, 3]".
  std::string text() const;

 private:
  std::shared_ptr<const detail::GraphData> data_;
};

}  // namespace autograd
