// Functions with a gradient of their own in C++17: a class, and the same as two lambdas. Both are
// written with operations, so that they can be differentiated again.
#include <autograd/autograd.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace ag = autograd;

namespace {

struct Cube : ag::Function<Cube> {
  static ag::Tensor forward(ag::Context& context, const ag::Tensor& x) {
    context.save_for_backward({x});
    return x * x * x;
  }
  static std::vector<ag::Tensor> backward(ag::Context& context,
                                          const std::vector<ag::Tensor>& grads) {
    const ag::Tensor x = context.saved_tensors()[0];
    return {grads[0] * 3.0 * x * x};
  }
};

ag::Tensor cube_of_lambdas(const ag::Tensor& x) {
  return ag::call_function(
      "cube", {x},
      [](ag::Context& context, const std::vector<ag::Tensor>& inputs) {
        const ag::Tensor& x = inputs[0];
        context.save_for_backward({x});
        return std::vector<ag::Tensor>{x * x * x};
      },
      [](ag::Context& context, const std::vector<ag::Tensor>& grads) {
        const ag::Tensor x = context.saved_tensors()[0];
        return std::vector<ag::Tensor>{grads[0] * 3.0 * x * x};
      })[0];
}

bool is_right(const char* name, const ag::Tensor& x, const ag::Tensor& y) {
  ag::BackwardOptions again;
  again.create_graph = true;
  const ag::Tensor first = ag::grad({ag::sum(y)}, {x}, {}, again)[0];
  const ag::Tensor second = ag::grad({ag::sum(first)}, {x})[0];
  std::printf("%s: value %g, gradient %g, second %g\n", name, y.item(), first.item(),
              second.item());
  return y.item() == 8 && first.item() == 12 && second.item() == 12;
}

}  // namespace

int main() {
  const ag::Tensor x = ag::full({1}, 2.0).requires_grad_();
  const bool right =
      is_right("class", x, Cube::apply(x)) && is_right("lambdas", x, cube_of_lambdas(x));
  return right ? 0 : 1;
}
