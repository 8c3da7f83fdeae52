#include "core/fork.hpp"

#include <new>
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace autograd::detail {
namespace {

constexpr int kMost = 64;

struct Known {
  std::mutex mutex;  ///< of this list, held over forks as well
  std::mutex* kept[kMost] = {};
  int n_kept = 0;
  std::mutex* renewed[kMost] = {};
  int n_renewed = 0;
};

constinit Known known;

void before_fork() {
  known.mutex.lock();
  for (int i = 0; i < known.n_kept; ++i) known.kept[i]->lock();
}

void after_fork() {
  for (int i = known.n_kept; i-- > 0;) known.kept[i]->unlock();
  known.mutex.unlock();
}

void in_child() {
  for (int i = 0; i < known.n_renewed; ++i) new (known.renewed[i]) std::mutex;
  after_fork();
}

void watch_forks() {
#if defined(__unix__) || defined(__APPLE__)
  static const int registered = pthread_atfork(before_fork, after_fork, in_child);
  (void)registered;
#endif
}

}  // namespace

void keep_over_forks(std::mutex& mutex) {
  watch_forks();
  std::lock_guard lock(known.mutex);
  if (known.n_kept < kMost) known.kept[known.n_kept++] = &mutex;
}

void renew_in_children(std::mutex* first, int n) {
  watch_forks();
  std::lock_guard lock(known.mutex);
  for (int i = 0; i < n && known.n_renewed < kMost; ++i)
    known.renewed[known.n_renewed++] = first + i;
}

}  // namespace autograd::detail
