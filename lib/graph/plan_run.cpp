// Running a plan: addresses of this run's tensors, the kernels, then what the run leaves behind.
#include <cstring>

#include "autograd/grad.hpp"
#include "core/interpreter_lock.hpp"
#include "core/location.hpp"
#include "core/text.hpp"
#include "graph/plan.hpp"
#include "ops/broadcast.hpp"

namespace autograd::detail {

namespace {

// The kernel may read and write the same elements, but not shifted ones.
void run_apart(void (*forward)(const Call&), const Call& call) {
  std::vector<Tensor> copies;
  std::vector<Arg> inputs(call.inputs, call.inputs + call.n_inputs);
  const TensorBody& self = call.in(0);
  for (size_t i = 1; i < inputs.size(); ++i) {
    TensorBody* b = inputs[i].body;
    if (!b || b->storage != self.storage ||
        (b->data == self.data && b->sizes == self.sizes && b->strides == self.strides))
      continue;
    copies.push_back(make_tensor(b->sizes, b->dtype));
    copy_into(*body(copies.back()), *b);
    inputs[i] = Arg(copies.back());
  }
  forward(Call{call.op, inputs.data(), call.n_inputs, call.attrs, call.outputs, call.n_outputs});
}

// True if nobody but its owner can see the gradient, so that the next one may be written over it.
bool is_private(const TensorBody& grad) {
  return grad.refs.load() == 1 && !grad.storage->is_shared() && !grad.storage->foreign &&
         !grad.needs_grad() && grad.is_contiguous;
}

}  // namespace

void Plan::bind(Memory& memory, char* base) {
  memory.storage->data = base;
  for (const auto& [b, offset] : memory.bodies) b->data = base + offset;
}

void Plan::bind_result(Memory& memory, bool hands_out) {
  // What no caller sees may lie where it lay in the run before.
  if (!hands_out && !memory.is_gradient && memory.held) return;
  if (memory.number >= 0) {
    const CapturedGrad& grad = capture_.grads[static_cast<size_t>(memory.number)];
    const TensorBody* now = body(grad.of)->grad;
    const GraphValue& value =
        graph_.values[static_cast<size_t>(grad_ends_[static_cast<size_t>(memory.number)])];
    if (grad.start == CapturedGrad::Start::kAny && grad.input < 0 && now && is_private(*now) &&
        now->sizes == value.sizes && now->dtype == value.dtype && now->data == now->storage->data &&
        static_cast<int64_t>(size_of(value.dtype)) * now->numel == memory.bytes) {
      memory.held = Tensor();
      return bind(memory, now->data);
    }
  }
  memory.held = make_over(Storage::make(static_cast<size_t>(memory.bytes)), DType::kUInt8,
                          {memory.bytes}, {1});
  bind(memory, static_cast<char*>(memory.held.data()));
}

void Plan::bind(const Tensor* inputs, bool hands_out) {
  for (int s : dynamic_) {
    Memory& memory = memories_[static_cast<size_t>(s)];
    if (memory.kind == Memory::kResult) {
      bind_result(memory, hands_out);
    } else if (memory.kind == Memory::kInput) {
      bind(memory, body(inputs[memory.number])->data);
    } else {
      const CapturedGrad& grad = capture_.grads[static_cast<size_t>(memory.number)];
      bind(memory, body(grad.input >= 0 ? inputs[grad.input] : grad.of)->grad->data);
    }
  }
}

void Plan::bind_inputs(const Tensor* inputs) {
  bool moved = false;
  for (int s : dynamic_) {
    Memory& memory = memories_[static_cast<size_t>(s)];
    if (memory.kind != Memory::kInput) continue;
    char* const base = body(inputs[memory.number])->data;
    moved |= base != memory.storage->data;
    bind(memory, base);
  }
  if (moved) direct_.bind();
}

/// What explains values and missing gradients finds what it would without a plan.
Tensor Plan::made_in_run(Tensor t, const Result& result) const {
  TensorBody& b = *body(t);
  b.cut = result.cut.kind;
  b.cut_at = result.cut.at;
  b.leaves = result.cut.leaves;
  const int maker = graph_.values[static_cast<size_t>(result.value)].op;
  const Location at = maker < 0 ? 0 : graph_.ops[static_cast<size_t>(maker)].location;
  if (at) b.made_at = at;
  return t;
}

Tensor Plan::result_of(const Result& result, const Tensor* inputs) const {
  if (result.input >= 0) return inputs[result.input];
  const Memory& memory = memory_of(result.value);
  TensorBody* b = bodies_[static_cast<size_t>(result.value)];
  Storage* storage = b->storage;
  switch (memory.kind) {
    case Memory::kOutside:
      for (const CapturedLeaf& leaf : capture_.leaves)
        if (body(leaf.tensor) == b) return borrow(b);
      break;
    case Memory::kInput:
      storage = body(inputs[memory.number])->storage;
      break;
    case Memory::kGradient: {
      const CapturedGrad& grad = capture_.grads[static_cast<size_t>(memory.number)];
      storage = body(grad.input >= 0 ? inputs[grad.input] : grad.of)->grad->storage;
      break;
    }
    case Memory::kResult:
      if (!memory.held) {  // written over the gradient that was there
        const CapturedGrad& grad = capture_.grads[static_cast<size_t>(memory.number)];
        storage = body(grad.of)->grad->storage;
      } else {
        storage = body(memory.held)->storage;
      }
      break;
    default: {
      Tensor copy = make_tensor(b->sizes, b->dtype);
      copy_into(*body(copy), *b);
      return made_in_run(std::move(copy), result);
    }
  }
  storage->retain();
  Tensor t = make_over(storage, b->dtype, b->sizes, b->strides);
  body(t)->data = b->data;
  return made_in_run(std::move(t), result);
}

void Plan::count_changes(const Tensor* inputs) {
  for (int each : changed_) {
    const Memory& memory = memories_[static_cast<size_t>(each)];
    Storage* storage = memory.storage;
    if (memory.kind == Memory::kInput) storage = body(inputs[memory.number])->storage;
    if (memory.kind == Memory::kGradient) {
      const CapturedGrad& grad = capture_.grads[static_cast<size_t>(memory.number)];
      storage = body(grad.input >= 0 ? inputs[grad.input] : grad.of)->grad->storage;
    }
    storage->version.fetch_add(static_cast<uint32_t>(memory.changes), std::memory_order_relaxed);
    if (!memory.last_change) continue;
    storage->changed_at.store(memory.last_change->location, std::memory_order_relaxed);
    storage->changed_by.store(memory.last_change->op, std::memory_order_relaxed);
  }
}

/// Each gradient that is set was written over the one that was there.
bool Plan::leaves_all_in_place() const {
  for (const Expected& input : inputs_)
    if (input.sets_requires_grad != input.requires_grad) return false;
  for (size_t i = 0; i < capture_.grads.size(); ++i) {
    const CapturedGrad& grad = capture_.grads[i];
    if (grad.start != CapturedGrad::Start::kAny || grad.input >= 0 || grad_ends_[i] < 0)
      return false;
    const Memory& memory = memory_of(grad_ends_[i]);
    if (memory.kind != Memory::kResult || memory.number != static_cast<int>(i) || memory.held)
      return false;
  }
  return true;
}

void Plan::finish(const Tensor* inputs, Tensor* outputs) {
  count_changes(inputs);
  is_steady_ = !outputs && leaves_all_in_place();
  if (outputs)
    for (size_t i = 0; i < results_.size(); ++i) outputs[i] = result_of(results_[i], inputs);
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].sets_requires_grad != inputs_[i].requires_grad)
      body(inputs[i])->requires_grad = inputs_[i].sets_requires_grad;
  for (size_t i = 0; i < capture_.grads.size(); ++i) {
    const CapturedGrad& grad = capture_.grads[i];
    if (!grad.is_set) continue;
    const Tensor& of = grad.input >= 0 ? inputs[grad.input] : grad.of;
    if (grad_ends_[i] < 0) {
      if (body(of)->grad) of.set_grad(Tensor());
      continue;
    }
    const Memory& memory = memory_of(grad_ends_[i]);
    if (memory.kind == Memory::kResult && memory.number == static_cast<int>(i) && !memory.held)
      continue;  // written where it was
    Result end;
    end.value = grad_ends_[i];
    of.set_grad(result_of(end, inputs));
  }
  for (int s : dynamic_) {
    Memory& memory = memories_[static_cast<size_t>(s)];
    if (outputs || memory.is_gradient) memory.held = Tensor();
  }
}

