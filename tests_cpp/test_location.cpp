// Source locations in C++ programs, without an interpreter.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "autograd/autograd.hpp"

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
