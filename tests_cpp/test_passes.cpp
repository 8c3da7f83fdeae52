// Passes: what each makes of a graph, and that outputs and changes in place stay the same bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "autograd/compile.hpp"
#include "graph/analysis.hpp"
#include "graph/capture.hpp"
#include "graph/passes/passes.hpp"
#include "graph_run.hpp"
#include "pass_test.hpp"

namespace autograd::detail {
namespace {

TEST(Passes, DeadCodeGoesChangesOfLeavesStay) {
  const Tensor x = randn({3, 4}), kept = zeros({3, 4});
  const Passed r = passed({without_dead_code}, [&] {
    exp(x);
    const Tensor unused = sin(x);
    cos(unused);
    Tensor leaf = kept;
    add_(leaf, tanh(x));
    rand({3});
    return std::vector<Tensor>{neg(x)};
  });
  EXPECT_EQ(r.names(), "tanh add random_ neg");
}

TEST(Passes, RepeatsAreComputedOnce) {
  const Tensor x = randn({3, 4});
  const Passed r = passed({without_repeats}, [&] {
    const Tensor a = sigmoid(x), b = sigmoid(x);
    return std::vector<Tensor>{(exp(a) + exp(b)) * 2.0};
  });
  EXPECT_EQ(r.names(), "sigmoid exp add mul");
}

TEST(Passes, WhatIsReturnedOrChangedIsNotShared) {
  const Tensor x = randn({3, 4});
  const Passed r = passed({without_repeats}, [&] {
    Tensor a = sigmoid(x), b = sigmoid(x), c = sigmoid(x);
    add_(c, a);
    return std::vector<Tensor>{b, c};
  });
  EXPECT_EQ(r.names(), "sigmoid sigmoid sigmoid add");
}

TEST(Passes, NumbersAreFolded) {
  const Tensor x = randn({3, 4});
  const Passed r = passed({with_folded_constants, without_dead_code}, [&] {
    return std::vector<Tensor>{x * exp(scalar(2.0) * scalar(0.25)), neg(scalar(1.5))};
  });
  EXPECT_EQ(r.names(), "mul neg");
}

TEST(Passes, AlgebraHoldsBitForBit) {
  const Tensor x = randn({3, 4}), y = randn({3, 4});
  const Passed r = passed({with_simpler_algebra, without_dead_code}, [&] {
    const Tensor a = neg(neg(x * 1.0)) - 0.0, b = a + neg(y), c = pow(b, scalar(2.0));
    return std::vector<Tensor>{c / 16.0, relu(relu(b)), clone(exp(y)) * -1.0};
  });
  EXPECT_EQ(r.names(), "sub square mul relu exp neg");
}

TEST(Passes, AlgebraLeavesDtypesShapesAndOutputsAlone) {
  const Tensor x = randn({3, 4}), one = ones({2, 3, 4}), n = full({3}, 2, DType::kInt64);
  const Passed r = passed({with_simpler_algebra, without_dead_code}, [&] {
    return std::vector<Tensor>{x * one, n / 2.0, clone(x), x * 1.0};
  });
  EXPECT_EQ(r.names(), "mul div copy mul");
}

TEST(Passes, TransposesBecomeFlags) {
  const Tensor a = randn({5, 3}), b = randn({5, 4}), c = randn({2, 5, 3}), d = randn({2, 5, 4});
  const Passed r = passed({with_folded_transposes, without_dead_code}, [&] {
    const Tensor left = mm(transpose(a, 0, 1), b);
    const Tensor right = transpose(mm(transpose(b, 0, 1), a), 0, 1);
    return std::vector<Tensor>{left + right, bmm(transpose(c, 1, 2), d)};
  });
  EXPECT_EQ(r.names(), "mm mm add bmm");
}

TEST(Passes, ChangesInPlaceOfIntermediatesBecomeValues) {
  const Tensor x = randn({3, 4});
  const Passed r = passed({without_in_place}, [&] {
    Tensor a = exp(x);
    add_(a, x);
    mul_(a, scalar(2.0));
    Tensor viewed = sin(x);
    const Tensor view = reshape(viewed, {12});
    add_(viewed, x);
    return std::vector<Tensor>{a * x, view};
  });
  const auto changes = [](const GraphData& graph) {
    return std::count_if(graph.ops.begin(), graph.ops.end(),
                         [](const GraphOp& op) { return op.in_place; });
  };
  EXPECT_EQ(changes(r.before), 3);
  EXPECT_EQ(changes(r.after), 1);
}

TEST(Passes, ProductsAreAddedInPlace) {
  const Tensor a = randn({5, 3}), b = randn({3, 4}), c = randn({5, 7}), d = randn({7, 4});
  const Tensor gradient = randn({5, 4}), deep = randn({5, 300}), deeper = randn({300, 4});
  const Passed r = passed({without_in_place, with_fused_sums_of_products}, [&] {
    Tensor outside = gradient;
    add_(outside, mm(a, b));
    return std::vector<Tensor>{mm(a, b) + mm(c, d), exp(gradient) + mm(deep, deeper)};
  });
  EXPECT_EQ(r.names(), "addmm mm_pair mm exp add");
  ASSERT_FALSE(r.report.refusals.empty());
}

TEST(Passes, ProductsAreAddedAsPairs) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    // Whole vectors, partial ones, single columns; factors either way round; three terms.
    for (const int64_t n : {64, 32, 19, 4, 1}) {
      const Tensor a = randn({9, 5}, dtype), b = randn({5, n}, dtype), c = randn({7, 9}, dtype),
                   d = randn({n, 7}, dtype), e = randn({9, 80}, dtype), f = randn({80, n}, dtype);
      const Passed r =
          passed({with_folded_transposes, without_dead_code, with_fused_sums_of_products}, [&] {
            const Tensor x = mm(a, b);
            const Tensor y = mm(transpose(c, 0, 1), transpose(d, 0, 1));
            return std::vector<Tensor>{x + y, (mm(a, b) + mm(e, f)) + mm(a, b)};
          });
      EXPECT_EQ(r.names(), "mm_pair mm_pair addmm") << n;
      EXPECT_TRUE(r.has("mm + mm + add = mm_pair"));
      ASSERT_NE(r.after.ops[0].body, nullptr);
      verify(*r.after.ops[0].body);
      EXPECT_EQ(r.after.ops[0].body->ops.size(), 3u);
      EXPECT_DOUBLE_EQ(total_cost(r.after).flops, total_cost(r.before).flops);
    }
  }
}

