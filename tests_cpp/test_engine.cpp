// The engine through the public C++ API: each fault that earlier systems had is pinned here.
#include <gtest/gtest.h>

#include <cmath>

#include "core/dispatch.hpp"
#include "engine_test.hpp"

namespace autograd {
namespace {

using Operation = std::function<Tensor(const std::vector<Tensor>&)>;

// <v, J u> by central differences against <J' v, u> by the engine, u and v fixed pseudo-random.
void check_gradients(const Operation& f, std::vector<Tensor> inputs, int order = 2) {
  const auto direction = [](const Tensor& like, int seed) {
    std::vector<double> u(static_cast<size_t>(like.numel()));
    for (size_t i = 0; i < u.size(); ++i)
      u[i] = std::sin(1.7 * static_cast<double>(i) + seed) + 0.3;
    return tensor(u, like.sizes());
  };
  BackwardOptions options;
  options.create_graph = order > 1;
  options.allow_unused = true;
  const Tensor y = f(inputs), v = direction(y, 1);
  const std::vector<Tensor> grads = grad({y}, inputs, {v}, options);
  for (size_t k = 0; k < inputs.size(); ++k) {
    const Tensor u = direction(inputs[k], 2 + static_cast<int>(k));
    const auto shifted = [&](double h) {
      NoGrad no_grad;
      std::vector<Tensor> moved = inputs;
      moved[k] = inputs[k] + u * h;
      return sum(f(moved) * v).item();
    };
    const double h = 1e-5, numeric = (shifted(h) - shifted(-h)) / (2 * h);
    const double exact = grads[k] ? sum(grads[k] * u).item() : 0;
    EXPECT_NEAR(exact, numeric, 1e-6 * (1 + std::abs(numeric)))
        << "input " << k << " order " << order;
  }
  if (order > 1)
    check_gradients(
        [&](const std::vector<Tensor>& at) {
          BackwardOptions keep;
          keep.create_graph = true;
          std::vector<Tensor> tracked;
          EnableGrad recording;
          for (const Tensor& t : at)
            tracked.push_back(t.requires_grad() ? t : t.detach().requires_grad_());
          return grad({f(tracked)}, tracked, {v}, keep)[0];
        },
        inputs, order - 1);
}

struct CountCalls : Observer {
  int calls = 0;
  void on_call(const detail::Call&) override { ++calls; }
};

// ---- gradients

TEST(Gradients, ProductsAndLosses) {
  const Tensor x = leaf({.1, -.4, .7, .2, .9, -.3}, {2, 3}),
               w = leaf({.5, .3, -.2, .1, .8, -.6}, {2, 3}), b = leaf({.1, -.2}, {2});
  check_gradients([](const auto& t) { return tanh(linear(t[0], t[1], t[2])); }, {x, w, b});
  check_gradients([](const auto& t) { return mm(sigmoid(t[0]), transpose(t[1], 0, 1)); }, {x, w});
  const Tensor target = tensor(std::vector<int64_t>{2, 0});
  check_gradients([&](const auto& t) { return cross_entropy(t[0], target); }, {x});
  check_gradients([](const auto& t) { return log_softmax(t[0] * t[1], 0); }, {x, w});
}

TEST(Gradients, ReductionsShapesAndBroadcasts) {
  const Tensor x = leaf({.1, -.4, .7, .2, .9, -.3}, {2, 3}), row = leaf({.5, 1.3, 2.}, {3}),
               one = leaf({1.4}, {});
  check_gradients([](const auto& t) { return t[0] / (t[1] * t[2]); }, {x, row, one});
  check_gradients([](const auto& t) { return var(t[0] * t[1], {-1}); }, {x, row});
  check_gradients([](const auto& t) { return mean(exp(permute(t[0], {1, 0})), {0}, true); }, {x});
  check_gradients(
      [](const auto& t) {
        return cat({slice(t[0], 1, 0, 3, 2), unsqueeze(select(t[0], 1, 1), 1),
                    expand(t[1], {2, 3})},
                   1) *
               select(t[1], 0, 2);
      },
      {x, row});
  check_gradients(
      [](const auto& t) { return max(t[0] * t[1], 1).first + amax(t[0], {1}) * min(t[1]); },
      {x, row});
}

TEST(Engine, VisitsSharedNodesOnce) {
  Tensor x = leaf({.5}, {1});
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = y + tanh(y);
  CountCalls count;
  Observer* previous = detail::set_observer(&count);
  y.backward();
  detail::set_observer(previous);
  EXPECT_LE(count.calls, 200);  // 2^40 if shared nodes were walked again
  EXPECT_TRUE(x.grad().defined());
}

// Counts the calls of one op.
struct CountOp : Observer {
  explicit CountOp(std::string op) : name(std::move(op)) {}
  void on_call(const detail::Call& call) override { calls += name == call.op.name; }
  std::string name;
  int calls = 0;
};

TEST(Engine, ComputesOnlyWhatLeadsToTheRequestedTensors) {
  const Tensor x = leaf({.1, -.4, .7, .2}, {2, 2}), w = leaf({.5, .3, -.2, .1}, {2, 2});
  const BackwardOptions keep{.retain_graph = true};
  const Tensor y = mm(x, tanh(w));
  const auto products = [](const std::function<void()>& call) {
    CountOp count("mm");
    Observer* previous = detail::set_observer(&count);
    call();
    detail::set_observer(previous);
    return count.calls;
  };
  const Tensor ones = full({2, 2}, 1.);
  EXPECT_EQ(products([&] { grad({y}, {x, w}, {ones}, keep); }), 2);
  EXPECT_EQ(products([&] { grad({y}, {x}, {ones}, keep); }), 1);
  EXPECT_EQ(products([&] { grad({y}, {w}, {ones}, keep); }), 1);
  EXPECT_EQ(products([&] { grad({y}, {y}, {ones}, keep); }), 0);
  EXPECT_EQ(products([&] { backward({y}, {ones}, keep, {w}); }), 1);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_TRUE(w.grad().defined());
  EXPECT_EQ(products([&] { backward({y}, {ones}, keep); }), 2);
}

TEST(Engine, LongChainsNeedNoStack) {
  Tensor x = leaf({1.}, {1});
  Tensor y = x;
  for (int i = 0; i < 100000; ++i) y = y + scalar(0.0);
  y.backward();
  EXPECT_EQ(x.grad().item(), 1.0);
  for (int i = 0; i < 100000; ++i) y = reshape(y, {1});
  y = Tensor();
}

TEST(Engine, AccumulatesIntoLeavesOnly) {
  const Tensor x = leaf({2., 3.}, {2});
  const Tensor y = x * x;
  sum(y).backward();
  sum(x * 1.0).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{5, 7}));
  EXPECT_FALSE(y.grad().defined());
  const Tensor z = x * x;
  z.retain_grad();
  sum(z * 2.0).backward();
  EXPECT_EQ(z.grad().to_vector(), (std::vector<double>{2, 2}));
}

