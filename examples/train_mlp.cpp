// Tells three kinds of iris apart by their measurements: a 4-16-3 network, trained in C++17.
//
//   train_mlp_cpp examples/iris.csv
#include <autograd/autograd.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace ag = autograd;

namespace {

struct Flowers {
  ag::Tensor x;        // float32 [150, 4]: measurements, mean 0 and variance 1
  ag::Tensor species;  // int64 [150]: 0, 1, 2
};

Flowers load(const char* path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  std::vector<float> numbers;
  std::vector<int64_t> species;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream row(line);
    std::string cell;
    for (int i = 0; i < 4 && std::getline(row, cell, ','); ++i) numbers.push_back(std::stof(cell));
    std::getline(row, cell, ',');
    species.push_back(std::stoll(cell));
  }
  ag::Tensor x = ag::tensor(numbers, {static_cast<int64_t>(species.size()), 4});
  return {(x - ag::mean(x, {0})) / ag::sqrt(ag::var(x, {0})), ag::tensor(species)};
}

/// Rows start, start + 3, ...
ag::Tensor every_third(const ag::Tensor& t, int64_t start) {
  return ag::slice(t, 0, start, t.size(0), 3);
}

/// A weight or bias with PyTorch's starting values for a layer of that many inputs.
ag::Tensor parameter(const ag::Shape& sizes, int64_t inputs) {
  double bound = 1 / std::sqrt(static_cast<double>(inputs));
  ag::Tensor p = ag::empty(sizes);
  ag::uniform_(p, -bound, bound);
  return p.requires_grad_();
}

struct Model {
  ag::Tensor w1 = parameter({16, 4}, 4), b1 = parameter({16}, 4);
  ag::Tensor w2 = parameter({3, 16}, 16), b2 = parameter({3}, 16);

  ag::Tensor operator()(const ag::Tensor& x) const {
    return ag::linear(ag::tanh(ag::linear(x, w1, b1)), w2, b2);
  }
};

int run(const char* path) {
  Flowers flowers = load(path);
  // Every third flower is kept for the test.
  ag::Tensor test_x = every_third(flowers.x, 2), test_species = every_third(flowers.species, 2);
  ag::Tensor train_x = ag::cat({every_third(flowers.x, 0), every_third(flowers.x, 1)});
  ag::Tensor train_species =
      ag::cat({every_third(flowers.species, 0), every_third(flowers.species, 1)});

  ag::manual_seed(0);
  Model model;
  ag::optim::SGDOptions options;
  options.lr = 0.1;
  options.momentum = 0.9;
  ag::optim::SGD sgd({model.w1, model.b1, model.w2, model.b2}, options);
  for (int step = 1; step <= 200; ++step) {
    ag::Tensor loss = ag::cross_entropy(model(train_x), train_species);
    sgd.zero_grad();
    loss.backward();
    sgd.step();
    if (step % 50 == 0) std::printf("step %d: loss %.4f\n", step, loss.item());
  }

  ag::NoGrad no_grad;
  int64_t right = ag::sum(ag::argmax(model(test_x), 1) == test_species).item_int();
  std::printf("test accuracy %.2f (%d of 50 flowers)\n", static_cast<double>(right) / 50,
              static_cast<int>(right));
  return right >= 46 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "iris.csv");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_mlp_cpp: %s\n", error.what());
    return 1;
  }
}
