// Ops that the user registers: records made at run time, whose functions call the user's.
#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "autograd/custom_op.hpp"
#include "autograd/grad.hpp"
#include "autograd/runtime.hpp"
#include "core/dispatch.hpp"
#include "core/fork.hpp"
#include "core/location.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr int kMostOutputs = 16, kMostNumbers = 3;

struct Registration {
  OpDefinition definition;
  Op op;
};

const Registration& registration_of(const Op& op) {
  return *static_cast<const Registration*>(op.registration);
}

// The arguments of a call seen as tensors, without touching their reference counts: the tensors are
// made in place and never destroyed.
class BorrowedTensors {
 public:
  BorrowedTensors(const Arg* inputs, int n) {
    if (n > kInline) more_.resize(static_cast<size_t>(n) * sizeof(Tensor));
    char* at = n > kInline ? more_.data() : few_;
    first_ = reinterpret_cast<Tensor*>(at);
    for (int i = 0; i < n; ++i)
      new (at + static_cast<size_t>(i) * sizeof(Tensor)) Tensor(Tensor::adopt(inputs[i].body));
  }
  const Tensor* data() const { return first_; }

 private:
  static constexpr int kInline = 8;
  alignas(Tensor) char few_[kInline * sizeof(Tensor)];
  std::vector<char> more_;
  Tensor* first_;
};

void infer_like_inputs(const Call& call, OutputMetas& outputs) {
  Shape sizes;
  for (int i = 0; i < call.n_inputs; ++i)
    sizes = i ? broadcast_sizes(call.op.name, sizes, call.in(i).sizes) : call.in(i).sizes;
  const DType dtype = call.n_inputs ? result_type(call.inputs, call.n_inputs) : default_dtype();
  for (int i = 0; i < call.n_outputs; ++i) {
    OutputMeta& meta = outputs.add();
    meta.sizes = sizes;
    meta.dtype = dtype;
  }
}

void infer_registered(const Call& call, OutputMetas& outputs) {
  const OpDefinition& definition = registration_of(call.op).definition;
  if (!definition.infer) return infer_like_inputs(call, outputs);
  const BorrowedTensors inputs(call.inputs, call.n_inputs);
  std::vector<OutputSpec> specs(static_cast<size_t>(call.n_outputs));
  definition.infer({inputs.data(), call.n_inputs, nullptr, call.n_outputs, call.attrs.reals},
                   specs);
  if (specs.size() != static_cast<size_t>(call.n_outputs))
    fail(ErrorCode::kRuntime, call.op.name, ": infer described ", specs.size(),
         " outputs, the op has ", call.n_outputs);
  for (const OutputSpec& spec : specs) {
    OutputMeta& meta = outputs.add();
    meta.sizes = spec.sizes;
    meta.dtype = spec.dtype;
  }
}

void forward_registered(const Call& call) {
  const BorrowedTensors inputs(call.inputs, call.n_inputs);
  NoGrad off;
  // Ops of the library that forward calls are its own business: observers see this one.
  const Unobserved unobserved;
  registration_of(call.op).definition.forward(
      {inputs.data(), call.n_inputs, call.outputs, call.n_outputs, call.attrs.reals});
}

void backward_registered(Backward& b) {
  const OpDefinition& definition = registration_of(b.op()).definition;
  std::vector<Tensor> inputs(static_cast<size_t>(b.n_inputs())), outputs, grads;
  for (int i = 0; i < b.n_inputs(); ++i)
    if (i < 16 && definition.saves_inputs >> i & 1) inputs[static_cast<size_t>(i)] = b.input(i);
  for (int i = 0; i < b.n_outputs(); ++i) {
    outputs.push_back(definition.saves_outputs >> i & 1 ? b.output(i) : Tensor());
    grads.push_back(b.has_grad(i) ? b.grad(i) : Tensor());
  }
  const LocationScope user(0);
  std::vector<Tensor> results = definition.backward(
      {inputs.data(), b.n_inputs(), outputs.data(), b.n_outputs(), b.attrs().reals}, grads);
  if (definition.once_differentiable) return set_once(b, grads, results);
  set_checked(b, results);
}

