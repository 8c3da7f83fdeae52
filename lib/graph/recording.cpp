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

}  // namespace

CallRecorder::CallRecorder(bool timed) : timed_(timed), thread_(&thread_state) {
  log_.words.resize(1 << 14);
  add_observer(*this);
  began_ = now();
}

bool CallRecorder::is_own_thread() const { return thread_ == &thread_state; }

void CallRecorder::close() {
  if (!open_) return;
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
  log_call(call, timed_ ? now() : 0, marks->current, log_);
}

}  // namespace autograd::detail
