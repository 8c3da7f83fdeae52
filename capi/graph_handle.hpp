// What the handles of graphs and recordings point to.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "autograd/graph.hpp"
#include "guard.hpp"

struct ag_graph {
  autograd::Graph graph;

  const std::vector<autograd::GraphNode>& nodes() const {
    std::call_once(read, [this] {
      known_nodes = graph.nodes();
      known_edges = graph.edges();
    });
    return known_nodes;
  }
  const std::vector<autograd::GraphEdge>& edges() const { return nodes(), known_edges; }

  // Read once, at the first question.
  mutable std::once_flag read = {};
  mutable std::vector<autograd::GraphNode> known_nodes = {};
  mutable std::vector<autograd::GraphEdge> known_edges = {};
};

namespace autograd::capi {
struct ModuleWatch;
}

struct ag_recording {
  autograd::Recording recording;
  autograd::capi::ModuleWatch* watch = nullptr;  ///< owned
  bool names_given = false;                      ///< in Python
  bool is_seen = false;              ///< what the program held at the end was looked at natively
  std::vector<uintptr_t> seen = {};  ///< then: rows, see end_recording() in python_calls.hpp
};

namespace autograd::capi {

/// n named tensors, the last n_buffers of which are buffers.
GraphNames graph_names(Arguments in, const ag_tensor* const* named, const char* const* names,
                       int64_t n, int64_t n_buffers);

/// n texts, none of which is NULL.
std::vector<std::string> graph_texts(Arguments in, const char* const* values, int64_t n,
                                     const char* name);

}  // namespace autograd::capi
