// The one exception class of the library.
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace autograd {

/// Kind of failure; the values are those of `ag_status`.
enum class ErrorCode : int32_t {
  kRuntime = 1,         ///< shapes that do not fit, misuse of autograd
  kType = 2,            ///< wrong dtype or kind of argument
  kValue = 3,           ///< a value no call can use
  kIndex = 4,           ///< dim or index out of range
  kNotImplemented = 5,  ///< not defined for this dtype or case
  kMemory = 6,          ///< the system has no memory left
  kLinalg = 7           ///< a matrix that is singular or not positive definite
};

/// Thrown by every function that can fail. Nothing is changed by a call that throws.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}
  ErrorCode code() const noexcept { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
};

}  // namespace autograd
