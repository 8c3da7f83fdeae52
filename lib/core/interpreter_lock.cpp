#include "core/interpreter_lock.hpp"

namespace autograd {

InterpreterLock detail::interpreter_lock;

void set_interpreter_lock(const InterpreterLock& lock) {
  const bool whole = lock.release && lock.take && lock.held;
  detail::interpreter_lock = whole ? lock : InterpreterLock{};
}

}  // namespace autograd
