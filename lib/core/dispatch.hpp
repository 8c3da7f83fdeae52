// The door: every op, from C++, C, Python or a gradient rule, passes through dispatch.
#pragma once
#include <initializer_list>

#include "core/op.hpp"
#include "core/thread_state.hpp"

namespace autograd {

namespace detail {
struct Node;
}

/// Sees every call of its thread after it ran; capture, profiling and tests hook in here. The other
/// events, which go on to the observer below unless they are overridden, are what changes or reads
/// tensors without passing the door. What a kernel does inside is
/// not seen.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_call(const detail::Call& call) = 0;
  /// An in-place call is about to run: input 0 still has its old elements.
  virtual void before_in_place(const detail::Call& call) {
    if (below) below->before_in_place(call);
  }
  /// The gradient of a tensor is about to be read.
  virtual void on_grad_read(detail::TensorBody& of) {
    if (below) below->on_grad_read(of);
  }
  /// The gradient of a tensor was set or removed.
  virtual void on_grad_set(detail::TensorBody& of) {
    if (below) below->on_grad_set(of);
  }
  /// Elements of t are about to be read by code outside of the door, or its address given away.
  virtual void on_read(const detail::TensorBody& t, const char* what) {
    if (below) below->on_read(t, what);
  }
  /// The tensor holds numbers of a call that may be others in the next one: an optimizer's options.
  virtual void on_options(const detail::TensorBody& numbers) {
    if (below) below->on_options(numbers);
  }
  Observer* below = nullptr;  ///< the one that watched before, and sees each call as well
};

namespace detail {

/// The observer of this thread, nullptr if there is none.
inline Observer* observer() { return thread_state.observer; }

/// Nothing is observed within the scope.
class Unobserved {
 public:
  Unobserved() : before_(thread_state.observer) { thread_state.observer = nullptr; }
  ~Unobserved() { thread_state.observer = before_; }
  Unobserved(const Unobserved&) = delete;
  Unobserved& operator=(const Unobserved&) = delete;

 private:
  Observer* before_;
};

/// Says that code outside of the door reads elements; a capture refuses what depends on them.
inline void note_read(const TensorBody& t, const char* what) {
  if (thread_state.observer) [[unlikely]]
    thread_state.observer->on_read(t, what);
}

/// Lets an observer watch this thread besides those that do already, until it is removed, in any
/// order.
void add_observer(Observer& observer);
/// Does nothing if it does not watch this thread.
void remove_observer(Observer& observer);
/// Shows a call to the observers of this thread, of which there is at least one.
void show_call(const Call& call);
/// Installs an observer for this thread in place of all others (nullptr: none); returns the one
/// before.
Observer* set_observer(Observer* observer);

/// Infers (the only validation), allocates, runs the kernel, records the op if a gradient is
/// needed, and shows the call to the observer. Returns output 0; all n_outputs go to `outputs` in
/// the last form.
Tensor dispatch(const Op& op, std::initializer_list<Arg> inputs, const Attrs& attrs = {});
Tensor dispatch(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs = {});
void dispatch(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs, Tensor* outputs,
              int n_outputs);
/// Both outputs of an op of two.
std::pair<Tensor, Tensor> dispatch_pair(const Op& op, std::initializer_list<Arg> inputs,
                                        const Attrs& attrs = {});

/// Runs an op with input 0 as its output. The result must have the shape of input 0 and a dtype
/// that converts to its dtype. Input 0 becomes the result for autograd, its version goes up.
void dispatch_in_place(const Op& op, std::initializer_list<Arg> inputs, const Attrs& attrs = {});
void dispatch_in_place(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs);

}  // namespace detail
}  // namespace autograd
