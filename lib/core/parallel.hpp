// Threads for large work. Below the cut-offs everything runs on the caller.
#pragma once
#include <cstdint>

namespace autograd::detail {

/// Elements of simple pointwise work worth waking a thread for, from bench/thread_cutoffs.py.
inline constexpr int64_t kGrain = 131072;

/// Pieces per thread of a job: more than one, so that whoever is held up by other programs does
/// fewer of them. Many small ones are for loops that pass over more memory than the caches hold and
/// begin anywhere at no cost.
inline constexpr int kPieces = 4, kManyPieces = 16;

/// Calls work(context, begin, end) over disjoint ranges that cover [0, n), at most num_threads() of
/// them at a time, each of at least `grain` elements, in any order; the caller takes part. Nested
/// calls run on the caller alone. The first exception is rethrown.
void parallel_for_raw(int64_t n, int64_t grain, void (*work)(void*, int64_t, int64_t),
                      void* context, int pieces_each);

template <class Work>
void parallel_for(int64_t n, int64_t grain, const Work& work, int pieces_each = kPieces) {
  if (n <= 0) return;
  if (n <= grain) return work(int64_t{0}, n);
  parallel_for_raw(
      n, grain,
      [](void* w, int64_t begin, int64_t end) { (*static_cast<const Work*>(w))(begin, end); },
      const_cast<Work*>(&work), pieces_each);
}

}  // namespace autograd::detail
