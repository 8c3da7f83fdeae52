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

}  // namespace

DiffData compare(const GraphData& a, const GraphData& b) { return Comparer(a, b).take(); }

}  // namespace autograd::detail
