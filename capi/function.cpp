// C functions for the user's own code in the backward pass: hooks, functions, nodes, saved values.
#include <utility>

#include "callback.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

using RuleCallback = std::shared_ptr<Callback<ag_rule>>;

ag_node* node_handle(GradFn&& fn) { return reinterpret_cast<ag_node*>(fn.release()); }

/// A node's handle seen as what it stands for, without touching the reference count.
class BorrowedNode {
 public:
  explicit BorrowedNode(const ag_node* handle)
      : fn_(GradFn::adopt(reinterpret_cast<detail::Node*>(const_cast<ag_node*>(handle)))) {}
  ~BorrowedNode() { fn_.release(); }
  GradFn* operator->() { return &fn_; }

 private:
  GradFn fn_;
};

BorrowedNode node_of(const char* function, const ag_node* handle) {
  if (!handle) fail_null(function, "node");
  return BorrowedNode(handle);
}

std::vector<Tensor> run_rule(const RuleCallback& callback, Context& context,
                             const std::vector<Tensor>& grads, size_t n_inputs) {
  const std::vector<ag_tensor*> given = borrowed_all(grads);
  Written wanted(n_inputs);
  ag_node* node = node_handle(context.grad_fn());
  const auto owner = GradFn::adopt(reinterpret_cast<detail::Node*>(node));
  run_callback("the gradient rule of a function", [&] {
    return callback->function(callback->context, node, given.data(),
                              static_cast<int64_t>(given.size()), wanted.data(),
                              static_cast<int64_t>(n_inputs));
  });
  return wanted.take();
}

std::vector<Tensor> run_node_hook(const Callback<ag_node_hook>& callback,
                                  const std::vector<Tensor>& grad_inputs,
                                  const std::vector<Tensor>& grad_outputs, size_t n_results) {
  const std::vector<ag_tensor*> inputs = borrowed_all(grad_inputs);
  const std::vector<ag_tensor*> outputs = borrowed_all(grad_outputs);
  Written results(n_results);
  run_callback("a hook on a node", [&] {
    return callback.function(callback.context, inputs.data(), static_cast<int64_t>(inputs.size()),
                             outputs.data(), static_cast<int64_t>(outputs.size()), results.data());
  });
  return results.take();
}

}  // namespace

ag_status ag_tensor_register_hook(ag_tensor* t, ag_hook hook, void* context, ag_deleter deleter) {
  return run(__func__, [&](Arguments in) {
    if (!hook) fail_null(__func__, "hook");
    const auto callback = make_callback(hook, context);
    register_hook(*in.tensor(t, "t"), [callback](const Tensor& grad) {
      Written replacement(1);
      run_callback("a gradient hook", [&] {
        return callback->function(callback->context, borrowed(grad), replacement.data());
      });
      return replacement.take()[0];
    });
    callback->deleter = deleter;
  });
}

ag_status ag_tensor_register_accumulation_hook(ag_tensor* t, ag_leaf_hook hook, void* context,
                                               ag_deleter deleter) {
  return run(__func__, [&](Arguments in) {
    if (!hook) fail_null(__func__, "hook");
    const auto callback = make_callback(hook, context);
    register_accumulation_hook(*in.tensor(t, "t"), [callback](const Tensor& leaf) {
      run_callback("a hook on a leaf",
                   [&] { return callback->function(callback->context, borrowed(leaf)); });
    });
    callback->deleter = deleter;
  });
}

struct ag_function {
  const detail::Op* op;
  ag_rule rule;
  ag_deleter deleter;
};

