// What a graph's handle points to.
#pragma once
#include <mutex>
#include <vector>

#include "autograd/graph.hpp"

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
