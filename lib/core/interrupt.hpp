// Lets Ctrl-C end long work between two of its steps.
#pragma once
#include <cstdint>
#include <utility>

#include "core/interpreter_lock.hpp"
#include "core/tensor_body.hpp"
#include "core/thread_state.hpp"

namespace autograd::detail {

/// Work between two looks at the clock, in elements computed.
constexpr int64_t kWorkBetweenLooks = 1 << 18;

/// Throws Error (runtime) if this is the interpreter's main thread and a signal handler has raised.
void look_for_interrupt();

/// To be called between the steps of long work, `work` being about the elements computed since.
/// True if it was looked, and other code may have run.
inline bool poll_interrupt(int64_t work) {
  thread_state.work += work + 256;
  if (thread_state.work <= kWorkBetweenLooks) [[likely]]
    return false;
  look_for_interrupt();
  return true;
}

/// True while this thread runs a kernel that may stop half way: nobody has seen its outputs.
#if defined(__ELF__)
extern thread_local constinit bool kernel_may_stop __attribute__((tls_model("initial-exec")));
#else
extern thread_local constinit bool kernel_may_stop;
#endif

/// While it lives, the thread may stop in a long kernel, and is without its interpreter's lock. For
/// kernels that the door does not call.
class LongKernel {
 public:
  explicit LongKernel(int64_t elements)
      : unlocked_(elements >= kLongWork), before_(std::exchange(kernel_may_stop, true)) {}
  ~LongKernel() { kernel_may_stop = before_; }
  LongKernel(const LongKernel&) = delete;
  LongKernel& operator=(const LongKernel&) = delete;

 private:
  Unlocked unlocked_;
  bool before_;
};

/// The memory of a tensor that an in-place op of this thread may leave half written.
#if defined(__ELF__)
extern thread_local constinit const Storage* unseen_target
    __attribute__((tls_model("initial-exec")));
#else
extern thread_local constinit const Storage* unseen_target;
#endif

/// While it lives, ops that write to this tensor may stop half way: nobody else has seen it.
class UnseenTarget {
 public:
  explicit UnseenTarget(const Tensor& t)
      : before_(std::exchange(unseen_target, body(t)->storage)) {}
  ~UnseenTarget() { unseen_target = before_; }
  UnseenTarget(const UnseenTarget&) = delete;
  UnseenTarget& operator=(const UnseenTarget&) = delete;

 private:
  const Storage* before_;
};

/// The same between two parts of a long kernel.
inline void poll_in_kernel() {
  if (kernel_may_stop) poll_interrupt(kWorkBetweenLooks);
}

}  // namespace autograd::detail
