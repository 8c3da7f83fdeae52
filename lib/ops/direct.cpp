#include "ops/direct.hpp"

#include <algorithm>

#include "core/tensor_body.hpp"
#include "ops/fused_program.hpp"

namespace autograd::detail {

namespace {

constexpr int64_t kLine = 64;  // bytes of a line of the cache

bool has_known_places(const cpu::FusedProgram& program) {
  for (int k = 0; k < program.registers; ++k) {
    const cpu::FusedPlace place = program.reg[k].place;
    if (place != cpu::FusedPlace::kMemory && place != cpu::FusedPlace::kScratch &&
        place != cpu::FusedPlace::kConstant)
      return false;
  }
  for (int s = 0; s < program.sums; ++s)
    if (program.sum[s].divisor != 1) return false;
  return program.row == 0;
}

/// One tile, one block of the product, no thread but the caller.
bool is_direct(const FusedOp& op) {
  const FusedProduct& p = op.product;
  return op.program.numel > 0 && op.program.numel <= op.program.tile &&
         (!op.has_product || (p.is_small && p.depth > 0)) && has_known_places(op.program);
}

FusedArgument argument_of(const TensorBody& t) { return {t.dtype, t.sizes, t.strides}; }

}  // namespace

/// The call as a fused op of one op; nullptr if there is none.
std::shared_ptr<const Op> DirectCalls::as_fused(const Call& call) const {
  const TensorBody& out = call.out();
  const bool is_product = is_fusable_product(call.op);
  if (out.numel == 0 || out.numel > cpu::kFusedTile * 2 || call.n_outputs != 1 ||
      !is_row_major(out.sizes, out.strides) || !call.has(0) || (is_product && !call.has(1)))
    return nullptr;
  FusedBuilder builder(out.sizes);
  std::vector<FusedArgument> arguments;
  for (int i = 0; i < call.n_inputs; ++i)
    if (call.has(i)) arguments.push_back(argument_of(call.in(i)));
  int result;
  if (is_product) {
    result = builder.product(call.op, call.attrs, arguments);
  } else {
    DType compute;
    if (!step_dtype(call.op, arguments, out.dtype, &compute)) return nullptr;
    std::vector<int> inputs;
    for (int i = 0; i < call.n_inputs; ++i)
      inputs.push_back(call.has(i) ? builder.input(argument_of(call.in(i))) : -1);
    result = builder.step(call.op, call.attrs, inputs, compute, out.dtype);
  }
  builder.output(result);
  std::string why;
  return builder.finish(&why);
}

bool DirectCalls::add(const Call& call) {
  if (call.op.forward[kCpu] == forward_fused_op)
    return add_fused(static_cast<const FusedOp&>(call.op), call);
  if (!is_fusable_product(call.op) && !is_fusable_step(call.op)) return false;
  std::shared_ptr<const Op> op = as_fused(call);
  if (!op || !add_fused(static_cast<const FusedOp&>(*op), call)) return false;
  ops_.push_back(std::move(op));
  return true;
}

bool DirectCalls::add_fused(const FusedOp& op, const Call& call) {
  if (!is_direct(op)) return false;
  const cpu::FusedProgram& program = op.program;
  const int64_t slots = cpu::fused_workspace(program);
  // The op counts the inputs that are there, then the outputs.
  std::vector<const TensorBody*> bodies;
  for (int i = 0; i < call.n_inputs; ++i)
    if (call.has(i)) bodies.push_back(&call.in(i));
  for (int i = 0; i < call.n_outputs; ++i) bodies.push_back(&call.out(i));
  const auto argument_at = [&](int k) -> Place {
    if (k < static_cast<int>(bodies.size())) return {.body = bodies[static_cast<size_t>(k)]};
    return {.scratch = slots};  // the product's own memory
  };
  const auto register_at = [&](int k) -> Place {
    if (k < 0) return {};
    const cpu::FusedRegister& r = program.reg[k];
    if (r.place == cpu::FusedPlace::kMemory) return argument_at(r.argument);
    if (r.place == cpu::FusedPlace::kConstant) return {.constant = r.constant};
    return {.scratch = slots / program.slots * r.slot};
  };
  if (op.has_product) {
    const FusedProduct& p = op.product;
    cpu::GemmCall gemm{
        p.rows,  p.columns, p.depth, {nullptr, p.a_row, p.a_column}, {nullptr, p.b_row, p.b_column},
        nullptr, p.columns, nullptr};
    cpu::prepare_gemm(p.dtype, gemm);
    calls_.emplace_back(gemm);
    use(0, argument_at(0));
    use(1, argument_at(1));
    use(2, p.bias < 0 ? Place() : argument_at(p.bias));
    use(3, argument_at(p.argument));
  }
  for (int s = 0; s < program.steps; ++s) {
    const cpu::FusedStep& step = program.step[s];
    Pointwise one{step.kernel, {}, nullptr, program.numel, {}};
    std::copy_n(step.params, 3, one.params);
    calls_.emplace_back(one);
    for (int i = 0; i < 3; ++i) use(i, register_at(step.in[i]));
    use(3, register_at(step.out));
  }
  for (int s = 0; s < program.sums; ++s) {
    const cpu::FusedSum& sum = program.sum[s];
    calls_.emplace_back(Sum{sum.dtype, nullptr, nullptr, cpu::shape_of(sum, program.numel)});
    use(0, register_at(sum.in));
    use(3, argument_at(sum.argument));
  }
  const int64_t own = op.has_product ? program.numel * static_cast<int64_t>(sizeof(double)) : 0;
  scratch_bytes_ = std::max(scratch_bytes_, slots + own);
  return true;
}

const void** DirectCalls::argument(const Use& use) {
  One& call = calls_[static_cast<size_t>(use.call)];
  if (auto* one = std::get_if<Pointwise>(&call))
    return use.number < 3 ? &one->in[use.number] : const_cast<const void**>(&one->out);
  if (auto* sum = std::get_if<Sum>(&call))
    return use.number < 3 ? &sum->in : const_cast<const void**>(&sum->out);
  cpu::GemmCall& gemm = std::get<cpu::GemmCall>(call);
  const void** const all[] = {&gemm.a.data, &gemm.b.data, &gemm.bias,
                              const_cast<const void**>(&gemm.c)};
  return all[use.number];
}

/// What never moves gets its address; the rest is to be looked up.
void DirectCalls::settle() {
  if (scratch_bytes_ > 0) scratch_ = make_tensor({scratch_bytes_ + kLine}, DType::kUInt8);
  const char* scratch = nullptr;
  if (scratch_)
    scratch = reinterpret_cast<const char*>(
        (reinterpret_cast<uintptr_t>(scratch_.data()) + kLine - 1) / kLine * kLine);
  for (const Use& use : uses_) {
    const Place& place = use.place;
    if (place.body)
      bound_.push_back({argument(use), place.body});
    else
      *argument(use) = place.scratch >= 0 ? scratch + place.scratch : place.constant;
  }
  uses_.clear();
}

void DirectCalls::bind() {
  if (!uses_.empty()) settle();
  for (const Bound& each : bound_) *each.argument = each.body->data;
}

void DirectCalls::run(int begin, int end) const {
  for (int i = begin; i < end; ++i) {
    const One& call = calls_[static_cast<size_t>(i)];
    if (const auto* one = std::get_if<Pointwise>(&call))
      one->kernel(one->in, one->out, one->n, one->params);
    else if (const auto* gemm = std::get_if<cpu::GemmCall>(&call))
      (*gemm)();
    else if (const auto* sum = std::get_if<Sum>(&call))
      cpu::reduce(cpu::ReduceOp::kSum, sum->dtype, sum->in, sum->out, sum->shape, nullptr);
  }
}

}  // namespace autograd::detail
