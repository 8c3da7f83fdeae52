// Builds and throws error texts; only ever runs on the way to an error.
#pragma once
#include <sstream>
#include <string>

#include "autograd/error.hpp"
#include "autograd/shape.hpp"

namespace autograd {

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  return out << to_string(shape);
}

template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, concat(parts...));
}

}  // namespace autograd
