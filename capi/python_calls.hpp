// What the functions that stand before the C functions in Python share: see python_calls.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autograd.h"

namespace autograd::capi::python {

/// Objects of Python are void* here: the library knows nothing of them but where an object's class
/// and a handle object's memory are.
using Object = void*;
/// A function of METH_FASTCALL.
using Function = Object (*)(Object self, Object const* args, intptr_t n);

/// Memory for the arrays that are made of an argument, as long as the call lasts.
struct Room {
  static constexpr intptr_t kMost = 64;
  intptr_t used = 0;
  Object list = nullptr;  ///< of Python, which gets the results
  int64_t* results = nullptr;
  intptr_t n_results = 0;
  int64_t slots[kMost];
};

// Each takes an argument of one of the classes that it knows, exactly as ctypes would, or returns
// false: then ctypes takes the whole call, and also words what is wrong with it.
bool take(Object object, Room& room, const ag_tensor*& out);
bool take(Object object, Room& room, int32_t& out);
/// An int, or what stands for one: what Python's indices are made of; no bool.
bool take(Object object, Room& room, int64_t& out);
/// True or False and nothing else.
bool take_flag(Object object, int32_t& out);
bool take(Object object, Room& room, double& out);
bool take(Object object, Room& room, const char*& out);
/// A ctypes array, bytes, None, or a tuple or list of ints.
bool take(Object object, Room& room, const int64_t*& out);
/// A handle of another kind than a tensor.
bool take_other_handle(Object object, void*& out);
/// A ctypes array or None.
bool take_array(Object object, void*& out);
/// The same, or an int: what a callback gets as its context.
bool take_address(Object object, void*& out);
/// The same, or bytes.
bool take_bytes(Object object, const void*& out);
/// A handle, a ctypes array of handles, None; not to be written to: bytes, or a tuple or list of
/// handles; to be written to: a list of Nones.
bool take_handles(Object object, Room& room, bool writable, ag_tensor**& out);

Object give(int64_t value);
Object give(double value);
Object give(ag_tensor* handle);
Object give_none();
Object give_bool(bool value);
/// The same numbers where no exception can be pending.
Object new_number(int64_t value);
Object new_number(double value);
/// A list of n places to be filled; nullptr if there is no memory for it.
Object new_list(intptr_t n);
/// Puts an item, which may be nullptr, into its place and owns it; false if it is nullptr.
bool fill_place(Object list, intptr_t i, Object item);
/// One reference more, and one less.
Object keep(Object object);
void drop(Object object);
Object type_of(Object object);
/// Where the interpreter has a lock, and before Python 3.13.
intptr_t reference_count(Object object);
bool is_subtype(Object type, Object of);
/// True for a tensor.
bool is_handle(Object object);
/// What a handle object holds, which may be nullptr.
const ag_tensor* handle_of(Object object);
/// An empty handle of a class of ctypes; nullptr with an error.
Object new_handle(Object type);
/// Gives the handle object what it holds.
void set_handle(Object object, const void* handle);
/// Puts results into the list; false if there is an exception.
bool give_results(Room& room);
/// True if there is an interpreter.
bool ready();
/// True if Python code that the C function has called has raised.
bool raised();
/// The elements of the tensor args[0] as nested lists, a number if it has no dims; all other calls
/// go on to `self`.
Object nested_lists(Object self, Object const* args, intptr_t n);
/// record.__enter__(): begins the recording of args[0], and returns its graph.
Object begin_recording(Object self, Object const* args, intptr_t n);
/// record.__exit__(): ends the recording of args[0], looks at the called modules, the variables of
/// the calling function and what they hold, and notes the tensors in it. The recording gets a row
/// for each: the address of an object with a kind, and references to what names it. What is no
/// usual case is left to functions of Python.
Object end_recording(Object self, Object const* args, intptr_t n);
/// What was seen then, as take_seen() in looks.py reads it: a list of the names and, at its end, of
/// the bytes of the rows, two int64 each: a kind and an address. None before the end.
Object seen_by_recording(Object self, Object const* args, intptr_t n);
/// Calls a function of Python, such as one of ctypes.
Object call_function(Object function, Object const* args, intptr_t n);

/// A tuple or list and how to read it.
struct Sequence {
  Object object;
  bool is_tuple;
  intptr_t size = -1;  ///< -1: it is something else

