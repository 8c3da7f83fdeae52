// Begins and ends recordings of Python in one call each. At the end it looks at what modules and
// variables hold, of which names are made later: the usual case of python/autograd/graph/looks.py,
// which takes what this file leaves.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <new>
#include <utility>
#include <vector>

#include "graph_handle.hpp"
#include "guard.hpp"
#include "python_call.hpp"
#include "python_calls.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace autograd::capi::python {
namespace {

// In the order of ag_python_recording()'s `functions` and `objects`.
struct LookFunctions {
  int (*next)(Object dict, intptr_t* at, Object* key, Object* value);
  Object (*get_item)(Object dict, Object key);
  Object (*get_dict)(Object object, void* context);
  Object (*find)(Object type, Object name);
  Object (*get_attribute)(Object object, Object name);
  int (*append)(Object list, Object item);
  Object (*new_bytes)(const char* from, intptr_t n);
  int (*set_attribute)(Object object, Object name, Object value);
  Object (*get_variables)();
  void (*clear)(Object dict);
  Object (*make)(Object type, intptr_t n_items);
};
struct LookObjects {
  Object handle_class, module_class, dict_class, text_class, int_class;
  Object kinds, type_name, name_parameters, name_buffers, name_modules;
  Object recording;                              ///< name of a graph's attribute
  Object profile, handle, modules, seen, names;  ///< and of a record's
  Object graph_class, none, yes, variables_are_new;
  Object refuse, finish, fail;  ///< functions of recording.py
};
constexpr int64_t kLookFunctions = sizeof(LookFunctions) / sizeof(void*);
constexpr int64_t kLookObjects = sizeof(LookObjects) / sizeof(void*);

struct LookPython : LookFunctions, LookObjects {
  Object own_parameters, own_buffers, own_modules;  ///< what the class Module has of those names
  std::vector<Object> others;  ///< classes whose objects hold neither tensors nor modules
};
std::atomic<const LookPython*> known_look_python{nullptr};

// As in looks.py.
constexpr int kMostVariables = 10'000;
constexpr intptr_t kMostParts = 100;

/// Objects that were met.
class Met {
 public:
  explicit Met(std::pmr::memory_resource* memory) : places_(32, nullptr, memory) {}
  /// False if it was met before.
  bool add(Object object) {
    if (2 * ++count_ > places_.size()) grow();
    Object& place = find(object);
    if (place == object) return --count_, false;
    place = object;
    return true;
  }

 private:
  Object& find(Object object) {
    const size_t last = places_.size() - 1;
    size_t at = (reinterpret_cast<uintptr_t>(object) >> 4) * 0x9E3779B97F4A7C15u >> 32 & last;
    while (places_[at] && places_[at] != object) at = (at + 1) & last;
    return places_[at];
  }
  void grow() {
    const std::pmr::vector<Object> before(places_, places_.get_allocator());
    places_.assign(before.size() * 4, nullptr);
    for (const Object object : before)
      if (object) find(object) = object;
  }

  std::pmr::vector<Object> places_;
  size_t count_ = 0;
};

/// What was seen, as rows of a kind and an object's address, and objects that name them.
class Look {
 public:
  Look(const LookPython& python, Recording& recording) : python_(python), recording_(recording) {
    rows_.reserve(2 * kUsualRows);
    names_.reserve(2 * kUsualRows);
    waiting_.reserve(kUsualRows);
  }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;
  ~Look() {
    for (const Object name : names_) drop(name);
    for (const Object module : waiting_) drop(module);
    for (const Class& each : classes_)
      if (each.name) drop(each.name);
    if (left_) drop(left_);
  }

  void look_at_called(Object list);
  void look_at_variables(Object dict);
  /// At all that are waiting, and those in them. False with an error of Python's.
  bool look_at_modules();
  /// A list of the names in order, and of the rows as bytes; nullptr with an error.
  Object give();
  /// A list of modules that name their parameters themselves, nullptr if there are none.
  Object left() const { return left_; }

