// Seed and position of the process's random stream.
#include "core/random.hpp"

#include <mutex>
#include <random>

#include "autograd/random.hpp"
#include "core/batching.hpp"
#include "core/fork.hpp"
#include "core/text.hpp"
#include "core/thread_state.hpp"

namespace autograd {
namespace {

struct Generator {
  std::mutex mutex;
  cpu::Philox state{std::random_device{}(), 0};
};

// Leaked on purpose: forks look at its mutex to the end.
Generator& generator() {
  static Generator& g = *new Generator;
  return g;
}
// At the start, lest a fork fall into the making of it.
[[maybe_unused]] const bool keeps_generator = (detail::keep_over_forks(generator().mutex), true);

}  // namespace

void manual_seed(int64_t seed) { set_random_state({static_cast<uint64_t>(seed), 0}); }

RandomState random_state() {
  std::lock_guard lock(generator().mutex);
  return {generator().state.seed, generator().state.offset};
}

void set_random_state(const RandomState& state) {
  std::lock_guard lock(generator().mutex);
  generator().state = {state.seed, state.offset};
}

RandomState detail::random_position() {
  const ThreadState& thread = thread_state;
  return thread.has_stream ? RandomState{thread.stream_seed, thread.stream_offset} : random_state();
}

void detail::set_random_position(const RandomState& position) {
  if (thread_state.has_stream)
    begin_random_stream(position);
  else
    set_random_state(position);
}

cpu::Philox detail::take_random(int64_t n) {
  ThreadState& thread = thread_state;
  if (thread.vmap) [[unlikely]]
    check_randomness();
  if (thread.has_stream) {
    const cpu::Philox now = {thread.stream_seed, thread.stream_offset};
    thread.stream_offset += static_cast<uint64_t>(n);
    return now;
  }
  std::lock_guard lock(generator().mutex);
  const cpu::Philox now = generator().state;
  generator().state.offset += static_cast<uint64_t>(n);
  return now;
}

void begin_random_stream(const RandomState& start) {
  detail::ThreadState& thread = detail::thread_state;
  thread.has_stream = true;
  thread.stream_seed = start.seed;
  thread.stream_offset = start.offset;
}

RandomState end_random_stream() {
  detail::ThreadState& thread = detail::thread_state;
  if (!thread.has_stream) fail(ErrorCode::kRuntime, "this thread has no random stream of its own");
  thread.has_stream = false;
  return {thread.stream_seed, thread.stream_offset};
}

}  // namespace autograd
