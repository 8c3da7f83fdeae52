#include "core/interpreter_lock.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

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
      if (last && left == 0) is_new_.store(true, std::memory_order_relaxed);
      left = last ? kLately : 0;
    }
    if (left == 0) return false;
    calls_left_.store(left - 1, std::memory_order_relaxed);
    // Without such a lock, as in free-threaded CPython, several threads come here at once.
    if (busy_.test_and_set(std::memory_order_acquire)) return false;
    const int64_t now = nanoseconds();
    calls_ += now >= begin_;
    if (is_new_.exchange(false, std::memory_order_relaxed)) phase_ = kTheBetter, end_ = now;
    if (now >= end_) begin_phase(now);
    const bool result = gives_up_;
    busy_.clear(std::memory_order_release);
    return result;
  }

 private:
  enum Phase { kGiveUp, kKeep, kTheBetter };

  void begin_phase(int64_t now) {
    constexpr int64_t kSettle = 3'000'000, kTrial = 10'000'000;
    constexpr int64_t kLong = 200'000'000, kLongest = 800'000'000;
    rates_[phase_] = static_cast<double>(calls_) / static_cast<double>(now - begin_);
    phase_ = phase_ == kTheBetter ? kGiveUp : static_cast<Phase>(phase_ + 1);
    // As good as equal: both threads may have been on one core so far, and will not be for long.
    gives_up_ =
        phase_ == kGiveUp || (phase_ == kTheBetter && rates_[kGiveUp] > 0.97 * rates_[kKeep]);
    if (phase_ == kTheBetter) {
      long_ = gives_up_ == better_ ? std::clamp(2 * long_, kLong, kLongest) : kLong;
      better_ = gives_up_;
    }
    calls_ = 0;
    begin_ = now + kSettle;  // threads are moved to other cores, and who slept is woken
    end_ = now + (phase_ == kTheBetter ? long_ : kTrial);
  }

  std::atomic<const void*> last_{nullptr};    ///< the thread that did such work last
  std::atomic<int> calls_left_{0};            ///< for which other threads are taken to do so, too
  std::atomic<bool> is_new_{false};           ///< that they do: nothing is known yet
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;  ///< somebody is at what follows
  Phase phase_ = kTheBetter;
  bool gives_up_ = false, better_ = false;
  int64_t long_ = 0;             ///< how long is kept to the better: what was so twice lasts
  int64_t begin_ = 0, end_ = 0;  ///< of the phase
  int64_t calls_ = 0;            ///< of all threads, in this phase
  double rates_[3] = {};
};
BriefWork brief_work;

/// The thread that has come back from work in the library with the lock, and has not given it up
/// there since. It may have lost it to others elsewhere.
std::atomic<const void*> keeper{nullptr};
/// One thread at a time can have the lock, and others run in the meantime.
std::atomic<bool> worth_waiting{false};

bool is_exclusive() {
  const auto version = reinterpret_cast<const char* (*)()>(dlsym(RTLD_DEFAULT, "Py_GetVersion"));
  return !version || !std::strstr(version(), "free-threading");
}

/// Waits a little for the lock to become free. Who sleeps until then is woken late: that takes
/// longer than most threads that work in the library keep it.
void look_out_for_lock() {
  if (!keeper.load(std::memory_order_relaxed) || !worth_waiting.load(std::memory_order_relaxed))
    return;
  constexpr int64_t kLookOut = 30'000;
  const int64_t end = nanoseconds() + kLookOut;
  do {
    for (int i = 0; i < 8; ++i) {
      if (!keeper.load(std::memory_order_relaxed)) return;
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#endif
    }
  } while (nanoseconds() < end);
}

}  // namespace

void* detail::release_lock() {
  void* const state = interpreter_lock.release();
  const void* me = &thread_state;
  keeper.compare_exchange_strong(me, nullptr, std::memory_order_relaxed);
  return state;
}

void detail::take_lock(void* state) {
  look_out_for_lock();
  try {
    interpreter_lock.take(state);
    keeper.store(&thread_state, std::memory_order_relaxed);
  } catch (abi::__forced_unwind&) {
    // An interpreter that is ending ends its threads here. C++ has no way to go along; the process
    // is about to end.
    for (;;) pause();
  }
}

// Where threads run at once anyway, there is nothing to be won.
bool detail::is_worth_giving_up() {
  return worth_waiting.load(std::memory_order_relaxed) && brief_work.pays();
}

void set_interpreter_lock(const InterpreterLock& lock) {
  const bool whole = lock.release && lock.take && lock.holder && lock.self;
  worth_waiting.store(whole && std::thread::hardware_concurrency() > 1 && is_exclusive());
  detail::interpreter_lock = whole ? lock : InterpreterLock{};
}

}  // namespace autograd
