#include "graph/draw/sketch.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "autograd/error.hpp"
#include "graph/analysis.hpp"
#include "graph/draw/wording.hpp"

namespace autograd::detail {
namespace {

constexpr size_t kTitleLength = 44;

std::string numbered(const char* prefix, size_t number) {
  return std::string(prefix) + std::to_string(number);
}

Look look_of(Role role) {
  switch (role) {
    case Role::kParameter:
      return Look::kParameter;
    case Role::kBuffer:
      return Look::kBuffer;
    case Role::kConstant:
      return Look::kConstant;
    default:
      return Look::kInput;
  }
}

Look look_of(const GraphOp& op) {
  if (op.mark == Mark::kAdded) return Look::kAdded;
  if (op.mark == Mark::kRemoved) return Look::kRemoved;
  if (op.mark == Mark::kChanged) return Look::kChanged;
  if (op.body) return Look::kFused;
  if (op.op->traits & kProduct) return Look::kProduct;
  return op.op->traits & kView ? Look::kView : Look::kOp;
}

// The cluster, or if that is a fused op's the one around it.
int outside_of_fused(const Sketch& sketch, int cluster) {
  while (cluster >= 0 && sketch.clusters[static_cast<size_t>(cluster)].fused >= 0)
    cluster = sketch.clusters[static_cast<size_t>(cluster)].parent;
  return cluster;
}

class Sketcher {
 public:
  Sketcher(const GraphData& graph, uint32_t phases, bool open_fused)
      : graph_(graph), phases_(phases), open_fused_(open_fused) {
    uint32_t seen = 0;
    for (const GraphOp& op : graph.ops) seen |= shown(op) ? bit(op.phase) : 0;
    sketch_.has_phases = (seen & (seen - 1)) != 0;
    node_of_value_.assign(graph.values.size(), -1);
    node_of_op_.assign(graph.ops.size(), -1);
    find_read_leaves();
    find_rounds();
    for (size_t i = 0; i < graph.values.size(); ++i)
      if (graph.values[i].is_leaf() && is_read_[i]) add_leaf(i);
    for (size_t i = 0; i < graph.ops.size(); ++i)
      if (shown(graph.ops[i])) add_op(i);
    for (size_t i = 0; i < graph.ops.size(); ++i)
      if (shown(graph.ops[i])) add_edges(i);
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      if (!goes_to_optimizer(graph.outputs[i])) add_output(i);
    settle_leaves(sketch_);
    drop_idle_leaves();
  }
  Sketch take() { return std::move(sketch_); }

 private:
  static uint32_t bit(Phase phase) { return 1u << static_cast<int>(phase); }
  bool shown(const GraphOp& op) const { return phases_ & bit(op.phase); }
  const GraphValue& value(int v) const { return graph_.values[static_cast<size_t>(v)]; }

  void find_read_leaves();
  void find_rounds();
  void add_leaf(size_t v);
  void add_op(size_t o);
  bool goes_to_optimizer(int value) const;
  void add_output(size_t i);
  void add_edges(size_t o);
  void add_edge(int value, int to);
  int leaf_in_phase_of(int value, int reader);
  int constant_of(int value, int first, int reader);
  void describe_value(SketchNode& node, const char* what, const GraphValue& v) const;
  int cluster_of(size_t o);
  int phase_cluster(Phase phase, int round);
  int add_cluster(Phase phase, int scope);
  void drop_idle_leaves();

  void open(size_t o, SketchNode node);
  void add_inner_edges(size_t o);

