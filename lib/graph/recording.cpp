// The observer that notes what its thread does.
#include "graph/recording.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

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
  const uint64_t passed = ticks() - began_ticks_;
  const double seconds = static_cast<double>(now() - began_) * 1e-9;
  open_ = false;
  remove_observer(*this);
  seconds_per_tick_ = seconds / static_cast<double>(std::max<uint64_t>(passed, 1));
}

namespace {
std::shared_ptr<const GraphSource> hold_source(const GraphSource* source) {
  const auto release = [](const GraphSource* gone) {
    delete gone;
    for (Observer* o = thread_state.observer; o; o = o->below)
      if (auto* recorder = dynamic_cast<CallRecorder*>(o)) recorder->begin_anew();
  };
  return {source, release};
}
}  // namespace

std::shared_ptr<const GraphSource> hold(GraphData graph) {
  return hold_source(new GraphSource(std::move(graph)));
}

std::shared_ptr<const GraphSource> hold(std::function<GraphData()> make) {
  return hold_source(new GraphSource(std::move(make)));
}

void CallRecorder::on_read(const TensorBody& t, const char* what) {
  if (read_.empty() || read_.back() != t.id) read_.push_back(t.id);
  Observer::on_read(t, what);
}

}  // namespace autograd::detail
