// A log of calls as a graph. Numbers follow the order of the calls alone, never addresses.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "core/node.hpp"
#include "graph/places.hpp"
#include "graph/recording.hpp"

namespace autograd::detail {
namespace {

double number_of(DType dtype, uint64_t bits) {
  const auto as = [&](auto value) {
    std::memcpy(&value, &bits, sizeof(value));
    return static_cast<double>(value);
  };
  switch (dtype) {
    case DType::kFloat32:
      return as(float());
    case DType::kFloat64:
      return as(double());
    case DType::kInt32:
      return as(int32_t());
    case DType::kInt64:
      return as(int64_t());
    default:
      return as(uint8_t());
  }
}

/// Turns calls into ops, and tensors into values. Which value a tensor stands for depends on the
/// time: a change in place makes a new value of the same memory.
class Builder {
 public:
  explicit Builder(std::vector<GraphScope> scopes) { graph_.scopes = std::move(scopes); }
  void add(const LoggedCall& call, double seconds);
  void name(const NotedName& given, const LoggedNote& note);
  GraphData finish();

  void mark_read(uint64_t tensor) {
    const auto found = by_id_.find(tensor);
    if (found != by_id_.end()) value(found->second).was_read = true;
  }

 private:
  struct Value {
    uint64_t data = 0;      ///< address, to tell views of one memory from each other
    size_t write_seen = 0;  ///< changes of its memory when it was made
  };
  struct Memory {
    int number = 0;
    std::vector<int> values;  ///< in order
    size_t writes = 0;
    int last_writer = -1;  ///< op
    bool is_leaf = false;  ///< it was there before the recording
    bool is_parameter = false;
  };

  int find(const LoggedTensor& t);
  int read(const LoggedTensor& t, GraphOp& op);
  int make(const LoggedTensor& t, int op);
  void add_outputs(const LoggedCall& call, GraphOp& op);
  void set_phase(const LoggedCall& call, GraphOp& op);
  bool writes_parameter(const GraphOp& op) const;
  void find_optimizer();
  void find_outputs();
  void find_roles();
  void put_leaves_first();

  GraphValue& value(int v) { return graph_.values[static_cast<size_t>(v)]; }
  const GraphValue& value(int v) const { return graph_.values[static_cast<size_t>(v)]; }
  Memory& memory_of(int v) { return memories_[static_cast<size_t>(value(v).storage)]; }
  const Memory& memory_of(int v) const { return memories_[static_cast<size_t>(value(v).storage)]; }

