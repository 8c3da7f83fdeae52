// What the library does to the process: threads, memory, the version.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "autograd/dtype.hpp"
#include "autograd/version.hpp"

namespace autograd {

class Tensor;

/// Threads used for large work, the caller's included.
int num_threads();
/// n >= 1, else Error (value).
void set_num_threads(int n);

/// The float type that integers and plain numbers turn into where a float is needed; float32 at the
/// start.
DType default_dtype();
/// Error (type) for a dtype that is no float.
void set_default_dtype(DType dtype);
/// The element type of what add and its kin make of two tensors: tensors with dims count before 0-d
/// ones of the same kind, and those before plain numbers. Error (runtime) for an undefined tensor.
DType result_type(const Tensor& a, const Tensor& b);

/// Bytes taken from the system and not given back; bytes in live tensors.
int64_t memory_reserved();
int64_t memory_allocated();
/// Gives cached memory of this thread and of the shared cache back to the system.
void memory_release();

/// How to give up and take again the lock of an interpreter that calls the library.
struct InterpreterLock {
  void* (*release)() = nullptr;  ///< returns what `take` is to get; never nullptr
  void (*take)(void*) = nullptr;
  void* (*holder)() = nullptr;  ///< who has the lock: a thread, not always the calling one
  void* (*self)() = nullptr;    ///< the calling thread, nullptr if the interpreter doesn't know it
};
/// From now on the library gives the lock up by itself during ops on many elements, so that other
/// threads of the interpreter run. All four functions, or none.
void set_interpreter_lock(const InterpreterLock& lock);

/// Gets the exception that a signal handler of the interpreter raised: a borrowed PyObject.
using ExceptionKeeper = void (*)(void* exception);
/// From now on a running Python's signal handlers are called from within long work of the calling
/// thread, its main one; if one raises, the work ends with Error (runtime). nullptr: no longer.
/// Returns false where there is no such interpreter.
bool follow_signals(ExceptionKeeper keep);

/// Names of all registered ops, and "<name>: <doc>" of one; throws Error (value) for an unknown
/// name.
std::vector<std::string> op_names();
std::string op_doc(const std::string& name);

}  // namespace autograd