void check_definition(const OpDefinition& d) {
  const bool named = !d.name.empty() && std::all_of(d.name.begin(), d.name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':';
  });
  if (!named)
    fail(ErrorCode::kValue, "register_op: '", d.name,
         "' is no name for an op: use letters, digits, '_', '.' and ':'");
  if (!d.forward) fail(ErrorCode::kValue, "register_op: the op '", d.name, "' has no forward");
  if (d.n_outputs < 1 || d.n_outputs > kMostOutputs)
    fail(ErrorCode::kValue, "register_op: an op has 1 to ", kMostOutputs, " outputs, got ",
         d.n_outputs);
}

Registration* make_registration(OpDefinition definition) {
  auto* made = new Registration{std::move(definition), Op{}};
  const OpDefinition& d = made->definition;
  const uint32_t reads = (d.saves_inputs & 0xFFFF) | (d.saves_outputs & 0xFFFF) << 16;
  made->op = Op{.name = d.name.c_str(),
                .traits = 0,
                .infer = infer_registered,
                .forward = {forward_registered},
                .backward = d.backward ? backward_registered : nullptr,
                .reads = {reads, reads, reads},
                .attrs = ";numbers;",
                .doc = d.doc.c_str(),
                .registration = made};
  return made;
}

/// All registered ops, in order; never freed, for nodes refer to them.
struct Registered {
  std::mutex mutex;
  std::vector<const Op*> ops;

  const Op* find(std::string_view name) const {
    for (const Op* op : ops)
      if (name == op->name) return op;
    return nullptr;
  }
};
Registered& registered() {
  static Registered& list = *new Registered;
  return list;
}
[[maybe_unused]] const bool keeps_registered = (keep_over_forks(registered().mutex), true);

}  // namespace

std::vector<const Op*> registered_ops() {
  std::lock_guard lock(registered().mutex);
  return registered().ops;
}

const Op* find_registered_op(std::string_view name) {
  std::lock_guard lock(registered().mutex);
  return registered().find(name);
}

}  // namespace detail

CustomOp register_op(OpDefinition definition) {
  detail::check_definition(definition);
  detail::Registered& list = detail::registered();
  std::lock_guard lock(list.mutex);
  const std::string& name = definition.name;
  const auto& own = detail::all_ops();
  if (list.find(name) ||
      std::any_of(own.begin(), own.end(), [&](const detail::Op* op) { return name == op->name; }))
    fail(ErrorCode::kValue, "register_op: there is an op named '", name, "' already");
  list.ops.push_back(&detail::make_registration(std::move(definition))->op);
  return CustomOp(list.ops.back());
}

CustomOp CustomOp::find(const std::string& name) {
  const detail::Op* op = detail::find_registered_op(name);
  if (!op) fail(ErrorCode::kValue, "there is no registered op named '", name, "'");
  return CustomOp(op);
}

const char* CustomOp::name() const { return op_->name; }
int CustomOp::n_outputs() const { return detail::registration_of(*op_).definition.n_outputs; }

std::vector<Tensor> CustomOp::call(const std::vector<Tensor>& inputs,
                                   const std::vector<double>& numbers) const {
  if (numbers.size() > detail::kMostNumbers)
    fail(ErrorCode::kValue, name(), ": takes at most ", detail::kMostNumbers, " numbers, got ",
         numbers.size());
  detail::Attrs attrs;
  std::copy(numbers.begin(), numbers.end(), attrs.reals);
  const std::vector<detail::Arg> arguments(inputs.begin(), inputs.end());
  std::vector<Tensor> outputs(static_cast<size_t>(n_outputs()));
  detail::dispatch(*op_, arguments.data(), static_cast<int>(arguments.size()), attrs,
                   outputs.data(), n_outputs());
  return outputs;
}

Tensor CustomOp::call_one(const Tensor* inputs, int n_inputs) const {
  if (n_outputs() != 1)
    fail(ErrorCode::kRuntime, name(), ": has ", n_outputs(), " outputs, use call()");
  const std::vector<detail::Arg> arguments(inputs, inputs + n_inputs);
  return detail::dispatch(*op_, arguments.data(), n_inputs);
}

}  // namespace autograd