TEST(Passes, ProductsThatOthersNeedAreNoPair) {
  const Tensor a = randn({5, 3}), b = randn({3, 4}), deep = randn({5, 300}), up = randn({300, 4});
  const Tensor tall = randn({300, 200}), wide = randn({200, 300});
  const Passed r = passed({with_fused_sums_of_products}, [&] {
    const Tensor x = mm(a, b), y = mm(a, b), z = mm(a, b);
    return std::vector<Tensor>{x, x + y, z + z, mm(a, b) + mm(deep, up),
                               mm(tall, wide) + mm(tall, wide)};
  });
  EXPECT_EQ(r.names().find("mm_pair"), std::string::npos);
}

TEST(Passes, CrossEntropyHasItsGradientInOneOp) {
  const Tensor classes = randint(0, 5, {7}), probabilities = softmax(randn({7, 5}), 1);
  const Tensor wide_classes = randint(0, 40, {7}), weight = rand({5});
  const auto loss_and_gradient = [](const Tensor& x, const auto& loss_of, double by) {
    const Tensor leaf = x.detach().requires_grad_(), loss = loss_of(leaf);
    const Tensor g = grad({loss}, {leaf}, {full(loss.sizes(), by)})[0];
    return std::vector<Tensor>{loss.detach(), g};
  };
  for (const Reduction reduction : {Reduction::kMean, Reduction::kSum}) {
    for (int kind = 0; kind < 5; ++kind) {
      const Tensor x = kind == 2 ? randn({7, 40}) : randn({7, 5});
      const auto loss_of = [&](const Tensor& logits) {
        if (kind == 0) return cross_entropy(logits, probabilities, reduction);
        if (kind == 1) return cross_entropy(logits, classes, reduction);
        if (kind == 2) return cross_entropy(logits, wide_classes, reduction);
        if (kind == 3) return cross_entropy(logits, classes, reduction, weight);
        return cross_entropy(logits, classes, reduction, Tensor(), classes.to_vector()[0]);
      };
      const Passed r = passed({with_fused_losses, without_dead_code},
                              [&] { return loss_and_gradient(x, loss_of, 0.75); });
      EXPECT_NE(r.names().find("cross_entropy_step"), std::string::npos) << r.names();
      EXPECT_EQ(r.names().find("cross_entropy_backward"), std::string::npos) << r.names();
      EXPECT_TRUE(r.has("= cross_entropy_step"));
    }
  }
}

