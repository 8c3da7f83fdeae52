// Which values of a graph share memory, where that memory is changed, and what that forbids.
#pragma once
#include <vector>

#include "graph/ir.hpp"

namespace autograd::detail {

inline bool is_view(const GraphOp& op) { return op.op->traits & kView; }
inline bool is_random(const GraphOp& op) { return op.op->traits & kRandom; }

/// The memory of the values of a graph, as the graph is when this is made.
class Memory {
 public:
  explicit Memory(const GraphData& graph);

  /// A number for the memory of a value: the same for all values that share it.
  int root(int value) const { return root_[static_cast<size_t>(value)]; }
  /// Some op changes this memory.
  bool is_written(int value) const { return flags(value) & kWritten; }
  /// It was there before the first op; a change can be seen from outside.
  bool is_outside(int value) const { return flags(value) & kOutside; }
  /// It is, or shares memory with, an output of the graph.
  bool is_output(int value) const { return flags(value) & kResult; }
  /// The values of the same memory.
  const std::vector<int>& sharing(int value) const {
    return members_[static_cast<size_t>(root(value))];
  }
  /// True if op `i` changes memory that existed before.
  bool writes(int i) const { return writes_[static_cast<size_t>(i)]; }
  /// Ops that must run before op i, apart from those that make its inputs: readers of what it
  /// overwrites, the change before it, the random op before it.
  const std::vector<int>& before(int i) const { return before_[static_cast<size_t>(i)]; }

 private:
  enum Flag : char { kWritten = 1, kOutside = 2, kResult = 4 };
  char flags(int value) const { return flags_[static_cast<size_t>(root(value))]; }
  void unite(const GraphData& graph);
  void order(const GraphData& graph);

  std::vector<int> root_;
  std::vector<std::vector<int>> members_;
  std::vector<char> flags_;  // by root
  std::vector<char> writes_;
  std::vector<std::vector<int>> before_;
};

}  // namespace autograd::detail
