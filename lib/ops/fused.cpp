// Running a fused op: the product, block by block, and the program over each.
#include <algorithm>

#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "ops/fused_program.hpp"
#include "ops/product_rules.hpp"

namespace autograd::detail {

namespace {

const FusedOp& fused_op(const Call& call) { return static_cast<const FusedOp&>(call.op); }

/// Memory for the length of a scope, aligned to cache lines.
class Scratch {
 public:
  explicit Scratch(int64_t bytes)
      : bytes_(bytes > 0 ? static_cast<size_t>(bytes) + 64 : 0),
        memory_(bytes_ ? allocate(bytes_) : nullptr) {}
  ~Scratch() {
    if (bytes_) deallocate(memory_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  char* data() const {
    return reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory_) + 63) / 64 * 64);
  }

 private:
  size_t bytes_;
  void* memory_;
};

/// The product of a call as raw memory; rows of its result lie one after the other.
struct Factors {
  int64_t rows, columns, depth;
  cpu::MatrixView a, b;
  const void* bias = nullptr;
  DType dtype;

  explicit Factors(const Call& call) {
    const FusedOp& op = fused_op(call);
    const TensorBody &left = call.in(0), &right = call.in(1);
    const bool ta = op.transposes_a, tb = op.transposes_b;
    const int last = left.sizes.size() - 1;
    const int64_t outer = last > 1 ? left.sizes[last] : left.strides[0], inner = left.strides[last];
    a = {left.data, ta ? inner : outer, ta ? outer : inner};
    depth = ta ? left.sizes[0] : left.sizes[last];
    rows = left.numel / std::max<int64_t>(depth, 1);
    b = {right.data, right.strides[tb ? 1 : 0], right.strides[tb ? 0 : 1]};
    columns = right.sizes[tb ? 0 : 1];
    dtype = left.dtype;
    if (op.factors == 3) bias = call.in(2).data;
  }

  void multiply(int64_t first, int64_t last, void* to) const {
    cpu::GemmEpilogue epilogue;
    epilogue.bias = bias;
    const int64_t item = static_cast<int64_t>(size_of(dtype));
    const cpu::MatrixView part{static_cast<const char*>(a.data) + first * a.row_stride * item,
                               a.row_stride, a.col_stride};
    multiply_matrices(dtype, last - first, columns, depth, part, b, to, columns, epilogue);
  }
};

/// Rows of a product that stay in the cache until the steps have seen them.
int64_t rows_at_a_time(const cpu::FusedProgram& program, int64_t columns) {
  const int64_t unit = std::max<int64_t>(1, program.unit / columns);
  const int64_t wanted = std::max<int64_t>(128, 16384 / columns);
  return (wanted + unit - 1) / unit * unit;
}

void forward_with_product(const Call& call, void** arguments) {
  const FusedOp& op = fused_op(call);
  const cpu::FusedProgram& program = op.program;
  const Factors factors(call);
  const int64_t item = static_cast<int64_t>(size_of(factors.dtype));
  const int64_t block = std::min(factors.rows, rows_at_a_time(program, factors.columns));
  const auto run = [&](void** mine, int64_t begin, int64_t end) {
    const int64_t steps = (cpu::fused_workspace(program) + 63) / 64 * 64;
    char* const kept = static_cast<char*>(arguments[op.product_argument]);
    const Scratch memory(steps + (kept ? 0 : block * factors.columns * item));
    for (int64_t i = begin; i < end; i += block) {
      const int64_t stop = std::min(i + block, end), first = i * factors.columns;
      char* product = kept ? kept + first * item : memory.data() + steps;
      factors.multiply(i, stop, product);
      // The program counts from the first element of all.
      mine[op.product_argument] = product - first * item;
      cpu::run_fused(program, mine, memory.data(), first, stop * factors.columns);
    }
  };
  if (block == factors.rows) return run(arguments, 0, block);
  const int64_t blocks = (factors.rows + block - 1) / block;
  const int64_t work = block * factors.columns * (factors.depth + 8 * program.steps);
  parallel_for(blocks, std::max<int64_t>(1, (int64_t{1} << 22) / std::max<int64_t>(work, 1)),
               [&](int64_t first, int64_t last) {
                 void* mine[kMaxFusedArguments];
                 std::copy_n(arguments, kMaxFusedArguments, mine);
                 run(mine, first * block, std::min(last * block, factors.rows));
               });
}

}  // namespace

void infer_fused_op(const Call& call, OutputMetas& outputs) {
  const FusedOp& op = fused_op(call);
  if (call.n_inputs != static_cast<int>(op.inputs.size()) ||
      call.n_outputs != static_cast<int>(op.results.size()))
    fail(ErrorCode::kRuntime, "fused: made for ", op.inputs.size(), " inputs and ",
         op.results.size(), " outputs, got ", call.n_inputs, " and ", call.n_outputs);
  for (int i = 0; i < call.n_inputs; ++i) {
    const FusedArgument& expected = op.inputs[static_cast<size_t>(i)];
    const TensorBody& t = call.in(i);
    if (t.dtype != expected.dtype || t.sizes != expected.sizes || t.strides != expected.strides)
      fail(ErrorCode::kRuntime, "fused: made for an input ", i, " of ", name_of(expected.dtype),
           " ", expected.sizes, " with strides ", expected.strides, ", got ", name_of(t.dtype), " ",
           t.sizes, " with strides ", t.strides);
  }
  for (const OutputMeta& meta : op.results) outputs.add() = meta;
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
  const auto run = [&](int64_t begin, int64_t end) {
    const Scratch memory(cpu::fused_workspace(program));
    cpu::run_fused(program, arguments, memory.data(), begin, end);
  };
  const int64_t work = std::max(1, program.steps);
  const int64_t unit = (program.tile + program.unit - 1) / program.unit * program.unit;
  if (program.numel <= std::max(unit, kGrain / work)) return run(0, program.numel);
  parallel_for((program.numel + unit - 1) / unit, std::max<int64_t>(1, kGrain / (work * unit)),
               [&](int64_t first, int64_t last) {
                 run(first * unit, std::min(last * unit, program.numel));
               });
}

}  // namespace autograd::detail