TEST(Passes, CrossEntropyWaitsForAGradientThatIsComputed) {
  const Tensor x = parameter({7, 5}), t = randint(0, 5, {7}), w = rand({7});
  const Passed r = passed({with_fused_losses}, [&] {
    const Tensor each = cross_entropy(x, t, Reduction::kNone), loss = square(cross_entropy(x, t));
    return std::vector<Tensor>{grad({sum(each * w)}, {x})[0], grad({loss}, {x})[0]};
  });
  EXPECT_EQ(r.names().find("cross_entropy_step"), std::string::npos);
  ASSERT_FALSE(r.report.refusals.empty());
  EXPECT_EQ(r.report.refusals[0].why, "the gradient of the loss is no known number");
}

TEST(Passes, LossesTakeTheProductThatMakesTheirLogits) {
  const auto gradients = [](const Tensor& loss, const std::vector<Tensor>& of) {
    std::vector<Tensor> results = grad({loss}, of);
    results.push_back(loss.detach());
    return results;
  };
  const std::vector<Pass> passes = {with_folded_transposes, with_fused_losses, without_dead_code};
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const int64_t classes : {1, 4, 19, 70}) {
      const Tensor x = randn({9, 6}, dtype).requires_grad_(),
                   w = randn({classes, 6}, dtype).requires_grad_(),
                   b = randn({classes}, dtype).requires_grad_(), weight = rand({classes}, dtype);
      const Tensor t = randint(0, classes, {9}), p = softmax(randn({9, classes}, dtype), 1);
      for (int kind = 0; kind < 5; ++kind) {
        const auto loss = [&] {
          if (kind == 0) return cross_entropy(linear(x, w, b), t);
          if (kind == 1) return cross_entropy(linear(x, w), p, Reduction::kSum);
          if (kind == 2)
            return cross_entropy(mm(x, transpose(w, 0, 1)), t, Reduction::kMean, weight);
          if (kind == 3) return cross_entropy(linear(x, w, b), p);
          return cross_entropy(linear(x, w, b), t, Reduction::kSum, weight, t.to_vector()[2]);
        };
        const Passed step = passed(passes, [&] { return gradients(loss(), {x, w}); });
        EXPECT_EQ(step.names().rfind("linear_cross_entropy_step mm", 0), 0u) << step.names();
        const Passed alone = passed(passes, [&] { return std::vector<Tensor>{loss()}; });
        EXPECT_EQ(alone.names(), "linear_cross_entropy");
        for (const Passed* r : {&step, &alone}) {
          ASSERT_NE(r->after.ops[0].body, nullptr);
          verify(*r->after.ops[0].body);
          EXPECT_DOUBLE_EQ(total_cost(r->after).flops, total_cost(r->before).flops);
        }
        EXPECT_EQ(step.after.ops[0].body->ops.size(), 3u);
        EXPECT_EQ(alone.after.ops[0].body->ops.size(), 2u);
      }
    }
  }
}

TEST(Passes, LossesOfEachRowTakeTheirProductToo) {
  const Tensor x = randn({9, 6}), w = randn({3, 6}), t = randint(0, 3, {9});
  const Passed r = passed({with_fused_losses, without_dead_code}, [&] {
    return std::vector<Tensor>{cross_entropy(linear(x, w), t, Reduction::kNone)};
  });
  EXPECT_EQ(r.names(), "linear_cross_entropy");
}

TEST(Passes, LogitsThatOthersNeedStay) {
  const Tensor x = randn({9, 6}), w = randn({3, 6}), t = randint(0, 3, {9});
  const Tensor deep = randn({3, 3, 6}), kinds = randint(0, 3, {3, 3});
  const Passed r = passed({with_fused_losses}, [&] {
    const Tensor result = linear(x, w), read = linear(x, w), changed = linear(x, w);
    const Tensor seen = linear(x, w), view = reshape(seen, {27});
    std::vector<Tensor> results = {result, cross_entropy(result, t), cross_entropy(read, t),
                                   exp(read), cross_entropy(seen, t)};
    Tensor in_place = changed;
    mul_(in_place, scalar(2.0));
    results.push_back(cross_entropy(in_place, t));
    results.push_back(exp(view));
    results.push_back(cross_entropy(linear(deep, w), kinds));
    return results;
  });
  EXPECT_EQ(r.names().find("linear_cross_entropy"), std::string::npos) << r.names();
  ASSERT_FALSE(r.report.refusals.empty());
  EXPECT_EQ(r.report.refusals[0].why, "others need the logits");
}