namespace {

struct FunctionArguments {
  ag_tensor* const* inputs;
  int64_t n_inputs;
  ag_tensor* const* outputs;
  int64_t n_outputs;
  const int32_t* kinds;
  ag_tensor* const* saved;
  int64_t n_saved;
  int32_t zeros;
};

void record_call(Arguments in, const ag_function& function, const FunctionArguments& given,
                 void* context, ag_tensor** out) {
  if (given.n_outputs) in.pointer(out, "out");
  const std::vector<Tensor> from = in.tensors(given.inputs, given.n_inputs, "inputs");
  std::vector<Tensor> results = in.tensors(given.outputs, given.n_outputs, "outputs");
  const auto callback = make_callback(function.rule, context);
  detail::FunctionCall call(*function.op, from.data(), static_cast<int>(from.size()));
  Context& c = call.context();
  c.data = callback;
  c.set_materialize_grads(given.zeros != 0);
  c.save_for_backward(in.optional_tensors(given.saved, given.n_saved, "saved"));
  for (size_t i = 0; given.kinds && i < results.size(); ++i) {
    if (given.kinds[i] == AG_OUTPUT_DIRTY)
      c.mark_dirty(results[i]);
    else if (given.kinds[i] == AG_OUTPUT_CONSTANT)
      c.mark_non_differentiable(results[i]);
    else if (given.kinds[i] != AG_OUTPUT_VALUE)
      in.reject("kinds", given.kinds[i]);
  }
  call.finish(results.data(), static_cast<int>(results.size()),
              [callback, n = from.size()](Context& inner, const std::vector<Tensor>& grads) {
                return run_rule(callback, inner, grads, n);
              });
  write_all(std::move(results), out);
  callback->deleter = function.deleter;
}

}  // namespace

ag_status ag_function_record(const char* name, ag_tensor* const* inputs, int64_t n_inputs,
                             ag_tensor* const* outputs, int64_t n_outputs, const int32_t* kinds,
                             ag_tensor* const* saved, int64_t n_saved, int32_t zeros, ag_rule rule,
                             void* context, ag_deleter deleter, ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    if (!rule) fail_null(__func__, "rule");
    const ag_function function{&detail::function_op(in.text(name, "name")), rule, deleter};
    record_call(in, function, {inputs, n_inputs, outputs, n_outputs, kinds, saved, n_saved, zeros},
                context, out);
  });
}

ag_function* ag_function_make(const char* name, ag_rule rule, ag_deleter deleter) {
  return read<ag_function*>(__func__, nullptr, [&](Arguments in) {
    if (!rule) fail_null(__func__, "rule");
    return new ag_function{&detail::function_op(in.text(name, "name")), rule, deleter};
  });
}

void ag_function_free(ag_function* function) { delete function; }

ag_status ag_function_record_call(const ag_function* function, ag_tensor* const* inputs,
                                  int64_t n_inputs, ag_tensor* const* outputs, int64_t n_outputs,
                                  const int32_t* kinds, ag_tensor* const* saved, int64_t n_saved,
                                  int32_t zeros, void* context, ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    record_call(in, *in.pointer(function, "function"),
                {inputs, n_inputs, outputs, n_outputs, kinds, saved, n_saved, zeros}, context, out);
  });
}

// ---- nodes

ag_node* ag_tensor_node(const ag_tensor* t) {
  return read<ag_node*>(__func__, nullptr,
                        [&](Arguments in) { return node_handle(GradFn::of(*in.tensor(t, "t"))); });
}

int64_t ag_tensor_output_index(const ag_tensor* t) {
  return read<int64_t>(__func__, -1,
                       [&](Arguments in) { return in.tensor(t, "t")->output_index(); });
}

void ag_node_free(ag_node* node) { GradFn::adopt(reinterpret_cast<detail::Node*>(node)); }

ag_node* ag_node_retain(ag_node* node) {
  return read<ag_node*>(__func__, nullptr, [&](Arguments) {
    return node_handle(GradFn(*node_of(__func__, node).operator->()));
  });
}

int64_t ag_node_name(const ag_node* node, char* buffer, int64_t capacity) {
  return text(__func__, buffer, capacity,
              [&](Arguments) { return node_of(__func__, node)->name(); });
}

int64_t ag_node_num_inputs(const ag_node* node) {
  return read<int64_t>(__func__, -1,
                       [&](Arguments) { return node_of(__func__, node)->n_inputs(); });
}

ag_status ag_node_next(const ag_node* node, int64_t i, ag_node** next, int64_t* index,
                       ag_tensor** leaf) {
  return run(__func__, [&](Arguments in) {
    in.pointer(next, "next");
    in.pointer(index, "index");
    in.pointer(leaf, "leaf");
    BorrowedNode from = node_of(__func__, node);
    if (i < 0 || i > INT32_MAX) in.reject("i", i);
    GradEdge edge = from->next(static_cast<int>(i));
    *next = node_handle(std::move(edge.fn));
    *leaf = to_handle(std::move(edge.leaf));
    *index = edge.index;
  });
}

