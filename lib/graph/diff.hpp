// What differs between two graphs.
#pragma once
#include <string>
#include <vector>

#include "graph/ir.hpp"

namespace autograd::detail {

struct DiffData {
  struct Change {
    int before = 0, after = 0;  ///< ops of the first and of the second graph
    std::string what;
  };
  std::vector<int> added;    ///< ops of the second graph
  std::vector<int> removed;  ///< ops of the first graph
  std::vector<Change> changed;
  bool outputs = false;  ///< the graphs return different values
};

/// Ops are the same if they compute the same from the same; what only reads a result that differs
/// has not changed itself.
DiffData compare(const GraphData& a, const GraphData& b);

/// For drawings: b with what was removed of a, every op that differs marked.
GraphData marked(const GraphData& a, const GraphData& b);

}  // namespace autograd::detail
