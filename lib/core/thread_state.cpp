// Thread-local state and the grad mode that lives in it.
#include "core/thread_state.hpp"

#include <atomic>

#include "autograd/grad.hpp"

namespace autograd {
namespace detail {

#if defined(__ELF__)
thread_local constinit ThreadState thread_state __attribute__((tls_model("initial-exec")));
#else
thread_local constinit ThreadState thread_state;
#endif

uint64_t next_tensor_id() {
  constexpr uint64_t kBlock = 1 << 16;
  static std::atomic<uint64_t> next_block{1};
  ThreadState& state = thread_state;
  if (state.next_id == state.last_id) {
    state.next_id = next_block.fetch_add(kBlock, std::memory_order_relaxed);
    state.last_id = state.next_id + kBlock;
  }
  return state.next_id++;
}

}  // namespace detail

bool grad_enabled() { return detail::thread_state.grad_enabled; }

bool set_grad_enabled(bool enabled) {
  const bool previous = detail::thread_state.grad_enabled;
  detail::thread_state.grad_enabled = enabled;
  return previous;
}

}  // namespace autograd
