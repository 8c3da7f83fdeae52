// What the tests of the engine and of graphs share: leaves, errors, texts.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "autograd/autograd.hpp"

namespace autograd {

inline Tensor leaf(const std::vector<double>& values, const Shape& sizes) {
  return tensor(values, sizes).requires_grad_();
}
inline Tensor leaf(const std::vector<double>& values) {
  return leaf(values, {static_cast<int64_t>(values.size())});
}

/// The text of the Error that the call ends with; "" where it ends with none.
inline std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline void expect_error(const std::string& phrase, const std::function<void()>& call) {
  const std::string error = error_of(call);
  EXPECT_NE(error, "") << "no error, expected: " << phrase;
  EXPECT_NE(error.find(phrase), std::string::npos) << "got: '" << error << "'";
}

/// How often `part` stands in `text`.
inline int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace autograd
