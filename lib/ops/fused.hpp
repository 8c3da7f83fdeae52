// Ops made of other ops when a graph is compiled: a program of pointwise steps, run tile by tile,
// perhaps with a matrix product before the first.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/op.hpp"
#include "ops/reduce.hpp"

namespace autograd::detail {

/// What a fused op is told of an argument when it is made; a call must give it the same.
struct FusedArgument {
  DType dtype = DType::kFloat32;
  Shape sizes, strides;
  bool has_number = false;  ///< a number that never changes; then it is part of the program
  double number = 0;
};

/// True for the ops that a program may hold as steps.
bool is_fusable_step(const Op& op);
/// True for the ops that a program may begin with.
bool is_fusable_product(const Op& op);
/// True if a program over `sizes` may end in this sum or mean of a value of dtype `from`; else
/// `why` says why not.
bool is_fusable_sum(const Op& op, const Attrs& attrs, const Shape& sizes, DType from, DType to,
                    std::string* why);
/// The dtype a step computes in, given its inputs and the dtype of its result; false if that
/// depends on more than these.
bool step_dtype(const Op& op, const std::vector<FusedArgument>& inputs, DType result,
                DType* compute);

/// Collects the steps of a fused op. Everything is computed over one index space; inputs are
/// broadcast to it. Values are numbered in the order in which input() and step() return them.
class FusedBuilder {
 public:
  explicit FusedBuilder(const Shape& sizes) : sizes_(sizes) {}

  int input(const FusedArgument& argument);
  /// A product of the space's sizes that the program begins with: mm or linear. Call it first; the
  /// arguments are the first of the op.
  int product(const Op& op, const Attrs& attrs, const std::vector<FusedArgument>& arguments);
  /// A pointwise op on earlier values (-1: absent) with a result of dtype `result`, computed in
  /// `compute`.
  int step(const Op& op, const Attrs& attrs, const std::vector<int>& inputs, DType compute,
           DType result);
  /// The value becomes the next output of the op, contiguous, of the space's sizes.
  void output(int value);
  /// The next output is a sum (or mean) of the value over the dims of `mask`: the last dims, the
  /// first, or all.
  void sum(int value, Mask mask, bool keepdim, bool mean);

  /// The op, or nullptr with the reason in `why`. It computes bit for bit what the steps compute
  /// one by one.
  std::shared_ptr<const Op> finish(std::string* why) const;

 private:
  friend class FusedCompiler;
  struct Value {
    bool is_input = false;
    FusedArgument argument;  // of an input; the product counts as one
    const Op* op = nullptr;  // of a step
    Attrs attrs;
    std::vector<int> inputs;
    DType compute = DType::kFloat32, result = DType::kFloat32;
  };
  struct Result {
    int value;
    bool is_sum = false, keepdim = false, mean = false;
    Mask mask = 0;
  };
  Shape sizes_;
  const Op* product_ = nullptr;  // value 0
  Attrs product_attrs_;
  std::vector<FusedArgument> factors_;
  std::vector<Value> values_;
  std::vector<Result> results_;
};

}  // namespace autograd::detail