  explicit Sequence(Object object);
  /// nullptr if another thread has made it shorter.
  Object operator[](intptr_t i) const;
};

template <class T>
struct Argument {
  static constexpr bool known = false;
};
template <class T>
requires(std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t> || std::is_same_v<T, double> ||
         std::is_same_v<T, const char*> || std::is_same_v<T, const int64_t*> ||
         std::is_same_v<T, const ag_tensor*>) struct Argument<T> {
  static constexpr bool known = true;
  using Taken = T;
  static bool from(Object object, Room& room, T& out) { return take(object, room, out); }
  static T to(T value) { return value; }
};
template <class T>
requires std::is_enum_v<T>
struct Argument<T> {
  static constexpr bool known = true;
  using Taken = int32_t;
  static bool from(Object object, Room& room, int32_t& out) { return take(object, room, out); }
  static T to(int32_t value) { return static_cast<T>(value); }
};
template <>
struct Argument<ag_tensor*> : Argument<const ag_tensor*> {
  static ag_tensor* to(const ag_tensor* value) { return const_cast<ag_tensor*>(value); }
};
template <class T>
constexpr bool kOtherHandle =
    std::is_same_v<T, ag_graph> || std::is_same_v<T, ag_node> || std::is_same_v<T, ag_recording> ||
    std::is_same_v<T, ag_compiled> || std::is_same_v<T, ag_function>;
template <class T>
requires kOtherHandle<std::remove_const_t<T>>
struct Argument<T*> {
  static constexpr bool known = true;
  using Taken = void*;
  static bool from(Object object, Room&, void*& out) { return take_other_handle(object, out); }
  static T* to(void* value) { return static_cast<T*>(value); }
};
template <bool writable, class T>
struct HandleArray {
  static constexpr bool known = true;
  using Taken = ag_tensor**;
  static bool from(Object object, Room& room, ag_tensor**& out) {
    return take_handles(object, room, writable, out);
  }
  static T to(ag_tensor** value) { return value; }
};
template <>
struct Argument<ag_tensor**> : HandleArray<true, ag_tensor**> {};
template <>
struct Argument<ag_tensor* const*> : HandleArray<false, ag_tensor* const*> {};
template <>
struct Argument<const ag_tensor* const*> : HandleArray<false, const ag_tensor* const*> {};
template <class T>
requires(std::is_same_v<T, const void*> || std::is_same_v<T, const double*> ||
         std::is_same_v<T, const int32_t*>) struct Argument<T> {
  static constexpr bool known = true;
  using Taken = const void*;
  static bool from(Object object, Room&, const void*& out) { return take_bytes(object, out); }
  static T to(const void* value) { return static_cast<T>(value); }
};

template <class T>
requires(std::is_same_v<T, double*> || std::is_same_v<T, int32_t*> || std::is_same_v<T, int64_t*> ||
         std::is_same_v<T, char*>) struct Argument<T> {
  static constexpr bool known = true;
  using Taken = void*;
  static bool from(Object object, Room&, void*& out) { return take_array(object, out); }
  static T to(void* value) { return static_cast<T>(value); }
};

template <>
struct Argument<void*> {
  static constexpr bool known = true;
  using Taken = void*;
  static bool from(Object object, Room&, void*& out) { return take_address(object, out); }
  static void* to(void* value) { return value; }
};

template <class R>
constexpr bool kKnownResult =
    std::is_void_v<R> || std::is_enum_v<R> || std::is_same_v<R, int32_t> ||
    std::is_same_v<R, int64_t> || std::is_same_v<R, double> || std::is_same_v<R, ag_tensor*>;

template <class R>
Object give_result(R value) {
  if constexpr (std::is_enum_v<R> || std::is_same_v<R, int32_t>)
    return give(static_cast<int64_t>(value));
  else
    return give(value);
}

template <class T, bool is_flag>
bool argument(Object object, Room& room, typename Argument<T>::Taken& out) {
  if constexpr (is_flag)
    return take_flag(object, out);
  else
    return Argument<T>::from(object, room, out);
}

/// The function that stands before `function`: `self` is the function of ctypes. A bit of `flags`
/// says that an argument is a boolean.
template <auto function, uint64_t flags, class R, class... A>
Object call(Object self, Object const* args, intptr_t n) {
  if (ready() && n == static_cast<intptr_t>(sizeof...(A))) {
    Room room;
    std::tuple<typename Argument<A>::Taken...> taken;
    const bool all = [&]<size_t... i>(std::index_sequence<i...>) {
      return (argument<A, (flags >> i & 1) != 0>(args[i], room, std::get<i>(taken)) && ...);
    }
    (std::index_sequence_for<A...>());
    if (all) [[likely]] {
      return [&]<size_t... i>(std::index_sequence<i...>)->Object {
        if constexpr (std::is_void_v<R>) {
          function(Argument<A>::to(std::get<i>(taken))...);
          return raised() ? nullptr : give_none();
        } else {
          const R result = function(Argument<A>::to(std::get<i>(taken))...);
          if constexpr ((std::is_same_v<A, ag_tensor**> || ...))
            if (room.list && !give_results(room)) return nullptr;
          return give_result(result);
        }
      }
      (std::index_sequence_for<A...>());
    }
  }
  return call_function(self, args, n);
}

/// nullptr for functions whose arguments or results are of other types.
template <auto function, uint64_t flags, class R, class... A>
constexpr Function before(R (*)(A...)) {
  if constexpr (kKnownResult<R> && (Argument<A>::known && ...))
    return &call<function, flags, R, A...>;
  else
    return nullptr;
}

}  // namespace autograd::capi::python
