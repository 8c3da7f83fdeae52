// Tensors, memory, threads and random numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <thread>

#include "autograd/autograd.hpp"
#include "core/allocator.hpp"
#include "core/op.hpp"
#include "core/parallel.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace {

// ---- geometry

TEST(Tensor, ReshapeViewsWherePossible) {
  const Tensor x = reshape(arange(0, 24), {2, 3, 4});
  EXPECT_TRUE(view(x, {6, 4}).shares_storage(x));
  const Tensor t = transpose(x, 0, 1);
  EXPECT_THROW(view(t, {6, 4}), Error);
  const Tensor copied = reshape(t, {6, 4});
  EXPECT_FALSE(copied.shares_storage(x));
  EXPECT_EQ(copied.to_vector()[4], 12);
  EXPECT_TRUE(view(t, {3, 2, 2, 2}).shares_storage(x));
}

TEST(Tensor, IndexFollowsPythonsRules) {
  const int64_t none_low = INT64_MIN, none_high = INT64_MAX;
  const Tensor x = reshape(arange(0, 12), {3, 4});
  const Tensor y = index(x, {{Index::Kind::kSlice, -2, none_high, 1},
                             {Index::Kind::kNewaxis},
                             {Index::Kind::kSlice, none_low, -1, 2}});
  EXPECT_EQ(y.sizes(), (Shape{2, 1, 2}));
  EXPECT_EQ(y.to_vector(), (std::vector<double>{4, 6, 8, 10}));
  EXPECT_EQ(index(x, {{Index::Kind::kEllipsis}, {Index::Kind::kInt, -1}}).to_vector(),
            (std::vector<double>{3, 7, 11}));
  EXPECT_THROW(index(x, {{Index::Kind::kInt, 3}}), Error);
}