void Plan::run(const Tensor* inputs, Tensor* outputs) {
  // Results that a run kept inside are not to be handed out.
  for (int s : dynamic_) memories_[static_cast<size_t>(s)].held = Tensor();
  execute(inputs, outputs);
}

bool Plan::gives_number() const {
  return !results_.empty() && bodies_[static_cast<size_t>(results_[0].value)]->numel == 1;
}

double Plan::first_number(const Tensor* inputs) const {
  if (!gives_number()) return 0;
  const Result& result = results_[0];
  TensorBody* const b =
      result.input >= 0 ? body(inputs[result.input]) : bodies_[static_cast<size_t>(result.value)];
  return borrow(b).item();
}

double Plan::run_for_number(const Tensor* inputs) {
  execute(inputs, nullptr);
  return first_number(inputs);
}

double Plan::repeat_for_number(const Tensor* inputs) {
  const Unlocked unlocked(lock_);
  is_steady_ = !unlocked;
  bind_inputs(inputs);
  run_instructions();
  count_changes(inputs);
  return first_number(inputs);
}

void Plan::run_instructions() {
  const Unobserved pause;
  // What is known of no line of the function is of the line that called it.
  const Location caller = known_here();
  const LocationScope place(caller);
  NoGrad off;
  for (const Reset& reset : resets_) std::memcpy(reset.to, reset.bytes.data(), reset.bytes.size());
  for (const Instruction& each : instructions_) {
    if (each.first < each.last) {
      direct_.run(each.first, each.last);
      continue;
    }
    thread_state.location = each.at ? each.at : caller;
    if (each.overlaps) [[unlikely]]
      run_apart(each.forward, each.call);
    else
      each.forward(each.call);
  }
}

void Plan::execute(const Tensor* inputs, Tensor* outputs) {
  const Unlocked unlocked(lock_);
  is_steady_ = false;
  bind(inputs, outputs != nullptr);
  direct_.bind();
  run_instructions();
  finish(inputs, outputs);
  is_steady_ = is_steady_ && !unlocked;  // else other threads may have done something
}

void Plan::set_options(int step, const double* numbers, int n) {
  if (step < 0 || step >= n_options() || !options_[static_cast<size_t>(step)])
    fail(ErrorCode::kValue, "this plan has no step ", step, " of an optimizer");
  TensorBody* to = options_[static_cast<size_t>(step)];
  if (n != to->numel)
    fail(ErrorCode::kValue, "step ", step, " of an optimizer has ", to->numel, " options, got ", n);
  std::memcpy(to->data, numbers, static_cast<size_t>(n) * sizeof(double));
}

}  // namespace autograd::detail
