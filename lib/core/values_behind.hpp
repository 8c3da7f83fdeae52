// The values behind a tensor: what its history has kept, and what can be computed again from that.
#pragma once
#include <unordered_map>
#include <utility>
#include <vector>

#include "autograd/explain.hpp"
#include "autograd/graph.hpp"
#include "core/node.hpp"

namespace autograd::detail {

class ValuesBehind {
 public:
  /// The recorded ops behind `t`. `known` tensors stand for themselves where an op has used them.
  ValuesBehind(const Tensor& t, const GraphNames& known);

  /// Inputs before their users.
  const std::vector<Node*>& nodes() const { return nodes_; }
  /// Those that require grad.
  const std::vector<TensorBody*>& leaves() const { return leaves_; }
  bool is_freed() const;

  /// Computes what was not kept, as far as that is possible.
  void complete();
  /// A value without history, undefined if it is not known, or if there is none.
  Tensor input(const Node& node, int i) const;
  Tensor output(const Node& node, int i) const;
  /// True if all inputs are known.
  bool knows_inputs(const Node& node) const;
  /// The outputs of the op for other inputs; none if it can't run again: functions of the user's,
  /// random ops.
  std::vector<Tensor> run_again(const Node& node, const std::vector<Tensor>& inputs) const;

  /// The ops from `t` to a node.
  std::vector<PathStep> path_to(const Node* node) const;
  /// A leaf that a node was computed from, the nearest one; nullptr if there is none.
  const TensorBody* leaf_behind(const Node* node) const;
  /// True if a node, which may be nullptr, was computed from the leaf.
  bool leads_to(const Node* node, const TensorBody* leaf) const;
  /// "" if it has none.
  std::string name_of_leaf(const TensorBody* leaf) const;

 private:
  void add(Node* node, const Node* user);
  void collect(const Node& node);

  std::vector<Node*> nodes_;
  std::vector<TensorBody*> leaves_;
  std::unordered_map<const Node*, const Node*> users_;
  std::unordered_map<const Node*, std::vector<Tensor>> outputs_;
  std::unordered_map<const TensorBody*, bool> seen_leaves_;
  std::unordered_map<uint64_t, Tensor> by_id_;       // what has no history and was never changed
  std::unordered_map<uint64_t, std::string> names_;  // by id
};

/// Element `i`, in row-major order, as a double.
double element_of(const Tensor& t, int64_t i);
/// Its place.
Shape place_of(const Shape& sizes, int64_t i);
/// The element of a tensor of `sizes` that is broadcast to element `i` of one of sizes `to`.
int64_t before_broadcast(const Shape& sizes, const Shape& to, int64_t i);
/// The first element that is not finite, -1 if there is none or t is undefined or holds integers.
int64_t first_nonfinite(const Tensor& t);
/// All of them.
std::vector<int64_t> bad_elements(const Tensor& t);

}  // namespace autograd::detail
