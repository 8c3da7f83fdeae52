// Where long kernels may be ended half way, as by Ctrl-C: between two parts of their work.
#pragma once
#include <algorithm>
#include <cstdint>

namespace autograd::cpu {

/// Elements of simple work between two pauses: some tens of microseconds.
inline constexpr int64_t kPart = 1 << 16;

/// Products and sums that take about as long as one step of simple work.
inline constexpr int64_t kProductsInStep = 16;

/// What happens in a pause; nothing unless it is set. It may throw: kernels own nothing that would
/// be lost, and nobody reads what they have written by then.
extern void (*in_pause)();

inline void pause() {
  if (in_pause) in_pause();
}

/// Calls part(begin, end) for consecutive ranges that cover [0, n), with a pause between two.
template <class Part>
void in_parts(int64_t n, const Part& part) {
  for (int64_t begin = 0; begin < n; begin += kPart) {
    if (begin > 0) pause();
    part(begin, std::min(begin + kPart, n));
  }
}

/// What is left of the work between two pauses of this thread.
#if defined(__ELF__)
extern thread_local constinit int64_t work_to_pause __attribute__((tls_model("initial-exec")));
#else
extern thread_local constinit int64_t work_to_pause;
#endif

/// To be called after work that is counted in pieces of any size: a pause after each kPart, however
/// many calls of kernels that takes.
inline void pause_after(int64_t work) {
  constexpr int64_t kOfCall = 16;
  if ((work_to_pause -= work + kOfCall) > 0) return;
  work_to_pause = kPart;
  pause();
}

}  // namespace autograd::cpu