  const GraphData& graph_;
  uint32_t phases_;
  bool open_fused_;
  Sketch sketch_;
  std::map<int, std::pair<int, int>> made_inside_;  // results of open fused ops: node and output
  std::vector<char> is_read_;                       // of each value
  std::vector<int> node_of_value_;  // of leaves, and of results whose op is not shown
  std::vector<int> node_of_op_;
  std::vector<int> rounds_;                              // by op
  std::map<std::pair<int, int>, int> leaves_;            // node of a leaf in a phase
  std::map<std::pair<int, int>, int> constants_;         // node of a number beside a reader
  std::set<int> read_;                                   // leaves that an op reads
  std::map<std::tuple<Phase, int, int>, int> clusters_;  // phase, its round, and scope
};

void Sketcher::describe_value(SketchNode& node, const char* what, const GraphValue& v) const {
  node.facts.emplace_back(what, type_text(v));
}

// Fresh memory that an op only writes to is nothing that was there before.
void Sketcher::find_read_leaves() {
  is_read_.assign(graph_.values.size(), 1);
  for (const GraphOp& op : graph_.ops)
    if (op.op->traits & kOverwrites && !op.inputs.empty() && op.inputs[0] >= 0 &&
        value(op.inputs[0]).is_leaf() && value(op.inputs[0]).name.empty())
      is_read_[static_cast<size_t>(op.inputs[0])] = 0;
  for (const GraphOp& op : graph_.ops)
    for (size_t k = 0; k < op.inputs.size(); ++k)
      if (op.inputs[k] >= 0 && !(k == 0 && op.op->traits & kOverwrites))
        is_read_[static_cast<size_t>(op.inputs[k])] = 1;
  for (int v : graph_.outputs)
    if (v >= 0) is_read_[static_cast<size_t>(v)] = 1;
}

// Phases follow each other: where an earlier one reads what a later one has made, a new round of
// them begins. In the picture of a difference an op may stand before one that it reads from, or
// read in a circle what each version reads: rounds are counted until they stay, or for as long as a
// path can be.
void Sketcher::find_rounds() {
  rounds_.assign(graph_.ops.size(), 0);
  bool changed = true;
  for (size_t pass = 0; changed && pass < graph_.ops.size(); ++pass) {
    changed = false;
    for (size_t i = 0; i < graph_.ops.size(); ++i) {
      const GraphOp& op = graph_.ops[i];
      int round = rounds_[i];
      const auto comes_after = [&](int before) {
        const bool goes_back = graph_.ops[static_cast<size_t>(before)].phase > op.phase;
        round = std::max(round, rounds_[static_cast<size_t>(before)] + (goes_back ? 1 : 0));
      };
      for (int v : op.inputs)
        if (v >= 0 && !value(v).is_leaf()) comes_after(value(v).op);
      for (int before : op.after) comes_after(before);
      changed = changed || round != rounds_[i];
      rounds_[i] = round;
    }
  }
}

void Sketcher::add_leaf(size_t i) {
  const GraphValue& v = graph_.values[i];
  SketchNode node;
  node.id = numbered("v", i);
  node.look = look_of(v.role);
  const char* kind = style_of(node.look).name;
  node.name = v.name;
  node.title = !v.name.empty()             ? v.name
               : v.has_number              ? short_number(number_text(v.number))
               : v.role == Role::kConstant ? "scalar"
                                           : kind;
  if (v.role != Role::kConstant) node.detail = shape_text(v);
  node.outputs = {""};
  node.facts.emplace_back("kind", kind);
  describe_value(node, "holds", v);
  node.bytes = bytes_of(v);
  node_of_value_[i] = static_cast<int>(sketch_.nodes.size());
  sketch_.nodes.push_back(std::move(node));
}

void Sketcher::add_op(size_t i) {
  const GraphOp& op = graph_.ops[i];
  SketchNode node;
  node.id = numbered("op", i);
  node.look = look_of(op);
  node.phase = op.phase;
  node.op = static_cast<int>(i);
  node.title = op.body ? "fused" : op.op->name;
  if (op.in_place && !op.body && node.title.back() != '_') node.title += '_';
  const std::string attrs = op.body ? "" : attrs_text(*op.op, op.attrs);
  node.detail =
      op.body ? wrapped(contents_text(*op.body, false), 8) : wrapped(detail_text(graph_, op), 3);
  if (!op.what.empty()) node.facts.emplace_back("changed", op.what);
  if (!attrs.empty()) node.facts.emplace_back("attributes", attrs);
  if (op.body) node.facts.emplace_back("holds", contents_text(*op.body, true));
  for (int input : op.inputs)
    if (input >= 0) describe_value(node, "reads", value(input));
  const GraphCost cost = cost_of(graph_, op);
  node.seconds = cost.seconds;
  node.flops = cost.flops;
  node.bytes = cost.bytes_written;
  for (int output : op.outputs) {
    node.outputs.push_back(shape_text(value(output)));
    describe_value(node, "makes", value(output));
  }
  for (int saved : op.saved)
    if (saved >= 0) describe_value(node, "keeps for backward", value(saved));
  if (!op.file.empty())
    node.facts.emplace_back("called at", op.file + ":" + std::to_string(op.line));
  node.round = rounds_[i];
  node.cluster = cluster_of(i);
  // What the engine does with a gradient belongs to the module that made it.
  if (op.phase == Phase::kBackward && op.scope < 0 && op.inputs.size() == 1 && op.inputs[0] >= 0) {
    const int maker = value(op.inputs[0]).op;
    if (maker >= 0 && graph_.ops[static_cast<size_t>(maker)].phase == op.phase)
      node.cluster = outside_of_fused(
          sketch_,
          sketch_.nodes[static_cast<size_t>(node_of_op_[static_cast<size_t>(maker)])].cluster);
  }
  node_of_op_[i] = static_cast<int>(sketch_.nodes.size());
  if (op.body && open_fused_) return open(i, std::move(node));
  sketch_.nodes.push_back(std::move(node));
}

// A fused op as a cluster of what it holds.
void Sketcher::open(size_t o, SketchNode node) {
  const GraphOp& op = graph_.ops[o];
  const GraphData& body = *op.body;
  SketchCluster cluster;
  cluster.id = numbered("fused", o);
  cluster.title = node.title;
  cluster.parent = node.cluster;
  cluster.phase = op.phase;
  cluster.fused = static_cast<int>(o);
  cluster.path = node.cluster < 0 ? "" : sketch_.clusters[static_cast<size_t>(node.cluster)].path;
  for (size_t k = 0; k < body.ops.size(); ++k) {
    const GraphOp& part = body.ops[k];
    SketchNode inner;
    inner.id = node.id + "_" + std::to_string(k);
    inner.look = look_of(part);
    inner.phase = op.phase;
    inner.round = node.round;
    inner.op = static_cast<int>(o);
    inner.inner = SketchNode::Inner::kYes;
    inner.title = part.op->name;
    inner.detail = wrapped(detail_text(body, part), 3);
    inner.cluster = static_cast<int>(sketch_.clusters.size());
    for (int v : part.outputs)
      inner.outputs.push_back(shape_text(body.values[static_cast<size_t>(v)]));
    for (int v : part.inputs)
      if (v >= 0) describe_value(inner, "reads", body.values[static_cast<size_t>(v)]);
    for (int v : part.outputs) describe_value(inner, "makes", body.values[static_cast<size_t>(v)]);
    if (!part.file.empty())
      inner.facts.emplace_back("called at", part.file + ":" + std::to_string(part.line));
    if (k + 1 == body.ops.size()) {
      inner.inner = SketchNode::Inner::kLast;
      inner.seconds = node.seconds;
      inner.bytes = node.bytes;
      inner.flops = node.flops;
    }
    sketch_.nodes.push_back(std::move(inner));
  }
  for (size_t k = 0; k < op.outputs.size() && k < body.outputs.size(); ++k) {
    const GraphValue& made = body.values[static_cast<size_t>(body.outputs[k])];
    if (made.op < 0) continue;
    const auto& outputs = body.ops[static_cast<size_t>(made.op)].outputs;
    made_inside_[op.outputs[k]] = {
        node_of_op_[o] + made.op,
        static_cast<int>(std::find(outputs.begin(), outputs.end(), body.outputs[k]) -
                         outputs.begin())};
  }
  cluster.stands = std::move(node);
  sketch_.clusters.push_back(std::move(cluster));
}

// The inputs of a fused op are the leaves of its body, in order.
void Sketcher::add_inner_edges(size_t o) {
  const GraphOp& op = graph_.ops[o];
  const GraphData& body = *op.body;
  for (size_t k = 0; k < body.ops.size(); ++k)
    for (int v : body.ops[k].inputs) {
      if (v < 0) continue;
      const GraphValue& read = body.values[static_cast<size_t>(v)];
      const int to = node_of_op_[o] + static_cast<int>(k);
      if (read.is_leaf()) {
        if (static_cast<size_t>(v) < op.inputs.size() && op.inputs[static_cast<size_t>(v)] >= 0)
          add_edge(op.inputs[static_cast<size_t>(v)], to);
        continue;
      }
      const auto& outputs = body.ops[static_cast<size_t>(read.op)].outputs;
      SketchEdge edge;
      edge.from = node_of_op_[o] + read.op;
      edge.to = to;
      edge.output =
          static_cast<int>(std::find(outputs.begin(), outputs.end(), v) - outputs.begin());
      edge.carries_grad = read.needs_grad || op.phase != Phase::kForward;
      sketch_.edges.push_back(edge);
    }
}

// A gradient that stays after the step that reads it, as those of a compiled one: it is seen there.
bool Sketcher::goes_to_optimizer(int v) const {
  if (v < 0 || value(v).is_leaf()) return false;
  if (graph_.ops[static_cast<size_t>(value(v).op)].phase != Phase::kBackward) return false;
  return std::any_of(graph_.ops.begin(), graph_.ops.end(), [&](const GraphOp& op) {
    return op.op->traits & kUpdate && shown(op) &&
           std::find(op.inputs.begin(), op.inputs.end(), v) != op.inputs.end();
  });
}

void Sketcher::add_output(size_t i) {
  const int v = graph_.outputs[i];
  if (v < 0 || (value(v).op >= 0 && node_of_op_[static_cast<size_t>(value(v).op)] < 0)) return;
  SketchNode node;
  node.id = numbered("out", i);
  node.look = Look::kOutput;
  const bool has_name = !value(v).is_leaf() && !value(v).name.empty();
  node.title = has_name ? value(v).name : value(v).was_read ? "looked at" : "output";
  if (!has_name && value(v).was_read)
    node.facts.emplace_back("read",
                            "by the program itself: a condition, a number that was printed");
  describe_value(node, "holds", value(v));
  sketch_.nodes.push_back(std::move(node));
  add_edge(v, static_cast<int>(sketch_.nodes.size()) - 1);
}

void Sketcher::add_edge(int v, int to) {
  const GraphValue& source = value(v);
  SketchEdge edge;
  edge.to = to;
  // On the way back nothing needs a gradient, and all is one.
  const bool is_gradient =
      !source.is_leaf() && graph_.ops[static_cast<size_t>(source.op)].phase != Phase::kForward;
  edge.carries_grad = source.needs_grad || is_gradient;
  const int reader = sketch_.nodes[static_cast<size_t>(to)].op;
  edge.removed = reader >= 0 && graph_.ops[static_cast<size_t>(reader)].mark == Mark::kRemoved;
  const auto inside = made_inside_.find(v);
  if (inside != made_inside_.end()) {
    std::tie(edge.from, edge.output) = inside->second;
  } else if (!source.is_leaf() && node_of_op_[static_cast<size_t>(source.op)] >= 0) {
    const auto& outputs = graph_.ops[static_cast<size_t>(source.op)].outputs;
    edge.from = node_of_op_[static_cast<size_t>(source.op)];
    edge.output = static_cast<int>(std::find(outputs.begin(), outputs.end(), v) - outputs.begin());
  } else {
    // The result of a phase that is not shown is an input to those that are.
    int& node = node_of_value_[static_cast<size_t>(v)];
    if (node < 0) {
      add_leaf(static_cast<size_t>(v));
      const GraphOp& op = graph_.ops[static_cast<size_t>(source.op)];
      if (source.name.empty()) sketch_.nodes.back().title = op.op->name;
      sketch_.nodes.back().facts[0].second = std::string("from ") + name_of(op.phase);
    }
    edge.from = source.is_leaf() ? leaf_in_phase_of(v, to) : node;
  }
  sketch_.edges.push_back(edge);
}

// A number stands beside each op that reads it: it is a word of the program, and no memory.
int Sketcher::constant_of(int v, int first, int reader) {
  const auto [entry, added] = constants_.try_emplace({v, reader}, first);
  if (!added) return entry->second;
  if (read_.insert(v).second) {
    sketch_.nodes[static_cast<size_t>(first)].phase =
        sketch_.nodes[static_cast<size_t>(reader)].phase;
    return first;
  }
  SketchNode again = sketch_.nodes[static_cast<size_t>(first)];
  again.id += "_" + sketch_.nodes[static_cast<size_t>(reader)].id;
  again.phase = sketch_.nodes[static_cast<size_t>(reader)].phase;
  entry->second = static_cast<int>(sketch_.nodes.size());
  sketch_.nodes.push_back(std::move(again));
  return entry->second;
}

// A leaf stands in each phase that reads it, until fold() makes one of them.
int Sketcher::leaf_in_phase_of(int v, int reader) {
  const int first = node_of_value_[static_cast<size_t>(v)];
  const Phase phase = sketch_.nodes[static_cast<size_t>(reader)].phase;
  if (sketch_.nodes[static_cast<size_t>(first)].look == Look::kConstant)
    return constant_of(v, first, reader);
  if (!sketch_.has_phases || sketch_.nodes[static_cast<size_t>(reader)].op < 0) return first;
  const auto [entry, added] = leaves_.try_emplace({v, static_cast<int>(phase)}, first);
  if (!added) return entry->second;
  if (read_.insert(v).second) {
    sketch_.nodes[static_cast<size_t>(first)].phase = phase;
    return first;
  }
  SketchNode again = sketch_.nodes[static_cast<size_t>(first)];
  again.id += std::string("_") + name_of(phase);
  again.phase = phase;
  again.again = true;
  again.again_of = first;
  again.bytes = -1;
  again.facts.emplace_back("drawn", "once more, as this part of the step reads it as well");
  entry->second = static_cast<int>(sketch_.nodes.size());
  sketch_.nodes.push_back(std::move(again));
  return entry->second;
}

void Sketcher::add_edges(size_t o) {
  const GraphOp& op = graph_.ops[o];
  if (op.body && open_fused_) return add_inner_edges(o);
  for (int input : op.inputs)
    if (input >= 0 && is_read_[static_cast<size_t>(input)]) add_edge(input, node_of_op_[o]);
  for (int before : op.after) {
    const GraphOp& first = graph_.ops[static_cast<size_t>(before)];
    const bool reads_it = std::any_of(op.inputs.begin(), op.inputs.end(),
                                      [&](int v) { return v >= 0 && value(v).op == before; });
    if (reads_it || node_of_op_[static_cast<size_t>(before)] < 0) continue;
    SketchEdge edge;
    edge.from = node_of_op_[static_cast<size_t>(before)];
    edge.to = node_of_op_[o];
    edge.removed = first.mark == Mark::kRemoved;
    edge.order = !edge.removed;
    sketch_.edges.push_back(edge);
  }
}

int Sketcher::phase_cluster(Phase phase, int round) {
  if (!sketch_.has_phases) return -1;
  const auto [entry, added] =
      clusters_.try_emplace({phase, round, -1}, static_cast<int>(sketch_.clusters.size()));
  if (added) {
    SketchCluster& cluster = sketch_.clusters.emplace_back();
    cluster.id = std::string("phase_") + name_of(phase);
    cluster.title = name_of(phase);
    if (round > 0) {
      cluster.id += "_" + std::to_string(round + 1);
      cluster.title += ", round " + std::to_string(round + 1);
    }
    cluster.phase = phase;
    cluster.is_phase = true;
  }
  return entry->second;
}

int Sketcher::cluster_of(size_t o) {
  const GraphOp& op = graph_.ops[o];
  const int round = sketch_.has_phases ? rounds_[o] : 0;
  int cluster = phase_cluster(op.phase, round);
  std::vector<int> path;
  for (int s = op.scope; s >= 0; s = graph_.scopes[static_cast<size_t>(s)].parent)
    path.push_back(s);
  for (size_t i = path.size(); i-- > 0;) {
    const auto [entry, added] = clusters_.try_emplace({op.phase, round, path[i]},
                                                      static_cast<int>(sketch_.clusters.size()));
    if (added) {
      const GraphScope& scope = graph_.scopes[static_cast<size_t>(path[i])];
      SketchCluster made;
      made.id = numbered("scope", static_cast<size_t>(path[i])) +
                (op.phase == Phase::kForward ? "" : std::string("_") + name_of(op.phase)) +
                (round == 0 ? "" : "_" + std::to_string(round + 1));
      made.title = scope.name.empty()   ? scope.type
                   : scope.type.empty() ? scope.name
                                        : scope.name + ": " + scope.type;
      const std::string above =
          cluster >= 0 ? sketch_.clusters[static_cast<size_t>(cluster)].path : "";
      made.path = above.empty()        ? scope.name
                  : scope.name.empty() ? above
                                       : above + "." + scope.name;
      made.parent = cluster;
      made.phase = op.phase;
      sketch_.clusters.push_back(std::move(made));
    }
    cluster = entry->second;
  }
  return cluster;
}

// Leaves of phases that are not shown; all are kept where everything is shown.
void Sketcher::drop_idle_leaves() {
  std::vector<char> read(sketch_.nodes.size());
  for (const SketchEdge& edge : sketch_.edges) read[static_cast<size_t>(edge.from)] = 1;
  for (size_t i = 0; i < read.size(); ++i) {
    const SketchNode& node = sketch_.nodes[i];
    // Numbers that a pass has taken up are of no interest.
    const bool everything = (phases_ & 7) == 7 && node.look != Look::kConstant;
    if (everything || node.op >= 0 || node.look == Look::kOutput) read[i] = 1;
  }
  keep_only(sketch_, read, std::vector<char>(sketch_.clusters.size(), 1));
}

}  // namespace

void settle_leaves(Sketch& sketch) {
  std::vector<int> place(sketch.nodes.size(), -2);               // -2: nobody reads it yet
  std::vector<std::pair<int, Phase>> part(sketch.nodes.size());  // round and phase of the first
  const auto around = [&](int c) {
    std::vector<int> path;
    for (; c >= 0; c = sketch.clusters[static_cast<size_t>(c)].parent) path.push_back(c);
    std::reverse(path.begin(), path.end());
    return path;
  };
  for (const SketchEdge& edge : sketch.edges) {
    const size_t from = static_cast<size_t>(edge.from);
    const SketchNode& reader = sketch.nodes[static_cast<size_t>(edge.to)];
    if (sketch.nodes[from].op >= 0 || reader.op < 0) continue;
    const int cluster = outside_of_fused(sketch, reader.cluster);
    const std::pair<int, Phase> here{reader.round, reader.phase};
    if (place[from] == -2 || here < part[from]) {
      place[from] = cluster;
      part[from] = here;
    } else if (here == part[from]) {
      const std::vector<int> a = around(place[from]), b = around(cluster);
      size_t same = 0;
      while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
      place[from] = same ? a[same - 1] : -1;
    }
  }
  for (size_t i = 0; i < place.size(); ++i) {
    SketchNode& node = sketch.nodes[i];
    if (place[i] < 0 || node.look == Look::kOutput) continue;
    int cluster = place[i];
    // What comes in from outside stands outside of modules.
    while (node.look == Look::kInput && cluster >= 0 &&
           !sketch.clusters[static_cast<size_t>(cluster)].is_phase)
      cluster = sketch.clusters[static_cast<size_t>(cluster)].parent;
    node.cluster = cluster;
    if (cluster < 0) continue;
    // Parameters of a module without a name are named by its type.
    const SketchCluster& module = sketch.clusters[static_cast<size_t>(cluster)];
    const std::string prefix = (module.path.empty() ? module.title : module.path) + ".";
    if (node.title.size() > prefix.size() && node.title.compare(0, prefix.size(), prefix) == 0)
      node.title.erase(0, prefix.size());
  }
}

void keep_only(Sketch& sketch, const std::vector<char>& nodes, const std::vector<char>& clusters) {
  std::vector<int> new_node(nodes.size(), -1), new_cluster(clusters.size(), -1);
  const auto at = [](const std::vector<int>& map, int i) {
    return i < 0 ? -1 : map[static_cast<size_t>(i)];
  };
  Sketch kept;
  kept.has_phases = sketch.has_phases;
  for (size_t c = 0; c < clusters.size(); ++c) {
    if (!clusters[c]) continue;
    new_cluster[c] = static_cast<int>(kept.clusters.size());
    kept.clusters.push_back(std::move(sketch.clusters[c]));
    kept.clusters.back().parent = at(new_cluster, kept.clusters.back().parent);
  }
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (!nodes[n]) continue;
    new_node[n] = static_cast<int>(kept.nodes.size());
    kept.nodes.push_back(std::move(sketch.nodes[n]));
    kept.nodes.back().cluster = at(new_cluster, kept.nodes.back().cluster);
    kept.nodes.back().again_of = at(new_node, kept.nodes.back().again_of);
  }
  for (SketchEdge edge : sketch.edges) {
    edge.from = at(new_node, edge.from);
    edge.to = at(new_node, edge.to);
    if (edge.from >= 0 && edge.to >= 0) kept.edges.push_back(edge);
  }
  sketch = std::move(kept);
}

Sketch full_sketch(const GraphData& graph, uint32_t phases, bool open_fused) {
  return Sketcher(graph, phases, open_fused).take();
}

Sketch make_sketch(const GraphData& graph, const DrawOptions& options, bool open_fused) {
  if (options.depth < -1) throw Error(ErrorCode::kValue, "depth must be at least 0, or -1 for all");
  if (options.phases & ~7u) throw Error(ErrorCode::kValue, "phases: bits 1, 2 and 4 only");
  Sketch sketch = full_sketch(graph, options.phases ? options.phases : 7u, open_fused);
  fold(sketch, options.roll_up, options.once);
  if (options.depth >= 0) close_modules(sketch, options.depth);
  for (SketchNode& node : sketch.nodes) {
    if (node.name.empty() && node.title.size() > kTitleLength) node.name = node.title;
    node.title = shortened(node.title, kTitleLength);
    for (std::string& output : node.outputs) output = shortened(output, kTitleLength);
  }
  for (SketchCluster& cluster : sketch.clusters) {
    cluster.title = shortened(cluster.title, kTitleLength);
    if (cluster.times > 1) cluster.title += " \xC3\x97 " + std::to_string(cluster.times);
  }
  return sketch;
}

}  // namespace autograd::detail
