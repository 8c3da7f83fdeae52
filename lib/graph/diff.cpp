// Two graphs compared by what their ops compute.
#include "graph/diff.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>

namespace autograd::detail {
namespace {

std::string type_text(const GraphData& graph, const std::vector<int>& values) {
  std::string text;
  for (int v : values) {
    text += text.empty() ? "" : ", ";
    if (v < 0) {
      text += "none";
      continue;
    }
    const GraphValue& value = graph.values[static_cast<size_t>(v)];
    text.append(name_of(value.dtype)).append(" ").append(to_string(value.sizes));
  }
  return text;
}

// What an op is without regard to where its inputs come from.
std::string signature(const GraphData& graph, const GraphOp& op) {
  std::string text = op.op->name;
  text.append(op.in_place ? "_{" : "{").append(attrs_text(*op.op, op.attrs)).append("}");
  text.append(type_text(graph, op.inputs)).append(" -> ").append(type_text(graph, op.outputs));
  return text.append(" ").append(std::to_string(static_cast<int>(op.phase)));
}

std::string place(const GraphData& graph, const GraphOp& op) {
  return std::string(op.op->name) + " " + std::to_string(static_cast<int>(op.phase)) + " " +
         scope_path(graph, op.scope);
}

class Comparer {
 public:
  Comparer(const GraphData& a, const GraphData& b)
      : a_(a), b_(b), of_a_(a.ops.size(), -1), of_b_(b.ops.size(), -1) {
    match_equal();
    match([](const GraphData& g, const GraphOp& op) {
      return signature(g, op) + scope_path(g, op.scope);
    });
    match(signature);
    match(place);
  }

  /// The op of the second graph that an op of the first is, -1 for none.
  const std::vector<int>& partners() const { return of_a_; }

  DiffData take() {
    DiffData diff;
    for (size_t i = 0; i < of_a_.size(); ++i)
      if (of_a_[i] < 0) diff.removed.push_back(static_cast<int>(i));
    for (size_t j = 0; j < of_b_.size(); ++j) {
      if (of_b_[j] < 0) {
        diff.added.push_back(static_cast<int>(j));
        continue;
      }
      const std::string what = difference(static_cast<size_t>(of_b_[j]), j);
      if (!what.empty()) diff.changed.push_back({of_b_[j], static_cast<int>(j), what});
    }
    diff.outputs = !same_values(a_.outputs, b_.outputs);
    return diff;
  }

 private:
  void pair(size_t i, size_t j) {
    of_a_[i] = static_cast<int>(j);
    of_b_[j] = static_cast<int>(i);
  }

  void match_equal() {
    const std::vector<uint64_t> ids_a = content_ids(a_), ids_b = content_ids(b_);
    std::unordered_map<uint64_t, size_t> known;
    for (size_t i = 0; i < ids_a.size(); ++i) known.emplace(ids_a[i], i);
    for (size_t j = 0; j < ids_b.size(); ++j) {
      const auto found = known.find(ids_b[j]);
      if (found != known.end() && of_a_[found->second] < 0) pair(found->second, j);
    }
  }

  // Pairs what is left over, in order, by what key(op) says.
  template <class Key>
  void match(const Key& key) {
    std::unordered_map<std::string, std::deque<size_t>> waiting;
    for (size_t i = 0; i < of_a_.size(); ++i)
      if (of_a_[i] < 0) waiting[key(a_, a_.ops[i])].push_back(i);
    if (waiting.empty()) return;
    for (size_t j = 0; j < of_b_.size(); ++j) {
      if (of_b_[j] >= 0) continue;
      const auto found = waiting.find(key(b_, b_.ops[j]));
      if (found == waiting.end() || found->second.empty()) continue;
      pair(found->second.front(), j);
      found->second.pop_front();
    }
  }

  bool same_value(int u, int v) const {
    if (u < 0 || v < 0) return u < 0 && v < 0;
    const GraphValue &x = a_.values[static_cast<size_t>(u)], &y = b_.values[static_cast<size_t>(v)];
    if (x.is_leaf() != y.is_leaf()) return false;
    if (!x.is_leaf()) {
      if (of_a_[static_cast<size_t>(x.op)] != y.op) return false;
      const auto& from = a_.ops[static_cast<size_t>(x.op)].outputs;
      const auto& to = b_.ops[static_cast<size_t>(y.op)].outputs;
      return std::find(from.begin(), from.end(), u) - from.begin() ==
             std::find(to.begin(), to.end(), v) - to.begin();
    }
    return x.role == y.role && x.name == y.name && x.dtype == y.dtype && x.sizes == y.sizes &&
           x.has_number == y.has_number &&
           (!x.has_number || number_text(x.number) == number_text(y.number));
  }

  bool same_values(const std::vector<int>& u, const std::vector<int>& v) const {
    if (u.size() != v.size()) return false;
    for (size_t i = 0; i < u.size(); ++i)
      if (!same_value(u[i], v[i])) return false;
    return true;
  }

