// Runs Python's signal handlers while the library works. The exception that one raises, such as
// KeyboardInterrupt, is handed to the binding, which raises it when the call has failed.
#include <dlfcn.h>

#include <chrono>

#include "autograd/runtime.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace autograd {
namespace detail {
namespace {

using Clock = std::chrono::steady_clock;

struct SignalFunctions {
  int (*ensure)() = nullptr;
  void (*release)(int) = nullptr;
  int (*check_signals)() = nullptr;
  void (*fetch)(void**, void**, void**) = nullptr;
  void (*normalize)(void**, void**, void**) = nullptr;
  void (*drop)(void*) = nullptr;
  ExceptionKeeper keep = nullptr;
};
SignalFunctions signal_functions;
thread_local bool is_main_thread = false;
thread_local Clock::time_point last_look;

template <class Function>
bool find(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return function != nullptr;
}

/// True if a handler raised; its exception is with the binding.
bool run_handlers() {
  const int state = signal_functions.ensure();
  const bool raised = signal_functions.check_signals() != 0;
  if (raised) {
    void *type = nullptr, *value = nullptr, *traceback = nullptr;
    signal_functions.fetch(&type, &value, &traceback);
    signal_functions.normalize(&type, &value, &traceback);
    if (value) signal_functions.keep(value);
    for (void* each : {type, value, traceback})
      if (each) signal_functions.drop(each);
  }
  signal_functions.release(state);
  return raised;
}

}  // namespace

void look_for_interrupt() {
  thread_state.work = 0;
  if (!is_main_thread || !signal_functions.keep) return;
  const Clock::time_point now = Clock::now();
  if (now - last_look < std::chrono::milliseconds(30)) return;
  last_look = now;
  if (run_handlers()) fail(ErrorCode::kRuntime, "interrupted by a signal");
}

}  // namespace detail

bool follow_signals(ExceptionKeeper keep) {
  using namespace detail;
  signal_functions.keep = nullptr;
  is_main_thread = false;
  if (!keep) return true;
  const bool found = find(signal_functions.ensure, "PyGILState_Ensure") &&
                     find(signal_functions.release, "PyGILState_Release") &&
                     find(signal_functions.check_signals, "PyErr_CheckSignals") &&
                     find(signal_functions.fetch, "PyErr_Fetch") &&
                     find(signal_functions.normalize, "PyErr_NormalizeException") &&
                     find(signal_functions.drop, "Py_DecRef");
  if (!found) return false;
  is_main_thread = true;
  last_look = Clock::now();
  signal_functions.keep = keep;
  return true;
}

}  // namespace autograd
