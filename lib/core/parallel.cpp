// A pool of workers that sleep until there is work; the pool of a forked child is started anew.
#include "core/parallel.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "autograd/runtime.hpp"
#include "core/fork.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "kernels/cpu/pause.hpp"

namespace autograd {
namespace detail {

#if defined(__ELF__)
thread_local constinit bool kernel_may_stop __attribute__((tls_model("initial-exec"))) = false;
thread_local constinit const Storage* unseen_target __attribute__((tls_model("initial-exec"))) =
    nullptr;
#else
thread_local constinit bool kernel_may_stop = false;
thread_local constinit const Storage* unseen_target = nullptr;
#endif

namespace {

using Clock = std::chrono::steady_clock;
using Work = void (*)(void*, int64_t, int64_t);

// Work often comes in a quick row: workers look out for more before they sleep.
constexpr Clock::duration kLookOut = std::chrono::microseconds(100);

// Work in pieces of `chunk` elements. Each thread has a share of them, the same in all jobs, so
// that it finds what it has written for the last one in the caches of its core. Every other job
// goes through them backwards: it begins with what the last one has touched last, and what does not
// fit the caches is only what was touched first. Whoever is done goes on with what is left of the
// others' shares.
class Job {
 public:
  Job(Work work, void* context, int64_t n, int64_t chunk, int threads)
      : work_(work),
        context_(context),
        n_(n),
        chunk_(chunk),
        shares_(std::min(threads, kMostShares)) {
    for (int s = 0; s < shares_; ++s) next_[s].store(begin_of(s), std::memory_order_relaxed);
  }

  void turn(bool backwards) { backwards_ = backwards; }
  /// What thread `index` does of it; the caller is the first. Returns the number of pieces.
  int64_t take_part(int index) {
    int64_t taken = 0;
    for (int i = 0; i < shares_; ++i) taken += take_share((index + i) % shares_);
    return taken;
  }
  Work work() const { return work_; }
  int64_t n() const { return n_; }
  int64_t pieces() const { return (n_ + chunk_ - 1) / chunk_; }
  /// After all threads are done: rethrows what the first of them threw.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr int kMostShares = 64;

  int64_t begin_of(int share) const { return pieces() * share / shares_; }
  int64_t take_share(int share);

  Work work_;
  void* context_;
  int64_t n_, chunk_;
  int shares_;
  bool backwards_ = false, may_stop_ = kernel_may_stop;
  std::atomic<bool> failed_{false};
  std::atomic<int64_t> next_[kMostShares];  // piece of each share
  std::exception_ptr error_;
  std::mutex error_mutex_;
};

thread_local bool inside_job = false;

[[maybe_unused]] const bool pausing = (cpu::in_pause = poll_in_kernel, true);

// Ctrl-C is looked for between the pieces of what may be long. Always the same pieces: results must
// not depend on anything else.
int64_t longest_piece(int64_t n, int64_t most) {
  if (!kernel_may_stop) return n;
  const int64_t pieces = std::clamp<int64_t>(most, 1, 64);
  return (n + pieces - 1) / pieces;
}

int64_t Job::take_share(int share) {
  int64_t taken = 0;
  const int64_t begin = begin_of(share), end = begin_of(share + 1);
  while (!failed_.load(std::memory_order_relaxed)) {
    const int64_t next = next_[share].fetch_add(1);
    if (next >= end) break;
    ++taken;
    const int64_t piece = backwards_ ? begin + (end - 1 - next) : next;
    try {
      work_(context_, piece * chunk_, std::min((piece + 1) * chunk_, n_));
      if (may_stop_) poll_interrupt(kWorkBetweenLooks);
    } catch (...) {
      std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
      failed_.store(true, std::memory_order_relaxed);
    }
  }
  return taken;
}

int64_t take_part(Job& job, int index) {
  inside_job = true;
  const int64_t taken = job.take_part(index);
  inside_job = false;
  return taken;
}

/// Is it worth waking those who sleep? That takes time from the caller, and small jobs are done
/// before anybody comes. Judged by what a job of the same kind took the last time.
class Worth {
 public:
  /// Called before each job; `asleep`: some who could take part are.
  bool waking(const Job& job, bool asleep, Clock::time_point now) {
    known_ = &known_jobs_[place_of(job)];
    if (known_->work != job.work() || known_->n != job.n()) *known_ = {job.work(), job.n(), kLong};
    // Work often comes in a row, of which only the first jobs are done alone.
    if (now - last_ > kLookOut) alone_ = {};
    const bool wakes = asleep && (known_->time > kWorthWaking || alone_ > kWorthWaking);
    is_alone_ = asleep && !wakes;
    return wakes;
  }
  /// Called after it: the caller did `taken` of its pieces in that time.
  void took(const Job& job, Clock::duration time, int64_t taken, Clock::time_point now) {
    if (taken > 0) known_->time = time * job.pieces() / taken;
    alone_ = is_alone_ ? alone_ + time : Clock::duration{};
    last_ = now;
  }

