// Begins and ends recordings of Python in one call each. At the end it looks at what modules and
// variables hold, of which names are made later: the usual case of python/autograd/graph/looks.py,
// which takes what this file leaves.
#include <algorithm>
#include <atomic>
#include <bit>
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
  Object kinds, parameter, buffer, module;  ///< name of a module's table, and what it holds
  Object type_name, name_parameters, name_buffers, name_modules;
  Object recording;               ///< name of a graph's attribute
  Object plain, profile, handle;  ///< and of a record's
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
  explicit Met(std::pmr::memory_resource* memory) : places_(memory) {}
  /// So many will take no more room; before the first.
  void reserve(size_t n) { places_.assign(std::bit_ceil(2 * n), nullptr); }
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

// What a row is about, as in looks.py, and the number of objects in it that name it.
enum Kind : uintptr_t { kCalled, kModule, kMember, kVariableModule, kVariable, kPart };
constexpr int kNames[] = {0, 1, 2, 1, 1, 2};

/// True for what lives as long as the interpreter, of which no references are counted.
bool is_kind(const LookPython& python, Object name) {
  return name == python.parameter || name == python.buffer || name == python.module;
}

uintptr_t address(Object object) { return reinterpret_cast<uintptr_t>(object); }

constexpr uintptr_t kKindBits = 7;  // of an address, where objects have none

/// Calls see(kind, object, names) with each row.
template <class F>
void for_each_row(const std::vector<uintptr_t>& rows, F see) {
  for (size_t at = 0; at < rows.size();) {
    const uintptr_t kind = rows[at] & kKindBits;
    see(kind, rows[at] & ~kKindBits, rows.data() + at + 1);
    at += 1 + static_cast<size_t>(kNames[kind]);
  }
}

/// Writes what it sees as rows: an object's address with a kind, and objects that name it.
class Look {
 public:
  /// `called`: modules, in the order of their calls.
  Look(const LookPython& python, ag_recording& recording, const std::vector<Object>& called)
      : python_(python), recording_(recording.recording), rows_(recording.seen) {
    // Mostly enough: words for a call, a module and a member of each.
    const size_t n = called.size() + kFewModules;
    rows_.reserve(n * (1 + 2 + 3));
    waiting_.reserve(n);
    met_.reserve(n);
    for (const Object module : called) {
      add(kCalled, module);
      wait(module);
    }
  }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;
  ~Look() {
    for (const Object module : waiting_) drop(module);
    for (const Class& each : classes_)
      if (each.name) drop(each.name);
    if (left_) drop(left_);
  }

  void look_at_variables(Object dict);
  /// At all that are waiting, and those in them. False with an error of Python's.
  bool look_at_modules();
  /// A list of modules that name their parameters themselves, nullptr if there are none.
  Object left() const { return left_; }

 private:
  static constexpr size_t kFewModules = 8;

  template <class... Names>
  void add(Kind kind, Object object, Names... names) {
    for (const uintptr_t word : {address(object) | kind, address(names)...}) rows_.push_back(word);
    (keep_name(names), ...);
  }
  void keep_name(Object name) const {
    if (!is_kind(python_, name)) keep(name);
  }
  template <class... Names>
  void add_tensor(Kind kind, Object tensor, Names... names) {
    const ag_tensor* const handle = handle_of(tensor);
    if (!handle) return;
    Borrowed borrowed(handle);
    recording_.note(*borrowed);
    add(kind, tensor, names...);
  }
  void wait(Object module) {
    if (met_.add(module)) waiting_.push_back(keep(module));
  }
  void look_at_members(Object module);
  /// The table of a module's members, nullptr if it has none. It is mostly the first attribute.
  Object kinds_in(Object attributes) const {
    Object name, value;
    intptr_t first = 0;
    if (python_.next(attributes, &first, &name, &value) && name == python_.kinds) return value;
    return python_.get_item(attributes, python_.kinds);
  }
  void look_at_parts(Object name, Object container);
  enum class Sort { kOther, kTensor, kModule };
  struct Class {
    Object type;
    Sort sort;
    bool is_read = false;   ///< of modules: the next is known
    Object name = nullptr;  ///< a reference, nullptr if they name their parameters themselves
  };
  Class& class_of(Object object) {
    const Object type = type_of(object);
    for (Class& each : classes_)
      if (each.type == type) return each;
    return classes_.emplace_back(Class{type, sort_of(object)});
  }
  Sort sort_of(Object object) const;
  /// False with an error.
  bool read_name(Class& of) const;