TEST(Engine, SecondBackwardNeedsRetainGraph) {
  const Tensor x = leaf({2.}, {1});
  const Tensor y = x * x;
  y.backward(Tensor(), true);
  y.backward();
  EXPECT_EQ(x.grad().item(), 8.0);
  expect_error("Trying to backward through the graph a second time", [&] { y.backward(); });
}

TEST(Engine, NamesWhatCannotBeDifferentiated) {
  const Tensor x = leaf({2., 3.}, {2});
  expect_error("grad can be implicitly created only for scalar outputs",
               [&] { (x * x).backward(); });
  expect_error("does not require grad and does not have a grad_fn",
               [&] { tensor(std::vector<double>{1.}).backward(); });
  expect_error("appears to not have been used in the graph",
               [&] { grad({sum(x)}, {leaf({1.}, {1})}); });
  BackwardOptions options;
  options.allow_unused = true;
  EXPECT_FALSE(grad({sum(x)}, {leaf({1.}, {1})}, {}, options)[0].defined());
  expect_error("Mismatch in shape", [&] { (x * x).backward(tensor(std::vector<double>{1.})); });
}

TEST(Engine, DoesNotWriteIntoTheCallersGradient) {
  const Tensor x = leaf({2., 3.}, {2});
  const Tensor g = tensor(std::vector<double>{1., 10.});
  const Tensor y = x + scalar(0);
  y.backward(g, true);
  y.backward(g);
  EXPECT_EQ(g.to_vector(), (std::vector<double>{1, 10}));
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{2, 20}));
}

