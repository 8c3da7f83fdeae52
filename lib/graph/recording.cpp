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
  constexpr size_t kFewModules = 32;
  marks->parents.reserve(kFewModules);
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
  log_.end_block();
  remove_observer(*this);
}

void CallRecorder::on_read(const TensorBody& t, const char* what) {
  if (read_.empty() || read_.back() != t.id) read_.push_back(t.id);
  Observer::on_read(t, what);
}

}  // namespace autograd::detail
