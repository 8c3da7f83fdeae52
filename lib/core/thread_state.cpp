// Thread-local state and the grad mode that lives in it.
#include "core/thread_state.hpp"

#include <atomic>

#include "autograd/function.hpp"

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

bool grad_enabled() { return detail::thread_state.grad_mode; }

bool set_grad_enabled(bool enabled) {
  detail::ThreadState& state = detail::thread_state;
  const bool previous = state.grad_mode;
  state.grad_mode = enabled;
  state.grad_enabled = enabled && !state.inference;
  return previous;
}

bool inference_mode() { return detail::thread_state.inference; }

bool set_inference_mode(bool enabled) {
  detail::ThreadState& state = detail::thread_state;
  const bool previous = state.inference;
  state.inference = enabled;
  state.grad_enabled = state.grad_mode && !enabled;
  return previous;
}

uint64_t current_backward() { return detail::thread_state.backward; }

}  // namespace autograd
