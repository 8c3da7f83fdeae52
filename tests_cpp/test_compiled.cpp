// Compiled functions from C++: plans give what the function itself gives, bit for bit.
#include <gtest/gtest.h>

#include "autograd/autograd.hpp"

using namespace autograd;

namespace {

std::vector<double> bits(const Tensor& t) { return t.to_vector(); }

template <class Optimizer, class Options>
struct CompiledModel {
  Tensor w, b;
  Optimizer optimizer;
  explicit CompiledModel(const Options& options)
      : w(arange(-6, 6, 1, DType::kFloat32)), b(ones({4})), optimizer(parameters(), options) {}
  std::vector<Tensor> parameters() {
    w = (w * 0.1).detach();
    w = view(w, {3, 4});
    w = w.detach();
    w.requires_grad_();
    b.requires_grad_();
    return {w, b};
  }
  Tensor step(const Tensor& x, const Tensor& y) {
    const Tensor loss = mse_loss(tanh(matmul(x, w) + b), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss;
  }
};

template <class Optimizer, class Options>
void check_equal(const Options& options) {
  CompiledModel<Optimizer, Options> eager(options), model(options);
  Compiled step(
      [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{model.step(in[0], in[1])}; });
  manual_seed(3);
  for (int i = 0; i < 12; ++i) {
    const Tensor x = randn({5, 3}), y = randn({5, 4});
    if (i == 8) eager.optimizer.options.lr = 0.01;
    const Tensor wanted = eager.step(x, y);
    if (i == 8) {
      model.optimizer.options.lr = 0.01;
      const std::vector<double> lr = {0.01};
    }
    if (i >= 8) step.clear();
    const Tensor got = step({x, y})[0];
    ASSERT_EQ(bits(got), bits(wanted)) << i;
    ASSERT_EQ(bits(model.w), bits(eager.w)) << i;
    ASSERT_EQ(bits(model.w.grad()), bits(eager.w.grad())) << i;
  }
}

TEST(Compiled, TrainsLikeTheFunctionItself) {
  check_equal<optim::SGD>(optim::SGDOptions{.lr = 0.1});
  check_equal<optim::SGD>(optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
  check_equal<optim::Adam>(optim::AdamOptions{.lr = 0.1, .amsgrad = true});
  check_equal<optim::RMSprop>(optim::RMSpropOptions{});
}

TEST(Compiled, MakesAPlanOfTheSecondCallThatDoesTheSame) {
  CompiledModel<optim::SGD, optim::SGDOptions> model({.lr = 0.1});
  int calls = 0;
  Compiled step([&](const std::vector<Tensor>& in) {
    ++calls;
    return std::vector<Tensor>{model.step(in[0], in[1])};
  });
  const Tensor x = ones({5, 3}), y = ones({5, 4});
  for (int i = 0; i < 6; ++i) step({x, y});
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(step.num_plans(), 1);
  const Tensor x2 = ones({2, 3}), y2 = ones({2, 4});
  for (int i = 0; i < 6; ++i) step({x2, y2});
  EXPECT_EQ(step.num_plans(), 2);
  EXPECT_EQ(calls, 4);
}

}  // namespace