int64_t ag_node_saved(const ag_node* node, ag_tensor** out, int64_t capacity) {
  return read<int64_t>(__func__, -1, [&](Arguments in) -> int64_t {
    in.array(out, capacity, "out");
    const Context* context = node_of(__func__, node)->context();
    if (!context) return 0;
    std::vector<Tensor> values = context->saved_tensors();
    const int64_t n = static_cast<int64_t>(values.size());
    for (int64_t i = 0; i < n && i < capacity; ++i)
      out[i] = to_handle(std::move(values[static_cast<size_t>(i)]));
    return n;
  });
}

ag_status ag_node_mark_once_differentiable(ag_node* node) {
  return run(__func__, [&](Arguments) {
    Context* context = node_of(__func__, node)->context();
    if (!context)
      throw Error(ErrorCode::kValue,
                  std::string(__func__) + ": this is no call of a function with a rule of its own");
    context->mark_once_differentiable();
  });
}

void* ag_node_context(const ag_node* node) {
  return read<void*>(__func__, nullptr, [&](Arguments) -> void* {
    const Context* context = node_of(__func__, node)->context();
    const RuleCallback* callback = context ? std::any_cast<RuleCallback>(&context->data) : nullptr;
    return callback ? (*callback)->context : nullptr;
  });
}

ag_status ag_node_register_prehook(ag_node* node, ag_node_hook hook, void* context,
                                   ag_deleter deleter) {
  return run(__func__, [&](Arguments) {
    if (!hook) fail_null(__func__, "hook");
    const auto callback = make_callback(hook, context);
    node_of(__func__, node)->register_prehook([callback](const std::vector<Tensor>& grads) {
      return run_node_hook(*callback, {}, grads, grads.size());
    });
    callback->deleter = deleter;
  });
}

ag_status ag_node_register_hook(ag_node* node, ag_node_hook hook, void* context,
                                ag_deleter deleter) {
  return run(__func__, [&](Arguments) {
    if (!hook) fail_null(__func__, "hook");
    const auto callback = make_callback(hook, context);
    node_of(__func__, node)
        ->register_hook(
            [callback](const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) {
              return run_node_hook(*callback, inputs, outputs, inputs.size());
            });
    callback->deleter = deleter;
  });
}

// ---- saved values, modes

ag_status ag_saved_hooks_push(ag_pack pack, ag_unpack unpack, ag_deleter free_content,
                              void* context, ag_deleter deleter) {
  return run(__func__, [&](Arguments) {
    if (!pack) fail_null(__func__, "pack");
    if (!unpack) fail_null(__func__, "unpack");
    const auto packer = make_callback(pack, context);
    const auto unpacker = [packer, unpack](const std::shared_ptr<void>& content) {
      Written value(1);
      run_callback("an unpack hook",
                   [&] { return unpack(packer->context, content.get(), value.data()); });
      return value.take()[0];
    };
    const auto packed = [packer, free_content](const Tensor& value) -> std::shared_ptr<void> {
      void* content = nullptr;
      run_callback("a pack hook",
                   [&] { return packer->function(packer->context, borrowed(value), &content); });
      // The context lives as long as there is something to unpack.
      return std::shared_ptr<void>(content, [packer, free_content](void* c) {
        if (free_content) free_content(c);
      });
    };
    push_saved_tensor_hooks({packed, unpacker});
    packer->deleter = deleter;
  });
}

ag_status ag_saved_hooks_pop() {
  return run(__func__, [](Arguments) { pop_saved_tensor_hooks(); });
}

int64_t ag_current_backward() { return static_cast<int64_t>(current_backward()); }

int32_t ag_current_backward_reaches(const ag_node* node, const ag_tensor* leaf) {
  return read<int32_t>(__func__, -1, [&](Arguments in) {
    GradEdge place;
    if (node)
      place.fn = GradFn(*BorrowedNode(node).operator->());
    else
      place.leaf = *in.tensor(leaf, "leaf");
    return current_backward_reaches(place);
  });
}

int32_t ag_inference_mode() { return inference_mode(); }

int32_t ag_set_inference_mode(int32_t enabled) { return set_inference_mode(enabled != 0); }

int32_t ag_tensor_is_inference(const ag_tensor* t) {
  return read<int32_t>(__func__, 0,
                       [&](Arguments in) { return in.tensor(t, "t")->is_inference(); });
}

void ag_set_anomaly_detection(int32_t enabled, int32_t check_nan) {
  set_anomaly_detection(enabled != 0, check_nan != 0);
}

int32_t ag_anomaly_detection() { return anomaly_detection() + anomaly_checks_nan(); }
