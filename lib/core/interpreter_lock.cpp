#include "core/interpreter_lock.hpp"

#include <cxxabi.h>
#include <unistd.h>

#include <atomic>
#include <chrono>

#include "core/thread_state.hpp"

namespace autograd {

InterpreterLock detail::interpreter_lock;

namespace {

int64_t nanoseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

/// Whether giving the lock up for some microseconds pays. It does where another thread does such
/// work and wakes quickly. It does not where waking takes longer than the work, or some thread
/// computes in Python and keeps the lock for milliseconds: both ways are tried in turns, and the
/// one by which more work gets done is kept to for a while.
class BriefWork {
 public:
  bool pays() {
    constexpr int kLately = 5000;
    const void* const me = &detail::thread_state;
    const void* const last = last_.load(std::memory_order_relaxed);
    int left = calls_left_.load(std::memory_order_relaxed);
    if (last != me) {
      last_.store(me, std::memory_order_relaxed);
      left = last ? kLately : 0;
    }
    if (left == 0) return false;
    calls_left_.store(left - 1, std::memory_order_relaxed);
    // Without such a lock, as in free-threaded CPython, several threads come here at once.
    if (busy_.test_and_set(std::memory_order_acquire)) return false;
    ++calls_;
    const int64_t now = nanoseconds();
    if (now >= end_) begin_phase(now);
    const bool result = gives_up_;
    busy_.clear(std::memory_order_release);
    return result;
  }

 private:
  enum Phase { kGiveUp, kKeep, kTheBetter };

  void begin_phase(int64_t now) {
    constexpr int64_t kTrial = 10'000'000, kLong = 200'000'000;
    rates_[phase_] = static_cast<double>(calls_) / static_cast<double>(now - begin_);
    phase_ = phase_ == kTheBetter ? kGiveUp : static_cast<Phase>(phase_ + 1);
    // As good as equal: the other threads may have done something else in between.
    gives_up_ =
        phase_ == kGiveUp || (phase_ == kTheBetter && rates_[kGiveUp] > 0.9 * rates_[kKeep]);
    calls_ = 0;
    begin_ = now;
    end_ = now + (phase_ == kTheBetter ? kLong : kTrial);
  }

  std::atomic<const void*> last_{nullptr};    ///< the thread that did such work last
  std::atomic<int> calls_left_{0};            ///< for which other threads are taken to do so, too
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;  ///< somebody is at what follows
  Phase phase_ = kTheBetter;
  bool gives_up_ = false;
  int64_t begin_ = 0, end_ = 0;  ///< of the phase
  int64_t calls_ = 0;            ///< of all threads, in this phase
  double rates_[3] = {};
};
BriefWork brief_work;

}  // namespace

void detail::take_lock(void* state) {
  try {
    interpreter_lock.take(state);
  } catch (abi::__forced_unwind&) {
    // An interpreter that is ending ends its threads here. C++ has no way to go along; the process
    // is about to end.
    for (;;) pause();
  }
}

bool detail::is_worth_giving_up() { return brief_work.pays(); }

void set_interpreter_lock(const InterpreterLock& lock) {
  const bool whole = lock.release && lock.take && lock.holder && lock.self;
  detail::interpreter_lock = whole ? lock : InterpreterLock{};
}

}  // namespace autograd
