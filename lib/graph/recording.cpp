// The observer that notes what its thread does.
#include "graph/recording.hpp"

#include <chrono>

#include "core/thread_state.hpp"

namespace autograd::detail {
namespace {

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The processor's own counter where there is one: a third of the price of the clock.
uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<uint64_t>(now());
#endif
}

}  // namespace

CallRecorder::CallRecorder(bool timed) : timed_(timed), thread_(&thread_state) {
  add_observer(*this);
  began_ = now();
  began_ticks_ = ticks();
}

bool CallRecorder::is_own_thread() const { return thread_ == &thread_state; }

void CallRecorder::close() {
  if (!open_) return;
  ended_ticks_ = ticks();
  ended_ = now();
  open_ = false;
  remove_observer(*this);
}

void CallRecorder::on_call(const Call& call) {
  if (abandoned.load(std::memory_order_relaxed)) {
    remove_observer(*this);
    delete this;
    return;
  }
  log_.add(call, ticks(), marks->current);
}

void CallRecorder::on_read(const TensorBody& t, const char* what) {
  if (read_.empty() || read_.back() != t.id) read_.push_back(t.id);
  Observer::on_read(t, what);
}

}  // namespace autograd::detail