TEST(Engine, HeldGradientsSurviveTheNextStep) {
  Tensor x = leaf({2.}, {1});
  (x * 3.0).backward();
  const Tensor held = x.grad();
  zero_grad({x});
  (x * 5.0).backward();
  EXPECT_EQ(held.item(), 3.0);
  EXPECT_EQ(x.grad().item(), 5.0);
}

TEST(Engine, RecordsNothingWithoutNeed) {
  const Tensor x = tensor(std::vector<double>{1., 2.});
  EXPECT_EQ((x * x).grad_fn(), "");
  const Tensor p = leaf({1.}, {1});
  NoGrad no_grad;
  EXPECT_FALSE((p * p).requires_grad());
}

TEST(Engine, ViewOfAParameterIsNoParameter) {
  const Tensor p = leaf({1., 2.}, {2});
  const Tensor v = reshape(p, {2, 1});
  EXPECT_FALSE(v.is_leaf());
  sum(v * v).backward();
  EXPECT_FALSE(v.grad().defined());
  EXPECT_EQ(p.grad().to_vector(), (std::vector<double>{2, 4}));
}

TEST(Engine, CrossEntropyOfExtremeLogitsIsFinite) {
  const Tensor x = leaf({0., 200.}, {1, 2});
  const Tensor loss = cross_entropy(x, tensor(std::vector<double>{0., 1.}, {1, 2}));
  loss.backward();
  EXPECT_EQ(loss.item(), 0.0);
  for (double g : x.grad().to_vector()) EXPECT_EQ(g, g);
}

// ---- in place

TEST(InPlace, ChangesOfSavedTensorsAreFound) {
  const Tensor x = leaf({2.}, {1});
  Tensor y = x * x;
  const Tensor z = exp(y);
  mul_(y, scalar(2.0));
  z.backward();  // exp reads its output, which is untouched
  Tensor e = exp(x);
  const Tensor w = e * e;
  add_(e, scalar(1.0));
  expect_error("modified by an inplace operation", [&] { w.backward(); });
}

TEST(InPlace, LeavesAndTheirViewsAreProtected) {
  Tensor x = leaf({2., 3.}, {2});
  Tensor v = select(x, 0, 0);
  expect_error("a leaf Variable that requires grad", [&] { add_(x, scalar(1.0)); });
  expect_error("a view of a leaf Variable that requires grad", [&] { zero_(v); });
  EXPECT_EQ(x.to_vector(), (std::vector<double>{2, 3}));
  NoGrad no_grad;
  add_(x, scalar(1.0));
  EXPECT_EQ(x.to_vector(), (std::vector<double>{3, 4}));
}

TEST(InPlace, ChangeThroughAViewReachesTheBase) {
  const Tensor x = leaf({1., 2., 3., 4.}, {2, 2});
  Tensor y = x * 1.0;
  Tensor row = select(transpose(y, 0, 1), 0, 1);  // the second column
  mul_(row, scalar(10.0));
  const Tensor other = select(y, 0, 0);
  sum(y * y).backward(Tensor(), true);
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{2, 400, 6, 800}));
  EXPECT_EQ(other.to_vector(), (std::vector<double>{1, 20}));
}

TEST(InPlace, ViewsTakenBeforeFollowTheBase) {
  const Tensor x = leaf({1., 2.}, {2});
  Tensor y = x * 1.0;
  const Tensor v = select(y, 0, 1);
  mul_(y, scalar(3.0));
  (v * v).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{0, 36}));
}

TEST(InPlace, AssignmentMakesABufferPartOfTheGraph) {
  const Tensor x = leaf({1., 2., 3.}, {3});
  Tensor buffer = zeros({2, 3}, DType::kFloat64);
  index_assign_(buffer, {{Index::Kind::kInt, 1}}, {}, x * x);
  sum(buffer).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{2, 4, 6}));
}

}  // namespace
}  // namespace autograd
