// Hooks on gradients, and functions with gradient rules of their own.
#include "autograd/function.hpp"

#if defined(__GNUG__)
#include <cxxabi.h>
#endif

#include <cstdlib>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/fork.hpp"
#include "core/location.hpp"
#include "core/node.hpp"
#include "core/record.hpp"
#include "core/saved.hpp"
#include "core/text.hpp"
#include "core/thread_state.hpp"

namespace autograd {

using detail::body;
using detail::TensorBody;

namespace {
TensorBody* checked_for_hook(const Tensor& t) {
  TensorBody* b = body(t);
  if (b->is_batched)
    fail(ErrorCode::kRuntime,
         "vmap: a hook on a tensor that stands for one example is not supported: it would see the "
         "gradients of all of them");
  if (b->source) detail::refresh_view(b);
  if (!b->needs_grad())
    fail(ErrorCode::kRuntime,
         "cannot register a hook on a tensor that doesn't require gradient (sizes ", b->sizes, ")");
  return b;
}
}  // namespace

void register_hook(const Tensor& t, GradientHook hook) {
  TensorBody* b = checked_for_hook(t);
  if (!b->node) {
    if (!b->hooks) b->hooks = new detail::Hooks;
    b->hooks->list.push_back(std::move(hook));
    return;
  }
  std::unique_ptr<detail::Hooks>& hooks = b->node->outputs[static_cast<int>(b->output_index)].hooks;
  if (!hooks) hooks = std::make_unique<detail::Hooks>();
  hooks->list.push_back(std::move(hook));
}

void register_accumulation_hook(const Tensor& leaf, AccumulationHook hook) {
  TensorBody* b = checked_for_hook(leaf);
  if (b->node)
    fail(ErrorCode::kRuntime,
         "post accumulate grad hooks cannot be registered on non-leaf tensors (this one was made "
         "by '",
         b->node->op->name, "')");
  if (!b->hooks) b->hooks = new detail::Hooks;
  b->hooks->after_accumulation.push_back(std::move(hook));
}

// ---- contexts

bool Context::needs_input_grad(int i) const {
  if (i < 0 || i >= n_inputs_)
    fail(ErrorCode::kIndex, "needs_input_grad: there is no input ", i, ", the function was given ",
         n_inputs_);
  return needs_ >> (i < 63 ? i : 63) & 1;
}

GradFn Context::grad_fn() const {
  if (node_) node_->retain();
  return GradFn::adopt(node_);
}

std::vector<Tensor> Context::saved_tensors() const {
  if (!node_) return {};
  if (released_) detail::fail_freed(*node_);
  std::vector<Tensor> values;
  values.reserve(saved_.size());
  for (size_t i = 0; i < saved_.size(); ++i) {
    const detail::SavedValue& saved = saved_[i];
    if (!saved.value) {  // packed by a hook, or never defined
      values.push_back(
          detail::unpack_saved(*node_, detail::PackedValue::kSaved, static_cast<int>(i)));
      continue;
    }
    const uint32_t now = body(saved.value)->storage->version.load(std::memory_order_relaxed);
    if (now != saved.version)
      detail::fail_changed(*node_, concat("value ", i, " saved by its function"), saved.value,
                           saved.version);
    values.push_back(saved.output < 0 ? saved.value
                                      : detail::with_history(saved.value, node_,
                                                             static_cast<uint32_t>(saved.output)));
  }
  return values;
}

// ---- functions

namespace detail {
namespace {

// A gradient may be larger along dims that were broadcast, never smaller.
bool can_be_summed_to(const Shape& from, const Shape& to) {
  if (from.size() < to.size()) return false;
  for (int d = 0; d < to.size(); ++d)
    if (to[d] != 1 && to[d] != from[from.size() - to.size() + d]) return false;
  return true;
}

}  // namespace

void set_checked(Backward& b, std::vector<Tensor>& results) {
  const int n = static_cast<int>(results.size());
  for (int i = b.n_inputs(); i < n; ++i)
    if (results[static_cast<size_t>(i)])
      fail(ErrorCode::kRuntime, "function ", backward_name(b.op()),
           " returned an incorrect number of gradients (expected ", b.n_inputs(), ", got ", n, ")");
  for (int i = 0; i < n && i < b.n_inputs(); ++i) {
    Tensor& result = results[static_cast<size_t>(i)];
    if (!result || !b.needs(i)) continue;
    if (!can_be_summed_to(result.sizes(), b.input_sizes(i)))
      fail(ErrorCode::kRuntime, "Function ", backward_name(b.op()),
           " returned an invalid gradient at index ", i, " - got ", result.sizes(),
           " but expected shape compatible with ", b.input_sizes(i));
    b.set(i, std::move(result));
  }
}

void set_once(Backward& b, const std::vector<Tensor>& grads, std::vector<Tensor>& results) {
  if (thread_state.grad_enabled)
    for (Tensor& result : results) {
      // A rule that was given examples had no numbers to compute with.
      if (!result || body(result)->is_batched || !is_floating(result.dtype())) continue;
      Node* const node = Node::make(function_op("OnceDifferentiable"));
      const NodeOwner owner{node};
      node->inputs.reserve(static_cast<int>(grads.size()) + b.n_inputs());
      for (const Tensor& grad : grads) record_edge(node, grad ? body(grad) : nullptr);
      for (const NodeInput& input : b.node().inputs) record_edge(node, input);
      node->extras().rule = [name = b.op().name](
                                Context&, const std::vector<Tensor>&) -> std::vector<Tensor> {
        fail(ErrorCode::kRuntime, name,
             ": trying to differentiate twice a function that was marked with "
             "once_differentiable: its gradient can't be differentiated again");
      };
      result = result.detach();
      record_value(node, result);
    }
  set_checked(b, results);
}

namespace {

void backward_function(Backward& b) {
  // The rule may run any code: the node stays until it is done.
  Node& node = b.node();
  node.retain();
  const NodeOwner owner{&node};
  NodeExtra& extra = *node.extra;
  const bool materializes = ContextAccess::materializes(extra.context);
  std::vector<Tensor> grads;
  grads.reserve(static_cast<size_t>(b.n_outputs()));
  for (int i = 0; i < b.n_outputs(); ++i)
    grads.push_back(materializes || b.has_grad(i) ? b.grad(i) : Tensor());
  const LocationScope user(0);
  std::vector<Tensor> results = extra.rule(extra.context, grads);
  if (ContextAccess::is_once(extra.context)) return set_once(b, grads, results);
  set_checked(b, results);
}

std::string class_name(const std::type_info& type) {
  std::string name = type.name();
#if defined(__GNUG__)
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  if (readable) name = readable.get();
#endif
  const size_t end = name.find('<');
  const size_t start = name.rfind("::", end == std::string::npos ? end : end - 1);
  return start == std::string::npos ? name : name.substr(start + 2);
}

}  // namespace

namespace {
struct FunctionRecord {
  std::string name;
  Op op;
};
struct FunctionRecords {
  std::mutex mutex;
  std::unordered_map<std::string, std::unique_ptr<FunctionRecord>> by_name;
};
// Never freed: nodes refer to records, and may outlive static destruction.
FunctionRecords& function_records() {
  static FunctionRecords& all = *new FunctionRecords;
  return all;
}
[[maybe_unused]] const bool keeps_function_records =
    (keep_over_forks(function_records().mutex), true);
}  // namespace

const Op& function_op(const std::string& name) {
  std::lock_guard lock(function_records().mutex);
  std::unique_ptr<FunctionRecord>& record = function_records().by_name[name];
  if (!record) {
    record.reset(new FunctionRecord{name,
                                    {.name = nullptr,
                                     .traits = kFunction,
                                     .infer = nullptr,
                                     .forward = {nullptr},
                                     .backward = backward_function,
                                     .doc = "a function with a gradient rule of its own"}});
    record->op.name = record->name.c_str();
  }
  return record->op;
}

const Op& function_op_of(const std::type_info& type) { return function_op(class_name(type)); }

FunctionCall::FunctionCall(const Op& op, const Tensor* inputs, int n_inputs)
    : op_(op), inputs_(inputs), n_inputs_(n_inputs), grad_mode_(false), extra_(new NodeExtra) {
  uint64_t needs = 0;
  try {
    for (int i = 0; i < n_inputs; ++i) {
      if (body(inputs[i])->is_batched)
        fail(ErrorCode::kRuntime, "You tried to vmap over ", op.name,
             ", but a function with a gradient rule of its own does not have vmap support: call it "
             "for one example at a time");
      if (inputs[i].requires_grad()) needs |= uint64_t{1} << (i < 63 ? i : 63);
    }
  } catch (...) {
    delete extra_;
    throw;
  }
  ContextAccess::set_inputs(extra_->context, n_inputs, needs);
  recorded_ = needs && thread_state.grad_enabled;
  grad_mode_ = set_grad_enabled(false);
}

FunctionCall::~FunctionCall() {
  set_grad_enabled(grad_mode_);
  delete extra_;
}

Context& FunctionCall::context() { return extra_->context; }

void FunctionCall::finish(Tensor* outputs, int n_outputs, FunctionRule rule) {
  for (int i = 0; i < n_outputs; ++i)
    if (!outputs[i])
      fail(ErrorCode::kRuntime, op_.name, ": forward returned an undefined tensor as output ", i);
  set_grad_enabled(grad_mode_);
  extra_->rule = std::move(rule);
  std::unique_ptr<NodeExtra> extra(std::exchange(extra_, nullptr));
  record_function_call(op_, inputs_, n_inputs_, outputs, n_outputs, std::move(extra), recorded_);
}

}  // namespace detail

std::vector<Tensor> call_function(
    const std::string& name, const std::vector<Tensor>& inputs,
    const std::function<std::vector<Tensor>(Context&, const std::vector<Tensor>&)>& forward,
    FunctionRule backward) {
  detail::FunctionCall call(detail::function_op(name), inputs.data(),
                            static_cast<int>(inputs.size()));
  std::vector<Tensor> outputs = forward(call.context(), inputs);
  call.finish(outputs.data(), static_cast<int>(outputs.size()), std::move(backward));
  return outputs;
}

std::vector<Tensor> record_function(const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& outputs, GradientRule rule) {
  return call_function(
      "function", inputs,
      [&](Context& context, const std::vector<Tensor>&) {
        context.set_materialize_grads(false);
        std::vector<Tensor> aliases;
        for (const Tensor& t : outputs) aliases.push_back(t.detach());
        return aliases;
      },
      [rule = std::move(rule)](Context&, const std::vector<Tensor>& grads) { return rule(grads); });
}

}  // namespace autograd
