// C functions of graphs.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

struct ag_graph {
  Graph graph;
};

ag_graph* ag_graph_from_tensor(const ag_tensor* t, const ag_tensor* const* named,
                               const char* const* names, int64_t n) {
  return read<ag_graph*>(__func__, nullptr, [&](Arguments in) {
    std::vector<Tensor> leaves = in.tensors(named, n, "named");
    in.array(names, n, "names");
    std::vector<std::pair<std::string, Tensor>> pairs;
    for (size_t i = 0; i < leaves.size(); ++i)
      pairs.emplace_back(in.pointer(names[i], "names"), leaves[i]);
    return new ag_graph{Graph::from_tensor(in.tensor(t, "t"), pairs)};
  });
}

void ag_graph_free(ag_graph* graph) { delete graph; }

int64_t ag_graph_num_ops(const ag_graph* graph) {
  return read<int64_t>(__func__, -1,
                       [&](Arguments in) { return in.pointer(graph, "graph")->graph.num_ops(); });
}

int64_t ag_graph_num_values(const ag_graph* graph) {
  return read<int64_t>(
      __func__, -1, [&](Arguments in) { return in.pointer(graph, "graph")->graph.num_values(); });
}

namespace {

DrawOptions draw_options(int32_t direction, int64_t depth, int32_t phases, int32_t flags) {
  if (direction < 0 || direction > 3)
    throw Error(ErrorCode::kValue, "direction must be 0 (down), 1 (right), 2 (up) or 3 (left)");
  if (flags < 0 || flags > 3) throw Error(ErrorCode::kValue, "flags: bits 1 and 2 only");
  DrawOptions options;
  options.direction = static_cast<DrawDirection>(direction);
  options.depth = depth;
  options.phases = static_cast<uint32_t>(phases);
  options.roll_up = flags & 1;
  options.legend = flags & 2;
  return options;
}

}  // namespace

int64_t ag_graph_dot(const ag_graph* graph, int32_t direction, int64_t depth, int32_t phases,
                     int32_t flags, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    return in.pointer(graph, "graph")->graph.dot(draw_options(direction, depth, phases, flags));
  });
}

int64_t ag_graph_svg(const ag_graph* graph, int32_t direction, int64_t depth, int32_t phases,
                     int32_t flags, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity, [&](Arguments in) {
    return in.pointer(graph, "graph")->graph.svg(draw_options(direction, depth, phases, flags));
  });
}

int64_t ag_graph_text(const ag_graph* graph, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments in) { return in.pointer(graph, "graph")->graph.text(); });
}
