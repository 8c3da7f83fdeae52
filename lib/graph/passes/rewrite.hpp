// The way a pass changes a graph: it marks and replaces, and in the end a new graph is written.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "graph/ir.hpp"
#include "graph/passes/memory.hpp"

namespace autograd::detail {

/// What passes did, and what they did not do.
struct PassReport {
  struct Change {
    std::string pass, what;
    int line = 0;
    std::string file;
  };
  struct Refusal {
    std::string what, why;
    int count = 1;
  };
  std::vector<Change> changes;
  std::vector<Refusal> refusals;
  int ops_before = 0, ops_after = 0;

  void note(const char* pass, std::string what, const GraphOp* at = nullptr);
  void refuse(const std::string& what, const std::string& why);
  /// What was done, most frequent first, then what was not fused, and why; one a line.
  std::string text() const;
};

/// A graph under change. Values keep their numbers until finish().
class Rewrite {
 public:
  explicit Rewrite(const GraphData& from);

  GraphData graph;
  const Memory memory;

  int n_ops() const { return static_cast<int>(graph.ops.size()); }
  GraphOp& op(int i) { return graph.ops[static_cast<size_t>(i)]; }
  GraphValue& value(int v) { return graph.values[static_cast<size_t>(v)]; }
  /// The op that makes a value; -1 for leaves.
  int maker(int v) const { return v < 0 ? -1 : graph.values[static_cast<size_t>(v)].op; }
  /// Ops that read the value, each once, in order.
  const std::vector<int>& readers(int v) const { return readers_[static_cast<size_t>(v)]; }
  bool is_result(int v) const { return results_[static_cast<size_t>(v)]; }
  bool is_dropped(int i) const { return dropped_[static_cast<size_t>(i)]; }

  /// From now on `by` stands wherever value v stood.
  void replace(int v, int by);
  /// What stands for v now.
  int current(int v) const;
  /// What stands for v is a number that never changes.
  bool is_number(int v) const;
  /// The op is left out. Its outputs must have no use any more.
  void drop(int i);
  /// Op `part` is left out, and what had to come before or after it has to come before or after
  /// `into`.
  void merge(int part, int into);
  /// This op stands for all ops that were merged with op i.
  void put(int i, GraphOp op);
  /// A number that no storage has.
  int new_storage() { return next_storage_++; }
  /// A new leaf that holds a number, with no dims.
  int add_number(DType dtype, double number);

  /// True if the ops can become one op: none outside of them depends on one of them and is needed
  /// by another.
  bool can_join(const std::vector<int>& ops);

  /// What a fused op holds: the ops, in order, as a graph of their own. Its leaves are `inputs`,
  /// one by one, then the numbers that the ops read. Ops that are fused themselves are shown by
  /// theirs.
  std::shared_ptr<const GraphData> body_of(const std::vector<int>& ops,
                                           const std::vector<int>& inputs,
                                           const std::vector<int>& outputs) const;
  /// The innermost module that holds all of the ops; -1 for none.
  int scope_around(const std::vector<int>& ops) const;
  /// "linear + relu": the names of the ops, and of fused ones those of their parts.
  std::string names_of(const std::vector<int>& ops) const;

  /// The new graph: ops in an order that respects values and memory, as near as possible to the old
  /// one; leaves keep their numbers.
  GraphData finish();

 private:
  int group(int i) const;
  template <class Visit>
  void for_each_before(int i, const Visit& visit) const;
  std::vector<int> ordered();
  /// `low`, or the first member of a group that reaches back before it.
  int lowest_reach(int low) const;

  std::vector<std::vector<int>> readers_;
  std::vector<char> results_;
  size_t added_ = 0;  // numbers
  int next_storage_ = 0;
  std::vector<char> dropped_;
  std::vector<int> by_;                    // by value: what replaces it, or itself
  std::vector<int> merged_into_;           // by op: itself, or where it went
  std::vector<std::vector<int>> members_;  // by op: those merged into it, and itself
  std::vector<std::vector<int>> inputs_;   // by op: makers of its inputs when the rewrite began
  std::vector<int> groups_;                // ops that others were merged into
  std::vector<char> seen_;
};

}  // namespace autograd::detail
