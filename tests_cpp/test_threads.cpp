// What threads do at the same time. With the thread sanitizer: the target autograd_thread_tests.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "autograd/autograd.hpp"
#include "core/parallel.hpp"

namespace autograd {
namespace {

TEST(Threads, TwoThreadsDifferentiateGraphsThatShareAParameter) {
  const Tensor shared = tensor(std::vector<double>(64, 0.5), {8, 8}).requires_grad_();
  const auto work = [&](std::vector<double>* out) {
    for (int i = 0; i < 200; ++i) {
      const Tensor x = ones({8, 8}, DType::kFloat64);
      *out = grad({sum(tanh(mm(x, shared)))}, {shared})[0].to_vector();
    }
  };
  std::vector<double> a, b;
  std::thread other(work, &a);
  work(&b);
  other.join();
  EXPECT_EQ(a, b);
}

TEST(Threads, TwoThreadsAccumulateIntoOneLeaf) {
  const Tensor shared = ones({16}, DType::kFloat64).requires_grad_();
  const auto work = [&] {
    for (int i = 0; i < 500; ++i) sum(shared * 2.0).backward();
  };
  std::thread other(work);
  work();
  other.join();
  for (double g : shared.grad().to_vector()) EXPECT_EQ(g, 2000);
}

// Runs `work` in several threads at once; returns how many of them ended without an error. Others
// must say that the graph is gone.
int run_together(int n, const std::function<void(int)>& work) {
  std::atomic<int> ready{0}, succeeded{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i)
    threads.emplace_back([&, i] {
      ++ready;
      while (ready < n) std::this_thread::yield();
      try {
        work(i);
        ++succeeded;
      } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("backward through the graph a second time"),
                  std::string::npos)
            << e.what();
      }
    });
  for (std::thread& t : threads) t.join();
  return succeeded;
}

Tensor deep(Tensor x) {
  for (int i = 0; i < 20; ++i) x = tanh(x * x + exp(x * 0.1));
  return x;
}

TEST(Threads, OneGraphThatTheFirstFrees) {
  for (int round = 0; round < 30; ++round) {
    const Tensor x = full({4}, 0.3, DType::kFloat64).requires_grad_();
    const Tensor expected = grad({sum(deep(x))}, {x})[0];
    const Tensor loss = sum(deep(x));
    const int succeeded = run_together(4, [&](int) { loss.backward(); });
    EXPECT_LE(succeeded, 1);  // two that meet half way may stop each other
    for (int64_t i = 0; succeeded && i < 4; ++i)
      EXPECT_EQ(x.grad().to_vector()[0], expected.to_vector()[0]);
  }
}

TEST(Threads, ManyLossesOverOneInterior) {
  for (int round = 0; round < 30; ++round) {
    const Tensor x = full({4}, 0.3, DType::kFloat64).requires_grad_();
    const Tensor shared = deep(x);
    BackwardOptions keep;
    keep.retain_graph = true;
    const std::vector<double> one = grad({sum(shared)}, {x}, {}, keep)[0].to_vector();
    std::vector<std::vector<double>> found(4);
    EXPECT_EQ(run_together(4,
                           [&](int i) {
                             const Tensor loss = sum(shared * (i + 1.0));
                             found[static_cast<size_t>(i)] =
                                 grad({loss}, {x}, {}, keep)[0].to_vector();
                           }),
              4);
    for (int i = 0; i < 4; ++i)
      EXPECT_NEAR(found[static_cast<size_t>(i)][0], one[0] * (i + 1), 1e-12);
    EXPECT_LE(run_together(4, [&](int i) { sum(shared * (i + 1.0)).backward(); }), 1);
  }
}

TEST(Threads, ABackwardInsideOfAnother) {
  const Tensor x = full({4}, 0.3, DType::kFloat64).requires_grad_();
  const Tensor y = deep(x);
  y.retain_grad();
  register_hook(y, [&](const Tensor&) {
    const bool recorded = set_grad_enabled(true);
    const Tensor inner = deep(x);
    set_grad_enabled(recorded);
    inner.backward(ones({4}, DType::kFloat64));
    return Tensor();
  });
  sum(y).backward();
  EXPECT_NEAR(x.grad().to_vector()[0], 2 * grad({sum(deep(x))}, {x})[0].to_vector()[0], 1e-12);
}

