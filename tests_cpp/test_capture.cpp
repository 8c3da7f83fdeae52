// What a recorder writes down: values, storages, gradients, changes in place, constants.
#include <gtest/gtest.h>

#include "autograd/autograd.hpp"
#include "graph/capture.hpp"

using namespace autograd;
using namespace autograd::detail;

namespace {

struct CapturedModel {
  Tensor w = tensor(std::vector<float>{.1f, .2f, .3f, .4f, .5f, .6f});
  optim::SGD sgd{{w}, optim::SGDOptions{}};
  CapturedModel() { w.requires_grad_(); }
  Tensor step(const Tensor& x) {
    sgd.zero_grad();
    const Tensor loss = sum(tanh(x * w) * 2.0);
    loss.backward();
    sgd.step();
    return loss;
  }
};

Capture captured(const std::vector<Tensor>& inputs, const std::function<Tensor()>& f) {
  Recorder recorder(inputs);
  recorder.start();
  const Tensor result = f();
  return recorder.finish({result});
}

int count(const Capture& capture, const std::string& op) {
  int n = 0;
  for (const GraphOp& each : capture.graph.ops) n += each.op->name == op;
  return n;
}

TEST(Capture, HoldsAWholeStep) {
  CapturedModel model;
  const Tensor x = ones({6});
  const Capture capture = captured({x}, [&] { return model.step(x); });
  EXPECT_EQ(count(capture, "tanh"), 1);
  EXPECT_EQ(count(capture, "sgd_step"), 1);
  int roles[6] = {};
  for (const GraphValue& v : capture.graph.values) ++roles[static_cast<int>(v.role)];
  EXPECT_EQ(roles[static_cast<int>(Role::kParameter)], 1);
  EXPECT_EQ(roles[static_cast<int>(Role::kOutput)], 1);
  ASSERT_EQ(capture.grads.size(), 1u);
  EXPECT_EQ(capture.grads[0].start, CapturedGrad::Start::kAny);
  EXPECT_GE(capture.grads[0].end_value, 0);
  const GraphOp& last = capture.graph.ops.back();
  EXPECT_EQ(last.phase, Phase::kOptimizer);
  EXPECT_TRUE(last.in_place);
  const auto storage = [&](int v) { return capture.graph.values[static_cast<size_t>(v)].storage; };
  EXPECT_EQ(storage(last.inputs[0]), storage(last.outputs[0]));
}

TEST(Capture, KnowsPhasesAndWhatARuleBelongsTo) {
  CapturedModel model;
  const Tensor x = ones({6});
  const Capture capture = captured({x}, [&] { return model.step(x); });
  bool seen = false;
  for (const GraphOp& op : capture.graph.ops)
    if (op.phase == Phase::kBackward && op.forward >= 0) {
      EXPECT_EQ(capture.graph.ops[static_cast<size_t>(op.forward)].phase, Phase::kForward);
      seen = true;
    }
  EXPECT_TRUE(seen);
}

TEST(Capture, OfTheSameStepTwiceIsTheSame) {
  CapturedModel model;
  const Tensor x = ones({6});
  const Capture a = captured({x}, [&] { return model.step(x); }),
                b = captured({x}, [&] { return model.step(x); });
  EXPECT_EQ(difference(a, b).text, "");
}

TEST(Capture, NumbersThatChangeAreFound) {
  const Tensor x = ones({6});
  const Capture a = captured({x}, [&] { return x * 2.0; }),
                b = captured({x}, [&] { return x * 3.0; }),
                c = captured({x}, [&] {
                  return x * tensor(std::vector<float>{1, 2, 3, 4, 5, 6});
                });
  EXPECT_NE(difference(a, b).text.find("2 in one call and 3 in the next"), std::string::npos)
      << difference(a, b).text;
  EXPECT_TRUE(difference(a, b).in_numbers);
  EXPECT_NE(difference(a, c).text, "");
}

TEST(Capture, ViewsAreTakenAnewAfterAChange) {
  Tensor x = ones({2, 3});
  const Capture capture = captured({x}, [&] {
    Tensor y = x * 2.0, row = select(y, 0, 1);
    add_(row, scalar(1.0));
    return y * 1.0;  // reads the change that was made through the row
  });
  EXPECT_EQ(count(capture, "changed"), 1);
  const Capture other = captured({x}, [&] {
    Tensor y = x * 2.0, row = select(y, 0, 1);
    add_(y, scalar(1.0));
    return row * 1.0;
  });
  EXPECT_EQ(count(other, "slice") + count(other, "select"), 2);
}

TEST(Capture, KeepsWhatAConstantWasBeforeItIsChanged) {
  const Tensor x = ones({3});
  const Capture capture = captured({x}, [&] {
    Tensor total = zeros({3});
    add_(total, x);
    return total;
  });
  bool seen = false;
  for (const CapturedLeaf& leaf : capture.leaves)
    if (leaf.origin == Origin::kInside && leaf.initial) {
      EXPECT_EQ(leaf.initial.to_vector(), (std::vector<double>{0, 0, 0}));
      seen = true;
    }
  EXPECT_TRUE(seen);
}

TEST(Capture, ReadingAValueIsAnObstacle) {
  const Tensor x = ones({3});
  Recorder lenient({x});
  lenient.start();
  sum(x).item();
  lenient.stop();
  EXPECT_NE(lenient.obstacle(), "");
  Recorder strict({x}, {.refuses_reads = true});
  strict.start();
  EXPECT_THROW(sum(x).item(), Error);
  EXPECT_NO_THROW(scalar(2.0).item());
}

TEST(Capture, GradientsThatAreThereBeforeAreLeaves) {
  CapturedModel model;
  const Tensor x = ones({6});
  const auto accumulate = [&] {
    const Tensor loss = sum(x * model.w);
    loss.backward();
    return loss;
  };
  const Capture first = captured({x}, accumulate), second = captured({x}, accumulate),
                third = captured({x}, accumulate);
  EXPECT_EQ(first.grads[0].start, CapturedGrad::Start::kNone);
  EXPECT_EQ(second.grads[0].start, CapturedGrad::Start::kSome);
  EXPECT_NE(difference(first, second).text, "");
  EXPECT_EQ(difference(second, third).text, "");
}

TEST(Capture, DoesNotNest) {
  Recorder one({}), two({});
  one.start();
  EXPECT_THROW(two.start(), Error);
}

}  // namespace