TEST(Passes, ChainsBecomeOneOp) {
  const Tensor x = randn({16, 64}), b = randn({64});
  const Passed r = passed({with_fused_pointwise}, [&] {
    const Tensor h = sigmoid(x + b);
    return std::vector<Tensor>{sum(h * x * 2.0), h};
  });
  EXPECT_EQ(r.names(), "fused");
  ASSERT_NE(r.after.ops[0].body, nullptr);
  EXPECT_EQ(r.after.ops[0].body->ops.size(), 5u);
  verify(*r.after.ops[0].body);
}

TEST(Passes, ProductsTakeWhatFollowsThem) {
  const Tensor x = randn({16, 30}), w = randn({64, 30}), b = randn({64}), v = randn({64, 4});
  const Passed r = passed({with_fused_pointwise}, [&] {
    const Tensor h = relu(linear(x, w, b));
    return std::vector<Tensor>{sigmoid(mm(h, v)), h};
  });
  EXPECT_EQ(r.names(), "fused fused");
}

TEST(Passes, NoOpIsMovedPastAChangeOfWhatItReads) {
  const Tensor x = randn({16, 64}), state = randn({16, 64});
  const Passed r = passed({all}, [&] {
    Tensor s = state;
    const Tensor a = exp(s), b = sin(x);
    mul_(s, scalar(0.5));
    const Tensor c = a * b + s;
    add_(s, c);
    return std::vector<Tensor>{tanh(c) * s};
  });
  EXPECT_GT(r.before.ops.size(), r.after.ops.size());
}

TEST(Passes, GroupsNeverWaitForEachOther) {
  // sin -> mm -> mul: the mul cannot join sin's group, which feeds the product.
  const Tensor x = randn({8, 8});
  const Passed r = passed({with_fused_pointwise}, [&] {
    const Tensor a = sin(x) * x, p = bmm(reshape(a, {1, 8, 8}), reshape(x, {1, 8, 8}));
    return std::vector<Tensor>{exp(a) * reshape(p, {8, 8}) + cos(a)};
  });
  EXPECT_GE(r.after.ops.size(), 2u);
}

TEST(Passes, RandomOpsKeepTheirOrder) {
  const Tensor x = randn({50});
  const Passed r = passed({without_dead_code, without_repeats}, [&] {
    const Tensor a = rand({50}), b = rand({50});
    rand({50});
    return std::vector<Tensor>{x};
  });
  EXPECT_EQ(r.names(), "random_ random_ random_");
}

TEST(Passes, AWholeTrainingStep) {
  const Tensor x = randn({16, 4}), target = softmax(randn({16, 4}), 1);
  Tensor w1 = parameter({64, 4}), b1 = parameter({64}), w2 = parameter({64, 64}),
         b2 = parameter({64}), w3 = parameter({4, 64});
  const Passed r = passed({all}, [&] {
    const auto layer = [&](const Tensor& t) {
      return linear(relu(linear(sigmoid(linear(t, w1, b1)), w2, b2)), w3);
    };
    const Tensor loss = cross_entropy(layer(layer(x)), target);
    std::vector<Tensor> results = grad({loss}, {w1, b1, w2, b2, w3});
    results.push_back(loss.detach());
    return results;
  });
  EXPECT_LT(r.after.ops.size(), r.before.ops.size() * 3 / 4);
  EXPECT_TRUE(r.has("linear + sigmoid"));
  EXPECT_TRUE(r.has("= mm_pair"));
  EXPECT_TRUE(r.has("= cross_entropy_step"));
  EXPECT_TRUE(r.has("linear + cross_entropy_step"));
}

TEST(Passes, StepsOfOneOptimizerAreOne) {
  std::vector<Tensor> params = {parameter({3, 4}), parameter({5}), parameter({2, 2})};
  optim::AdamOptions options;
  options.weight_decay = 0.1;
  optim::Adam adam(params, options);
  for (Tensor& p : params) p.set_grad(randn(p.sizes()));
  adam.step();  // states are there from now on
  const Passed r = passed({all}, [&] {
    adam.step();
    return std::vector<Tensor>{};
  });
  EXPECT_EQ(r.before.ops.size(), 3u);
  EXPECT_EQ(r.names(), "adam_step");
}

