// The calling thread's last failure.
#include "guard.hpp"

#include <cxxabi.h>
#include <unistd.h>

#include <new>

namespace autograd::capi {
namespace {

struct Failure {
  ag_status status = AG_OK;
  std::string text;
  // Shown instead of `text` where there was no memory to keep it.
  const char* fixed_text = nullptr;
  uint64_t count = 0;
};
thread_local Failure last;

ag_status keep(ErrorCode code, const char* text) noexcept {
  ++last.count;
  last.status = static_cast<ag_status>(code);
  last.fixed_text = nullptr;
  try {
    last.text = text;
  } catch (...) {
    last.fixed_text = "out of memory";
  }
  return last.status;
}

std::string argument_of(const char* function, const char* argument) {
  return std::string(function) + ": argument '" + argument + "' ";
}

}  // namespace

uint64_t failures() noexcept { return last.count; }

ag_status report() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return keep(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return keep(ErrorCode::kMemory, "out of memory");
  } catch (const std::exception& e) {
    return keep(ErrorCode::kRuntime, e.what());
  } catch (abi::__forced_unwind&) {
    // A callback's interpreter is ending and wants to end this thread, which C++ frames do not
    // allow; the process is about to end.
    for (;;) pause();
  } catch (...) {
    return keep(ErrorCode::kRuntime, "unknown failure");
  }
}

void forget_failure() noexcept { last.status = AG_OK; }

void fail_null(const char* function, const char* argument) {
  throw Error(ErrorCode::kValue, argument_of(function, argument) + "is NULL");
}

void fail_count(const char* function, const char* argument, int64_t count) {
  throw Error(ErrorCode::kValue, argument_of(function, argument) + "cannot have " +
                                     std::to_string(count) + " entries");
}

void fail_value(const char* function, const char* argument, int64_t value) {
  throw Error(ErrorCode::kValue,
              argument_of(function, argument) + "cannot be " + std::to_string(value));
}

}  // namespace autograd::capi

using namespace autograd::capi;

const char* ag_last_error() { return last.fixed_text ? last.fixed_text : last.text.c_str(); }

ag_status ag_last_status() { return last.status; }
