// module(x) in Python, while its operations are recorded. A Python function around each call would
// cost more than the call, and another __call__ of the class what the interpreter has learnt of all
// modules: what `module.__call__` is read with differs, and returns a method of this file.
#include "python_call.hpp"

#include <atomic>
#include <memory>
#include <new>
#include <utility>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// Objects of Python are void* here: the library knows nothing else of them.
struct Python {
  void* (*get)(void* object, void* name);
  void* (*call_method)(void* name, void* const* args, size_t n, void* keywords);
  void* (*new_method)(void* function, void* of);
  int (*append)(void* list, void* item);
  void (*keep)(void* object);
  void (*release)(void* object);
  int (*bad_argument)();
  void* watched;  ///< what stands in for a module's __call__
};
std::atomic<const Python*> python_known{nullptr};
const Python& known_python() { return *python_known.load(std::memory_order_acquire); }

}  // namespace

struct autograd::capi::ModuleWatch {
  const std::shared_ptr<detail::ScopeMarks> marks;
  void* list;                      ///< a reference, or nullptr
  ModuleWatch* below;              ///< of the recording around this one, which sees the same calls
  uint64_t number;                 ///< no other one of this thread has it
  std::vector<void*> called = {};  ///< references, where there is no list
  bool ended = false;              ///< in another thread

  void make_room() {
    if (called.size() == called.capacity()) called.reserve(2 * called.size() + 32);
  }
  bool add(void* module) {
    const Python& known = known_python();
    if (list) return known.append(list, module) == 0;
    called.push_back(module);
    known.keep(module);
    return true;
  }
  /// Gives the references back. Last: this may run code of the program, which may record.
  static void release(void* list, const std::vector<void*>& called) {
    const Python& known = known_python();
    if (list) known.release(list);
    for (void* module : called) known.release(module);
  }
};

namespace {

// The innermost. Its end is left to the recording: a thread that has ended may hold no lock to
// release objects.
#if defined(__ELF__)
#define AG_IN_EACH_THREAD [[gnu::tls_model("initial-exec")]] constinit thread_local
#else
#define AG_IN_EACH_THREAD constinit thread_local
#endif
AG_IN_EACH_THREAD ModuleWatch* watch = nullptr;
AG_IN_EACH_THREAD uint64_t watches = 0;
#undef AG_IN_EACH_THREAD

ModuleWatch* find_watch(uint64_t number) {
  ModuleWatch* found = watch;
  while (found && found->number != number) found = found->below;
  return found;
}

void end_watch(ModuleWatch* gone) {
  void* const list = gone->list;
  const std::vector<void*> called = std::move(gone->called);
  delete gone;
  ModuleWatch::release(list, called);
}

// Takes out one that was ended in another thread. False if there is none.
bool end_left_one() {
  ModuleWatch** link = &watch;
  while (*link && !(*link)->ended) link = &(*link)->below;
  ModuleWatch* const gone = *link;
  if (!gone) return false;
  *link = gone->below;
  delete gone;
  return true;
}

void* call_seen(ModuleWatch* by, void* method, void* const* args, size_t n, void* keywords) {
  const Python& known = known_python();
  while (by && by->ended) by = by->below;
  if (!by) return known.call_method(method, args, n, keywords);
  const uint64_t number = by->number;
  const int32_t before = by->marks->current;
  try {
    by->make_room();
    by->marks->enter();
  } catch (const std::bad_alloc&) {
    return call_seen(by->below, method, args, n, keywords);
  }
  if (!by->add(args[0])) return nullptr;
  void* const result = by->below ? call_seen(by->below, method, args, n, keywords)
                                 : known.call_method(method, args, n, keywords);
  // What was called may have ended this watch and begun another one.
  if (const ModuleWatch* const still = find_watch(number)) still->marks->current = before;
  return result;
}

// METH_O: what `module(x)` calls. As without a recording, a method is made for the call.
void* get_call(void* method, void* module) {
  const Python& known = known_python();
  return watch ? known.new_method(known.watched, module) : known.get(module, method);
}

// METH_FASTCALL | METH_KEYWORDS: args[0] is the module.
void* call_module(void* method, void* const* args, intptr_t n, void* keywords) {
  if (n < 1) {
    known_python().bad_argument();
    return nullptr;
  }
  return call_seen(watch, method, args, static_cast<size_t>(n), keywords);
}

}  // namespace

ModuleWatch* autograd::capi::watch_modules(std::shared_ptr<detail::ScopeMarks> marks, void* list) {
  while (end_left_one()) {
  }
  watch = new ModuleWatch{std::move(marks), list, watch, ++watches};
  if (list) known_python().keep(list);
  return watch;
}

std::vector<void*> autograd::capi::take_called(ModuleWatch& watch) {
  return std::exchange(watch.called, {});
}

void autograd::capi::end_watch_of_modules(ModuleWatch* ended) {
  if (!ended) return;
  ModuleWatch** link = &watch;
  while (*link && *link != ended) link = &(*link)->below;
  if (*link) {
    *link = ended->below;
    end_watch(ended);
  } else {  // It still stands in the other thread's list, where only that thread can take it out.
    ended->ended = true;
    void* const list = std::exchange(ended->list, nullptr);
    ModuleWatch::release(list, std::exchange(ended->called, {}));
  }
}

ag_status ag_python_module_calls(const void* const* functions, int64_t n_functions,
                                 const void* watched) {
  return run(__func__, [&](Arguments in) {
    in.array(functions, n_functions, "functions");
    if (n_functions != 7) in.reject("n_functions", n_functions);
    const auto address = [&]<class F>(int i, F& function) {
      function = reinterpret_cast<F>(const_cast<void*>(in.pointer(functions[i], "functions")));
    };
    auto known = std::make_unique<Python>();
    address(0, known->get);
    address(1, known->call_method);
    address(2, known->new_method);
    address(3, known->append);
    address(4, known->keep);
    address(5, known->release);
    address(6, known->bad_argument);
    known->watched = const_cast<void*>(in.pointer(watched, "watched"));
    const Python *none = nullptr, *const made = known.release();
    if (!python_known.compare_exchange_strong(none, made)) delete made;
  });
}

const void* ag_python_module_get_call(void) { return reinterpret_cast<const void*>(&get_call); }
const void* ag_python_module_call(void) { return reinterpret_cast<const void*>(&call_module); }
