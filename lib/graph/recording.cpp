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
  begin_anew();
}

void CallRecorder::begin_anew() {
  if (!log_.is_empty()) return;
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

std::shared_ptr<const GraphData> hold(GraphData graph) {
  const auto release = [](const GraphData* data) {
    delete data;
    for (Observer* o = thread_state.observer; o; o = o->below)
      if (auto* recorder = dynamic_cast<CallRecorder*>(o)) recorder->begin_anew();
  };
  return {new GraphData(std::move(graph)), release};
}

void CallRecorder::on_read(const TensorBody& t, const char* what) {
  if (read_.empty() || read_.back() != t.id) read_.push_back(t.id);
  Observer::on_read(t, what);
}

}  // namespace autograd::detail
