// Fits a network to a wave with a compiled training step, keeps the plan in a file, and trains on
// from the file alone, as another program would. C++17, no Python anywhere.
#include <autograd/autograd.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace ag = autograd;

namespace {

ag::Tensor parameter(const ag::Shape& sizes, int64_t inputs) {
  const double bound = 1 / std::sqrt(static_cast<double>(inputs));
  ag::Tensor p = ag::empty(sizes);
  ag::uniform_(p, -bound, bound);
  return p.requires_grad_();
}

int train() {
  ag::manual_seed(0);
  const ag::Tensor w1 = parameter({32, 1}, 1), b1 = parameter({32}, 1), w2 = parameter({1, 32}, 32),
                   b2 = parameter({1}, 32);
  ag::optim::AdamOptions options;
  options.lr = 0.01;
  ag::optim::Adam adam({w1, b1, w2, b2}, options);

  ag::Compiled step([&](const std::vector<ag::Tensor>& batch) {
    const ag::Tensor predicted = ag::linear(ag::tanh(ag::linear(batch[0], w1, b1)), w2, b2);
    const ag::Tensor loss = ag::mse_loss(predicted, batch[1]);
    adam.zero_grad();
    loss.backward();
    adam.step();
    return std::vector<ag::Tensor>{loss};
  });

  const ag::Tensor x = ag::reshape(ag::linspace(-3, 3, 64, ag::DType::kFloat32), {64, 1});
  const ag::Tensor y = ag::sin(x);
  double loss = 0;
  for (int i = 0; i < 500; ++i) loss = step({x, y})[0].item();
  std::printf("500 steps: loss %.5f, %lld captured, %lld plan\n", loss,
              static_cast<long long>(step.num_captures()),
              static_cast<long long>(step.num_plans()));

  step.save("train_compiled.plan", {{"w1", w1}, {"b1", b1}, {"w2", w2}, {"b2", b2}});
  ag::Compiled loaded = ag::Compiled::load("train_compiled.plan");
  std::vector<ag::Tensor> results;
  for (int i = 0; i < 500; ++i) {
    if (!loaded.run({x, y}, &results)) return std::puts("the plan does not fit"), 1;
  }
  const double later = results[0].item();
  std::printf("500 more from the file: loss %.5f\n", later);
  return later < loss && later < 0.01 ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return train();
  } catch (const ag::Error& error) {
    std::fprintf(stderr, "train_compiled: %s\n", error.what());
    return 1;
  }
}
