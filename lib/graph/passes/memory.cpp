#include "graph/passes/memory.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace autograd::detail {

namespace {

/// Disjoint sets of values.
class Sets {
 public:
  explicit Sets(size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0); }
  int find(int v) {
    int root = v;
    while (parent_[static_cast<size_t>(root)] != root) root = parent_[static_cast<size_t>(root)];
    while (parent_[static_cast<size_t>(v)] != root)
      v = std::exchange(parent_[static_cast<size_t>(v)], root);
    return root;
  }
  void join(int a, int b) { parent_[static_cast<size_t>(find(a))] = find(b); }

 private:
  std::vector<int> parent_;
};

}  // namespace

Memory::Memory(const GraphData& graph) {
  unite(graph);
  order(graph);
}

void Memory::unite(const GraphData& graph) {
  const size_t n = graph.values.size();
  Sets sets(n);
  std::unordered_map<int, int> of_storage;
  for (size_t v = 0; v < n; ++v) {
    const int storage = graph.values[v].storage;
    if (storage < 0) continue;
    const auto [known, is_new] = of_storage.try_emplace(storage, static_cast<int>(v));
    if (!is_new) sets.join(static_cast<int>(v), known->second);
  }
  for (const GraphOp& op : graph.ops)
    if ((is_view(op) || op.in_place) && !op.inputs.empty() && !op.outputs.empty())
      sets.join(op.outputs[0], op.inputs[0]);

  root_.resize(n);
  flags_.assign(n, 0);
  members_.resize(n);
  for (size_t v = 0; v < n; ++v) {
    root_[v] = sets.find(static_cast<int>(v));
    members_[static_cast<size_t>(root_[v])].push_back(static_cast<int>(v));
    if (graph.values[v].is_leaf()) flags_[static_cast<size_t>(root_[v])] |= kOutside;
  }
  for (int v : graph.outputs)
    if (v >= 0) flags_[static_cast<size_t>(root(v))] |= kResult;
}

void Memory::order(const GraphData& graph) {
  const size_t n = graph.ops.size();
  writes_.assign(n, 0);
  before_.resize(n);
  std::vector<std::vector<int>> written(n);  // roots
  for (size_t i = 0; i < n; ++i) {
    const GraphOp& op = graph.ops[i];
    if (is_view(op)) continue;
    for (int out : op.outputs) {
      const auto shares = [&](int in) { return in >= 0 && root(in) == root(out); };
      if (std::none_of(op.inputs.begin(), op.inputs.end(), shares)) continue;
      written[i].push_back(root(out));
      flags_[static_cast<size_t>(root(out))] |= kWritten;
      writes_[i] = 1;
    }
  }
  // Only memory that is written at all puts ops in an order.
  struct Accesses {
    int last_write = -1;
    std::vector<int> reads;
  };
  std::unordered_map<int, Accesses> accesses;
  int last_random = -1;
  for (size_t i = 0; i < n; ++i) {
    const GraphOp& op = graph.ops[i];
    const auto after = [&](int other) {
      if (other >= 0 && other != static_cast<int>(i)) before_[i].push_back(other);
    };
    if (is_random(op)) after(std::exchange(last_random, static_cast<int>(i)));
    for (int in : op.inputs) {
      if (in < 0 || !is_written(in)) continue;
      Accesses& a = accesses[root(in)];
      after(a.last_write);
      a.reads.push_back(static_cast<int>(i));
    }
    for (int r : written[i]) {
      Accesses& a = accesses[r];
      after(a.last_write);
      for (int reader : a.reads) after(reader);
      a.reads.clear();
      a.last_write = static_cast<int>(i);
    }
  }
}

}  // namespace autograd::detail
