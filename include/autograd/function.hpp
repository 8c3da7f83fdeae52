// The user's own code in the backward pass: hooks on gradients, functions with gradient rules of
// their own, and hooks on the values that gradient rules keep.
#pragma once
#include <any>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "autograd/grad.hpp"
#include "autograd/tensor.hpp"

namespace autograd {

// ---- hooks of tensors

/// Sees the gradient of a tensor, summed over all its uses, and returns the gradient to go on with;
/// an undefined tensor means: the same. The result must have the gradient's sizes and dtype.
using GradientHook = std::function<Tensor(const Tensor& grad)>;

/// Calls `hook` whenever the gradient of `t` has been computed, before it is used; hooks run in the
/// order of registration. It goes with the present history of `t`: a later in-place change of `t`
/// leaves it with the value before. Throws Error (runtime) if `t` does not require grad.
void register_hook(const Tensor& t, GradientHook hook);

/// Sees a leaf after a backward has added to its gradient.
using AccumulationHook = std::function<void(const Tensor& leaf)>;

/// Calls `hook` after each accumulation into the gradient of `leaf`. Throws Error (runtime) for a
/// tensor that is no leaf or does not require grad.
void register_accumulation_hook(const Tensor& leaf, AccumulationHook hook);

// ---- functions

class GradFn;

namespace detail {
struct ContextAccess;
struct Node;
struct NodeExtra;
struct Op;

/// A value that a function keeps for its gradient.
struct SavedValue {
  Tensor value;          ///< an alias without history if the function itself has made it
  uint32_t version = 0;  ///< of its storage when it was saved
  int32_t output = -1;   ///< which output of the function it is
};
}  // namespace detail

/// What forward and backward of one call of a function share.
class Context {
 public:
  /// Keeps tensors for backward, which finds them in saved_tensors(). Undefined ones are allowed.
  /// Later in-place changes of them are noticed: backward then throws.
  void save_for_backward(std::vector<Tensor> tensors) { to_save_ = std::move(tensors); }
  /// The saved tensors, with their place in the graph; none while forward runs. Throws Error
  /// (runtime) if they were freed by an earlier backward or changed in place since.
  std::vector<Tensor> saved_tensors() const;
  /// True if the i-th tensor that the function was given requires grad; Error (index) if there is
  /// none.
  bool needs_input_grad(int i) const;
  /// Says that forward has changed an input in place; it must be returned.
  void mark_dirty(const Tensor& t) { dirty_.push_back(t); }
  /// Says that no gradient goes through an output.
  void mark_non_differentiable(const Tensor& t) { constants_.push_back(t); }
  /// Says that backward can't be differentiated again, such as one that computes with numbers and
  /// not with ops: doing so is then an error, not a gradient that leaves it out. To be called in
  /// forward or in backward.
  void mark_once_differentiable() { once_ = true; }
  /// The node of the call; undefined while forward runs, and where nothing was recorded.
  GradFn grad_fn() const;
  /// If false, backward gets undefined tensors instead of zeros where no gradient flowed.
  void set_materialize_grads(bool value) { materialize_ = value; }

  /// Whatever else backward needs.
  std::any data;

 private:
  friend struct detail::ContextAccess;
  std::vector<Tensor> to_save_, dirty_, constants_;
  std::vector<detail::SavedValue> saved_;
  detail::Node* node_ = nullptr;
  uint64_t needs_ = 0;  // bit i: input i (63: any further one)
  int n_inputs_ = 0;
  bool materialize_ = true;
  bool released_ = false;
  bool once_ = false;
};

/// Gets the gradients of a function's outputs and returns those of its inputs; undefined, or left
/// out at the end, for zero. A gradient has the input's sizes, or broadcasts from them and is then
/// summed; its dtype is converted. Written with ops of the library it can be differentiated again.
using FunctionRule =
    std::function<std::vector<Tensor>(Context& context, const std::vector<Tensor>& grads)>;

namespace detail {

/// The record of all functions of one name; it lives as long as the process.
const Op& function_op(const std::string& name);
/// The same for a C++ class, under its own name without namespaces.
const Op& function_op_of(const std::type_info& type);

/// One call of a function on its way through the door: made before its forward, which runs without
/// recording, and finished after it.
class FunctionCall {
 public:
  FunctionCall(const Op& op, const Tensor* inputs, int n_inputs);
  ~FunctionCall();
  FunctionCall(const FunctionCall&) = delete;
  FunctionCall& operator=(const FunctionCall&) = delete;

