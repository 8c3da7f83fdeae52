// Whether float arithmetic of this thread knows denormal numbers.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#include <xmmintrin.h>
#define AG_CAN_FLUSH_DENORMALS 1
#else
#define AG_CAN_FLUSH_DENORMALS 0
#endif

namespace autograd::cpu {

/// Within its scope denormal numbers that are read or made are 0, or, if not `flushed`, what they
/// are. Only what goes through memory or a function that is not inlined is sure to stay on its side
/// of the border. Nothing happens where AG_CAN_FLUSH_DENORMALS is 0.
class DenormalsFlushed {
 public:
#if AG_CAN_FLUSH_DENORMALS
  explicit DenormalsFlushed(bool flushed) : before_(_mm_getcsr()) {
    set(flushed ? before_ | kBits : before_ & ~kBits);
  }
  ~DenormalsFlushed() { set(before_); }
#else
  explicit DenormalsFlushed(bool) {}
#endif
  DenormalsFlushed(const DenormalsFlushed&) = delete;
  DenormalsFlushed& operator=(const DenormalsFlushed&) = delete;

#if AG_CAN_FLUSH_DENORMALS
 private:
  static constexpr unsigned kBits = 0x8040;  // flush to zero, denormals are zeros
  static void set(unsigned mode) {
    __asm__ volatile("" ::: "memory");
    _mm_setcsr(mode);
    __asm__ volatile("" ::: "memory");
  }
  unsigned before_;
#endif
};

}  // namespace autograd::cpu
