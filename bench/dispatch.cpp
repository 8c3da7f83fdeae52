// The price of the door: what one op on a small tensor costs in C++ besides its arithmetic, with
// and without a gradient, built in and registered by the user. Prints medians in nanoseconds per
// op.
#include <algorithm>
#include <autograd/autograd.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace ag = autograd;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kOps = 64;  // a chain, so that dropping histories is part of the price

template <class Body>
double nanoseconds_per_op(const Body& body) {
  const auto start = Clock::now();
  body();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kOps;
}

struct Row {
  const char* name;
  void (*body)();
  std::vector<double> times;
};

ag::Tensor& a() {
  static ag::Tensor t = ag::full({4}, 1.0).requires_grad_();
  return t;
}
ag::Tensor& b() {
  static ag::Tensor t = ag::full({4}, 2.0);
  return t;
}

void add_recorded() {
  for (int i = 0; i < kOps; ++i) ag::add(a(), b());
}
void add_plain() {
  ag::NoGrad off;
  for (int i = 0; i < kOps; ++i) ag::add(a(), b());
}
void add_chain() {
  ag::Tensor x = a();
  for (int i = 0; i < kOps; ++i) x = ag::add(x, b());
}
// Without elements there is nothing for the kernel to do: infer, allocate, record and drop.
void door_alone() {
  static const ag::Tensor x = ag::full({0}, 1.0).requires_grad_(), y = ag::full({0}, 1.0);
  for (int i = 0; i < kOps; ++i) ag::add(x, y);
}
struct MyAdd : ag::Function<MyAdd> {
  static ag::Tensor forward(ag::Context&, const ag::Tensor& x, const ag::Tensor& y) {
    return ag::add(x, y);
  }
  static std::vector<ag::Tensor> backward(ag::Context&, const std::vector<ag::Tensor>& grads) {
    return {grads[0], grads[0]};
  }
};
void my_add_chain() {
  ag::Tensor x = a();
  for (int i = 0; i < kOps; ++i) x = MyAdd::apply(x, b());
}
const ag::CustomOp& registered_add() {
  static const ag::CustomOp op = [] {
    ag::OpDefinition d;
    d.name = "bench_add";
    d.forward = [](const ag::OpArguments& a) {
      const auto *x = static_cast<const float*>(a.inputs[0].data()),
                 *y = static_cast<const float*>(a.inputs[1].data());
      auto* out = static_cast<float*>(a.outputs[0].data());
      for (int64_t i = 0; i < a.outputs[0].numel(); ++i) out[i] = x[i] + y[i];
    };
    d.backward = [](const ag::OpArguments&, const std::vector<ag::Tensor>& grads) {
      return std::vector<ag::Tensor>{grads[0], grads[0]};
    };
    d.saves_inputs = d.saves_outputs = 0;
    return ag::register_op(d);
  }();
  return op;
}
void registered_chain() {
  ag::Tensor x = a();
  for (int i = 0; i < kOps; ++i) x = registered_add()(x, b());
}
void allocate_only() {
  for (int i = 0; i < kOps; ++i) ag::empty({4});
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 2000;
  Row rows[] = {{"empty", allocate_only, {}},
                {"add, no gradient", add_plain, {}},
                {"add, recorded", add_recorded, {}},
                {"add, recorded, no elements", door_alone, {}},
                {"add, recorded, chain", add_chain, {}},
                {"Function, recorded, chain", my_add_chain, {}},
                {"registered op, recorded, chain", registered_chain, {}}};
  for (int round = 0; round < rounds; ++round)
    for (Row& row : rows) row.times.push_back(nanoseconds_per_op(row.body));
  for (Row& row : rows) std::printf("%-32s %8.1f ns\n", row.name, median(row.times));
}
