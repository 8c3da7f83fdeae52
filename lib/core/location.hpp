// Where the user's program is, as a number that costs an op a few nanoseconds.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "core/thread_state.hpp"

namespace autograd::detail {

/// A line of the user's program: find_location() in autograd/location.hpp says which. 0 is unknown.
using Location = uint32_t;

/// Numbers are below this; a program with more lines is none.
constexpr uint32_t kMostLocations = (1u << 24) - 1;

/// A location that is unknown and stays so: nothing is searched for.
constexpr Location kNowhere = 1;

/// Not 0 while the frames of a Python interpreter are read; another number as soon as something
/// that was known of its code may not be so any more.
extern std::atomic<uint64_t> python_epoch;

/// The innermost frame of this thread's Python that belongs to the user, in an epoch that is not 0.
Location locate_in_python(uint64_t epoch) noexcept;

/// Where this thread is: the scope's location if one is set, else the line that Python runs.
inline Location here() noexcept {
  const Location set = thread_state.location;
  if (set) return set;
  const uint64_t epoch = python_epoch.load(std::memory_order_relaxed);
  return epoch ? locate_in_python(epoch) : 0;
}

/// The same, never 0: for a scope in which it need not be found again.
inline Location known_here() noexcept {
  const Location found = here();
  return found ? found : kNowhere;
}

/// " at file:line", or nothing if it is unknown; for error texts.
std::string at_line(Location location);

/// Sets the location of what this thread does within a scope; 0 lets it be found.
class LocationScope {
 public:
  explicit LocationScope(Location location) : previous_(thread_state.location) {
    thread_state.location = location;
  }
  ~LocationScope() { thread_state.location = previous_; }
  LocationScope(const LocationScope&) = delete;
  LocationScope& operator=(const LocationScope&) = delete;

 private:
  Location previous_;
};

}  // namespace autograd::detail
