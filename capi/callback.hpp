// Functions of the caller that the library keeps and calls.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "guard.hpp"

namespace autograd::capi {

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

template <class Function>
std::shared_ptr<Callback<Function>> make_callback(Function function, void* context) {
  return std::make_shared<Callback<Function>>(function, context);
}

/// Runs `call`, which calls the caller's code and returns its status. A failure is thrown: that of
/// the library's function whose status the code has passed on, else one of that status that says
/// that `what` reported it; a runtime error where there is no such status.
template <class Call>
void run_callback(const std::string& what, const Call& call) {
  const uint64_t before = failures();
  const ag_status status = call();
  if (status == AG_OK) return;
  if (failures() != before && ag_last_status() == status)
    throw Error(static_cast<ErrorCode>(status), ag_last_error());
  const bool is_known = status >= AG_ERROR_RUNTIME && status <= AG_ERROR_LINALG;
  throw Error(is_known ? static_cast<ErrorCode>(status) : ErrorCode::kRuntime,
              what + " reported a failure");
}

inline Tensor adopt(ag_tensor* handle) {
  return Tensor::adopt(reinterpret_cast<detail::TensorHead*>(handle));
}

/// The handle of t, without another reference.
inline ag_tensor* borrowed(const Tensor& t) {
  return reinterpret_cast<ag_tensor*>(t.head_or_null());
}

inline std::vector<ag_tensor*> borrowed_all(const Tensor* tensors, size_t n) {
  std::vector<ag_tensor*> handles;
  handles.reserve(n);
  for (size_t i = 0; i < n; ++i) handles.push_back(borrowed(tensors[i]));
  return handles;
}
inline std::vector<ag_tensor*> borrowed_all(const std::vector<Tensor>& tensors) {
  return borrowed_all(tensors.data(), tensors.size());
}

/// References that the caller's code has written to an array of NULLs, taken over.
class Written {
 public:
  explicit Written(size_t n) : handles_(n, nullptr) {}
  ~Written() {
    for (ag_tensor* handle : handles_) adopt(handle);
  }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;

  ag_tensor** data() { return handles_.data(); }
  std::vector<Tensor> take() {
    std::vector<Tensor> tensors;
    tensors.reserve(handles_.size());
    for (ag_tensor*& handle : handles_) tensors.push_back(adopt(std::exchange(handle, nullptr)));
    return tensors;
  }

 private:
  std::vector<ag_tensor*> handles_;
};

}  // namespace autograd::capi