  GraphData graph_;
  std::vector<Value> values_;  // beside graph_.values
  std::vector<Memory> memories_;
  std::vector<char> recorded_;                        // by op: for the gradient
  std::unordered_map<uint64_t, int> by_id_;           // tensor -> its value
  std::unordered_map<uint64_t, int> memory_numbers_;  // storage -> memories_
  std::unordered_map<const void*, int> op_of_node_;
  std::unordered_map<uint64_t, int> options_;  // tensor -> graph_.options
  Places places_;
};

bool same_place(const GraphValue& v, uint64_t data, const LoggedTensor& t) {
  return data == t.data && v.dtype == t.dtype && v.sizes == t.sizes && v.strides == t.strides;
}

// The value that the tensor stands for now, -1 if it was never seen.
int Builder::find(const LoggedTensor& t) {
  const auto known = by_id_.find(t.id);
  const int own = known == by_id_.end() ? -1 : known->second;
  if (own >= 0 && values_[static_cast<size_t>(own)].write_seen == memory_of(own).writes) return own;
  const auto place = memory_numbers_.find(t.storage);
  if (place == memory_numbers_.end()) return -1;
  // Of those made since the last change, the first: a view of a view may show the same again.
  const Memory& memory = memories_[static_cast<size_t>(place->second)];
  int best = -1;
  for (auto it = memory.values.rbegin(); it != memory.values.rend(); ++it) {
    const Value& known_value = values_[static_cast<size_t>(*it)];
    if (best >= 0 && known_value.write_seen < memory.writes) break;
    if (same_place(value(*it), known_value.data, t)) best = *it;
  }
  return best < 0 ? own : by_id_[t.id] = best;
}

int Builder::make(const LoggedTensor& t, int op) {
  const int number = static_cast<int>(graph_.values.size());
  const auto [place, added] =
      memory_numbers_.try_emplace(t.storage, static_cast<int>(memories_.size()));
  if (added) {
    Memory& memory = memories_.emplace_back();
    memory.number = place->second;
    memory.is_leaf = op < 0;
  }
  Memory& memory = memories_[static_cast<size_t>(place->second)];
  GraphValue& v = graph_.values.emplace_back();
  v.op = op;
  v.dtype = t.dtype;
  v.sizes = t.sizes;
  v.strides = t.strides;
  v.needs_grad = t.needs_grad;
  v.storage = memory.number;
  values_.push_back({t.data, memory.writes});
  memory.values.push_back(number);
  by_id_[t.id] = number;
  return number;
}

int Builder::read(const LoggedTensor& t, GraphOp& op) {
  if (t.is_absent) return -1;
  int v = find(t);
  if (v < 0) {
    v = make(t, -1);
    value(v).role = t.needs_grad ? Role::kParameter : t.is_number ? Role::kConstant : Role::kInput;
    if (t.is_number) {
      value(v).has_number = true;
      value(v).number = number_of(t.dtype, t.number);
    }
    if (t.needs_grad) memory_of(v).is_parameter = true;
  }
  // A change made through another name of the memory has to come first.
  const Memory& memory = memory_of(v);
  if (memory.last_writer >= 0 && values_[static_cast<size_t>(v)].write_seen < memory.writes &&
      std::find(op.after.begin(), op.after.end(), memory.last_writer) == op.after.end())
    op.after.push_back(memory.last_writer);
  return v;
}

void Builder::add_outputs(const LoggedCall& call, GraphOp& op) {
  const int number = static_cast<int>(graph_.ops.size());
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const LoggedTensor& t = call.outputs[i];
    // An optimizer changes several of its inputs, others the first one.
    const bool written = (i == 0 && call.in_place) || (call.op->traits & kUpdate);
    if (written) {
      Memory& memory = memory_of(by_id_.at(t.id));
      ++memory.writes;
      memory.last_writer = number;
    }
    op.outputs.push_back(make(t, number));
  }
}

void Builder::set_phase(const LoggedCall& call, GraphOp& op) {
  if (call.op->traits & kUpdate) op.phase = Phase::kOptimizer;
  if (!call.in_backward) return;
  op.phase = Phase::kBackward;
  const auto found = op_of_node_.find(call.visiting);
  if (!call.visiting || found == op_of_node_.end()) return;
  // Another node may lie where one was that is gone.
  if (graph_.ops[static_cast<size_t>(found->second)].op != call.visiting_op) return;
  op.forward = found->second;
  // What a gradient rule does belongs to the module whose op it belongs to.
  op.scope = graph_.ops[static_cast<size_t>(op.forward)].scope;
}

void Builder::add(const LoggedCall& call, double seconds) {
  GraphOp op;
  op.op = call.op;
  op.attrs = call.attrs;
  op.in_place = call.in_place;
  graph_.measured.of_ops.push_back(seconds);
  places_.set(call.location, op);
  if (call.options) {
    const auto [entry, added] =
        options_.try_emplace(call.options, static_cast<int>(graph_.options.size()));
    if (added) graph_.options.push_back(call.option_numbers);
    op.options = entry->second;
  }
  if (call.scope > 0 && static_cast<size_t>(call.scope) <= graph_.scopes.size())
    op.scope = call.scope - 1;
  for (const LoggedTensor& t : call.inputs) op.inputs.push_back(read(t, op));
  set_phase(call, op);
  add_outputs(call, op);
  for (size_t i = 0; i < op.inputs.size() && i < 32; ++i)
    if (call.saved >> i & 1) op.saved.push_back(op.inputs[i]);
  for (size_t i = 0; i < op.outputs.size() && i < 32; ++i)
    if (call.saved >> (32 + i) & 1) op.saved.push_back(op.outputs[i]);
  if (call.node) op_of_node_[call.node] = static_cast<int>(graph_.ops.size());
  recorded_.push_back(call.node != nullptr);
  graph_.ops.push_back(std::move(op));
}

void Builder::name(const NotedName& given, const LoggedNote& note) {
  const int v = find(note.tensor);
  if (v >= 0) {
    // The name belongs to the memory's first value as well: "weight" before and after a step.
    int first = memory_of(v).values.front();
    if (!memory_of(v).is_leaf ||
        !same_place(value(first), values_[static_cast<size_t>(first)].data, note.tensor))
      first = v;
    for (int named : {first, v})
      if (value(named).name.empty()) value(named).name = given.name;
    if (given.is_buffer && value(first).op < 0) value(first).role = Role::kBuffer;
  }
  const int g = note.grad.is_absent ? -1 : find(note.grad);
  if (g >= 0 && value(g).name.empty()) value(g).name = given.name + ".grad";
}

bool Builder::writes_parameter(const GraphOp& op) const {
  return op.in_place && memory_of(op.outputs[0]).is_parameter;
}

// What is computed from gradients, outside of the engine and of any history, in order to change a
// parameter, is part of the optimizer: clipping, updates written by hand.
void Builder::find_optimizer() {
  std::vector<char> from_gradient(graph_.values.size(), 0), wanted(graph_.values.size(), 0);
  std::vector<char> candidate(graph_.ops.size(), 0);
  for (size_t i = 0; i < graph_.ops.size(); ++i) {
    GraphOp& op = graph_.ops[i];
    bool derived = op.phase != Phase::kForward;
    for (int v : op.inputs) derived |= v >= 0 && from_gradient[static_cast<size_t>(v)];
    candidate[i] = derived && op.phase == Phase::kForward && !recorded_[i];
    if (op.phase != Phase::kForward || candidate[i])
      for (int v : op.outputs) from_gradient[static_cast<size_t>(v)] = 1;
  }
  for (size_t i = graph_.ops.size(); i-- > 0;) {
    GraphOp& op = graph_.ops[i];
    bool leads_on = op.phase == Phase::kOptimizer;
    if (candidate[i]) {
      leads_on = writes_parameter(op);
      for (int v : op.outputs) leads_on |= wanted[static_cast<size_t>(v)] != 0;
      if (leads_on) op.phase = Phase::kOptimizer;
    }
    for (int v : op.inputs)
      if (leads_on && v >= 0) wanted[static_cast<size_t>(v)] = 1;
  }
}

// Results that nothing uses, unless they are a new state of what was there before.
void Builder::find_outputs() {
  graph_.outputs_are_guessed = true;
  std::vector<char> used(graph_.values.size(), 0);
  for (const GraphOp& op : graph_.ops)
    for (int v : op.inputs)
      if (v >= 0) used[static_cast<size_t>(v)] = 1;
  for (const GraphOp& op : graph_.ops) {
    const int v = op.outputs.empty() ? -1 : op.outputs[0];
    if (v < 0 || used[static_cast<size_t>(v)] || memory_of(v).is_leaf) continue;
    value(v).role = Role::kOutput;
    graph_.outputs.push_back(v);
  }
}

// States of optimizers, and whatever else was there before and is changed, are buffers.
void Builder::find_roles() {
  const auto role_of_state = [&](int v) {
    const int first = memory_of(v).values.front();
    if (value(first).op < 0 && value(first).role != Role::kParameter)
      value(first).role = Role::kBuffer;
  };
  for (const GraphOp& op : graph_.ops) {
    if (op.in_place) role_of_state(op.outputs[0]);
    if (op.op->traits & kUpdate)
      name_states(graph_, op, [&](int v) { return memory_of(v).values.front(); });
  }
}

// The graph wants its leaves before its results.
void Builder::put_leaves_first() {
  std::vector<int> order, place(graph_.values.size());
  for (const bool leaves : {true, false})
    for (size_t v = 0; v < graph_.values.size(); ++v)
      if (graph_.values[v].is_leaf() == leaves) order.push_back(static_cast<int>(v));
  std::vector<GraphValue> values;
  for (size_t i = 0; i < order.size(); ++i) {
    place[static_cast<size_t>(order[i])] = static_cast<int>(i);
    values.push_back(std::move(value(order[i])));
  }
  graph_.values = std::move(values);
  const auto renumber = [&](std::vector<int>& list) {
    for (int& v : list)
      if (v >= 0) v = place[static_cast<size_t>(v)];
  };
  for (GraphOp& op : graph_.ops)
    for (auto* list : {&op.inputs, &op.outputs, &op.saved}) renumber(*list);
  renumber(graph_.outputs);
}

GraphData Builder::finish() {
  find_optimizer();
  find_outputs();
  find_roles();
  name_arguments(graph_);
  put_leaves_first();
  return std::move(graph_);
}

GraphData graph_of(const CallRecord& record, const std::vector<GraphScope>& scopes,
                   const std::vector<NotedName>& given) {
  Builder builder(scopes);
  LoggedCall call;
  CallReader calls(record.calls);
  double seconds = 0;  // up to the last call
  for (uint64_t before = record.began_ticks; calls.next(call); before = call.time) {
    // The counters of two processors may differ a little.
    const double passed =
        record.seconds_per_tick *
        static_cast<double>(std::max<int64_t>(static_cast<int64_t>(call.time - before), 0));
    builder.add(call, passed);
    seconds += passed;
  }
  for (uint64_t tensor : record.read) builder.mark_read(tensor);
  for (const NotedName& each : given)
    builder.name(each, calls.notes()[static_cast<size_t>(each.tensor)]);
  GraphData graph = builder.finish();
  graph.measured.seconds = seconds;
  if (record.timed) show_times(graph);
  return graph;
}

}  // namespace

std::function<GraphData()> CallRecorder::graph(std::vector<NotedName> given) {
  std::vector<GraphScope> scopes;
  for (size_t i = 0; i < marks->parents.size(); ++i) {
    GraphScope& scope = scopes.emplace_back();
    if (i < names.size()) std::tie(scope.name, scope.type) = names[i];
    scope.parent = marks->parents[i] - 1;
  }
  return [record = CallRecord{log_.written(), read_, began_ticks_, seconds_per_tick_, timed_},
          scopes = std::move(scopes),
          given = std::move(given)] { return graph_of(record, scopes, given); };
}

}  // namespace autograd::detail
