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
class GraphSource;
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

/// A name for a tensor that a Recording has noted.
struct NotedName {
  std::string name;
  int64_t tensor = 0;  ///< its number, in the order of noting
  bool is_buffer = false;
};

/// Where the edges of a drawing run.
enum class DrawDirection { kDown, kRight, kUp, kLeft };

struct DrawOptions {
  DrawDirection direction = DrawDirection::kDown;
  int64_t depth = -1;   ///< modules deeper than this are drawn closed; -1: none
  uint32_t phases = 0;  ///< bits: 1 forward, 2 backward, 4 optimizer; 0 for all
  bool roll_up = true;  ///< three and more equal modules in a row are drawn once, "x 3"
  bool once = true;     ///< a leaf has one box; else one in each part of the step that reads it
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

/// The work of an op, or of all of a graph; a multiply-add counts as two.
struct GraphCost {
  double flops = 0;
  double bytes_read = 0, bytes_written = 0;
  double seconds = -1;  ///< measured, -1 if not
};

/// A box of the drawing: an op, or a value that was there before.
struct GraphNode {
  std::string key;   ///< as in DOT: "op3" or "v0"
  std::string op;    ///< name of the op, "" for a value
  std::string kind;  ///< "product", "pointwise", ... or "parameter", "buffer", "input", "constant"
  std::string name;  ///< of the value or of a result, "" if unknown
  std::vector<Shape> shapes;  ///< of the value, or of all results
  std::vector<DType> dtypes;
  std::vector<int> storage;  ///< equal numbers are the same memory; -1 if unknown
  bool needs_grad = false;
  bool has_number = false;  ///< a constant whose number is known
  double number = 0;
  // ---- of ops
  uint64_t id = 0;  ///< made of what it computes
  std::vector<std::pair<std::string, std::string>> attrs;
  std::vector<std::string> inputs;  ///< keys, "" for an absent one
  std::vector<std::string> saved;   ///< keys of what is kept for the gradient
  bool in_place = false;
  std::string phase;                ///< "forward", "backward", "optimizer"
  std::string forward;              ///< key of the op whose gradient it computes, or ""
  std::string module, module_type;  ///< that called it: "encoder.layers.0", "Linear"
  std::string file;                 ///< where the program called it
  int line = 0;
  GraphCost cost;
  std::vector<GraphNode> body;  ///< of a fused op: the ops that it stands for
};

/// A value on its way from a node to another.
struct GraphEdge {
  int64_t source = 0, target = 0;  ///< indices into Graph::nodes()
  int output = 0, input = 0;       ///< which result of the source, which argument of the target
  Shape shape;
  DType dtype = DType::kFloat32;
  bool needs_grad = false;
  bool saved = false;  ///< kept for the gradient
  bool order = false;  ///< no value: the target reads memory that the source changes
};

/// Ops and values in single assignment form. A graph holds no tensor memory.
class Graph {
 public:
  /// The recorded history of t.
  static Graph from_tensor(const Tensor& t, const GraphNames& names = {});
  /// A graph of the library's own making.
  static Graph from_data(std::shared_ptr<const detail::GraphSource> source) {
    Graph graph;
    graph.source_ = std::move(source);
    return graph;
  }
  int64_t num_ops() const;
  int64_t num_values() const;
  /// Values that were there before, in order of use, then the ops, in an order of execution.
  std::vector<GraphNode> nodes() const;
  /// One for each tensor that an op reads.
  std::vector<GraphEdge> edges() const;
  /// Of all ops together.
  GraphCost cost() const;
  /// The most memory that results take at a time if each is freed after its last use.
  double peak_bytes() const;
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
  /// Writes the graph to a file in the format of its suffix: .svg, .html, .dot, .gv, .json, .txt,
  /// or .png and .pdf, for which Graphviz's program dot is run. Throws Error (value) for another
  /// suffix, (runtime) if the file cannot be written, or dot is missing or fails.
  void save(const std::string& path, const DrawOptions& options = {}) const;
  /// One op a line: "%3 = mul(%1, %2) : float32 [2, 3]".
  std::string text() const;
  /// One row an op: result, shape, inputs, costs, module, line; the totals below.
  std::string table() const;
  /// One row a module: output, parameters, costs.
  std::string summary() const;
  /// Everything that is known of the graph. docs/graph.md describes the schema.
  std::string json() const;
  /// The graph with the time of each op; their sum is the time of the whole. runs 0: the times that
  /// a Recording measured; a graph that was not recorded is run a few times. Else it is run so many
  /// times on made-up data, without the program around it, and the run in the middle counts. An op
  /// that made-up data makes fail has no time. Throws Error (value) for runs < 0 or > 1,000,000.
  Graph profile(int64_t runs = 0) const;
  /// The graph as compile() would execute it: the same passes. Its report() says what they did.
  Graph fuse() const;
  /// Of a graph that fuse() made, else "": JSON with what was done and refused, and counts of
  /// nodes, edges and bytes before and after.
  std::string report() const;
  /// What has to be done to this graph to get the other one.
  GraphDiff diff(const Graph& other) const;
  /// For drawings: the other graph with what was removed of this one; what was added, removed or
  /// changed has a colour.
  Graph diff_graph(const Graph& other) const;

  const detail::GraphData& data() const;

 private:
  std::shared_ptr<const detail::GraphSource> source_;
};

/// Throws Error (runtime) unless dot(options) is the text of a file, which git can compare. A file
/// that does not exist is written instead, and any with `update` or with AUTOGRAD_UPDATE_GRAPHS=1
/// in the environment.
void assert_graph(const Graph& graph, const std::string& golden, bool update = false,
                  const DrawOptions& options = {});

struct RecordOptions {
  bool profile = false;  ///< show the time of each op at once, without Graph::profile()
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
  /// The same, and returns what was recorded, with names for what the tensors are now. It is made
  /// into a graph when somebody looks at it.
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
  /// Notes what tensors and their gradients are now, so that graph() can name them later; keeps
  /// none.
  void note(const std::vector<Tensor>& tensors);
  void note(const Tensor& tensor);
  /// finish() with names for noted tensors. Throws Error (value) for a number that none has.
  Graph graph(std::vector<NotedName> names);

 private:
  detail::CallRecorder* recorder_;
};

}  // namespace autograd