  Context& context();
  /// Gives the outputs their history. An output that is a view or an input, or has a history
  /// already, is replaced by an alias; all others are changed themselves.
  void finish(Tensor* outputs, int n_outputs, FunctionRule rule);

 private:
  const Op& op_;
  const Tensor* inputs_;
  int n_inputs_;
  bool grad_mode_, recorded_ = false;
  NodeExtra* extra_;
};

}  // namespace detail

/// A function with a gradient of its own, as a class:
///
///     struct Cube : Function<Cube> {
///       static Tensor forward(Context& context, const Tensor& x) {
///         context.save_for_backward({x});
///         return x * x * x;
///       }
///       static std::vector<Tensor> backward(Context& context, const std::vector<Tensor>& grads) {
///         const Tensor x = context.saved_tensors()[0];
///         return {grads[0] * 3.0 * x * x};
///       }
///     };
///     Tensor y = Cube::apply(x);
///
/// forward returns a Tensor or a vector of them and may take further arguments that are no tensors;
/// backward returns the gradients of the arguments that are.
template <class T>
class Function {
 public:
  template <class... Arguments>
  static auto apply(const Arguments&... arguments) {
    static const detail::Op& op = detail::function_op_of(typeid(T));
    constexpr int n = (int{std::is_same_v<Arguments, Tensor>} + ... + 0);
    Tensor inputs[n > 0 ? n : 1];
    int next = 0;
    (add(inputs, next, arguments), ...);
    detail::FunctionCall call(op, inputs, n);
    auto result = T::forward(call.context(), arguments...);
    if constexpr (std::is_same_v<decltype(result), Tensor>)
      call.finish(&result, 1, &T::backward);
    else
      call.finish(result.data(), static_cast<int>(result.size()), &T::backward);
    return result;
  }

 private:
  static void add(Tensor* inputs, int& next, const Tensor& t) { inputs[next++] = t; }
  template <class Other>
  static void add(Tensor*, int&, const Other&) {}
};

/// The same as two lambdas. `name` is what graphs show.
std::vector<Tensor> call_function(
    const std::string& name, const std::vector<Tensor>& inputs,
    const std::function<std::vector<Tensor>(Context&, const std::vector<Tensor>&)>& forward,
    FunctionRule backward);

/// Gets the gradients of the outputs, undefined where none flowed, and returns those of the inputs.
using GradientRule = std::function<std::vector<Tensor>(const std::vector<Tensor>& grads)>;

/// The values of `outputs`, with a history that says: computed from `inputs` by a function whose
/// gradient is `rule`. Without a gradient to record they are plain aliases. Outputs that share
/// memory with an input can't be changed in place.
std::vector<Tensor> record_function(const std::vector<Tensor>& inputs,
                                    const std::vector<Tensor>& outputs, GradientRule rule);

// ---- hooks on saved values

/// What stands in the graph in place of the values that gradients will read.
struct SavedTensorHooks {
  /// Gets a value that is being saved, not to be changed, and returns what to keep instead.
  std::function<std::shared_ptr<void>(const Tensor& value)> pack;
  /// The value again. It need not be the same tensor.
  std::function<Tensor(const std::shared_ptr<void>& content)> unpack;
};

/// Hooks that are asked for all values the calling thread saves. Only the innermost pair is.
void push_saved_tensor_hooks(SavedTensorHooks hooks);
/// Error (runtime) if there are none.
void pop_saved_tensor_hooks();

/// A number of the innermost backward that runs on this thread, which no other of the process has;
/// 0 if there is none.
uint64_t current_backward();

}  // namespace autograd