  // "" where the two ops do the same with the same.
  std::string difference(size_t i, size_t j) const {
    const GraphOp &x = a_.ops[i], &y = b_.ops[j];
    const std::string before = attrs_text(*x.op, x.attrs), after = attrs_text(*y.op, y.attrs);
    if (before != after) return "{" + before + "} became {" + after + "}";
    if (type_text(a_, x.outputs) != type_text(b_, y.outputs))
      return type_text(a_, x.outputs) + " became " + type_text(b_, y.outputs);
    if (x.inputs.size() == y.inputs.size() && type_text(a_, x.inputs) != type_text(b_, y.inputs))
      return "reads " + type_text(b_, y.inputs) + " instead of " + type_text(a_, x.inputs);
    if (!same_values(x.inputs, y.inputs)) return "reads other values";
    return "";
  }

  const GraphData &a_, &b_;
  std::vector<int> of_a_, of_b_;  // the op of the other graph, -1 for none
};

/// The second graph with what only the first one has.
class Union {
 public:
  Union(const GraphData& a, const GraphData& b) : a_(a), graph_(b), comparer_(a, b) {
    values_.assign(a.values.size(), -1);
    ops_.assign(a.ops.size(), -1);
    graph_.report.clear();
    graph_.measured = {};  // says nothing of the ops that are added
  }

  GraphData make() {
    const DiffData diff = comparer_.take();
    for (int i : diff.added) graph_.ops[static_cast<size_t>(i)].mark = Mark::kAdded;
    for (int i : diff.removed) add(static_cast<size_t>(i));
    for (const DiffData::Change& change : diff.changed) {
      GraphOp& op = graph_.ops[static_cast<size_t>(change.after)];
      op.mark = Mark::kChanged;
      op.what = change.what;
      // What it read before comes from what was removed.
      for (int v : a_.ops[static_cast<size_t>(change.before)].inputs) {
        const int maker = v < 0 ? -1 : a_.values[static_cast<size_t>(v)].op;
        if (maker >= 0 && comparer_.partners()[static_cast<size_t>(maker)] < 0)
          op.after.push_back(ops_[static_cast<size_t>(maker)]);
      }
    }
    return std::move(graph_);
  }

 private:
  void add(size_t i) {
    GraphOp op = a_.ops[i];
    op.mark = Mark::kRemoved;
    op.after.clear();
    op.saved.clear();
    op.forward = op.options = -1;
    op.scope = scope_of(op.scope);
    for (int& v : op.inputs) v = value_of(v);
    ops_[i] = static_cast<int>(graph_.ops.size());
    for (int& v : op.outputs) v = add_value(v, ops_[i]);
    graph_.ops.push_back(std::move(op));
  }

  int add_value(int v, int op) {
    GraphValue value = a_.values[static_cast<size_t>(v)];
    value.op = op;
    value.storage = -1;
    if (op >= 0) value.role = Role::kIntermediate;
    graph_.values.push_back(std::move(value));
    return values_[static_cast<size_t>(v)] = static_cast<int>(graph_.values.size()) - 1;
  }

  // The value of the second graph that stands for one of the first.
  int value_of(int v) {
    if (v < 0) return -1;
    int& known = values_[static_cast<size_t>(v)];
    if (known >= 0) return known;
    const GraphValue& value = a_.values[static_cast<size_t>(v)];
    if (!value.is_leaf()) {
      const auto& mine = a_.ops[static_cast<size_t>(value.op)].outputs;
      const auto place = static_cast<size_t>(std::find(mine.begin(), mine.end(), v) - mine.begin());
      const int partner = comparer_.partners()[static_cast<size_t>(value.op)];
      const auto& outputs = graph_.ops[static_cast<size_t>(std::max(partner, 0))].outputs;
      if (partner >= 0 && place < outputs.size()) return known = outputs[place];
      return add_value(v, -1);
    }
    for (size_t u = 0; u < graph_.values.size(); ++u) {
      const GraphValue& other = graph_.values[u];
      const bool same = other.is_leaf() && other.role == value.role && other.name == value.name &&
                        other.sizes == value.sizes && other.dtype == value.dtype &&
                        other.has_number == value.has_number && other.number == value.number;
      if (same) return known = static_cast<int>(u);
    }
    return add_value(v, -1);
  }

  int scope_of(int scope) {
    if (scope < 0) return -1;
    const GraphScope& wanted = a_.scopes[static_cast<size_t>(scope)];
    const int parent = scope_of(wanted.parent);
    for (size_t s = 0; s < graph_.scopes.size(); ++s) {
      const GraphScope& known = graph_.scopes[s];
      if (known.parent == parent && known.name == wanted.name && known.type == wanted.type)
        return static_cast<int>(s);
    }
    graph_.scopes.push_back({wanted.name, wanted.type, parent});
    return static_cast<int>(graph_.scopes.size()) - 1;
  }

  const GraphData& a_;
  GraphData graph_;
  Comparer comparer_;
  std::vector<int> values_, ops_;  // of the first graph: where they are now
};

}  // namespace

GraphData marked(const GraphData& a, const GraphData& b) { return Union(a, b).make(); }

DiffData compare(const GraphData& a, const GraphData& b) { return Comparer(a, b).take(); }

}  // namespace autograd::detail
