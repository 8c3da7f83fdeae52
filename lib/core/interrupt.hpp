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
inline void poll_interrupt(int64_t work) {
  thread_state.work += work + 256;
  if (thread_state.work > kWorkBetweenLooks) [[unlikely]]
    look_for_interrupt();
}

}  // namespace autograd::detail
