// The graph in flat single assignment form: what drawing, text and every pass read.
#pragma once
#include <string>
#include <vector>

#include "core/op.hpp"

namespace autograd::detail {

/// What a value is to its graph. A leaf is a parameter, an input or a constant.
enum class Role {
  kParameter,     ///< a leaf that requires grad
  kInput,         ///< any other leaf
  kConstant,      ///< a 0-d leaf that needs no grad and has no name: mostly a number written in the
                  ///< code
  kIntermediate,  ///< made by an op
  kOutput         ///< made by an op, and what the graph is for
};

struct GraphValue {
  Role role = Role::kIntermediate;
  DType dtype = DType::kFloat32;
  bool needs_grad = false;
  Shape sizes;
  int op = -1;       ///< that makes it; -1 for a leaf
  std::string name;  ///< given by the user, else ""
  bool has_number = false;
  double number = 0;  ///< of a constant, where it is known

  bool is_leaf() const { return op < 0; }
};

struct GraphOp {
  const Op* op;
  Attrs attrs;
  std::vector<int> inputs;   ///< values; -1 for an absent optional input
  std::vector<int> outputs;  ///< values
};

/// ops are in topological order. values hold the leaves first, in order of use, then the results in
/// order of ops.
struct GraphData {
  std::vector<GraphOp> ops;
  std::vector<GraphValue> values;
  std::vector<int> outputs;  ///< values; a leaf if the graph has no ops
};

/// "dims=[0, 1], keepdim=true": the attributes that say something, named by the op's schema.
std::string attrs_text(const Op& op, const Attrs& attrs);
/// The shortest text that reads back as the number.
std::string number_text(double number);

std::string dot_text(const GraphData& graph);
std::string ssa_text(const GraphData& graph);

}  // namespace autograd::detail