 private:
  // As in looks.py.
  enum Kind : int64_t { kCalled, kModule, kMember, kVariableModule, kVariable, kPart };
  static constexpr size_t kUsualRows = 64;

  void add(Kind kind, Object object) {
    rows_.push_back(kind);
    rows_.push_back(static_cast<int64_t>(reinterpret_cast<intptr_t>(object)));
  }
  void add(Kind kind, Object object, Object name, Object extra = nullptr) {
    add(kind, object);
    names_.push_back(keep(name));
    if (extra) names_.push_back(keep(extra));
  }
  void add_tensor(Kind kind, Object tensor, Object name, Object extra = nullptr);
  void wait(Object module) {
    if (met_.add(module)) waiting_.push_back(keep(module));
  }
  void look_at_members(Object module);
  void look_at_parts(Object name, Object container);
  bool is_other(Object type) const {
    return std::find(python_.others.begin(), python_.others.end(), type) != python_.others.end();
  }
  bool is_module(Object type) const {
    return is_subtype(type, python_.module_class) || (python_.find(type, python_.name_parameters) &&
                                                      python_.find(type, python_.name_buffers));
  }
  struct Class {
    Object type, name;  ///< name: a reference, nullptr if its modules name their parameters
  };
  /// nullptr with an error.
  const Class* class_of(Object module);

  const LookPython& python_;
  Recording& recording_;
  Object left_ = nullptr;
  // What a small model needs lies here.
  std::byte room_[8 * kUsualRows * sizeof(Object)];
  std::pmr::monotonic_buffer_resource memory_{room_, sizeof(room_)};
  std::pmr::vector<int64_t> rows_{&memory_};
  // In braces, the address would be an element.
  std::pmr::vector<Object> names_ = std::pmr::vector<Object>(&memory_);
  std::pmr::vector<Object> waiting_ = std::pmr::vector<Object>(&memory_);
  std::pmr::vector<Class> classes_{&memory_};  ///< models have a few
  Met met_{&memory_};
};

void Look::add_tensor(Kind kind, Object tensor, Object name, Object extra) {
  const ag_tensor* const handle = handle_of(tensor);
  if (!handle) return;
  Borrowed borrowed(handle);
  recording_.note(*borrowed);
  add(kind, tensor, name, extra);
}

void Look::look_at_called(Object list) {
  const Sequence modules(list);
  for (intptr_t i = 0; i < modules.size; ++i) {
    const Object module = modules[i];
    if (!module) return;
    add(kCalled, module);
    wait(module);
  }
}

void Look::look_at_variables(Object dict) {
  Object name, value;
  intptr_t at = 0;
  for (int most = kMostVariables; most > 0 && python_.next(dict, &at, &name, &value); --most) {
    const Object type = type_of(value);
    if (is_other(type) || type_of(name) != python_.text_class) continue;
    if (is_handle(value)) {
      add_tensor(kVariable, value, name);
    } else if (type == python_.dict_class || Sequence(value).size >= 0) {
      look_at_parts(name, value);
    } else if (is_module(type)) {
      add(kVariableModule, value, name);
      wait(value);
    }
  }
}

void Look::look_at_parts(Object name, Object container) {
  // Most hold none: what is of the same class as the one before is known to be no tensor.
  Object other = nullptr;
  const auto is_tensor = [&](Object value) {
    if (type_of(value) == other) return false;
    if (is_handle(value)) return true;
    other = type_of(value);
    return false;
  };
  if (type_of(container) == python_.dict_class) {
    Object key, value;
    intptr_t at = 0;
    for (intptr_t most = kMostParts; most > 0 && python_.next(container, &at, &key, &value); --most)
      if (is_tensor(value) &&
          (type_of(key) == python_.text_class || type_of(key) == python_.int_class))
        add_tensor(kPart, value, name, key);
    return;
  }
  const Sequence parts(container);
  for (intptr_t i = 0; i < std::min(parts.size, kMostParts); ++i) {
    const Object value = parts[i];
    if (!value || !is_tensor(value)) continue;
    const Object place = new_number(static_cast<int64_t>(i));
    if (!place) return;
    add_tensor(kPart, value, name, place);
    drop(place);
  }
}

void Look::look_at_members(Object module) {
  const Object attributes = python_.get_dict(module, nullptr);
  // Without it, Module.__init__ was not called.
  const Object kinds = attributes ? python_.get_item(attributes, python_.kinds) : nullptr;
  Object name, kind;
  intptr_t at = 0;
  while (kinds && type_of(kinds) == python_.dict_class && python_.next(kinds, &at, &name, &kind)) {
    const Object value = python_.get_item(attributes, name);
    if (!value || is_other(type_of(value))) continue;
    if (is_handle(value)) {
      add_tensor(kMember, value, name, kind);
    } else if (is_module(type_of(value))) {
      add(kMember, value, name, kind);
      wait(value);
    }
  }
  if (attributes) drop(attributes);
}

const Look::Class* Look::class_of(Object module) {
  const Object type = type_of(module);
  for (const Class& each : classes_)
    if (each.type == type) return &each;
  Object name = nullptr;
  if (python_.find(type, python_.name_parameters) == python_.own_parameters &&
      python_.find(type, python_.name_buffers) == python_.own_buffers &&
      python_.find(type, python_.name_modules) == python_.own_modules) {
    name = python_.get_attribute(type, python_.type_name);
    if (!name) return nullptr;
  }
  return &classes_.emplace_back(Class{type, name});
}

bool Look::look_at_modules() {
  for (size_t i = 0; i < waiting_.size(); ++i) {
    const Object module = waiting_[i];
    const Class* const known = class_of(module);
    if (!known) return false;
    if (!known->name) {
      if (!left_ && !(left_ = new_list(0))) return false;
      if (python_.append(left_, module)) return false;
      continue;
    }
    add(kModule, module, known->name);
    look_at_members(module);
  }
  return !raised();
}

Object Look::give() {
  const intptr_t n = static_cast<intptr_t>(names_.size());
  const Object list = new_list(n + 1);
  if (!list) return nullptr;
  const intptr_t bytes = static_cast<intptr_t>(rows_.size() * sizeof(int64_t));
  bool good =
      fill_place(list, n, python_.new_bytes(reinterpret_cast<const char*>(rows_.data()), bytes));
  for (intptr_t i = 0; i < n; ++i) good &= fill_place(list, i, names_[static_cast<size_t>(i)]);
  names_.clear();
  if (good) return list;
  drop(list);
  return nullptr;
}

}  // namespace

