// C functions of the nodes, edges and costs of graphs.
#include <cstdio>
#include <string>

#include "graph_handle.hpp"
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (int d = 0; d < shape.size(); ++d) text += (d ? ", " : "") + std::to_string(shape[d]);
  return text + "]";
}

std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

std::string attrs_text(const GraphNode& node) {
  std::string text;
  for (const auto& [name, value] : node.attrs)
    text.append(text.empty() ? "" : ", ").append(name).append("=").append(value);
  return text;
}

std::string body_text(const GraphNode& node) {
  std::string text;
  for (const GraphNode& inner : node.body) text.append(text.empty() ? "" : ", ").append(inner.op);
  return text;
}

struct Field {
  const char* name;
  std::string (*text)(const GraphNode& node);
};

const Field kFields[] = {
    {"key", [](const GraphNode& n) { return n.key; }},
    {"op", [](const GraphNode& n) { return n.op; }},
    {"kind", [](const GraphNode& n) { return n.kind; }},
    {"name", [](const GraphNode& n) { return n.name; }},
    {"shape", [](const GraphNode& n) { return n.shapes.empty() ? "" : shape_text(n.shapes[0]); }},
    {"dtype",
     [](const GraphNode& n) { return n.dtypes.empty() ? "" : std::string(name_of(n.dtypes[0])); }},
    {"module", [](const GraphNode& n) { return n.module; }},
    {"module_type", [](const GraphNode& n) { return n.module_type; }},
    {"phase", [](const GraphNode& n) { return n.phase; }},
    {"forward", [](const GraphNode& n) { return n.forward; }},
    {"file", [](const GraphNode& n) { return n.file; }},
    {"line", [](const GraphNode& n) { return std::to_string(n.line); }},
    {"id", [](const GraphNode& n) { return std::to_string(n.id); }},
    {"attrs", attrs_text},
    {"body", body_text},
    {"flops", [](const GraphNode& n) { return number_text(n.cost.flops); }},
    {"bytes_read", [](const GraphNode& n) { return number_text(n.cost.bytes_read); }},
    {"bytes_written", [](const GraphNode& n) { return number_text(n.cost.bytes_written); }},
    {"seconds", [](const GraphNode& n) { return number_text(n.cost.seconds); }},
};

template <class List>
auto& at(const List& list, int64_t i, const char* what) {
  if (i < 0 || i >= static_cast<int64_t>(list.size()))
    throw Error(ErrorCode::kIndex, std::string("there is no ") + what + " " + std::to_string(i) +
                                       ": the graph has " + std::to_string(list.size()));
  return list[static_cast<size_t>(i)];
}

void put(double* to, double value) {
  if (to) *to = value;
}
void put(int64_t* to, int64_t value) {
  if (to) *to = value;
}

}  // namespace

int64_t ag_graph_num_nodes(const ag_graph* graph) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    return static_cast<int64_t>(in.pointer(graph, "graph")->nodes().size());
  });
}

int64_t ag_graph_node(const ag_graph* graph, int64_t node, const char* what, char* buffer,
                      int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    const GraphNode& found = at(in.pointer(graph, "graph")->nodes(), node, "node");
    const std::string asked = in.pointer(what, "what");
    for (const Field& field : kFields)
      if (asked == field.name) return field.text(found);
    throw Error(ErrorCode::kValue, "a node has no '" + asked + "'");
  });
}

int64_t ag_graph_num_edges(const ag_graph* graph) {
  return read<int64_t>(__func__, -1, [&](Arguments in) {
    return static_cast<int64_t>(in.pointer(graph, "graph")->edges().size());
  });
}

ag_status ag_graph_edge(const ag_graph* graph, int64_t edge, int64_t* source, int64_t* target,
                        int64_t* output, int64_t* input) {
  return run(__func__, [&](Arguments in) {
    const GraphEdge& found = at(in.pointer(graph, "graph")->edges(), edge, "edge");
    put(source, found.source);
    put(target, found.target);
    put(output, found.order ? -1 : found.output);
    put(input, found.order ? -1 : found.input);
  });
}

ag_status ag_graph_cost(const ag_graph* graph, double* flops, double* bytes_read,
                        double* bytes_written, double* peak_bytes, double* seconds) {
  return run(__func__, [&](Arguments in) {
    const Graph& known = in.pointer(graph, "graph")->graph;
    const GraphCost cost = known.cost();
    put(flops, cost.flops);
    put(bytes_read, cost.bytes_read);
    put(bytes_written, cost.bytes_written);
    put(peak_bytes, known.peak_bytes());
    put(seconds, cost.seconds);
  });
}
