// module(x) in Python, while its operations are recorded. A Python function around each call would
// cost more than the call; this one costs a tenth of it.
#include "python_call.hpp"

#include <atomic>
#include <new>
#include <utility>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// Objects of Python are void* here: the library knows nothing else of them.
using CallMethod = void* (*)(void* name, void* const* args, size_t n, void* kwnames);
using Append = int (*)(void* list, void* item);
using Fail = int (*)();

struct Python {
  CallMethod call_method;
  Append append;
  Fail fail;
  void* method;
};
std::atomic<const Python*> python{nullptr};

struct Watch {
  std::shared_ptr<detail::ScopeMarks> marks;
  void* list = nullptr;
};
thread_local Watch watch;

void* call_module(void* /*self*/, void* const* args, intptr_t n, void* kwnames) {
  const Python& known = *python.load(std::memory_order_acquire);
  if (n < 1) {
    known.fail();  // raises TypeError
    return nullptr;
  }
  if (!watch.list) return known.call_method(known.method, args, static_cast<size_t>(n), kwnames);
  // What is called may end this watch and begin another one.
  const std::shared_ptr<detail::ScopeMarks> marks = watch.marks;
  const int32_t before = marks->current;
  try {
    marks->enter();
  } catch (const std::bad_alloc&) {
    return known.call_method(known.method, args, static_cast<size_t>(n), kwnames);
  }
  void* result = nullptr;
  if (!known.append(watch.list, args[0]))
    result = known.call_method(known.method, args, static_cast<size_t>(n), kwnames);
  marks->current = before;
  return result;
}

}  // namespace

void autograd::capi::watch_python_modules(std::shared_ptr<detail::ScopeMarks> marks, void* list) {
  watch = list ? Watch{std::move(marks), list} : Watch{};
}

const void* ag_python_module_call(const void* const* functions, int64_t n_functions,
                                  const void* method) {
  return read<const void*>(__func__, nullptr, [&](Arguments in) {
    in.array(functions, n_functions, "functions");
    if (n_functions != 3) in.reject("n_functions", n_functions);
    const Python* known = new Python{
        reinterpret_cast<CallMethod>(const_cast<void*>(in.pointer(functions[0], "functions"))),
        reinterpret_cast<Append>(const_cast<void*>(in.pointer(functions[1], "functions"))),
        reinterpret_cast<Fail>(const_cast<void*>(in.pointer(functions[2], "functions"))),
        const_cast<void*>(in.pointer(method, "method"))};
    const Python* none = nullptr;
    if (!python.compare_exchange_strong(none, known)) delete known;
    return reinterpret_cast<const void*>(&call_module);
  });
}
