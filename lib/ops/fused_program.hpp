// The record of a fused op: the builder makes it, the run reads it.
#pragma once
#include <vector>

#include "kernels/cpu/fused.hpp"
#include "ops/fused.hpp"

namespace autograd::detail {

inline constexpr int kMaxFusedArguments = cpu::kMaxFusedRegisters + 8;

/// The record of one fused op with the program that it runs.
struct FusedOp : Op {
  cpu::FusedProgram program;
  std::vector<FusedArgument> inputs;
  std::vector<OutputMeta> results;
  std::vector<std::vector<char>> constants;  // what kConstant registers point at
  // The product before the steps: its factors are the first inputs, its result is the program's
  // argument `product_argument`, an output of the op or memory of its own.
  bool has_product = false, transposes_a = false, transposes_b = false;
  int factors = 0, product_argument = -1;
};

/// What the record of every fused op says and does.
void infer_fused_op(const Call& call, OutputMetas& outputs);
void forward_fused_op(const Call& call);

}  // namespace autograd::detail
