// In front of every function that Python's ctypes calls stands one of CPython's own kind, which
// costs a fifth of the time: it takes the arguments that it knows and calls the C function. All
// other calls, and all wrong ones, it leaves to ctypes. What it needs of the interpreter it is told
// by ag_python_start(); the library is built without Python.
#include "python_calls.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string_view>
#include <vector>

#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace autograd::capi::python {
namespace {

// In the order of ag_python_start()'s `functions` and `objects`.
struct Functions {
  long long (*long_value)(Object, int*);
  Object (*new_long)(long long);
  double (*float_value)(Object);
  Object (*new_float)(double);
  char* (*bytes)(Object);
  intptr_t (*tuple_size)(Object);
  Object (*tuple_item)(Object, intptr_t);
  intptr_t (*list_size)(Object);
  Object (*list_item)(Object, intptr_t);
  Object (*new_tuple)(intptr_t);
  int (*set_tuple_item)(Object, intptr_t, Object);
  int (*set_list_item)(Object, intptr_t, Object);
  Object (*new_list)(intptr_t);
  Object (*call)(Object, Object, Object);
  Object (*error)();
  void (*clear_error)();
  void (*retain)(Object);
  void (*release)(Object);
  int (*is_subtype)(Object, Object);
  int (*check_signals)();
  Object (*index)(Object);
  Object (*make)(Object type, Object args, Object kwargs);
};
struct Objects {
  Object int_type, float_type, bytes_type, tuple_type, list_type, int64_type, array_metaclass,
      pointer_type;
  Object none, yes, no, empty_tuple;
};
struct Classes {
  Object tensor, parameter, size;
};
constexpr int64_t kFunctions = sizeof(Functions) / sizeof(void*);
constexpr int64_t kObjects = sizeof(Objects) / sizeof(void*);

Functions functions;
Objects objects;
Classes classes;
int64_t type_offset = 0;
std::atomic<bool> started{false};
std::atomic<bool> has_classes{false};

}  // namespace

Object type_of(Object object) {
  Object type;
  std::memcpy(&type, static_cast<const char*>(object) + type_offset, sizeof(type));
  return type;
}

intptr_t reference_count(Object object) {
  intptr_t count;
  std::memcpy(&count, static_cast<const char*>(object) + type_offset - sizeof(count),
              sizeof(count));
  return count;
}

bool is_handle(Object object) {
  const Object type = type_of(object);
  return type == classes.tensor || type == classes.parameter ||
         functions.is_subtype(type, classes.tensor);
}

namespace {

/// Where a ctypes object keeps its value: the pointer behind the head of the object.
void* memory_of(Object object) {
  void* memory;
  std::memcpy(&memory, static_cast<const char*>(object) + type_offset + sizeof(Object),
              sizeof(memory));
  return memory;
}

}  // namespace

const ag_tensor* handle_of(Object object) {
  const ag_tensor* handle;
  std::memcpy(&handle, memory_of(object), sizeof(handle));
  return handle;
}

namespace {

bool is_array(Object object) { return type_of(type_of(object)) == objects.array_metaclass; }

/// True for a tensor that is a number: 0-d, and neither float nor bool.
bool is_integer(Object tensor) {
  const ag_tensor* const handle = handle_of(tensor);
  if (ag_tensor_ndim(handle) != 0) return false;
  const int32_t dtype = ag_tensor_dtype(handle);
  return dtype != AG_FLOAT32 && dtype != AG_FLOAT64 && dtype != AG_BOOL;
}

/// An int, or an object of another class that stands for one: NumPy's integers, tensors of one
/// integer. A bool is no int here.
bool integer(Object object, int64_t& out) {
  int overflow = 0;
  if (type_of(object) == objects.int_type) [[likely]] {
    out = functions.long_value(object, &overflow);
    return !overflow;
  }
  if (object == objects.yes || object == objects.no) return false;
  if (ready() && is_handle(object) && !is_integer(object)) return false;
  const Object number = functions.index(object);
  if (!number) {
    functions.clear_error();
    return false;
  }
  out = functions.long_value(number, &overflow);
  functions.release(number);
  return !overflow;
}

}  // namespace

bool ready() { return has_classes.load(std::memory_order_acquire); }
bool raised() { return functions.error() != nullptr; }
bool is_subtype(Object type, Object of) { return functions.is_subtype(type, of) != 0; }

Sequence::Sequence(Object object) : object(object) {
  const Object type = type_of(object);
  is_tuple = type == objects.tuple_type || type == classes.size;
  if (is_tuple)
    size = functions.tuple_size(object);
  else if (type == objects.list_type)
    size = functions.list_size(object);
}

Object Sequence::operator[](intptr_t i) const {
  const Object item = is_tuple ? functions.tuple_item(object, i) : functions.list_item(object, i);
  if (!item) [[unlikely]]
    functions.clear_error();
  return item;
}

