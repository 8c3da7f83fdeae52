// Lets Ctrl-C end long work between two of its steps.
#pragma once
#include <cstdint>

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

/// The same between two parts of a long kernel.
inline void poll_in_kernel() {
  if (kernel_may_stop) poll_interrupt(kWorkBetweenLooks);
}

}  // namespace autograd::detail