namespace {

/// The new reference that a function has returned, which may be nullptr.
struct Owned {
  Object object;
  ~Owned() {
    if (object) drop(object);
  }
};

}  // namespace

Object begin_recording(Object /*self*/, Object const* args, intptr_t n) {
  const LookPython& known = *known_look_python.load(std::memory_order_acquire);
  if (n != 1) return call_function(known.refuse, args, n);
  const Object record = args[0];
  const Owned before{known.get_attribute(record, known.handle)};
  const Owned profile{known.get_attribute(record, known.profile)};
  if (!before.object || !profile.object) return nullptr;
  if (before.object != known.none) return call_function(known.refuse, args, 1);
  Owned graph{known.make(known.graph_class, 0)};
  const Owned modules{new_list(0)}, handle{new_handle(known.handle_class)};
  if (!graph.object || !modules.object || !handle.object ||
      known.set_attribute(graph.object, known.recording, record) ||
      known.set_attribute(record, known.modules, modules.object) ||
      known.set_attribute(record, known.handle, handle.object))
    return nullptr;
  ag_recording* const recording = ag_recording_begin(profile.object == known.yes);
  set_handle(handle.object, recording);
  if (!recording || ag_recording_watch(recording, modules.object) != AG_OK)
    return call_function(known.fail, args, 1);
  return std::exchange(graph.object, nullptr);
}

