// What the tests of the C ABI share: sizes, failures with status and text, texts, small tensors, a
// check for leaks.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "autograd.h"

inline constexpr int64_t k23[] = {2, 3};
inline constexpr int64_t kMin = std::numeric_limits<int64_t>::min(),
                         kMax = std::numeric_limits<int64_t>::max();

// The result of a call that must fail with this status and a text that contains `part`.
inline void expect_failure(bool failed, ag_status status, const std::string& part) {
  EXPECT_TRUE(failed);
  EXPECT_EQ(ag_last_status(), status) << ag_last_error();
  EXPECT_NE(std::string(ag_last_error()).find(part), std::string::npos) << ag_last_error();
}
inline void expect_failure(ag_tensor* t, ag_status status, const std::string& part) {
  expect_failure(t == nullptr, status, part);
}
inline void expect_failure(ag_status got, ag_status status, const std::string& part) {
  expect_failure(got == status, status, part);
}

template <class Call>
std::string text_of(Call call) {
  const int64_t length = call(nullptr, 0);
  if (length < 0) return "failed";
  std::string text(static_cast<size_t>(length) + 1, '?');
  EXPECT_EQ(call(text.data(), length + 1), length);
  EXPECT_EQ(text.back(), '\0');
  text.pop_back();
  return text;
}

inline double item(const ag_tensor* t) {
  double value = -1;
  EXPECT_EQ(ag_tensor_item_double(t, &value), AG_OK) << ag_last_error();
  return value;
}

inline ag_tensor* parameter(std::initializer_list<float> values) {
  const int64_t n = static_cast<int64_t>(values.size());
  ag_tensor* t = ag_tensor_from_data(values.begin(), AG_FLOAT32, &n, 1);
  EXPECT_EQ(ag_tensor_set_requires_grad(t, 1), AG_OK);
  return t;
}

inline ag_tensor* sum_of_squares(const ag_tensor* x) {
  ag_tensor* square = ag_mul(x, x);
  ag_tensor* sum = ag_sum(square, nullptr, 0, 0, -1);
  ag_tensor_free(square);
  return sum;
}

/// Every test gives back all the tensor memory it took.
class Capi : public testing::Test {
 protected:
  void SetUp() override { before_ = ag_memory_allocated(); }
  void TearDown() override { EXPECT_EQ(ag_memory_allocated(), before_); }
  int64_t before_ = 0;
};
