// The door: every op, from C++, C, Python or a gradient rule, passes through dispatch.
#pragma once
#include <initializer_list>

#include "core/op.hpp"

namespace autograd {

/// Sees every call of its thread after it ran; capture, profiling and tests hook in here.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_call(const detail::Call& call) = 0;
};

namespace detail {

/// Installs an observer for this thread (nullptr: none); returns the one before.
Observer* set_observer(Observer* observer);

/// Shows a call to this thread's observer that did not come through the door: an optimizer's step.
void show_call(const Call& call);

/// Infers (the only validation), allocates, runs the kernel, records the op if a gradient is
/// needed, and shows the call to the observer. Returns output 0; all n_outputs go to `outputs` in
/// the second form.
Tensor dispatch(const Op& op, std::initializer_list<Arg> inputs, const Attrs& attrs = {});
Tensor dispatch(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs = {});
void dispatch(const Op& op, const Arg* inputs, int n_inputs, const Attrs& attrs, Tensor* outputs,
              int n_outputs);

/// Runs an op with input 0 as its output. The result must have the shape of input 0 and a dtype
/// that converts to its dtype. Input 0 becomes the result for autograd, its version goes up.
void dispatch_in_place(const Op& op, std::initializer_list<Arg> inputs, const Attrs& attrs = {});

}  // namespace detail
}  // namespace autograd
