// Source locations in C++ programs, without an interpreter.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "autograd/autograd.hpp"
#include "capi_test.hpp"

using namespace autograd;

TEST(Location, IsUnknownOutsideOfScopes) {
  const Tensor x = ones({2});
  EXPECT_FALSE(made_at(x).known());
  EXPECT_EQ(made_at(x).text(), "an unknown line");
  EXPECT_FALSE(changed_at(x).known());
  EXPECT_EQ(changed_by(x), "");
}

TEST(Location, IsThatOfTheScope) {
  SourceScope here("model.cc", 12, "forward");
  Tensor x = ones({2}).requires_grad_();
  const Tensor y = mul(x, x);
  {
    SourceScope inner;
    Tensor z = mul(y, y);
    EXPECT_EQ(made_at(z).line, __LINE__ - 2);
    EXPECT_EQ(made_at(z).file, __FILE__);
    add_(z, y);
    EXPECT_EQ(changed_at(z).line, __LINE__ - 5);
    EXPECT_EQ(changed_by(z), "add");
  }
  EXPECT_EQ(made_at(y).text(), "model.cc:12");
  EXPECT_EQ(made_at(y).function, "forward");
}

TEST(Location, OfGradientsIsThatOfTheForwardOp) {
  Tensor x = ones({2}).requires_grad_();
  Tensor y, g;
  {
    SourceScope here("model.cc", 5, "f");
    y = sum(mul(x, x));
  }
  {
    SourceScope here("train.cc", 9, "g");
    BackwardOptions options;
    options.create_graph = true;
    g = grad({y}, {x}, {}, options)[0];
  }
  EXPECT_EQ(made_at(g).text(), "model.cc:5");
}

TEST(Location, NumbersAreTheSameInAllThreads) {
  std::vector<std::thread> threads;
  std::vector<uint32_t> found(8);
  for (size_t i = 0; i < found.size(); ++i)
    threads.emplace_back([&found, i] {
      for (int line = 1; line < 500; ++line) make_location("shared.cc", line, "f");
      found[i] = make_location("shared.cc", 77, "f");
    });
  for (std::thread& t : threads) t.join();
  for (uint32_t number : found) EXPECT_EQ(number, found[0]);
  EXPECT_EQ(find_location(found[0]).line, 77);
  EXPECT_EQ(make_location("", 1, "f"), 0u);
  EXPECT_FALSE(find_location(0xFFFFFFFF).known());
}

TEST_F(Capi, locations) {
  const int32_t line = ag_location_make("model.c", 42, "main");
  EXPECT_GT(line, 1);
  EXPECT_EQ(ag_location_make("model.c", 42, "main"), line);
  EXPECT_EQ(ag_location_line(line), 42);
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_location_file(line, b, n); }), "model.c");
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_location_function(line, b, n); }), "main");
  expect_failure(ag_location_make(nullptr, 1, "f") == -1, AG_ERROR_VALUE, "'file' is NULL");
  EXPECT_EQ(ag_location_make("", 1, nullptr), 0);
  EXPECT_EQ(ag_location_line(-5), 0);

  EXPECT_EQ(ag_location_here(), 0);
  EXPECT_EQ(ag_location_set(line), 0);
  EXPECT_EQ(ag_location_here(), line);
  ag_tensor* x = parameter({1, 2});
  ag_tensor* y = ag_exp(x);
  EXPECT_EQ(ag_location_set(0), line);
  EXPECT_EQ(ag_tensor_made_at(y), line);
  EXPECT_EQ(ag_tensor_changed_at(y), 0);
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_tensor_changed_by(y, b, n); }), "");
  const int32_t other = ag_location_make("model.c", 43, nullptr);
  ag_location_set(other);
  EXPECT_EQ(ag_neg_(y), AG_OK);
  ag_location_set(0);
  EXPECT_EQ(ag_tensor_changed_at(y), other);
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_tensor_changed_by(y, b, n); }), "neg");
  expect_failure(ag_tensor_made_at(nullptr) == -1, AG_ERROR_VALUE, "'t' is NULL");
  ag_tensor_free(y);
  ag_tensor_free(x);
}

TEST_F(Capi, no_interpreter_no_lines) {
  EXPECT_EQ(ag_location_follow_python([](const void*, int32_t) { return int32_t{0}; }), 0);
  EXPECT_EQ(ag_location_follow_python(nullptr), 1);
  EXPECT_EQ(ag_follow_python_signals([](void*) {}), 0);
  EXPECT_EQ(ag_follow_python_signals(nullptr), 1);
  ag_location_forget_code(nullptr);
  ag_location_forget_code("no code");
  EXPECT_EQ(ag_location_here(), 0);
}
