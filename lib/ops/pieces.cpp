// Running an op in pieces, with the steps around each piece.
#include "ops/pieces.hpp"

#include <algorithm>
#include <utility>

#include "ops/fused_program.hpp"

namespace autograd::detail {

namespace {

constexpr size_t kMostPieceOutputs = 3;

struct PiecesOp : Op {
  PiecesParts parts;
};

const FusedOp& fused_op(const Op& op) { return static_cast<const FusedOp&>(op); }

/// One call: what the pieces are told.
struct Running {
  const PiecesOp& op;
  void* data[2 * kMaxFusedArguments];

  void steps(const PieceSteps& part, int64_t begin, int64_t end) const {
    void* arguments[kMaxFusedArguments];
    for (size_t i = 0; i < part.arguments.size(); ++i)
      arguments[i] = data[static_cast<size_t>(part.arguments[i])];
    run_steps(fused_op(*part.op), arguments, begin, end);
  }
  static void before(void* running, int64_t begin, int64_t end) {
    const Running& self = *static_cast<const Running*>(running);
    self.steps(self.op.parts.before, begin, end);
  }
  static void after(void* running, int64_t begin, int64_t end) {
    const Running& self = *static_cast<const Running*>(running);
    self.steps(self.op.parts.after, begin, end);
  }
};

void infer_pieces(const Call& call, OutputMetas& outputs) {
  const PiecesParts& parts = static_cast<const PiecesOp&>(call.op).parts;
  check_fused_arguments(call, parts.arguments, parts.results);
  for (const OutputMeta& meta : parts.results) outputs.add() = meta;
}

void forward_pieces(const Call& call) {
  const PiecesOp& op = static_cast<const PiecesOp&>(call.op);
  const PiecesParts& parts = op.parts;
  Running running{op, {}};
  const auto argument = [&](int k) -> TensorBody& {
    return k < call.n_inputs ? call.in(k) : call.out(k - call.n_inputs);
  };
  for (int k = 0; k < call.n_inputs + call.n_outputs; ++k) running.data[k] = argument(k).data;
  const auto input = [&](size_t i) {
    const int k = i < parts.inputs.size() ? parts.inputs[i] : -1;
    return Arg(k < 0 ? nullptr : &argument(k));
  };
  const Arg inputs[] = {input(0), input(1), input(2), input(3), input(4)};
  Tensor outputs[kMostPieceOutputs];
  for (size_t i = 0; i < parts.outputs.size(); ++i)
    outputs[i] = borrow(&argument(parts.outputs[i]));
  const Call middle{*parts.middle->op, inputs,  static_cast<int>(parts.inputs.size()),
                    parts.attrs,       outputs, static_cast<int>(parts.outputs.size())};
  parts.middle->forward(middle, {parts.before.op ? Running::before : nullptr,
                                 parts.after.op ? Running::after : nullptr, &running});
}

}  // namespace

const PiecewiseOp* find_piecewise(const Op& op) {
  for (const auto& list :
       {conv_pieces(), normalize_pieces(), channel_norm_pieces(), group_norm_pieces()})
    for (const PiecewiseOp& each : list)
      if (each.op == &op) return &each;
  return nullptr;
}

bool is_steps(const Op& op) {
  return op.forward[kCpu] == forward_fused_op && !fused_op(op).has_product;
}

Shape space_of(const Op& fused) {
  const cpu::FusedProgram& program = fused_op(fused).program;
  return Shape(program.sizes, program.dims);
}

bool runs_in_pieces(const Op& fused, int64_t unit) {
  return unit % fused_op(fused).program.unit == 0;
}

bool is_sum_of(const Op& fused, int k) {
  const cpu::FusedProgram& p = fused_op(fused).program;
  const int argument = static_cast<int>(fused_op(fused).inputs.size()) + k;
  return std::any_of(p.sum, p.sum + p.sums,
                     [&](const cpu::FusedSum& sum) { return sum.argument == argument; });
}

int output_over_input(const Op& fused, int input) {
  const cpu::FusedProgram& p = fused_op(fused).program;
  const int n_inputs = static_cast<int>(fused_op(fused).inputs.size());
  const auto shows_input = [&](int k) { return k >= 0 && p.reg[k].argument == input; };
  int last = -1;
  for (int k = 0; k < p.registers; ++k)
    if (shows_input(k) && p.reg[k].place != cpu::FusedPlace::kMemory) return -1;
  for (int s = 0; s < p.sums; ++s)
    if (shows_input(p.sum[s].in)) return -1;
  for (int s = 0; s < p.steps; ++s)
    for (int16_t in : p.step[s].in)
      if (shows_input(in)) last = s;
  for (int s = std::max(last, 0); s < p.steps; ++s) {
    const cpu::FusedRegister& r = p.reg[p.step[s].out];
    if (r.place == cpu::FusedPlace::kMemory && r.argument >= n_inputs &&
        r.dtype == fused_op(fused).inputs[static_cast<size_t>(input)].dtype)
      return r.argument - n_inputs;
  }
  return -1;
}

std::shared_ptr<const Op> make_pieces_op(PiecesParts parts) {
  auto op = std::make_shared<PiecesOp>();
  op->name = "fused";
  op->traits = parts.middle->op->traits;
  op->infer = infer_pieces;
  op->forward[kCpu] = forward_pieces;
  op->check = [](const Call&) {};  // infer compares everything
  op->doc = "an op with pointwise steps around each of its pieces";
  op->parts = std::move(parts);
  return op;
}

}  // namespace autograd::detail
