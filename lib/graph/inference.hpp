// What the values of a graph are, worked out op by op from its leaves by the ops' own rules: for
// graphs that nobody has run, such as those of files, and to check what the passes make.
#pragma once
#include <vector>

#include "graph/ir.hpp"

namespace autograd::detail {

struct CapturedLeaf;

/// No tensor of a plan from a file has more elements, no gap between two of them is wider.
inline constexpr int64_t kMostInFiles = int64_t{1} << 31;

/// Throws Error (value) unless a tensor of these sizes and strides stays within kMostInFiles.
void check_geometry(const Shape& sizes, const Shape& strides);

class Inference {
 public:
  /// `trusted`: the calls are those of passes, which may have ops of their own.
  explicit Inference(bool trusted = false) : trusted_(trusted) {}

  /// Leaves are added first, in order: a tensor of the same geometry, whose elements do not matter
  /// unless it is a number, and the number of its memory.
  void add_leaf(const Tensor& shown, int storage);

  /// The results of a call of `op`, in order: dtypes, sizes, strides and, by number, their memory.
  /// They are added behind the values there are. Throws Error (value, or what the op's rule throws)
  /// unless the op has a check for calls from elsewhere (Op::check) and the call passes it, and its
  /// rule; unless a view stays within what it is taken of, a change in place fits what it changes,
  /// and all sizes are bounded.
  std::vector<GraphValue> add(const GraphOp& op, int n_outputs);

  int64_t size() const { return static_cast<int64_t>(shown_.size()); }
  /// Bytes of all results that have memory of their own.
  double bytes() const { return bytes_; }

 private:
  std::vector<GraphValue> updated(const Call& call, const GraphOp& op) const;
  GraphValue changed(const Call& call, const GraphOp& op, const OutputMeta& meta) const;
  GraphValue viewed(const Call& call, const GraphOp& op, const OutputMeta& meta) const;
  GraphValue fresh(const OutputMeta& meta);
  GraphValue like(int value) const;

  bool trusted_;
  std::vector<Tensor> shown_;
  std::vector<int> storages_;
  int next_storage_ = 0;
  double bytes_ = 0;
};

/// Throws Error (runtime) unless the values of an optimised graph are what its ops give. leaves are
/// those of the capture; further leaves are numbers.
void check_values(const GraphData& graph, const std::vector<CapturedLeaf>& leaves);

}  // namespace autograd::detail