TEST(Passes, SecondOrder) {
  const Tensor x = parameter({32, 1});
  Tensor w1 = parameter({20, 1}), b1 = parameter({20}), w2 = parameter({1, 20});
  const Passed r = passed({all}, [&] {
    const Tensor u = linear(tanh(linear(x, w1, b1)), w2);
    BackwardOptions again;
    again.create_graph = true;
    const Tensor ux = grad({sum(u)}, {x}, {}, again)[0];
    const Tensor uxx = grad({sum(ux)}, {x}, {}, again)[0];
    return grad({mean(square(uxx + sin(x)))}, {w1, b1, w2});
  });
  EXPECT_LT(r.after.ops.size(), r.before.ops.size() * 2 / 3);
}

/// Random programs with views, changes in place, repeats, numbers, products and sums.
class Random {
 public:
  explicit Random(uint32_t seed) : random_(seed) {}
  Random(uint32_t seed, std::vector<Tensor> leaves) : random_(seed), leaves_(std::move(leaves)) {}

  std::vector<Tensor> operator()() {
    std::vector<Tensor> values = leaves_;
    const int steps = 3 + any(30);
    for (int i = 0; i < steps; ++i) step(values);
    std::vector<Tensor> outputs;
    for (int i = 1 + any(3); i > 0; --i)
      outputs.push_back(values[values.size() - 1 - static_cast<size_t>(any(4))]);
    return outputs;
  }

 private:
  int any(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }

  const Tensor& pick(const std::vector<Tensor>& values) {
    return values[static_cast<size_t>(any(static_cast<int>(values.size())))];
  }

  void step(std::vector<Tensor>& values) {
    const Tensor a = pick(values), b = pick(values);
    switch (any(13)) {
      case 0:
        return values.push_back(a + b);
      case 1:
        return values.push_back(a * b);
      case 2:
        return values.push_back(a - b * 1.0);
      case 3:
        return values.push_back(sigmoid(a));
      case 4:
        return values.push_back(where(a > b, a, b));
      case 5:
        return values.push_back(neg(neg(tanh(a))));
      case 6:
        return values.push_back(mm(a, transpose(b, 0, 1)));
      case 7:
        return values.push_back(a + mean(b, {any(2)}, true));
      case 8:
        return values.push_back(transpose(a, 0, 1));
      case 9:
        return values.push_back(relu(linear(a, b)) + mm(a, b));
      case 10:
        return values.push_back(a * (scalar(2.0) * 0.25) + narrow(b, 0, any(8), 1));
      default: {
        Tensor t = pick(values);
        values.push_back(t);
        if (any(2))
          mul_(t, any(2) ? scalar(0.5) : a);
        else
          add_(t, sigmoid(a));
      }
    }
  }

  std::mt19937 random_;
  std::vector<Tensor> leaves_ = {randn({8, 8}), randn({8, 8}), randn({8, 8})};
};

TEST(Passes, RandomProgramsAsPlans) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    // Some leaves are arguments, others are there before; programs change both.
    const std::vector<Tensor> start = {randn({8, 8}), randn({8, 8}), randn({8, 8})};
    const std::vector<Tensor> plain = copies_of(start), planned = copies_of(start);
    Compiled compiled([&](const std::vector<Tensor>& in) {
      return Random(seed, {in[0], in[1], planned[2]})();
    });
    for (int call = 0; call < 4; ++call) {
      const std::vector<Tensor> expected = Random(seed, plain)();
      const std::vector<Tensor> found = compiled({planned[0], planned[1]});
      ASSERT_EQ(found.size(), expected.size());
      for (size_t i = 0; i < found.size(); ++i)
        ASSERT_TRUE(same_bits(found[i], expected[i])) << "output " << i << " of call " << call;
      for (size_t i = 0; i < plain.size(); ++i)
        ASSERT_TRUE(same_bits(planned[i], plain[i])) << "leaf " << i << " after call " << call;
    }
    EXPECT_EQ(compiled.num_plans(), 1);
  }
}

TEST(Passes, RandomPrograms) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    passed({all}, Random(seed));
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace autograd::detail