  const LookPython& python_;
  Recording& recording_;
  std::vector<uintptr_t>& rows_;
  Object left_ = nullptr;
  // What a small model needs lies here.
  std::byte room_[1 << 11];
  std::pmr::monotonic_buffer_resource memory_{room_, sizeof(room_)};
  // In braces, the address would be an element.
  std::pmr::vector<Object> waiting_ = std::pmr::vector<Object>(&memory_);
  std::pmr::vector<Class> classes_{&memory_};  ///< programs have a few
  Met met_{&memory_};
};

void Look::look_at_variables(Object dict) {
  Object name, value;
  intptr_t at = 0;
  for (int most = kMostVariables; most > 0 && python_.next(dict, &at, &name, &value); --most) {
    if (type_of(name) != python_.text_class) continue;
    const Sort sort = class_of(value).sort;
    if (sort == Sort::kTensor) {
      add_tensor(kVariable, value, name);
    } else if (sort == Sort::kModule) {
      add(kVariableModule, value, name);
      wait(value);
    } else if (type_of(value) == python_.dict_class || Sequence(value).size >= 0) {
      look_at_parts(name, value);
    }
  }
}

void Look::look_at_parts(Object name, Object container) {
  const auto is_tensor = [&](Object value) { return class_of(value).sort == Sort::kTensor; };
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
  const Object kinds = attributes ? kinds_in(attributes) : nullptr;
  Object name, kind;
  intptr_t at = 0;
  while (kinds && type_of(kinds) == python_.dict_class && python_.next(kinds, &at, &name, &kind)) {
    const Object value = python_.get_item(attributes, name);
    const Sort sort = value ? class_of(value).sort : Sort::kOther;
    if (sort == Sort::kTensor) {
      add_tensor(kMember, value, name, kind);
    } else if (sort == Sort::kModule) {
      add(kMember, value, name, kind);
      wait(value);
    }
  }
  if (attributes) drop(attributes);
}

Look::Sort Look::sort_of(Object object) const {
  const Object type = type_of(object);
  if (std::find(python_.others.begin(), python_.others.end(), type) != python_.others.end())
    return Sort::kOther;
  if (is_handle(object)) return Sort::kTensor;
  const bool is_module =
      is_subtype(type, python_.module_class) ||
      (python_.find(type, python_.name_parameters) && python_.find(type, python_.name_buffers));
  return is_module ? Sort::kModule : Sort::kOther;
}

bool Look::read_name(Class& of) const {
  of.is_read = true;
  const bool is_usual = python_.find(of.type, python_.name_parameters) == python_.own_parameters &&
                        python_.find(of.type, python_.name_buffers) == python_.own_buffers &&
                        python_.find(of.type, python_.name_modules) == python_.own_modules;
  return !is_usual || (of.name = python_.get_attribute(of.type, python_.type_name));
}

bool Look::look_at_modules() {
  for (size_t i = 0; i < waiting_.size(); ++i) {
    const Object module = waiting_[i];
    Class& known = class_of(module);
    if (!known.is_read && !read_name(known)) return false;
    if (!known.name) {
      if (!left_ && !(left_ = new_list(0))) return false;
      if (python_.append(left_, module)) return false;
      continue;
    }
    add(kModule, module, known.name);
    look_at_members(module);
  }
  return !raised();
}

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
  const Owned plain{known.get_attribute(record, known.plain)};
  if (!before.object || !plain.object) return nullptr;
  if (before.object != known.none) return call_function(known.refuse, args, 1);
  const bool is_plain = plain.object == known.yes;
  const Owned profile{is_plain ? give_none() : known.get_attribute(record, known.profile)};
  Owned graph{known.make(known.graph_class, 0)};
  const Owned handle{new_handle(known.handle_class)};
  if (!profile.object || !graph.object || !handle.object ||
      known.set_attribute(graph.object, known.recording, record) ||
      known.set_attribute(record, known.handle, handle.object))
    return nullptr;
  ag_recording* const recording = ag_recording_begin(profile.object == known.yes);
  set_handle(handle.object, recording);
  if (!recording) return call_function(known.fail, args, 1);
  try {
    recording->watch = watch_modules(recording->recording.marks(), nullptr);
  } catch (...) {
    report();
    return call_function(known.fail, args, 1);
  }
  recording->names_given = !is_plain;
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

