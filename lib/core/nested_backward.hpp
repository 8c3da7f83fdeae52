// Backward passes within each other.
#pragma once
#include "autograd/error.hpp"

namespace autograd::detail {

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
