// Computations as graphs: recorded, printed, counted, compared and drawn.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tensor.hpp"

namespace autograd {

namespace detail {
struct GraphData;
class CallRecorder;

/// The calls of modules in a recording: 1 + an index into parents is the number of a call.
struct ScopeMarks {
  int32_t current = 0;           ///< the call that ops belong to now; 0: none
  std::vector<int32_t> parents;  ///< the call within which each call was made

  int32_t enter() {
    parents.push_back(current);
    return current = static_cast<int32_t>(parents.size());
  }
};
}  // namespace detail

/// Names for leaves, results and gradients. Buffers are what a module or optimizer keeps: running
/// statistics, moments.
struct GraphNames {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::vector<std::pair<std::string, Tensor>> buffers;

  GraphNames() = default;
  GraphNames(std::initializer_list<std::pair<std::string, Tensor>> named) : tensors(named) {}
  GraphNames(std::vector<std::pair<std::string, Tensor>> named) : tensors(std::move(named)) {}
};

/// Where the edges of a drawing run.
enum class DrawDirection { kDown, kRight, kUp, kLeft };

struct DrawOptions {
  DrawDirection direction = DrawDirection::kDown;
  int64_t depth = -1;   ///< modules deeper than this are drawn closed; -1: none
  uint32_t phases = 0;  ///< bits: 1 forward, 2 backward, 4 optimizer; 0 for all
  bool roll_up = true;  ///< three and more equal modules in a row are drawn once, "x 3"
  bool legend = true;
};

/// How two graphs differ; ops by their number in the order of text().
struct GraphDiff {
  struct Change {
    int64_t before, after;  ///< the op in the first and in the second graph
    std::string what;       ///< "{dims=[0]} became {dims=[1]}"
  };
  std::vector<int64_t> added;    ///< ops of the second graph
  std::vector<int64_t> removed;  ///< ops of the first graph
  std::vector<Change> changed;
  bool outputs = false;  ///< the graphs return different values

  /// True if anything differs.
  explicit operator bool() const {
    return outputs || !added.empty() || !removed.empty() || !changed.empty();
  }
  /// {"added": [...], "removed": [...], "changed": [{"before", "after", "what"}], "outputs":
  /// false}.
  std::string json() const;
};

/// Ops and values in single assignment form. A graph holds no tensor memory.
class Graph {
 public:
  /// The recorded history of t.
  static Graph from_tensor(const Tensor& t, const GraphNames& names = {});
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
  /// One page that needs no network: move, zoom, search, open and close modules. It shows this
  /// graph, under `name`, or one of the others.
  std::string html(const std::string& title = "Computation graph",
                   const std::string& name = "graph",
                   const std::vector<std::pair<std::string, Graph>>& others = {},
                   const DrawOptions& options = {}) const;
  /// One op a line: "%3 = mul(%1, %2) : float32 [2, 3]".
  std::string text() const;
  /// One row an op: result, shape, inputs, costs, module, line; the totals below.
  std::string table() const;
  /// One row a module: output, parameters, costs.
  std::string summary() const;
  /// Everything that is known of the graph. docs/graph.md describes the schema.
  std::string json() const;
  /// The graph as compile() would execute it: the same passes. Its report() says what they did.
  Graph fuse() const;
  /// Of a graph that fuse() made, else "": JSON with what was done and refused, and counts of
  /// nodes, edges and bytes before and after.
  std::string report() const;
  /// What has to be done to this graph to get the other one.
  GraphDiff diff(const Graph& other) const;

  const detail::GraphData& data() const;

 private:
  std::shared_ptr<const detail::GraphData> data_;
};

struct RecordOptions {
  bool profile = false;  ///< measure the time of each op
};

/// Records every op that this thread runs from its construction to finish(): also ops on tensors
/// without gradients, changes in place, backward passes and steps of optimizers.
class Recording {
 public:
  explicit Recording(const RecordOptions& options = {});
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// Ends the recording, if it has not ended yet. Throws Error (runtime) in another thread than the
  /// recorded one.
  void stop();
  /// The same, and returns what was recorded.
  Graph finish(const GraphNames& names = {});
  /// What follows, until leave(), belongs to a module of that name ("0", "encoder") and type
  /// ("Linear"), within the one entered before.
  void enter(const std::string& name, const std::string& type);
  /// Throws Error (runtime) if nothing was entered.
  void leave();

  // ---- for bindings
  /// Where calls of modules are marked; shared, because a thread may still hold it when the
  /// recording is gone.
  std::shared_ptr<detail::ScopeMarks> marks();
  /// Names the first modules that were entered, all others stay as they are. Throws Error (value)
  /// if there are more names than modules.
  void name_scopes(const std::vector<std::string>& names, const std::vector<std::string>& types);

 private:
  detail::CallRecorder* recorder_;
};

}  // namespace autograd
