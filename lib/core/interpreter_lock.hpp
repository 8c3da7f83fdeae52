// The lock of an interpreter that called the library, given up while an op works for long.
#pragma once
#include <cstdint>

#include "autograd/runtime.hpp"

namespace autograd::detail {

/// Ops on this many elements take so much longer than giving a lock up and taking it again that it
/// does not show.
constexpr int64_t kLongWork = 16384;

extern InterpreterLock interpreter_lock;

/// True if the calling thread has its interpreter's lock. The holder alone does not say: it may be
/// another thread.
inline bool has_lock() {
  const void* self = interpreter_lock.self();
  return self && self == interpreter_lock.holder();
}

/// Gives the lock up; returns what take_lock is to get.
void* release_lock();
/// Takes the lock again; never returns if the interpreter has come to its end in the meantime.
void take_lock(void* state);

/// When the lock is given up.
enum class GiveUp : uint8_t {
  kNever,
  kBriefly,  ///< for work of some microseconds: where that is seen to pay
  kAlways
};

/// True if giving the lock up for brief work lets more of it be done. To be called with the lock.
bool is_worth_giving_up();

/// While it lives, the calling thread is without its interpreter's lock, if it is to be given up
/// and if it had it.
class Unlocked {
 public:
  explicit Unlocked(bool is_long) : Unlocked(is_long ? GiveUp::kAlways : GiveUp::kNever) {}
  explicit Unlocked(GiveUp when) {
    if (when == GiveUp::kNever || !interpreter_lock.release || !has_lock()) return;
    if (when == GiveUp::kBriefly && !is_worth_giving_up()) return;
    state_ = release_lock();
  }
  ~Unlocked() {
    if (state_) [[unlikely]]
      take_lock(state_);
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  /// True if the lock has been given up.
  explicit operator bool() const { return state_ != nullptr; }

 private:
  void* state_ = nullptr;
};

}  // namespace autograd::detail
