// C functions for the user's own code in the backward pass.
#include <memory>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

/// A function of the caller with its context, which is given back when nobody can call it any more.
template <class Function>
struct Callback {
  Callback(Function f, void* c) : function(f), context(c) {}
  ~Callback() {
    if (deleter) deleter(context);
  }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  Function function;
  void* context;
  ag_deleter deleter = nullptr;  // set when the registration has succeeded
};

void check(ag_status status, const char* what) {
  if (status != AG_OK) throw Error(ErrorCode::kRuntime, std::string(what) + " reported a failure");
}

Tensor adopt(ag_tensor* handle) {
  return Tensor::adopt(reinterpret_cast<detail::TensorHead*>(handle));
}

// The caller's handle of t, without another reference.
ag_tensor* borrowed(const Tensor& t) { return reinterpret_cast<ag_tensor*>(t.head_or_null()); }

}  // namespace

ag_status ag_tensor_register_hook(ag_tensor* t, ag_hook hook, void* context, ag_deleter deleter) {
  return run(__func__, [&](Arguments in) {
    if (!hook) fail_null(__func__, "hook");
    auto callback = std::make_shared<Callback<ag_hook>>(hook, context);
    register_hook(*in.tensor(t, "t"), [callback](const Tensor& grad) {
      ag_tensor* replacement = nullptr;
      const ag_status status = callback->function(callback->context, borrowed(grad), &replacement);
      Tensor result = adopt(replacement);
      check(status, "a gradient hook");
      return result;
    });
    callback->deleter = deleter;
  });
}

ag_status ag_record_function(ag_tensor* const* inputs, int64_t n_inputs, ag_tensor* const* outputs,
                             int64_t n_outputs, ag_rule rule, void* context, ag_deleter deleter,
                             ag_tensor** out) {
  return run(__func__, [&](Arguments in) {
    if (!rule) fail_null(__func__, "rule");
    if (n_outputs) in.pointer(out, "out");
    const std::vector<Tensor> from = in.tensors(inputs, n_inputs, "inputs");
    auto callback = std::make_shared<Callback<ag_rule>>(rule, context);
    std::vector<Tensor> results = record_function(
        from, in.tensors(outputs, n_outputs, "outputs"),
        [callback, n_inputs](const std::vector<Tensor>& grads) {
          std::vector<ag_tensor*> given, wanted(static_cast<size_t>(n_inputs), nullptr);
          for (const Tensor& g : grads) given.push_back(borrowed(g));
          const ag_status status =
              callback->function(callback->context, given.data(),
                                 static_cast<int64_t>(given.size()), wanted.data(), n_inputs);
          std::vector<Tensor> gradients;
          for (ag_tensor* handle : wanted) gradients.push_back(adopt(handle));
          check(status, "the gradient rule of a function");
          return gradients;
        });
    for (size_t i = 0; i < results.size(); ++i) out[i] = to_handle(std::move(results[i]));
    callback->deleter = deleter;
  });
}