bool take(Object object, Room&, const ag_tensor*& out) {
  if (!is_handle(object)) [[unlikely]]
    return false;
  out = handle_of(object);
  return true;
}

bool take_other_handle(Object object, void*& out) {
  if (!functions.is_subtype(type_of(object), objects.pointer_type)) return false;
  std::memcpy(&out, memory_of(object), sizeof(out));
  return true;
}

bool take(Object object, Room&, int64_t& out) {
  if (type_of(object) == objects.int64_type) {
    std::memcpy(&out, memory_of(object), sizeof(out));
    return true;
  }
  return integer(object, out);
}

bool take_flag(Object object, int32_t& out) {
  out = object == objects.yes;
  return out || object == objects.no;
}

bool take(Object object, Room&, int32_t& out) {
  if (object == objects.no || object == objects.yes) {
    out = object == objects.yes;
    return true;
  }
  int64_t value = 0;
  if (type_of(object) != objects.int_type || !integer(object, value)) return false;
  out = static_cast<int32_t>(value);
  return out == value;
}

bool take(Object object, Room&, double& out) {
  const Object type = type_of(object);
  if (type == objects.float_type) {
    out = functions.float_value(object);
    return true;
  }
  int64_t value = 0;
  constexpr int64_t kExact = int64_t{1} << 53;
  if (type != objects.int_type || !integer(object, value) || value > kExact || value < -kExact)
    return false;
  out = static_cast<double>(value);
  return true;
}

bool take_array(Object object, void*& out) {
  if (object == objects.none) {
    out = nullptr;
    return true;
  }
  if (!is_array(object)) return false;
  out = memory_of(object);
  return true;
}

bool take_address(Object object, void*& out) {
  int64_t value = 0;
  if (type_of(object) != objects.int_type) return take_array(object, out);
  if (!integer(object, value) || value < 0) return false;
  out = reinterpret_cast<void*>(value);
  return true;
}

bool take_bytes(Object object, const void*& out) {
  void* array;
  if (take_array(object, array)) {
    out = array;
    return true;
  }
  if (type_of(object) != objects.bytes_type) return false;
  out = functions.bytes(object);
  return true;
}

bool take(Object object, Room&, const char*& out) {
  const void* bytes;
  if (is_array(object) || !take_bytes(object, bytes)) return false;
  out = static_cast<const char*>(bytes);
  return true;
}

bool take(Object object, Room& room, const int64_t*& out) {
  const void* bytes;
  if (take_bytes(object, bytes)) {
    out = static_cast<const int64_t*>(bytes);
    return true;
  }
  const Sequence sequence(object);
  if (sequence.size < 0 || sequence.size > Room::kMost - room.used) return false;
  int64_t* values = room.slots + room.used;
  for (intptr_t i = 0; i < sequence.size; ++i) {
    const Object item = sequence[i];
    if (!item) return false;
    // As in PyTorch, a sequence of ints begins with an int; a bool further on is its number.
    if (i > 0 && (item == objects.yes || item == objects.no))
      values[i] = item == objects.yes;
    else if (!integer(item, values[i]))
      return false;
  }
  room.used += sequence.size;
  out = values;
  return true;
}

/// A list with a place for each result: the results go there when the call is done.
bool take_list(Object object, Room& room, ag_tensor**& out) {
  if (type_of(object) != objects.list_type || room.list) return false;
  const intptr_t n = functions.list_size(object);
  if (n > Room::kMost - room.used) return false;
  room.list = object;
  room.results = room.slots + room.used;
  room.n_results = n;
  room.used += n;
  std::fill_n(room.results, n, 0);
  out = reinterpret_cast<ag_tensor**>(room.results);
  return true;
}

bool take_handles(Object object, Room& room, bool writable, ag_tensor**& out) {
  if (object == objects.none) {
    out = nullptr;
    return true;
  }
  if (is_handle(object) || is_array(object)) {
    out = static_cast<ag_tensor**>(memory_of(object));
    return true;
  }
  if (writable) return take_list(object, room, out);
  if (type_of(object) == objects.bytes_type) {
    out = reinterpret_cast<ag_tensor**>(functions.bytes(object));
    return true;
  }
  const Sequence sequence(object);
  if (sequence.size < 0 || sequence.size > Room::kMost - room.used) return false;
  int64_t* values = room.slots + room.used;
  static_assert(sizeof(*values) == sizeof(ag_tensor*));
  for (intptr_t i = 0; i < sequence.size; ++i) {
    const Object item = sequence[i];
    if (!item || !is_handle(item)) return false;
    std::memcpy(values + i, memory_of(item), sizeof(*values));
  }
  room.used += sequence.size;
  out = reinterpret_cast<ag_tensor**>(values);
  return true;
}

