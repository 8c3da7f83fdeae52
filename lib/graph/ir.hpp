// The graph in flat single assignment form: what drawing, text and every pass read.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/op.hpp"

namespace autograd::detail {

/// What a value is to its graph. Leaves are parameters, buffers, inputs and constants.
enum class Role {
  kParameter,     ///< a leaf that requires grad
  kBuffer,        ///< a leaf that a module or an optimizer keeps: running statistics, moments
  kInput,         ///< any other leaf
  kConstant,      ///< a 0-d leaf that needs no grad and has no name: mostly a number written in the
                  ///< code
  kIntermediate,  ///< made by an op
  kOutput         ///< made by an op, and what the graph is for
};

/// The part of a training step that an op belongs to.
enum class Phase { kForward, kBackward, kOptimizer };

/// What an op is to another graph, where a drawing compares the two.
enum class Mark { kNone, kAdded, kRemoved, kChanged };

struct GraphValue {
  Role role = Role::kIntermediate;
  DType dtype = DType::kFloat32;
  bool needs_grad = false;
  Shape sizes;
  Shape strides;     ///< empty if unknown; in elements
  int op = -1;       ///< that makes it; -1 for a leaf
  int storage = -1;  ///< values with the same number share memory (views, in-place changes); -1 if
                     ///< unknown
  std::string name;  ///< given by the user, else ""
  bool was_read = false;  ///< of a result that was recorded: the program looked at its elements
  bool has_number = false;
  double number = 0;  ///< of a constant, where it is known

  bool is_leaf() const { return op < 0; }
};

struct GraphData;

struct GraphOp {
  const Op* op;
  Attrs attrs;
  std::vector<int> inputs;   ///< values; -1 for an absent optional input
  std::vector<int> outputs;  ///< values
  std::vector<int> saved;    ///< those of them that the gradient rule keeps
  std::vector<int> after;  ///< ops whose changes in place it sees through other names of the memory
  bool in_place = false;   ///< output 0 is input 0 after the change: a new value, the same storage
  Phase phase = Phase::kForward;
  int forward = -1;  ///< of an op of the backward phase: the op whose gradient rule made it
  int scope = -1;    ///< index into scopes; -1 outside of any module
  std::string file;  ///< where the user's program made the call, "" if unknown
  int line = 0;
  uint32_t location = 0;  ///< the same as a number, where it has not been looked up yet
  double seconds = -1;    ///< measured, -1 if not
  Mark mark = Mark::kNone;
  std::string what;  ///< of a changed op: what differs
  int options = -1;  ///< of a recorded step of an optimizer: index into GraphData::options
  std::shared_ptr<const GraphData> body;  ///< of a fused op: the ops it stands for
  std::shared_ptr<const Op> owner;  ///< of a fused op: keeps `op`, which is made when compiled
};

/// A call of a module: "layers.0", Linear, within "layers".
struct GraphScope {
  std::string name;  ///< within its parent
  std::string type;  ///< of the module
  int parent = -1;   ///< index into scopes
};

/// ops are in topological order, and where anything is changed in place, in the order of execution.
/// values hold the leaves first, in order of use, then the results in order of ops.
struct GraphData {
  std::vector<GraphOp> ops;
  std::vector<GraphValue> values;
  std::vector<int> outputs;  ///< values; a leaf if the graph has no ops
  /// The outputs are all results that nothing reads: nobody has said which of them are wanted.
  bool outputs_are_guessed = false;
  std::vector<GraphScope> scopes;
  std::vector<std::vector<double>> options;  ///< of optimizers, each once for a step of all
  std::string report;                        ///< of a fused graph: what the passes did, as JSON
  double seconds = -1;  ///< measured from the begin of a recording to its last op, -1 if not
  /// What a recording measured, as long as nobody asked for it.
  struct {
    double seconds = -1;
    std::vector<double> of_ops;
  } measured;
};

/// The ops, and the graph, get the times that the recording measured.
void show_times(GraphData& graph);

/// "dims=[0, 1], keepdim=true": the attributes that say something, named by the op's schema.
std::string attrs_text(const Op& op, const Attrs& attrs);
/// The same one by one: name, and the value's text.
std::vector<std::pair<std::string, std::string>> attr_pairs(const Op& op, const Attrs& attrs);
/// The shortest text that reads back as the number.
std::string number_text(double number);

std::string ssa_text(const GraphData& graph);
std::string json_text(const GraphData& graph);
/// One row an op, with shapes, costs, module and line; the totals below.
std::string table_text(const GraphData& graph);
/// One row a module, nested, with output, parameters and costs.
std::string summary_text(const GraphData& graph);

/// "pointwise", "reduction", "product", "view", ...: the first of the op's traits.
const char* kind_name(const Op& op);
const char* role_name(Role role);
/// "encoder.layers.0": the names of the scope and those around it; a scope without a name is left
/// out.
std::string scope_path(const GraphData& graph, int scope);

/// Modules from the names of parameters, for a graph that knows none: "encoder.layers.0.weight" is
/// read by an op of "layers.0" in "encoder".
void scopes_from_names(GraphData& graph);

/// A leaf without a name gets the word of the op that reads it, or a view of all of it: the "h0" of
/// a layer over a sequence, the "target" of a loss; the next one is "h0_2".
void name_arguments(GraphData& graph);

/// The state of an optimizer that an update of "fc.weight" changes is called "fc.weight.exp_avg".
/// `first(v)` is the value that the memory of v had before everything else.
template <class First>
void name_states(GraphData& graph, const GraphOp& op, const First& first) {
  std::string_view words = op.op->inputs;
  const auto value = [&](int v) -> GraphValue& { return graph.values[static_cast<size_t>(v)]; };
  const std::string param =
      op.inputs.empty() || op.inputs[0] < 0 ? "" : value(first(op.inputs[0])).name;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const size_t comma = words.find(',');
    const std::string word(words.substr(0, comma));
    words = comma == std::string_view::npos ? "" : words.substr(comma + 1);
    // The last one holds the options, where it is among the inputs at all.
    if (i < 2 || words.empty() || op.inputs[i] < 0) continue;
    GraphValue& state = value(first(op.inputs[i]));
    if (!state.is_leaf()) continue;
    state.role = Role::kBuffer;
    if (param.empty() || !state.name.empty()) continue;
    state.name = value(op.inputs[i]).name = param + "." + word;
  }
}

/// By op: a number made of what it computes (its op, attributes, shapes and, by their numbers, the
/// ops and leaves that it reads), not of where it stands. Equal ops after each other get different
/// ones.
std::vector<uint64_t> content_ids(const GraphData& graph);

/// The data of a public graph; some are made when somebody asks for them, in any thread.
class GraphSource {
 public:
  explicit GraphSource(GraphData data) : data_(std::move(data)) {}
  explicit GraphSource(std::function<GraphData()> make) : make_(std::move(make)) {}
  const GraphData& data() const {
    std::call_once(once_, [this] {
      if (make_) data_ = make_();
      make_ = nullptr;
    });
    return data_;
  }

 private:
  mutable std::once_flag once_;
  mutable std::function<GraphData()> make_;
  mutable GraphData data_;
};

/// For a public graph. The time that it takes to free it does not count in a recording: in
/// `with record() as g` the last g goes when the next recording has begun.
std::shared_ptr<const GraphSource> hold(GraphData graph);
std::shared_ptr<const GraphSource> hold(std::function<GraphData()> make);

}  // namespace autograd::detail
