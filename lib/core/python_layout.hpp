// Where a running CPython keeps its frames: found out once, checked, and then relied upon.
//
// Where things lie in memory is fixed within a minor version of CPython. The layout is taken from
// what the interpreter publishes about itself (3.13 and later) or from a table, and every pointer
// on the way is checked once, in a way that cannot crash, before any is followed. Wherever that
// check fails, and for any other interpreter, there is no layout.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace autograd::detail {

/// Offsets in bytes; -1 where a version has no such thing.
struct PythonLayout {
  int frame = -1;        ///< in a thread state: its innermost frame,
  int inner = -1;        ///< or a structure in which that lies here
  int code = -1;         ///< in a frame
  int previous = -1;     ///< in a frame
  int instruction = -1;  ///< in a frame: a pointer into the bytecode, or its index
  int index_scale = 0;   ///< bytes per index; 0: it is a pointer
  int owner = -1;        ///< in a frame: a byte that says what kind it is
  int bytecode = 0;      ///< in a code object: its first instruction
  int type = 8;          ///< in an object: its class
  int link = -1;         ///< in a frame: `previous` and a neighbour of it, see Link
  int outward = 0;       ///< in a Link: where `previous` lies
};

/// `previous` lies beside what says that the frame is passed by: the code, or the instruction.
constexpr PythonLayout with_link(PythonLayout at) {
  const auto beside = [&](int field) {
    return field - at.previous == 8 || field - at.previous == -8;
  };
  const int neighbour = beside(at.code)                             ? at.code
                        : !at.index_scale && beside(at.instruction) ? at.instruction
                                                                    : -1;
  if (neighbour < 0) return at;
  at.link = neighbour < at.previous ? neighbour : at.previous;
  at.outward = at.previous - at.link;
  return at;
}

inline constexpr PythonLayout kPython39 =
    with_link({.frame = 24, .code = 32, .previous = 24, .instruction = 104, .index_scale = 1});
inline constexpr PythonLayout kPython310 =
    with_link({.frame = 24, .code = 32, .previous = 24, .instruction = 96, .index_scale = 2});
inline constexpr PythonLayout kPython311 = with_link(
    {.frame = 56, .inner = 8, .code = 32, .previous = 48, .instruction = 56, .bytecode = 184});
inline constexpr PythonLayout kPython312 = with_link({.frame = 56,
                                                      .inner = 0,
                                                      .code = 0,
                                                      .previous = 8,
                                                      .instruction = 56,
                                                      .owner = 70,
                                                      .bytecode = 192});

/// Value of `owner`: entered from C, holds no code of the user's.
constexpr char kFrameOfTheInterpreter = 3;

struct PythonInterpreter {
  PythonLayout layout;
  const PythonLayout* known = nullptr;  ///< the one above that it is, if any
  void* (*thread_state)() = nullptr;
  const void* code_type = nullptr;
};

/// False if the interpreter around this library, if there is one, is not understood.
bool find_interpreter(PythonInterpreter& p);

template <class T>
T load(const char* address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

/// Of the frame's instruction, in bytes.
inline int32_t offset_in(const PythonLayout& at, const char* frame, const char* code) {
  if (at.index_scale) return load<int32_t>(frame + at.instruction) * at.index_scale;
  return static_cast<int32_t>(load<const char*>(frame + at.instruction) - (code + at.bytecode));
}

}  // namespace autograd::detail
