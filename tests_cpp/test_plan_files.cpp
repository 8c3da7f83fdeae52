// Plans from C++: epochs, files, and what a file may not hold.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "autograd/autograd.hpp"
#include "core/op.hpp"
#include "graph/capture.hpp"
#include "graph/inference.hpp"
#include "graph_run.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace {

/// The mean of (x w - y)^2 over rows, and a step of SGD with momentum.
struct Training {
  Tensor w = full({3, 2}, 0.5);
  optim::SGD optimizer;
  Compiled step;

  Training()
      : optimizer({w.requires_grad_()}, {.lr = 0.1, .momentum = 0.9}),
        step([this](const std::vector<Tensor>& in) { return train(in); }) {}

  std::vector<Tensor> train(const std::vector<Tensor>& in) {
    const Tensor loss = mse_loss(matmul(in[0], w), in[1]);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return {loss};
  }
};

std::string path_of(const char* name) { return ::testing::TempDir() + name; }

TEST(PlanFiles, EveryOpSaysWhatACallFromAFileHasToBe) {
  for (const detail::Op* op : detail::all_ops())
    if (!(op->traits & detail::kValueShaped)) {
      EXPECT_NE(op->check, nullptr) << op->name;
    }
}

TEST(PlanFiles, ValuesAreWhatOpsGive) {
  const Tensor x = full({2, 3}, 1);
  detail::Recorder recorder({x});
  recorder.start();
  const Tensor y = relu(x) * x;
  const detail::Capture capture = recorder.finish({y});
  detail::check_values(capture.graph, capture.leaves);
  detail::GraphData wrong = capture.graph;
  wrong.values.back().sizes = {9};
  EXPECT_THROW(detail::check_values(wrong, capture.leaves), Error);
  wrong = capture.graph;
  wrong.values.back().dtype = DType::kFloat64;
  EXPECT_THROW(detail::check_values(wrong, capture.leaves), Error);
  wrong = capture.graph;
  wrong.ops[0].inputs.clear();
  EXPECT_THROW(detail::check_values(wrong, capture.leaves), Error);
}

TEST(PlanFiles, EpochsRunFromCpp) {
  manual_seed(0);
  const Tensor x = randn({7, 3}), y = randn({7, 2});
  Training eager, compiled;
  double losses[4];
  for (int epoch = 0; epoch < 4; ++epoch) {
    std::vector<double> wanted;
    for (int64_t at = 0; at < 7; at += 2) {
      const int64_t n = std::min<int64_t>(2, 7 - at);
      wanted.push_back(eager.train({narrow(x, 0, at, n), narrow(y, 0, at, n)})[0].item());
    }
    int64_t done = 0;
    while (done < 4) {
      const int64_t at = 2 * done;
      const int64_t ran =
          compiled.step.run_batches({x, y}, Tensor(), at, 7, 2, false, losses + done);
      done += ran;
      if (ran > 0 || done == 4) continue;
      const int64_t n = std::min<int64_t>(2, 7 - at);
      losses[done++] =
          compiled.step({clone(narrow(x, 0, at, n)), clone(narrow(y, 0, at, n))})[0].item();
    }
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(losses[i], wanted[i]) << epoch << " " << i;
  }
  EXPECT_EQ(compiled.step.num_plans(), 2);
}

TEST(PlanFiles, TrainsOnFromAFile) {
  Training training;
  const Tensor x = full({4, 3}, 0.5), y = full({4, 2}, 2);
  for (int i = 0; i < 4; ++i) training.step({x, y});
  ASSERT_EQ(training.step.num_plans(), 1);
  const std::string path = path_of("training.plan");
  training.step.save(path, {{"w", training.w}});
  Compiled loaded = Compiled::load(path);
  ASSERT_FALSE(loaded.tensors().empty());
  std::vector<Tensor> results;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(loaded.run({x, y}, &results)) << loaded.misfit({x, y});
    EXPECT_EQ(results[0].item(), training.step({x, y})[0].item());
  }
  EXPECT_NE(loaded.misfit({x}).find("1 arguments instead of 2"), std::string::npos);
  EXPECT_NE(loaded.explain(0).find("operations captured"), std::string::npos);
  EXPECT_GT(loaded.graph(0).num_ops(), 0);
  EXPECT_EQ(loaded.options(0)[0], 0.1);
  EXPECT_THROW(Compiled::load(path, 8), Error);
}

TEST(PlanFiles, SeveralFunctionsInAFileShareTheirTensors) {
  Training training;
  const Tensor x = full({4, 3}, 0.5), y = full({4, 2}, 2);
  Compiled predict([&](const std::vector<Tensor>& in) {
    const NoGrad off;
    return std::vector<Tensor>{matmul(in[0], training.w)};
  });
  EXPECT_THROW(Compiled::save_all(path_of("all.plan"), {{"predict", &predict}}), Error);
  for (int i = 0; i < 4; ++i) training.step({x, y}), predict({x});
  const std::string path = path_of("all.plan");
  Compiled::save_all(path, {{"train", &training.step}, {"predict", &predict}}, {{"w", training.w}});
  EXPECT_THROW(Compiled::load(path), Error);
  std::vector<Compiled> loaded = Compiled::load_all(path);
  ASSERT_EQ(loaded.size(), 2U);
  EXPECT_EQ(loaded[0].label(), "train");
  EXPECT_EQ(loaded[1].label(), "predict");
  std::vector<Tensor> results;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(loaded[0].run({x, y}, &results));
    training.step({x, y});
    ASSERT_TRUE(loaded[1].run({x}, &results));
    EXPECT_TRUE(detail::same_bits(results[0], predict({x})[0]));
  }
  EXPECT_THROW(Compiled::save_all(path, {}), Error);
}

TEST(PlanFiles, DamagedFilesAreRefused) {
  Training training;
  for (int i = 0; i < 4; ++i) training.step({full({4, 3}, 1), full({4, 2}, 2)});
  const std::string path = path_of("damaged.plan");
  training.step.save(path);
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (size_t at = 0; at < bytes.size(); at += 7) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    std::ofstream(path, std::ios::binary)
        .write(changed.data(), static_cast<std::streamsize>(changed.size()));
    EXPECT_THROW(Compiled::load(path), Error) << at;
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace autograd
