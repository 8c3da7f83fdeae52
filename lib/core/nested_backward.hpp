// Backward passes within each other.
#pragma once
#include "autograd/error.hpp"

namespace autograd::detail {

/// What others may know of a backward pass while it runs.
class RunningBackward {
 public:
  /// True if it computes the gradient of this node's outputs, or of this leaf.
  virtual bool reaches(const void* node_or_leaf) const = 0;

 protected:
  ~RunningBackward() = default;
};

/// The innermost one of the thread.
inline constinit thread_local const RunningBackward* running_backward
#if defined(__ELF__)
    __attribute__((tls_model("initial-exec")))
#endif
    = nullptr;

/// How many backward passes run within each other, as when rules or hooks run them.
inline constinit thread_local int depth_of_backward
#if defined(__ELF__)
    __attribute__((tls_model("initial-exec")))
#endif
    = 0;

/// Counts one more; without an end, they would take the whole stack.
class Nested {
 public:
  Nested() {
    constexpr int kMost = 200;
    if (depth_of_backward == kMost)
      fail(ErrorCode::kRuntime, "backward: there are ", kMost,
           " backward passes within each other: does a gradient rule, or a hook, call itself?");
    ++depth_of_backward;
  }
  ~Nested() { --depth_of_backward; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;
};

}  // namespace autograd::detail