namespace {

/// References.
struct Modules {
  std::vector<Object> all;
  ~Modules() {
    for (const Object each : all) drop(each);
  }
};

/// Of a record; nullptr if it has none.
ag_recording* recording_of(const LookPython& known, Object record) {
  const Owned handle{known.get_attribute(record, known.handle)};
  void* recording = nullptr;
  if (handle.object) take_other_handle(handle.object, recording);
  return static_cast<ag_recording*>(recording);
}

}  // namespace

Object end_recording(Object /*self*/, Object const* args, intptr_t n) {
  const LookPython& known = *known_look_python.load(std::memory_order_acquire);
  ag_recording* const recording = n < 1 ? nullptr : recording_of(known, args[0]);
  const bool is_open = recording && recording->watch;
  const Modules modules{is_open ? take_called(*recording->watch) : std::vector<Object>()};
  if (!is_open || ag_recording_stop(recording) != AG_OK)
    return raised() ? nullptr : call_function(known.fail, args, std::min<intptr_t>(n, 1));
  try {
    const Variables variables(known);
    Look look(known, *recording, modules.all);
    if (variables.is_dict()) look.look_at_variables(variables.get());
    if (!look.look_at_modules()) return nullptr;
    recording->is_seen = true;
    if (!recording->names_given && !look.left() && variables.is_dict()) return give_none();
    const Object rest[] = {args[0], look.left() ? look.left() : known.none,
                           variables.is_dict() || !variables.get() ? known.none : variables.get()};
    return call_function(known.finish, rest, 3);
  } catch (...) {
    report();
    return call_function(known.fail, args, 1);
  }
}

Object seen_by_recording(Object /*self*/, Object const* args, intptr_t n) {
  const LookPython& known = *known_look_python.load(std::memory_order_acquire);
  const ag_recording* const recording = n < 1 ? nullptr : recording_of(known, args[0]);
  if (!recording || !recording->is_seen) return raised() ? nullptr : give_none();
  std::vector<uintptr_t> names;
  std::vector<int64_t> rows;
  for_each_row(recording->seen, [&](uintptr_t kind, uintptr_t object, const uintptr_t* named) {
    rows.insert(rows.end(), {static_cast<int64_t>(kind), static_cast<int64_t>(object)});
    names.insert(names.end(), named, named + kNames[kind]);
  });
  Owned list{new_list(static_cast<intptr_t>(names.size()) + 1)};
  if (!list.object) return nullptr;
  intptr_t place = 0;
  for (const uintptr_t name : names)
    if (!fill_place(list.object, place++, keep(reinterpret_cast<Object>(name)))) return nullptr;
  const Object bytes = known.new_bytes(reinterpret_cast<const char*>(rows.data()),
                                       static_cast<intptr_t>(rows.size() * sizeof(int64_t)));
  return fill_place(list.object, place, bytes) ? std::exchange(list.object, nullptr) : nullptr;
}

}  // namespace autograd::capi::python

using namespace autograd::capi::python;

void autograd::capi::forget_seen(const std::vector<uintptr_t>& seen) {
  if (seen.empty()) return;
  const LookPython& known = *known_look_python.load(std::memory_order_acquire);
  for_each_row(seen, [&](uintptr_t kind, uintptr_t, const uintptr_t* names) {
    for (int i = 0; i < kNames[kind]; ++i) {
      const Object name = reinterpret_cast<Object>(names[i]);
      if (!is_kind(known, name)) drop(name);
    }
  });
}

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
