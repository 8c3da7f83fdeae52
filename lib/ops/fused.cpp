// Running a fused op: the product, block by block, and the program over each.
#include <algorithm>

#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "ops/fused_program.hpp"
#include "ops/product_rules.hpp"
#include "ops/scratch.hpp"

namespace autograd::detail {

namespace {

const FusedOp& fused_op(const Call& call) { return static_cast<const FusedOp&>(call.op); }

/// Rows [begin, end) of the product, block by block, and the steps over each.
void run_rows(const Call& call, void** arguments, int64_t begin, int64_t end) {
  const FusedOp& op = fused_op(call);
  const FusedProduct& p = op.product;
  const int64_t item = static_cast<int64_t>(size_of(p.dtype));
  const int64_t steps = (cpu::fused_workspace(op.program) + 63) / 64 * 64;
  char* const kept = static_cast<char*>(arguments[p.argument]);
  const Scratch memory(static_cast<size_t>(steps + (kept ? 0 : p.block * p.columns * item)));
  cpu::GemmEpilogue epilogue;
  if (p.bias >= 0) epilogue.bias = arguments[p.bias];
  const cpu::MatrixView b{arguments[1], p.b_row, p.b_column};
  for (int64_t i = begin; i < end; i += p.block) {
    const int64_t stop = std::min(i + p.block, end), first = i * p.columns;
    char* const product = kept ? kept + first * item : memory.data() + steps;
    const cpu::MatrixView a{static_cast<const char*>(arguments[0]) + i * p.a_row * item, p.a_row,
                            p.a_column};
    multiply_matrices(p.dtype, stop - i, p.columns, p.depth, a, b, product, p.columns, epilogue);
    // The program counts from the first element of all.
    arguments[p.argument] = product - first * item;
    cpu::run_fused(op.program, arguments, memory.data(), first, stop * p.columns);
  }
}

/// The whole product, then the steps over it.
void run_small(const FusedOp& op, void** arguments) {
  const FusedProduct& p = op.product;
  const int64_t steps = cpu::fused_workspace(op.program);
  const int64_t product = p.rows * p.columns * static_cast<int64_t>(size_of(p.dtype));
  const Scratch memory(static_cast<size_t>(steps + (arguments[p.argument] ? 0 : product)));
  if (!arguments[p.argument]) arguments[p.argument] = memory.data() + steps;
  cpu::GemmEpilogue epilogue;
  if (p.bias >= 0) epilogue.bias = arguments[p.bias];
  cpu::gemm(p.dtype, p.rows, p.columns, p.depth, {arguments[0], p.a_row, p.a_column},
            {arguments[1], p.b_row, p.b_column}, arguments[p.argument], p.columns, epilogue,
            nullptr);
  cpu::run_fused(op.program, arguments, memory.data(), 0, op.program.numel);
}

void forward_with_product(const Call& call, void** arguments) {
  const FusedProduct& p = fused_op(call).product;
  if (p.is_small) return run_small(fused_op(call), arguments);
  if (p.block == p.rows) return run_rows(call, arguments, 0, p.rows);
  const int64_t blocks = (p.rows + p.block - 1) / p.block;
  const int64_t work = p.block * p.columns * (p.depth + 8 * fused_op(call).program.steps);
  parallel_for(blocks, std::max<int64_t>(1, (int64_t{1} << 22) / std::max<int64_t>(work, 1)),
               [&](int64_t first, int64_t last) {
                 void* mine[kMaxFusedArguments];
                 std::copy_n(arguments, call.n_inputs + call.n_outputs + 1, mine);
                 run_rows(call, mine, first * p.block, std::min(last * p.block, p.rows));
               });
}

}  // namespace

void check_fused_arguments(const Call& call, const std::vector<FusedArgument>& inputs,
                           const std::vector<OutputMeta>& results) {
  if (call.n_inputs != static_cast<int>(inputs.size()) ||
      call.n_outputs != static_cast<int>(results.size()))
    fail(ErrorCode::kRuntime, "fused: made for ", inputs.size(), " inputs and ", results.size(),
         " outputs, got ", call.n_inputs, " and ", call.n_outputs);
  for (int i = 0; i < call.n_inputs; ++i) {
    const FusedArgument& expected = inputs[static_cast<size_t>(i)];
    const TensorBody& t = call.in(i);
    if (t.dtype != expected.dtype || t.sizes != expected.sizes || t.strides != expected.strides)
      fail(ErrorCode::kRuntime, "fused: made for an input ", i, " of ", name_of(expected.dtype),
           " ", expected.sizes, " with strides ", expected.strides, ", got ", name_of(t.dtype), " ",
           t.sizes, " with strides ", t.strides);
  }
}

void infer_fused_op(const Call& call, OutputMetas& outputs) {
  const FusedOp& op = fused_op(call);
  check_fused_arguments(call, op.inputs, op.results);
  for (const OutputMeta& meta : op.results) outputs.add() = meta;
}

void run_steps(const FusedOp& op, void* const* arguments, int64_t begin, int64_t end) {
  const Scratch memory(static_cast<size_t>(cpu::fused_workspace(op.program)));
  cpu::run_fused(op.program, arguments, memory.data(), begin, end);
}

void forward_fused_op(const Call& call) {
  const FusedOp& op = fused_op(call);
  const cpu::FusedProgram& program = op.program;
  void* arguments[kMaxFusedArguments];
  for (int i = 0; i < call.n_inputs; ++i) arguments[i] = call.in(i).data;
  for (int i = 0; i < call.n_outputs; ++i) arguments[call.n_inputs + i] = call.out(i).data;
  if (op.has_product) {
    arguments[call.n_inputs + call.n_outputs] = nullptr;
    return forward_with_product(call, arguments);
  }
  const auto run = [&](int64_t begin, int64_t end) { run_steps(op, arguments, begin, end); };
  const int64_t work = std::max(1, program.steps);
  const int64_t unit = (program.tile + program.unit - 1) / program.unit * program.unit;
  if (program.numel <= std::max(unit, kGrain / work)) return run(0, program.numel);
  parallel_for((program.numel + unit - 1) / unit, std::max<int64_t>(1, kGrain / (work * unit)),
               [&](int64_t first, int64_t last) {
                 run(first * unit, std::min(last * unit, program.numel));
               });
}

}  // namespace autograd::detail