TEST(Tensor, SizesThatOverflowAreRefused) {
  EXPECT_THROW(empty({int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(empty({2, -1}), Error);
  EXPECT_THROW(empty({int64_t{1} << 62}), Error);
  // So are those of empty tensors: no product of sizes overflows anywhere.
  EXPECT_EQ(empty({0, int64_t{1} << 40}).numel(), 0);
  EXPECT_THROW(empty({0, int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(Shape(std::vector<int64_t>(13, 1)), Error);
}

TEST(Tensor, BlobIsNotCopiedAndReleasedOnce) {
  float data[4] = {1, 2, 3, 4};
  static int released;
  released = 0;
  {
    Tensor t = from_blob(data, DType::kFloat32, {2, 2}, {1, 2}, [](void*) { ++released; });
    const Tensor v = select(t, 0, 1);
    t = Tensor();
    data[3] = 9;
    EXPECT_EQ(v.to_vector(), (std::vector<double>{2, 9}));
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

TEST(Tensor, TextShowsElementsDtypeAndSizes) {
  EXPECT_EQ(to_string(tensor<float>({1, 2.5, -3, 1e20F}, {2, 2})),
            "[[1, 2.5],\n [-3, 1e+20]] float32 [2, 2]");
  EXPECT_EQ(to_string(transpose(reshape(arange(0, 4), {2, 2}), 0, 1)),
            "[[0, 2],\n [1, 3]] int64 [2, 2]");
  EXPECT_EQ(to_string(full({}, (1LL << 53) + 1, DType::kInt64)), "9007199254740993 int64 []");
  EXPECT_EQ(to_string(zeros({2, 0})), "[[],\n []] float32 [2, 0]");
  EXPECT_EQ(to_string(arange(0, 1001)), "[0, 1, 2, ..., 998, 999, 1000] int64 [1001]");
  EXPECT_EQ(to_string(reshape(arange(0, 2002), {1001, 2})),
            "[[0, 1],\n [2, 3],\n [4, 5],\n ...,\n [1996, 1997],\n [1998, 1999],\n [2000, 2001]] "
            "int64 [1001, 2]");
  EXPECT_EQ(to_string(Tensor()), "undefined");
}

TEST(Promotion, NumbersCountByCategoryOnly) {
  const Tensor i = ones({2}, DType::kInt32), f = ones({2}), d = ones({}, DType::kFloat64);
  EXPECT_EQ((i + 1).dtype(), DType::kInt32);
  EXPECT_EQ((i + 1.5).dtype(), DType::kFloat32);
  EXPECT_EQ((f + d).dtype(), DType::kFloat32);
  EXPECT_EQ((i + d).dtype(), DType::kFloat64);
  EXPECT_EQ((i / i).dtype(), DType::kFloat32);
  EXPECT_EQ((f == i).dtype(), DType::kBool);
}

TEST(Ops, TextsNameTheShapes) {
  try {
    add(ones({2, 3}), ones({4}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kRuntime);
    EXPECT_NE(std::string(e.what()).find("got sizes [2, 3] and [4]"), std::string::npos)
        << e.what();
  }
}

TEST(Registry, NamesAreUniqueAndDocumented) {
  std::vector<std::string> seen;
  for (const detail::Op* op : detail::all_ops()) {
    EXPECT_EQ(std::count(seen.begin(), seen.end(), op->name), 0) << op->name;
    EXPECT_NE(std::string(op->doc), "") << op->name;
    EXPECT_EQ(detail::find_op(op->name), op);
    seen.emplace_back(op->name);
  }
}

// ---- memory

TEST(Allocator, SteadyStateTakesNothingFromTheSystem) {
  Tensor w = randn({32, 32}).requires_grad_();
  const auto step = [&] {
    sum(tanh(mm(w, w))).backward();
    zero_grad({w});
  };
  for (int i = 0; i < 5; ++i) step();
  const int64_t reserved = memory_reserved(), allocated = memory_allocated();
  for (int i = 0; i < 200; ++i) step();
  EXPECT_EQ(memory_reserved(), reserved);
  EXPECT_EQ(memory_allocated(), allocated);
}

TEST(Allocator, BlocksMayBeFreedByAnotherThread) {
  const int64_t before = memory_allocated();
  for (int round = 0; round < 50; ++round) {
    std::vector<Tensor> tensors;
    for (int i = 0; i < 20; ++i) tensors.push_back(zeros({100}));
    std::thread([moved = std::move(tensors)]() mutable { moved.clear(); }).join();
  }
  EXPECT_EQ(memory_allocated(), before);
}

TEST(Allocator, ContainersTakePart) {
  detail::Vector<int> numbers(1000);
  std::iota(numbers.begin(), numbers.end(), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(numbers.data()) % 64, 0u);
  EXPECT_EQ(numbers[999], 999);
}

// ---- threads and random numbers

TEST(Parallel, RangesCoverEverythingOnce) {
  set_num_threads(4);
  std::vector<std::atomic<int>> hits(10007);
  detail::parallel_for(10007, 10, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
    detail::parallel_for(100, 1, [](int64_t, int64_t) {});  // nested: runs here
  });
  for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
  EXPECT_THROW(detail::parallel_for(1000, 1,
                                    [](int64_t begin, int64_t) {
                                      if (begin > 0)
                                        throw Error(ErrorCode::kValue, "from a worker");
                                    }),
               Error);
  EXPECT_THROW(set_num_threads(0), Error);
}

TEST(Parallel, AnyNumberOfThreadsAndPiecesCoverEverythingOnce) {
  for (int threads : {2, 3, 70}) {
    set_num_threads(threads);
    for (int64_t n : {2, 7, 64, 1000})
      for (int pieces : {1, 4, 16}) {
        std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
        detail::parallel_for(
            n, 1,
            [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
            },
            pieces);
        for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1) << threads << " " << n << pieces;
      }
  }
}

TEST(Parallel, AThreadKeepsItsShareAndJobsGoForwardsAndBackwards) {
  set_num_threads(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::set<int64_t> callers, workers;  // with what they have begun
  for (int job = 0; job < 2; ++job) {
    std::atomic<int> started{0};
    detail::parallel_for(8, 1, [&](int64_t begin, int64_t) {
      // Nobody takes a second piece before both have one.
      if (started.fetch_add(1) >= 2) return;
      (std::this_thread::get_id() == caller ? callers : workers).insert(begin);
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
      while (started < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    });
  }
  EXPECT_EQ(callers, (std::set<int64_t>{0, 3}));
  EXPECT_EQ(workers, (std::set<int64_t>{4, 7}));
}

/// Of `runs` jobs of eight pieces, with a pause before each: how many the caller did alone.
int jobs_done_alone(int runs, std::chrono::microseconds piece) {
  const std::thread::id caller = std::this_thread::get_id();
  int alone = 0;
  for (int run = 0; run < runs; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // workers fall asleep
    std::atomic<int> others{0};
    detail::parallel_for(8, 1, [&](int64_t, int64_t) {
      if (std::this_thread::get_id() != caller) ++others;
      const auto end = std::chrono::steady_clock::now() + piece;
      while (std::chrono::steady_clock::now() < end) continue;
    });
    alone += others == 0;
  }
  return alone;
}

TEST(Parallel, OnlyJobsThatAreWorthItWakeAWorker) {
  set_num_threads(2);
  // A busy machine makes some short jobs look long, and sometimes most of them.
  int alone = 0;
  for (int tries = 0; tries < 5 && alone <= 20; ++tries)
    alone = jobs_done_alone(40, std::chrono::microseconds(6));
  EXPECT_GT(alone, 20);
  EXPECT_LT(jobs_done_alone(10, std::chrono::microseconds(2000)), 10);
}

TEST(Random, TheSameSeedGivesTheSameNumbersForAnyNumberOfThreads) {
  std::vector<std::vector<double>> runs;
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    manual_seed(7);
    std::vector<double> run = randn({100000}).to_vector();
    const std::vector<double> more = rand({5}).to_vector();
    run.insert(run.end(), more.begin(), more.end());
    runs.push_back(run);
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(Parallel, LargeSumsDoNotDependOnTheNumberOfThreads) {
  manual_seed(3);
  const Tensor x = randn({1 << 20});
  set_num_threads(1);
  const double one = sum(x).item();
  set_num_threads(4);
  EXPECT_EQ(sum(x).item(), one);
}

TEST(Parallel, VariancesOfLongRowsAreThoseOfAPlainLoop) {
  manual_seed(5);
  const int64_t n = (1 << 17) + 12345;
  for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
    // Far from 0, and with a drift that chunks must not hide.
    const Tensor x = to(randn({n}, DType::kFloat64) + arange(0, n) * (1.0 / n) + 1000.0, dtype);
    const std::vector<double> values = x.to_vector();
    const double middle = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double squares = 0;
    for (double value : values) squares += (value - middle) * (value - middle);
    const double close = dtype == DType::kFloat32 ? 1e-5 : 1e-12;
    for (double correction : {0.0, 1.0, n / 2.0}) {
      set_num_threads(1);
      const double one = var(x, {}, correction).item();
      EXPECT_NEAR(one / (squares / (n - correction)), 1, close);
      set_num_threads(4);
      EXPECT_EQ(var(x, {}, correction).item(), one);
    }
    EXPECT_TRUE(std::isinf(var(x, {}, static_cast<double>(n)).item()));
    std::vector<double> bad = values;
    bad.back() = std::numeric_limits<double>::infinity();
    EXPECT_TRUE(std::isnan(var(tensor(bad)).item()));
  }
}

TEST(Optim, SgdFollowsItsFormula) {
  Tensor w = tensor(std::vector<double>{1., -2.}).requires_grad_();
  optim::SGDOptions options;
  options.lr = 0.1;
  options.momentum = 0.9;
  options.weight_decay = 0.01;
  options.nesterov = true;
  optim::SGD sgd({w}, options);
  std::vector<double> expected = {1., -2.}, momentum = {0, 0};
  for (int step = 0; step < 5; ++step) {
    sgd.zero_grad();
    sum(w * w).backward();
    sgd.step();
    for (size_t i = 0; i < 2; ++i) {
      const double d = 2 * expected[i] + 0.01 * expected[i];
      momentum[i] = step == 0 ? d : 0.9 * momentum[i] + d;
      expected[i] -= 0.1 * (d + 0.9 * momentum[i]);
    }
    for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(w.to_vector()[i], expected[i], 1e-12);
  }
}

}  // namespace
}  // namespace autograd
