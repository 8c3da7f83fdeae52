// A graph as a reader sees it: nodes with texts and looks, edges, nested clusters. All drawings
// start here.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "autograd/graph.hpp"
#include "graph/draw/style.hpp"

namespace autograd::detail {

struct SketchNode {
  std::string id;  ///< unique: v<value>, op<op>, out<output>, module<scope>
  Look look = Look::kOp;
  Phase phase = Phase::kForward;
  std::string title, detail;
  std::string name;                  ///< in full, where the title is not
  std::vector<std::string> outputs;  ///< texts beside the edges that leave, "" for none
  std::vector<std::pair<std::string, std::string>> facts;  ///< what else there is to say
  int cluster = -1;
  int round =
      0;        ///< of its phase: a forward pass that reads what the way back has made is the next
  int op = -1;  ///< of the graph
  int inside = 0;  ///< ops that a module stands for
  int times = 1;   ///< ops, or leaves, that one of many stands for
  /// Of an op in an open fused one. The last carries the costs of all.
  enum class Inner { kNo, kYes, kLast } inner = Inner::kNo;
  bool again = false;                           ///< a leaf that has a box in another phase as well
  int again_of = -1;                            ///< the node of that box, if it is drawn
  double seconds = -1, bytes = -1, flops = -1;  ///< -1 where it is not known
};

struct SketchEdge {
  int from = 0, to = 0;
  int output = 0;  ///< of `from`
  bool carries_grad = true;
  bool order = false;    ///< no value: what comes first, because it changes memory that is read
  bool removed = false;  ///< of two graphs that are compared, only the first has it
};

struct SketchCluster {
  std::string id;  ///< phase<phase> or scope<scope>
  std::string title;
  std::string path;  ///< names from the outside to here: "encoder.layers.0"
  int parent = -1;   ///< comes first
  Phase phase = Phase::kForward;
  bool is_phase = false;
  int times = 1;                       ///< as often it stands there in a row
  std::vector<std::string> also = {};  ///< paths of the others in the row
  int fused = -1;                      ///< the fused op, by its number, whose ops these are
  SketchNode stands = {};              ///< of a fused op: how it looks closed
};

struct Sketch {
  std::vector<SketchNode> nodes;
  std::vector<SketchEdge> edges;
  std::vector<SketchCluster> clusters;
  bool has_phases = false;
};

/// A value that one phase makes and another reads.
inline bool crosses_phases(const Sketch& sketch, const SketchEdge& edge) {
  const SketchNode &from = sketch.nodes[static_cast<size_t>(edge.from)],
                   &to = sketch.nodes[static_cast<size_t>(edge.to)];
  return from.phase != to.phase && to.look != Look::kOutput;
}

/// Everything in the phases asked for, with nothing folded: a leaf stands in each phase that reads
/// it. open_fused: a fused op is a cluster of
/// the ops that it stands for.
Sketch full_sketch(const GraphData& graph, uint32_t phases, bool open_fused = false);
/// `roll_up`: three and more equal modules in a row become the first of them, times 3, and what an
/// optimizer does to all parameters is drawn once. `once`: a leaf has one box.
void fold(Sketch& sketch, bool roll_up, bool once);
/// Modules deeper than `depth` become nodes.
void close_modules(Sketch& sketch, int64_t depth);
/// The above as the options say. Throws Error for options that are none.
Sketch make_sketch(const GraphData& graph, const DrawOptions& options, bool open_fused = false);

/// A parameter, buffer or constant stands in the innermost cluster that holds all that read it, in
/// the first phase that does; its title there needs no path.
void settle_leaves(Sketch& sketch);
/// Removes the nodes and clusters that are not kept, and edges that lose an end.
void keep_only(Sketch& sketch, const std::vector<char>& nodes, const std::vector<char>& clusters);

/// The styles of its nodes, for a legend.
std::vector<const Style*> styles_in(const Sketch& sketch);

std::string dot_text(const GraphData& graph, const DrawOptions& options);
std::string svg_text(const GraphData& graph, const DrawOptions& options);
using NamedGraph = std::pair<std::string, const GraphData*>;
/// A page that shows one of several graphs at a time.
std::string html_text(const std::vector<NamedGraph>& graphs, const std::string& title,
                      const DrawOptions& options);

}  // namespace autograd::detail