TEST(Threads, GradModeBelongsToTheThread) {
  NoGrad no_grad;
  bool other = false;
  std::thread([&] { other = grad_enabled(); }).join();
  EXPECT_TRUE(other);
  EXPECT_FALSE(grad_enabled());
}

// ---- what all threads share

TEST(Threads, EachTrainsAModelOfItsOwn) {
  std::vector<double> losses(4);
  EXPECT_EQ(
      run_together(4,
                   [&](int i) {
                     Tensor w = full({8, 4}, 0.1).requires_grad_(), b = zeros({4}).requires_grad_();
                     optim::SGDOptions options;
                     options.lr = 0.1;
                     for (int step = 0; step < 50; ++step) {
                       const Tensor loss =
                           mean(square(sub(tanh(add(mm(ones({16, 8}), w), b)), full({4}, 0.5))));
                       loss.backward();
                       NoGrad off;
                       for (Tensor* p : {&w, &b}) {
                         sub_(*p, mul(p->grad(), full({}, 0.1)));
                         p->set_grad(Tensor());
                       }
                       losses[static_cast<size_t>(i)] = loss.item();
                     }
                   }),
      4);
  for (double loss : losses) EXPECT_EQ(loss, losses[0]);
}

TEST(Threads, TensorsAndGraphsAreDroppedElsewhere) {
  std::vector<Tensor> handed(64);
  run_together(4, [&](int i) {
    for (int k = i; k < 64; k += 4) {
      const Tensor x = full({32}, 0.5).requires_grad_();
      handed[static_cast<size_t>(k)] = deep(x);
    }
  });
  run_together(4, [&](int i) {
    for (int k = (i + 1) % 4; k < 64; k += 4) {
      sum(handed[static_cast<size_t>(k)]).backward();
      handed[static_cast<size_t>(k)] = Tensor();
    }
  });
}

TEST(Threads, OneTensorIsReadByAll) {
  const Tensor x = randn({64, 64}), w = randn({64, 64}).requires_grad_();
  const double expected = sum(mm(x, w)).item();
  EXPECT_EQ(run_together(4,
                         [&](int) {
                           for (int k = 0; k < 50; ++k) {
                             const Tensor view = x.detach();
                             EXPECT_EQ(sum(mm(view, w)).item(), expected);
                           }
                         }),
            4);
}

TEST(Threads, AllUseThePool) {
  const int before = num_threads();
  set_num_threads(3);
  run_together(4, [&](int) {
    for (int k = 0; k < 30; ++k) {
      std::atomic<int64_t> total{0};
      detail::parallel_for(1000, 10, [&](int64_t begin, int64_t end) { total += end - begin; });
      EXPECT_EQ(total.load(), 1000);
    }
  });
  set_num_threads(before);
}

TEST(Threads, FunctionsHooksAndLinesAreMadeByAll) {
  EXPECT_EQ(
      run_together(4,
                   [](int i) {
                     for (int k = 0; k < 50; ++k) {
                       const std::string name = "F" + std::to_string(k % 7);
                       SourceScope here("threads.cc", 100 * i + k);
                       const Tensor x = ones({3}).requires_grad_();
                       const Tensor y = call_function(
                           name, {x},
                           [](Context& c, const std::vector<Tensor>& in) {
                             c.save_for_backward(in);
                             return std::vector<Tensor>{in[0] * 2.0};
                           },
                           [](Context& c, const std::vector<Tensor>& grads) {
                             return std::vector<Tensor>{grads[0] * c.saved_tensors()[0] * 2.0};
                           })[0];
                       register_hook(y, [](const Tensor& g) { return g * 2.0; });
                       sum(y).backward();
                       EXPECT_EQ(x.grad().to_vector()[0], 4);
                       EXPECT_EQ(made_at(x).line, 100 * i + k);
                       EXPECT_EQ(explain_grad(x, sum(x * 2.0)).reason, GradReason::kHealthy);
                     }
                   }),
      4);
}

TEST(Threads, RandomNumbersAndModes) {
  manual_seed(1);
  run_together(4, [](int i) {
    for (int k = 0; k < 50; ++k) {
      GradMode mode(i % 2 == 0);
      const Tensor x = rand({16}).requires_grad_();
      EXPECT_EQ((x * 2.0).requires_grad(), i % 2 == 0);
      manual_seed(static_cast<uint64_t>(k));
    }
  });
}

}  // namespace
}  // namespace autograd