 private:
  static constexpr Clock::duration kWorthWaking = std::chrono::microseconds(100);
  static constexpr Clock::duration kLong = std::chrono::seconds(1);  // not known yet

  struct Known {
    Work work = nullptr;
    int64_t n = 0;
    Clock::duration time = kLong;  // of one thread
  };
  static constexpr size_t kKnownJobs = 256;

  static size_t place_of(const Job& job) {
    const uint64_t mixed =
        (reinterpret_cast<uintptr_t>(job.work()) / 16 + job.n()) * 0x9E3779B97F4A7C15;
    return mixed >> 56;
  }

  Known known_jobs_[kKnownJobs];
  Known* known_ = nullptr;
  Clock::duration alone_{};  // jobs in a row, done by the caller while others were asleep
  Clock::time_point last_{};
  bool is_alone_ = false;
};

class Pool {
 public:
  /// False if another thread's job is using the pool.
  bool run(Job& job, int workers) {
    std::unique_lock only(run_mutex_, std::try_to_lock);
    if (!only) return false;
    job.turn(backwards_ = !backwards_);
    bool wakes;
    {
      std::lock_guard lock(mutex_);
      while (static_cast<int>(threads_.size()) < workers) {
        const int index = static_cast<int>(threads_.size());
        sleeps_.resize(threads_.size() + 1);
        threads_.emplace_back([this, index, seen = generation_.load()] { serve(index, seen); });
      }
      const bool asleep = std::any_of(sleeps_.begin(), sleeps_.begin() + workers,
                                      [](const Sleep& s) { return s.asleep; });
      wakes = worth_.waking(job, asleep, Clock::now());
      if (wakes) keep_core(static_cast<size_t>(workers));
      job_ = &job;
      wanted_ = workers;
      generation_.fetch_add(1, std::memory_order_release);
    }
    if (wakes) wake_.notify_all();
    const Clock::time_point start = Clock::now();
    const int64_t taken = take_part(job, 0);
    const Clock::time_point end = Clock::now();
    worth_.took(job, end - start, taken, end);
    // Workers that have not started by now are not waited for: a busy machine costs no more than
    // one thread.
    std::unique_lock lock(mutex_);
    job_ = nullptr;
    if (active_ == 0) return true;
    lock.unlock();
    spin_until([this] { return active_.load(std::memory_order_acquire) == 0; });
    lock.lock();
    done_.wait(lock, [this] { return active_ == 0; });
    return true;
  }

 private:
  // The system may wake a worker on the core of the caller, although others are idle. There it
  // would get no turn for milliseconds, for the caller goes on. So that core is forbidden to those
  // asleep, until they are awake.
  struct Sleep {
    bool asleep = false, kept = false;  // from a core
    cpu_set_t before, since;            // where it may run, if it is kept from one
  };

  void keep_core(size_t workers) {
    int core = -1;
    for (size_t i = 0; i < workers; ++i) {
      Sleep& s = sleeps_[i];
      if (!s.asleep || s.kept) continue;
      if (core < 0) core = sched_getcpu();
      const pthread_t thread = threads_[i].native_handle();
      if (core < 0 || pthread_getaffinity_np(thread, sizeof(s.before), &s.before) != 0) return;
      s.since = s.before;
      CPU_CLR(static_cast<size_t>(core), &s.since);
      s.kept = CPU_COUNT(&s.since) > 0 && !CPU_EQUAL(&s.since, &s.before) &&
               pthread_setaffinity_np(thread, sizeof(s.since), &s.since) == 0;
    }
  }

