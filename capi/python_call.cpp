// module(x) in Python, while its operations are recorded. A Python function around each call would
// cost more than the call, and another __call__ of the class what the interpreter has learnt of all
// modules: what `module.__call__` is read with differs, and returns a function of this file.
#include "python_call.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <utility>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

// Objects of Python are void* here: the library knows nothing else of them.
using GetAttribute = void* (*)(void* object, void* name);
using CallMethod = void* (*)(void* name, void* const* args, size_t n, void* keywords);
using Size = intptr_t (*)(void* tuple);
using NoMemory = void* (*)();
using NewFunction = void* (*)(const void* definition, void* self, void* module);
using Append = int (*)(void* list, void* item);
using Count = void (*)(void* object);

struct Python {
  GetAttribute get;
  CallMethod call_method;
  NewFunction new_function;
  Append append;
  Count keep, release;
  Size size;
  NoMemory no_memory;
  void* method;
};
std::atomic<const Python*> python{nullptr};
const Python& known_python() { return *python.load(std::memory_order_acquire); }

/// The functions that modules are called by, made once each. They are found by the address of
/// their module, which they keep.
class Functions {
 public:
  Functions() = default;
  ~Functions() {
    for (const Entry& entry : entries_)
      if (entry.function) known_python().release(entry.function);
  }
  Functions(const Functions&) = delete;
  Functions& operator=(const Functions&) = delete;

  /// A reference, or nullptr with an error set.
  void* of(void* module);

 private:
  struct Entry {
    void *module = nullptr, *function = nullptr;
  };
  static constexpr int kBits = 6;
  Entry entries_[1 << kBits];
};

struct Watch {
  Watch(std::shared_ptr<detail::ScopeMarks> of, void* modules, Watch* around)
      : marks(std::move(of)), list(modules), below(around) {
    known_python().keep(list);
  }
  ~Watch() { known_python().release(list); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  const std::shared_ptr<detail::ScopeMarks> marks;
  void* const list;  ///< a reference
  Watch* below;      ///< of the recording around this one, which sees the same calls
  Functions functions;
};
// The innermost. Its end is left to the recording: a thread that has ended may hold no lock to
// release objects.
thread_local Watch* watch = nullptr;

// The arguments are n, and after them the values of the keywords, a tuple or nullptr.
void* call_method(void* module, void* const* args, size_t n, void* keywords) {
  const Python& known = known_python();
  const size_t all = n + (keywords ? static_cast<size_t>(known.size(keywords)) : 0);
  constexpr size_t kFew = 8;
  void* few[1 + kFew];
  std::unique_ptr<void*[]> many;
  if (all > kFew) {
    many.reset(new (std::nothrow) void*[1 + all]);
    if (!many) return known.no_memory();
  }
  void** const with_module = many ? many.get() : few;
  with_module[0] = module;
  std::copy(args, args + all, with_module + 1);
  return known.call_method(known.method, with_module, 1 + n, keywords);
}

void* call_seen(const Watch* by, void* module, void* const* args, size_t n_args, void* keywords) {
  if (!by) return call_method(module, args, n_args, keywords);
  // What is called may end this watch and begin another one.
  const std::shared_ptr<detail::ScopeMarks> marks = by->marks;
  const int32_t before = marks->current;
  try {
    marks->enter();
  } catch (const std::bad_alloc&) {
    return call_seen(by->below, module, args, n_args, keywords);
  }
  void* result = nullptr;
  if (!known_python().append(by->list, module))
    result = call_seen(by->below, module, args, n_args, keywords);
  marks->current = before;
  return result;
}

void* call_module(void* module, void* const* args, intptr_t n, void* keywords) {
  return call_seen(watch, module, args, static_cast<size_t>(n), keywords);
}

// CPython's PyMethodDef.
constexpr int kFastcallKeywords = 0x80 | 2;
const struct {
  const char* name = "__call__";
  void* (*function)(void*, void* const*, intptr_t, void*) = call_module;
  int flags = kFastcallKeywords;
  const char* doc = "__call__($self, /, *args, **kwargs)\n--\n\nCalls forward().";
} definition;

void* Functions::of(void* module) {
  const Python& known = known_python();
  const uint64_t key = reinterpret_cast<uintptr_t>(module) * 0x9E3779B97F4A7C15u;
  Entry& entry = entries_[key >> (64 - kBits)];
  if (entry.module != module) {
    void* const function = known.new_function(&definition, module, nullptr);
    if (!function) return nullptr;
    void* const old = std::exchange(entry, {module, function}).function;
    // Last: this may run code of the program, which may call modules.
    if (old) known.release(old);
  }
  return entry.function;
}

void* get_call(void* /*self*/, void* module) {
  const Python& known = known_python();
  if (!watch) return known.get(module, known.method);
  void* const function = watch->functions.of(module);
  if (function) known.keep(function);
  return function;
}

}  // namespace

void autograd::capi::watch_python_modules(std::shared_ptr<detail::ScopeMarks> marks, void* list) {
  // Recordings may end in any order, and leave one behind if they end in another thread.
  Watch* gone = nullptr;
  for (Watch** link = &watch; *link;) {
    Watch* const each = *link;
    if (each->marks == marks || each->marks.use_count() == 1) {
      *link = each->below;
      each->below = gone;
      gone = each;
    } else {
      link = &each->below;
    }
  }
  if (list) watch = new Watch(std::move(marks), list, watch);
  // Last: this may run code of the program, which may record.
  while (gone) delete std::exchange(gone, gone->below);
}

const void* ag_python_module_call(const void* const* functions, int64_t n_functions,
                                  const void* method) {
  return read<const void*>(__func__, nullptr, [&](Arguments in) {
    in.array(functions, n_functions, "functions");
    if (n_functions != 8) in.reject("n_functions", n_functions);
    const auto address = [&](int i) {
      return const_cast<void*>(in.pointer(functions[i], "functions"));
    };
    const Python* known = new Python{reinterpret_cast<GetAttribute>(address(0)),
                                     reinterpret_cast<CallMethod>(address(1)),
                                     reinterpret_cast<NewFunction>(address(2)),
                                     reinterpret_cast<Append>(address(3)),
                                     reinterpret_cast<Count>(address(4)),
                                     reinterpret_cast<Count>(address(5)),
                                     reinterpret_cast<Size>(address(6)),
                                     reinterpret_cast<NoMemory>(address(7)),
                                     const_cast<void*>(in.pointer(method, "method"))};
    const Python* none = nullptr;
    if (!python.compare_exchange_strong(none, known)) delete known;
    return reinterpret_cast<const void*>(&get_call);
  });
}
