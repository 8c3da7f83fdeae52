// The record of a fused op: the builder makes it, the run reads it.
#pragma once
#include <vector>

#include "kernels/cpu/fused.hpp"
#include "ops/fused.hpp"

namespace autograd::detail {

inline constexpr int kMaxFusedArguments = cpu::kMaxFusedRegisters + 8;

/// The product that a program begins with, over the memory of its factors as they were described.
struct FusedProduct {
  int64_t rows = 0, columns = 0, depth = 0;
  int64_t a_row = 0, a_column = 0, b_row = 0, b_column = 0;  ///< strides in elements
  int64_t block = 0;  ///< rows that stay in the cache until the steps have seen them
  DType dtype = DType::kFloat32;
  bool is_small = false;  ///< one block, which runs on the caller without memory of its own
  int bias = -1;          ///< its input
  int argument = -1;      ///< the program's argument that it becomes: an output, or own memory
};

/// The record of one fused op with the program that it runs.
struct FusedOp : Op {
  cpu::FusedProgram program;
  std::vector<FusedArgument> inputs;
  std::vector<OutputMeta> results;
  std::vector<std::vector<char>> constants;  // what kConstant registers point at
  bool has_product = false;                  // its factors are the first inputs
  FusedProduct product;
};

/// What the record of every fused op says and does.
void infer_fused_op(const Call& call, OutputMetas& outputs);
void forward_fused_op(const Call& call);
/// The steps of an op without a product over the elements [begin, end); arguments are its inputs,
/// then its outputs.
void run_steps(const FusedOp& op, void* const* arguments, int64_t begin, int64_t end);
/// Throws Error (runtime) unless the call has the arguments that its op was made for.
void check_fused_arguments(const Call& call, const std::vector<FusedArgument>& inputs,
                           const std::vector<OutputMeta>& results);

}  // namespace autograd::detail
