// Two threads that train two small models against one thread that trains one, in C++: steps a
// second of all threads together, medians of rounds that take turns. Nothing is shared but the
// library. The network is that of seed_step.cpp: 4-64-64-4, applied twice, batches of 16.
#include <algorithm>
#include <atomic>
#include <autograd/autograd.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace ag = autograd;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int64_t kFeatures = 4, kHidden = 64, kClasses = 4, kBatch = 16;

class Training {
 public:
  ag::Tensor step() {
    const ag::Tensor loss = ag::cross_entropy(layer(layer(x_)), target_);
    sgd_.zero_grad();
    loss.backward();
    sgd_.step();
    return loss;
  }
  void compiled_step() { compiled_(std::vector<ag::Tensor>{}); }

 private:
  static ag::Tensor weight(const ag::Shape& sizes) { return (ag::randn(sizes) * 0.1).detach(); }
  ag::Tensor layer(const ag::Tensor& x) const {
    const ag::Tensor h = ag::sigmoid(ag::linear(x, weights_[0], weights_[1]));
    return ag::linear(ag::relu(ag::linear(h, weights_[2], weights_[3])), weights_[4]);
  }

  std::vector<ag::Tensor> weights_ = [] {
    std::vector<ag::Tensor> all = {weight({kHidden, kFeatures}), weight({kHidden}),
                                   weight({kHidden, kHidden}), weight({kHidden}),
                                   weight({kClasses, kHidden})};
    for (ag::Tensor& each : all) each.requires_grad_();
    return all;
  }();
  ag::Tensor x_ = ag::randn({kBatch, kFeatures});
  ag::Tensor target_ = ag::softmax(ag::randn({kBatch, kClasses}), 1);
  ag::optim::SGD sgd_{weights_, {.lr = 0.01}};
  ag::Compiled compiled_{
      [this](const std::vector<ag::Tensor>&) { return std::vector<ag::Tensor>{step()}; }};
};

using Step = void (*)(Training&);

double steps_a_second(const std::vector<std::unique_ptr<Training>>& all, size_t n_threads,
                      Step step, double seconds) {
  std::atomic<size_t> ready{0};
  std::atomic<int64_t> total{0};
  const auto work = [&](Training& training) {
    for (int i = 0; i < 10; ++i) step(training);
    ready.fetch_add(1);
    while (ready.load() < n_threads) std::this_thread::yield();
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    int64_t count = 0;
    for (; Clock::now() < end; ++count) step(training);
    total.fetch_add(count);
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < n_threads; ++i) threads.emplace_back(work, std::ref(*all[i]));
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(total.load()) / seconds;
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 0.2;
  ag::set_num_threads(1);
  std::vector<std::unique_ptr<Training>> all;
  for (int i = 0; i < 2; ++i) all.push_back(std::make_unique<Training>());
  const struct {
    const char* name;
    Step step;
  } rows[] = {{"eager", [](Training& t) { t.step(); }},
              {"compiled", [](Training& t) { t.compiled_step(); }}};
  std::printf("%-20s %12s %12s %8s\n", "steps a second", "one thread", "two", "ratio");
  for (const auto& row : rows) {
    std::vector<double> one, two;
    for (int i = 0; i < rounds; ++i) {
      one.push_back(steps_a_second(all, 1, row.step, seconds));
      two.push_back(steps_a_second(all, 2, row.step, seconds));
    }
    const double alone = median(one), together = median(two);
    std::printf("%-20s %12.0f %12.0f %8.2f\n", row.name, alone, together, together / alone);
  }
}