  void sleep(size_t index, uint64_t seen, std::unique_lock<std::mutex>& lock) {
    sleeps_[index].asleep = true;
    wake_.wait(lock, [&] { return generation_.load() != seen; });
    Sleep& s = sleeps_[index];
    s.asleep = false;
    if (!std::exchange(s.kept, false)) return;
    cpu_set_t now;
    // Unless someone else has changed it in the meantime.
    if (pthread_getaffinity_np(pthread_self(), sizeof(now), &now) == 0 && CPU_EQUAL(&now, &s.since))
      pthread_setaffinity_np(pthread_self(), sizeof(s.before), &s.before);
  }

  void serve(int index, uint64_t seen) {
    for (;;) {
      spin_until([&] { return generation_.load(std::memory_order_acquire) != seen; });
      std::unique_lock lock(mutex_);
      if (generation_.load() == seen) sleep(static_cast<size_t>(index), seen, lock);
      seen = generation_.load();
      if (!job_ || index >= wanted_) continue;
      Job* job = job_;
      ++active_;
      lock.unlock();
      take_part(*job, index + 1);
      lock.lock();
      if (--active_ == 0) done_.notify_one();
    }
  }

  template <class Condition>
  static void spin_until(const Condition& condition) {
    const Clock::time_point end = Clock::now() + kLookOut;
    do {
      for (int i = 0; i < 64; ++i) {
        if (condition()) return;
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
      }
    } while (Clock::now() < end);
  }

  std::mutex run_mutex_, mutex_;
  Worth worth_;  // used under run_mutex_
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  std::vector<Sleep> sleeps_;  // by thread
  Job* job_ = nullptr;
  int wanted_ = 0;
  bool backwards_ = true;                // the last job; changed under run_mutex_
  std::atomic<int> active_{0};           // workers at the job; changed under mutex_
  std::atomic<uint64_t> generation_{0};  // jobs so far; changed under mutex_
};

// Leaked on purpose: its threads never end, and after a fork they exist only in the parent.
std::atomic<Pool*> pool{nullptr};

constinit std::mutex making_pool;
[[maybe_unused]] const bool keeps_pool = (keep_over_forks(making_pool), true);
[[maybe_unused]] const int forgotten =
    pthread_atfork(nullptr, nullptr, [] { pool.store(nullptr); });

Pool& get_pool() {
  Pool* current = pool.load();
  if (current) return *current;
  std::lock_guard lock(making_pool);
  if (!pool.load()) {
    pool.store(new Pool);
  }
  return *pool.load();
}

int available_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

int initial_threads() {
  if (const char* text = std::getenv("AUTOGRAD_NUM_THREADS")) {
    const int n = std::atoi(text);
    if (n >= 1) return n;
  }
  return available_cores();
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{initial_threads()};
  return count;
}
[[maybe_unused]] const bool counted = (thread_count(), true);  // before there can be a fork

}  // namespace

void parallel_for_raw(int64_t n, int64_t grain, void (*work)(void*, int64_t, int64_t),
                      void* context, int pieces_each) {
  const int64_t most = n / std::max<int64_t>(grain, 1);
  const int64_t threads = std::min<int64_t>(num_threads(), most);
  const int64_t longest = longest_piece(n, most);
  if (threads > 1 && !inside_job) {
    // More pieces than threads: whoever is held up by other programs does fewer of them.
    const int64_t pieces = std::min(most, pieces_each * threads);
    const int64_t chunk = std::min((n + pieces - 1) / pieces, longest);
    Job job(work, context, n, chunk, static_cast<int>(threads));
    if (get_pool().run(job, static_cast<int>(threads) - 1)) return job.rethrow();
  }
  for (int64_t begin = 0; begin < n; begin += longest) {
    if (begin > 0) poll_interrupt(kWorkBetweenLooks);
    work(context, begin, std::min(n - begin, longest) + begin);
  }
}

}  // namespace detail

int num_threads() { return detail::thread_count().load(std::memory_order_relaxed); }

void set_num_threads(int n) {
  if (n < 1) fail(ErrorCode::kValue, "set_num_threads: expected a positive number, got ", n);
  detail::thread_count().store(std::min(n, 1024));
}

}  // namespace autograd