Object give(int64_t value) { return raised() ? nullptr : functions.new_long(value); }
Object give(double value) { return raised() ? nullptr : functions.new_float(value); }
Object keep(Object object) {
  functions.retain(object);
  return object;
}
Object give_none() { return keep(objects.none); }
Object give_bool(bool value) { return keep(value ? objects.yes : objects.no); }

Object new_number(int64_t value) { return functions.new_long(value); }
Object new_number(double value) { return functions.new_float(value); }
Object new_list(intptr_t n) { return functions.new_list(n); }
bool fill_place(Object list, intptr_t i, Object item) {
  if (!item || functions.set_list_item(list, i, item) != 0) return false;
  // Ctrl-C ends long lists, too.
  return (i + 1) % (1 << 16) != 0 || functions.check_signals() == 0;
}
void drop(Object object) { functions.release(object); }

Object new_handle(Object type) { return functions.make(type, objects.empty_tuple, nullptr); }
void set_handle(Object object, const void* handle) {
  std::memcpy(memory_of(object), &handle, sizeof(handle));
}

Object give(ag_tensor* handle) {
  const Object made = raised() ? nullptr : new_handle(classes.tensor);
  if (!made) [[unlikely]] {
    ag_tensor_free(handle);
    return nullptr;
  }
  set_handle(made, handle);
  return made;
}

bool give_results(Room& room) {
  // The list may have become shorter: its owner's fault, but no reason to lose handles.
  bool good = !raised();
  for (intptr_t i = 0; i < room.n_results; ++i) {
    ag_tensor* const handle = reinterpret_cast<ag_tensor*>(room.results[i]);
    if (!handle) continue;
    if (!good) {
      ag_tensor_free(handle);
      continue;
    }
    const Object made = give(handle);
    good = made && functions.set_list_item(room.list, i, made) == 0;
  }
  return good;
}

Object call_function(Object function, Object const* args, intptr_t n) {
  const Object tuple = functions.new_tuple(n);
  if (!tuple) return nullptr;
  for (intptr_t i = 0; i < n; ++i) {
    functions.retain(args[i]);
    functions.set_tuple_item(tuple, i, args[i]);
  }
  const Object result = functions.call(function, tuple, nullptr);
  functions.release(tuple);
  return result;
}

namespace {

struct Known {
  std::string_view name;
  Function function;
};

const std::vector<Known>& table() {
  static const std::vector<Known> known = [] {
    std::vector<Known> list = {
#define AG_FUNCTION(name, flags) {#name, before<&name, flags>(&name)},
#include "python_functions.inc"
#undef AG_FUNCTION
        {"tolist", &nested_lists},
        {"begin_recording", &begin_recording},
        {"end_recording", &end_recording},
        {"seen_by_recording", &seen_by_recording},
    };
    std::sort(list.begin(), list.end(),
              [](const Known& a, const Known& b) { return a.name < b.name; });
    return list;
  }();
  return known;
}

}  // namespace
}  // namespace autograd::capi::python

using namespace autograd::capi::python;

const void* ag_python_function(const char* name) {
  return read<const void*>(__func__, nullptr, [&](Arguments in) -> const void* {
    const std::string wanted = in.text(name, "name");
    const std::vector<Known>& known = table();
    const auto found =
        std::lower_bound(known.begin(), known.end(), wanted,
                         [](const Known& a, const std::string& name) { return a.name < name; });
    if (found == known.end() || found->name != wanted) return nullptr;
    return reinterpret_cast<const void*>(found->function);
  });
}

ag_status ag_python_start(const void* const* given_functions, int64_t n_functions,
                          const void* const* given_objects, int64_t n_objects, int64_t head) {
  return run(__func__, [&](Arguments in) {
    in.array(given_functions, n_functions, "functions");
    in.array(given_objects, n_objects, "objects");
    if (n_functions != kFunctions) in.reject("n_functions", n_functions);
    if (n_objects != kObjects) in.reject("n_objects", n_objects);
    if (head < static_cast<int64_t>(2 * sizeof(void*)) || head > 256) in.reject("head", head);
    for (int64_t i = 0; i < n_functions; ++i) in.pointer(given_functions[i], "functions");
    for (int64_t i = 0; i < n_objects; ++i) in.pointer(given_objects[i], "objects");
    if (started.load()) in.reject("n_functions", n_functions);
    std::memcpy(&functions, given_functions, sizeof(functions));
    std::memcpy(&objects, given_objects, sizeof(objects));
    type_offset = head - static_cast<int64_t>(sizeof(void*));
    started.store(true);
  });
}

ag_status ag_python_classes(const void* tensor, const void* parameter, const void* size) {
  return run(__func__, [&](Arguments in) {
    for (const void* one : {tensor, parameter, size}) in.pointer(one, "classes");
    if (!started.load() || ready()) in.reject("classes", 3);
    classes = {const_cast<void*>(tensor), const_cast<void*>(parameter), const_cast<void*>(size)};
    has_classes.store(true, std::memory_order_release);
  });
}
