// What a graph's handle points to.
#pragma once
#include "autograd/graph.hpp"

struct ag_graph {
  autograd::Graph graph;
};
