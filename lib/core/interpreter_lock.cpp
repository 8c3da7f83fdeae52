#include "core/interpreter_lock.hpp"

#include <cxxabi.h>
#include <unistd.h>

namespace autograd {

InterpreterLock detail::interpreter_lock;

void detail::take_lock(void* state) {
  try {
    interpreter_lock.take(state);
  } catch (abi::__forced_unwind&) {
    // An interpreter that is ending ends its threads here. C++ has no way to go along; the process
    // is about to end.
    for (;;) pause();
  }
}

void set_interpreter_lock(const InterpreterLock& lock) {
  const bool whole = lock.release && lock.take && lock.holder && lock.self;
  detail::interpreter_lock = whole ? lock : InterpreterLock{};
}

}  // namespace autograd
