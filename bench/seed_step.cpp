// The C++ side of seed_step.py: the same step through the public C++ API. Reads the batches and
// weights that the script wrote, then answers commands: "losses N" trains N steps and prints their
// losses; "time N" prints the medians of N steps in microseconds: forward, backward and update,
// total.
#include <algorithm>
#include <autograd/autograd.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace ag = autograd;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int64_t kFeatures = 4, kClasses = 4, kHidden = 64, kBatch = 16;
constexpr int kWarmupSteps = 20;

double microseconds(Clock::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class Floats {
 public:
  explicit Floats(const char* path) : file_(path, std::ios::binary) {}
  ag::Tensor take(const ag::Shape& sizes) {
    ag::Tensor t = ag::empty(sizes);
    file_.read(static_cast<char*>(t.data()), t.numel() * static_cast<int64_t>(sizeof(float)));
    if (!file_) throw std::runtime_error("the task file is missing or too short");
    return t;
  }

 private:
  std::ifstream file_;
};

struct Layer {
  ag::Tensor w1, b1, w2, b2, w3;

  ag::Tensor operator()(const ag::Tensor& x) const {
    ag::Tensor h = ag::sigmoid(ag::linear(x, w1, b1));
    return ag::linear(ag::relu(ag::linear(h, w2, b2)), w3);
  }
};

class Training {
 public:
  Training(const char* path, int64_t batches) : Training(Floats(path), batches) {}

  ag::Tensor forward() {
    size_t i = position_++ % x_.size();
    return ag::cross_entropy(layer_(layer_(x_[i])), target_[i]);
  }
  void update(const ag::Tensor& loss) {
    sgd_.zero_grad();
    loss.backward();
    sgd_.step();
  }

 private:
  Training(Floats file, int64_t batches)
      : x_(ag::split(file.take({batches * kBatch, kFeatures}), rows(batches))),
        target_(ag::split(file.take({batches * kBatch, kClasses}), rows(batches))),
        layer_{file.take({kHidden, kFeatures}), file.take({kHidden}), file.take({kHidden, kHidden}),
               file.take({kHidden}), file.take({kClasses, kHidden})},
        sgd_({layer_.w1.requires_grad_(), layer_.b1.requires_grad_(), layer_.w2.requires_grad_(),
              layer_.b2.requires_grad_(), layer_.w3.requires_grad_()},
             options()) {}

  static std::vector<int64_t> rows(int64_t batches) {
    return std::vector<int64_t>(static_cast<size_t>(batches), kBatch);
  }
  static ag::optim::SGDOptions options() {
    ag::optim::SGDOptions o;
    o.lr = 0.05;
    return o;
  }

  std::vector<ag::Tensor> x_, target_;
  Layer layer_;
  ag::optim::SGD sgd_;
  size_t position_ = 0;
};

void print_losses(Training& training, int steps) {
  for (int i = 0; i < steps; ++i) {
    ag::Tensor loss = training.forward();
    training.update(loss);
    std::printf("%.9g ", loss.item());
  }
  std::printf("\n");
}

void print_times(Training& training, int steps) {
  for (int i = 0; i < kWarmupSteps; ++i) training.update(training.forward());
  std::vector<double> forward, update, total;
  for (int i = 0; i < steps; ++i) {
    Clock::time_point start = Clock::now();
    ag::Tensor loss = training.forward();
    Clock::time_point middle = Clock::now();
    training.update(loss);
    loss = ag::Tensor();  // dropping the graph is part of the step
    Clock::time_point end = Clock::now();
    forward.push_back(microseconds(middle - start));
    update.push_back(microseconds(end - middle));
    total.push_back(microseconds(end - start));
  }
  std::printf("%.3f %.3f %.3f\n", median(forward), median(update), median(total));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_seed_step TASK_FILE BATCHES (run by bench/seed_step.py)\n");
    return 2;
  }
  Training training(argv[1], std::atoll(argv[2]));
  std::string command;
  int steps = 0;
  while (std::cin >> command >> steps) {
    if (command == "losses") print_losses(training, steps);
    if (command == "time") print_times(training, steps);
    std::fflush(stdout);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_seed_step: %s\n", error.what());
  return 1;
}