namespace {

/// Variables of the function that has called this one, as long as it lives.
class Variables {
 public:
  explicit Variables(const LookPython& python) : python_(python) {
    const bool are_new = python.variables_are_new == python.yes;
    dict_ = python.get_variables();
    if (!dict_) return;
    // A copy that nothing but the function's frame has would keep what the function deletes later.
    // The function itself may have it, too, from locals(); then it stays.
    is_copy_ = !are_new && reference_count(dict_) == 1;
    if (!are_new) keep(dict_);
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;
  ~Variables() {
    if (!dict_) return;
    if (is_copy_ && is_dict()) python_.clear(dict_);
    drop(dict_);
  }

  Object get() const { return dict_; }
  bool is_dict() const { return dict_ && type_of(dict_) == python_.dict_class; }

 private:
  const LookPython& python_;
  Object dict_;
  bool is_copy_ = false;
};

}  // namespace

Object end_recording(Object /*self*/, Object const* args, intptr_t n) {
  const LookPython& known = *known_look_python.load(std::memory_order_acquire);
  if (n < 1) return call_function(known.fail, args, n);
  const Object record = args[0];
  const Owned handle{known.get_attribute(record, known.handle)};
  const Owned modules{known.get_attribute(record, known.modules)};
  const Owned names{known.get_attribute(record, known.names)};
  void* recording = nullptr;
  if (!handle.object || !modules.object || !names.object) return nullptr;
  if (modules.object == known.none || !take_other_handle(handle.object, recording) || !recording ||
      known.set_attribute(record, known.modules, known.none) ||
      ag_recording_stop(static_cast<ag_recording*>(recording)) != AG_OK)
    return call_function(known.fail, args, 1);
  try {
    const Variables variables(known);
    Look look(known, static_cast<ag_recording*>(recording)->recording);
    look.look_at_called(modules.object);
    if (variables.is_dict()) look.look_at_variables(variables.get());
    const Owned seen{look.look_at_modules() ? look.give() : nullptr};
    if (!seen.object || known.set_attribute(record, known.seen, seen.object)) return nullptr;
    if (names.object == known.none && !look.left() && variables.is_dict()) return give_none();
    const Object rest[] = {record, look.left() ? look.left() : known.none,
                           variables.is_dict() || !variables.get() ? known.none : variables.get()};
    return call_function(known.finish, rest, 3);
  } catch (...) {
    report();
    return call_function(known.fail, args, 1);
  }
}

}  // namespace autograd::capi::python

using namespace autograd::capi::python;

ag_status ag_python_recording(const void* const* functions, int64_t n_functions,
                              const void* const* objects, int64_t n_objects) {
  return run(__func__, [&](Arguments in) {
    in.array(functions, n_functions, "functions");
    in.array(objects, n_objects, "objects");
    if (n_functions != kLookFunctions) in.reject("n_functions", n_functions);
    if (n_objects < kLookObjects) in.reject("n_objects", n_objects);
    for (int64_t i = 0; i < n_functions; ++i) in.pointer(functions[i], "functions");
    for (int64_t i = 0; i < n_objects; ++i) in.pointer(objects[i], "objects");
    if (!ready()) in.reject("objects", n_objects);
    auto known = std::make_unique<LookPython>();
    std::memcpy(static_cast<LookFunctions*>(known.get()), functions, sizeof(LookFunctions));
    std::memcpy(static_cast<LookObjects*>(known.get()), objects, sizeof(LookObjects));
    for (int64_t i = kLookObjects; i < n_objects; ++i)
      known->others.push_back(const_cast<void*>(objects[i]));
    known->own_parameters = known->find(known->module_class, known->name_parameters);
    known->own_buffers = known->find(known->module_class, known->name_buffers);
    known->own_modules = known->find(known->module_class, known->name_modules);
    const LookPython* none = nullptr;
    const LookPython* const made = known.release();
    if (!known_look_python.compare_exchange_strong(none, made)) delete made;
  });
}
