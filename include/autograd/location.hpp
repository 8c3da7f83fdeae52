// Where in the user's program tensors were made and changed.
#pragma once
#include <cstdint>
#include <string>

#include "autograd/tensor.hpp"

namespace autograd {

/// A line of the user's program; no file means: unknown.
struct SourceLocation {
  std::string file;
  int64_t line = 0;
  std::string function;

  bool known() const { return !file.empty(); }
  /// "file:line", or "an unknown line".
  std::string text() const;
};

/// Names the line for everything this thread does within a scope:
/// `SourceScope here;` at the top of a block stands for that line. Python programs need none: there
/// the running line is found by itself.
class SourceScope {
 public:
  explicit SourceScope(const char* file = __builtin_FILE(), int64_t line = __builtin_LINE(),
                       const char* function = __builtin_FUNCTION());
  ~SourceScope();
  SourceScope(const SourceScope&) = delete;
  SourceScope& operator=(const SourceScope&) = delete;

 private:
  uint32_t previous_;
};

/// Where t was made. What a backward pass makes has the line of the forward op it belongs to.
SourceLocation made_at(const Tensor& t);
/// Where the memory of t was last changed in place, through any of the tensors that share it.
SourceLocation changed_at(const Tensor& t);
/// Name of the op that made that change, "" if there was none.
std::string changed_by(const Tensor& t);

// ---- for bindings: locations as numbers, which stay valid for as long as the process lives

/// The number of a line; the same for the same line. 0, "unknown", if file is empty.
uint32_t make_location(const std::string& file, int64_t line, const std::string& function);
/// What the number stands for; unknown for a number that make_location never returned.
SourceLocation find_location(uint32_t location);
/// Where this thread is now.
uint32_t current_location();
/// Makes everything this thread does belong to `location`; 0: to where it is found to be. Returns
/// what was set.
uint32_t set_location(uint32_t location);
uint32_t made_at_number(const Tensor& t);
uint32_t changed_at_number(const Tensor& t);

/// Answers for a code object of the interpreter and an offset into its bytecode: the number of the
/// line, -1 if the code is part of the binding and its caller is wanted, 0 if it can't tell.
using CodeResolver = int32_t (*)(const void* code, int32_t offset);
/// Finds the lines of a running Python interpreter from now on, and asks `resolver` once for each
/// place; nullptr ends it, and waits for calls of the resolver under way. Returns false, and does
/// nothing, where the interpreter is of an unknown kind or another resolver is in place.
bool follow_python(CodeResolver resolver);
/// To be called when a code object that the resolver was asked about is freed.
void forget_code(const void* code);

namespace detail {

// A thread-local that needs no initialisation, and no call to find it.
#if defined(__ELF__)
#define AUTOGRAD_PLAIN_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#elif defined(__GNUC__)
#define AUTOGRAD_PLAIN_THREAD_LOCAL __thread
#else
#define AUTOGRAD_PLAIN_THREAD_LOCAL __declspec(thread)
#endif

/// Where the innermost call from an interpreter was made, or a constant of NativeCall.
extern AUTOGRAD_PLAIN_THREAD_LOCAL uint32_t call_location;

/// A call from an interpreter: while it lasts the line does not change, so the frames are read
/// once, however many ops it makes. One that comes from a callback has a line of its own.
class NativeCall {
 public:
  static constexpr uint32_t kOutside = 0;           ///< nothing is kept
  static constexpr uint32_t kUnread = 0xFFFFFFFFu;  ///< nobody has asked yet

  NativeCall() : previous_(call_location) { call_location = kUnread; }
  ~NativeCall() { call_location = previous_; }
  NativeCall(const NativeCall&) = delete;
  NativeCall& operator=(const NativeCall&) = delete;

 private:
  uint32_t previous_;
};

}  // namespace detail
}  // namespace autograd
