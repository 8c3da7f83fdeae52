// The door and its in-place side.
#include "core/dispatch.hpp"

#include <utility>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/interpreter_lock.hpp"
#include "core/interrupt.hpp"
#include "core/record.hpp"

namespace autograd::detail {

Observer* set_observer(Observer* observer) {
  return std::exchange(thread_state.observer, observer);
}

void add_observer(Observer& observer) {
  observer.below = std::exchange(thread_state.observer, &observer);
}

void remove_observer(Observer& observer) {
  Observer** link = &thread_state.observer;
  while (*link && *link != &observer) link = &(*link)->below;
  if (*link) *link = observer.below;
}

void show_call(const Call& call) {
  for (Observer *o = thread_state.observer, *below; o; o = below) {
    below = o->below;  // o may be gone afterwards
    o->on_call(call);
  }
}

namespace {

// True if an input stands for an example.
inline bool check_defined(const Op& op, const Arg* inputs, int n) {
  bool batched = false;
  for (int i = 0; i < n; ++i) {
    if (inputs[i].body)
      batched |= inputs[i].body->is_batched;
    else if (i >= 32 || !(op.optional_inputs >> i & 1))
      fail(ErrorCode::kRuntime, op.name, ": argument ", i, " is an undefined tensor");
  }
  return batched;
}

// Random ops may have to draw other numbers for each example.
inline bool is_mapped_draw(const Op& op) { return (op.traits & kRandom) && thread_state.vmap; }

inline bool any_needs_grad(const Arg* inputs, int n) {
  for (int i = 0; i < n; ++i)
    if (inputs[i].body && inputs[i].body->needs_grad()) return true;
  return false;
}

// True if an input has, or had, a history.
inline bool any_comes_from_leaves(const Arg* inputs, int n) {
  for (int i = 0; i < n; ++i)
    if (inputs[i].body && (inputs[i].body->needs_grad() || inputs[i].body->cut != Cut::kNone))
      return true;
  return false;
}

// A view whose source became part of a graph by an in-place change may need a gradient without
// knowing it yet.
inline void refresh_views(const Arg* inputs, int n) {
  for (int i = 0; i < n; ++i)
    if (inputs[i].body && inputs[i].body->source) refresh_view(inputs[i].body);
}

inline bool is_long(const TensorBody* b) { return b && b->numel >= kLongWork; }

[[gnu::noinline]] bool any_is_long(const Call& call) {
  for (int i = 1; i < call.n_outputs; ++i)
    if (is_long(body(call.outputs[i]))) return true;
  for (int i = 2; i < call.n_inputs; ++i)
    if (is_long(call.inputs[i].body)) return true;
  return false;
}

// Written out for most calls: one output, and one or two inputs.
inline bool is_long(const Call& call) {
  if (is_long(body(call.outputs[0]))) return true;
  if (call.n_inputs > 0 && is_long(call.inputs[0].body)) return true;
  if (call.n_inputs > 1 && is_long(call.inputs[1].body)) return true;
  return (call.n_inputs > 2 || call.n_outputs > 1) && any_is_long(call);
}

bool writes_to_input(const Call& call) {
  return call.n_inputs > 0 && call.inputs[0].body == body(call.outputs[0]);
}

// A kernel's own calls are not the program's.
[[gnu::noinline]] void run_unobserved(const Call& call) {
  const Unobserved pause;
  call.op.forward[kCpu](call);
}

// What it writes to an input has nothing to do with what was there, and half of it does no harm.
inline bool fills_with_chance(const Op& op) {
  return (op.traits & (kInPlace | kRandom)) == (kInPlace | kRandom);
}

bool may_stop(const Call& call) {
  if (fills_with_chance(call.op)) return true;
  if (call.op.traits & kUpdate) return false;
  if (!(call.op.traits & kInPlace) && !writes_to_input(call)) return true;
  return unseen_target && call.out().storage == unseen_target;
}

// Ctrl-C may end a long kernel whose outputs nobody has seen.
[[gnu::noinline]] void run_long(const Call& call) {
  const Unlocked unlocked(true);
  const bool before = std::exchange(kernel_may_stop, may_stop(call));
  const struct Restore {
    bool before;
    ~Restore() { kernel_may_stop = before; }
  } restore{before};
  if (thread_state.observer) [[unlikely]]
    return run_unobserved(call);
  call.op.forward[kCpu](call);
}

inline void run_kernel(const Call& call) {
  if (is_long(call)) [[unlikely]]
    return run_long(call);
  if (thread_state.observer) [[unlikely]]
    return run_unobserved(call);
  call.op.forward[kCpu](call);
}

Tensor make_output(const Call& call, const OutputMeta& meta) {
  if (!meta.is_view) return make_tensor(meta.sizes, meta.dtype);
  TensorBody& source = call.in(0);
  Tensor view = make_alias(&source, meta.sizes, meta.strides, meta.offset);
  body(view)->made_at = here();
  body(view)->source = static_cast<TensorBody*>(borrow(&source).release());
  body(view)->seen_rewrites = source.storage->rewrites.load(std::memory_order_relaxed);
  return view;
}

}  // namespace

void dispatch(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs, Tensor* outputs,
              int n_outputs) {
  const Call call{op, inputs, n_inputs, attrs, outputs, n_outputs};
  if (check_defined(op, inputs, n_inputs) || is_mapped_draw(op)) [[unlikely]]
    return dispatch_batched(op, inputs, n_inputs, attrs, outputs, n_outputs);
  OutputMetas metas(n_outputs);
  op.infer(call, metas);
  for (int i = 0; i < n_outputs; ++i) outputs[i] = make_output(call, metas[i]);
  if (op.forward[kCpu]) run_kernel(call);
  const ThreadState& state = thread_state;
  bool recording = false;
  if (state.grad_enabled && op.backward) {
    refresh_views(inputs, n_inputs);
    recording = any_needs_grad(inputs, n_inputs);
    if (recording)
      record(call);
    else if (op.traits & kView)
      remember_view(call);
  }
  if (!recording && any_comes_from_leaves(inputs, n_inputs)) trace_cut(call);
  if (state.observer) [[unlikely]]
    show_call(call);
}

Tensor dispatch(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs) {
  Tensor output;
  dispatch(op, inputs, n_inputs, attrs, &output, 1);
  return output;
}

std::pair<Tensor, Tensor> dispatch_pair(const Op& op, std::initializer_list<Arg> inputs,
                                        const Attrs& attrs) {
  Tensor outputs[2];
  dispatch(op, inputs.begin(), static_cast<int>(inputs.size()), attrs, outputs, 2);
  return {std::move(outputs[0]), std::move(outputs[1])};
}

Tensor dispatch(const Op& op, std::initializer_list<Arg> inputs, const Attrs& attrs) {
  return dispatch(op, inputs.begin(), static_cast<int>(inputs.size()), attrs);
}

namespace {

int category(DType t) { return is_floating(t) ? 2 : t == DType::kBool ? 0 : 1; }

}  // namespace

void check_result_fits(const Op& op, const TensorBody& self, const OutputMeta& result) {
  if (result.sizes != self.sizes)
    fail(ErrorCode::kRuntime, op.name, ": output with shape ", self.sizes,
         " doesn't match the broadcast shape ", result.sizes,
         " (an in-place operation keeps the shape)");
  if (category(result.dtype) > category(self.dtype))
    fail(ErrorCode::kRuntime, op.name, ": result type ", name_of(result.dtype),
         " can't be cast to the desired output type ", name_of(self.dtype));
  for (int d = 0; self.numel && d < self.sizes.size(); ++d)
    if (self.strides[d] == 0 && self.sizes[d] > 1)
      fail(ErrorCode::kRuntime, op.name,
           ": unsupported operation: more than one element of the written-to tensor "
           "refers to a single memory location. Please clone() the tensor before performing the "
           "operation");
}

namespace {

Tensor copy_of(TensorBody& b) {
  Tensor copy = make_tensor(b.sizes, b.dtype);
  const Unobserved pause;
  borrow(&b).copy_out(b.dtype, copy.data());
  return copy;
}

// Gradient rules will read it, so an observer sees where it comes from.
Tensor saved_copy(TensorBody& b) {
  if (!observer()) return copy_of(b);
  NoGrad off;
  return clone(borrow(&b));
}

bool overlaps_differently(const TensorBody& a, const TensorBody& b) {
  if (a.storage != b.storage || &a == &b) return false;
  return a.data != b.data || a.sizes != b.sizes || a.strides != b.strides || a.dtype != b.dtype;
}

void finish_unrecorded(const Call& call) {
  TensorBody& self = call.in(0);
  self.storage->mark_changed(call.op);
  if (!self.needs_grad() && any_comes_from_leaves(call.inputs, call.n_inputs)) trace_cut(call);
}

}  // namespace

namespace {
[[noreturn, gnu::cold]] void fail_inference_in_place(const Op& op) {
  fail(ErrorCode::kRuntime, op.name,
       ": Inplace update to inference tensor outside InferenceMode is not allowed. You can make a "
       "clone to get a normal tensor before doing inplace update.");
}
}  // namespace

void dispatch_in_place(const Op& op, std::initializer_list<Arg> inputs, const Attrs& attrs) {
  dispatch_in_place(op, inputs.begin(), static_cast<int>(inputs.size()), attrs);
}

void dispatch_in_place(const Op& op, const Arg* inputs, int n, const Attrs& attrs) {
  if (check_defined(op, inputs, n) || is_mapped_draw(op)) [[unlikely]]
    return dispatch_in_place_batched(op, inputs, n, attrs);
  TensorBody& self = *inputs[0].body;
  if (self.is_inference && !thread_state.inference) [[unlikely]]
    fail_inference_in_place(op);
  Tensor output = borrow(&self);
  const Call call{op, inputs, n, attrs, &output, 1};
  const ThreadState& state = thread_state;
  bool recording = false;
  if (state.grad_enabled && op.backward) {
    refresh_views(inputs, n);
    recording = any_needs_grad(inputs, n) || (self.source && self.source->needs_grad());
    if (recording) check_in_place(call);
  }
  OutputMetas metas(1);
  op.infer(call, metas);
  check_result_fits(op, self, metas[0]);

  // The kernel may read and write the same elements, but not shifted ones.
  Tensor copies[4];
  Arg kernel_inputs[4] = {inputs[0], Arg(nullptr), Arg(nullptr), Arg(nullptr)};
  for (int i = 1; i < n; ++i) {
    kernel_inputs[i] = inputs[i];
    TensorBody* b = kernel_inputs[i].body;
    if (!b || !overlaps_differently(self, *b)) continue;
    copies[i] = copy_of(*b);
    kernel_inputs[i] = copies[i];
  }
  Tensor old_self;
  if (recording && reads_old_self(call)) old_self = saved_copy(self);
  if (state.observer) [[unlikely]]
    state.observer->before_in_place(call);
  try {
    run_kernel(Call{op, kernel_inputs, n, attrs, &output, 1});
  } catch (...) {
    self.storage->mark_changed(op);
    throw;
  }
  if (recording)
    record_in_place(call, old_self);
  else
    finish_unrecorded(call);
  if (state.observer) [[unlikely]]
    show_call(call);
}

}  // namespace autograd::detail
