// What every graph has to be, before and after a pass.
#include "core/text.hpp"
#include "graph/passes/passes.hpp"

namespace autograd::detail {

namespace {

class Verifier {
 public:
  explicit Verifier(const GraphData& graph) : graph_(graph), known_(graph.values.size(), 0) {}

  void operator()() {
    bool is_leaf = true;
    for (size_t v = 0; v < graph_.values.size(); ++v) {
      if (graph_.values[v].is_leaf() && !is_leaf)
        fail(ErrorCode::kRuntime, "graph: leaf %", v, " stands behind results");
      is_leaf = graph_.values[v].is_leaf();
      known_[v] = is_leaf;
    }
    for (size_t i = 0; i < graph_.ops.size(); ++i) check(static_cast<int>(i));
    for (int v : graph_.outputs)
      if (v != -1) check_known(v, "output of the graph");
  }

 private:
  void check(int i) {
    const GraphOp& op = graph_.ops[static_cast<size_t>(i)];
    for (int v : op.inputs)
      if (v != -1) check_known(v, op.op->name);
    for (int v : op.outputs) {
      if (v < 0 || static_cast<size_t>(v) >= graph_.values.size() ||
          known_[static_cast<size_t>(v)] || graph_.values[static_cast<size_t>(v)].op != i)
        fail(ErrorCode::kRuntime, "graph: op ", i, " (", op.op->name, ") gives %", v,
             ", which is not its own");
      known_[static_cast<size_t>(v)] = 1;
    }
    if (op.in_place && (op.inputs.empty() || op.inputs[0] < 0 || op.outputs.empty()))
      fail(ErrorCode::kRuntime, "graph: op ", i, " (", op.op->name, ") changes nothing in place");
    const bool shares = op.in_place || (op.op->traits & kView);
    if (shares && storage(op.inputs[0]) != storage(op.outputs[0]))
      fail(ErrorCode::kRuntime, "graph: op ", i, " (", op.op->name,
           ") gives other memory than it takes");
  }
  int storage(int v) const { return graph_.values[static_cast<size_t>(v)].storage; }
  void check_known(int v, const char* where) const {
    if (v < 0 || static_cast<size_t>(v) >= graph_.values.size() || !known_[static_cast<size_t>(v)])
      fail(ErrorCode::kRuntime, "graph: ", where, " reads %", v, " before it is made");
  }

  const GraphData& graph_;
  std::vector<char> known_;
};

}  // namespace

void verify(const GraphData& graph) {
  Verifier verifier(graph);
  verifier();
}

}  // namespace autograd::detail
