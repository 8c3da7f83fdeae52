// Mutexes and forks: a child has none of its parent's other threads, so that a mutex which one of
// them held would stay locked in it forever.
#pragma once
#include <mutex>

namespace autograd::detail {

/// From now on a fork waits until nobody holds the mutex, so that the child finds what it guards
/// whole. For mutexes that are held for moments, and under which nothing is called that may take
/// another one of them or the lock of an interpreter. The mutex must live forever.
void keep_over_forks(std::mutex& mutex);

/// From now on the n mutexes are as new in children, whatever is half done under them: for those
/// that are held while ops run. They must live forever.
void renew_in_children(std::mutex* first, int n);

}  // namespace autograd::detail
