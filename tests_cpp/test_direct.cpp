// Direct calls: which calls become kernel calls over known memory, and that these are the same
// bits.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "autograd/autograd.hpp"
#include "core/dispatch.hpp"
#include "graph_run.hpp"
#include "kernel_test.hpp"
#include "ops/direct.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {
namespace {

/// A call of an op by name with its result.
struct One {
  const Op& op;
  std::vector<Tensor> tensors;
  std::vector<Arg> inputs;
  Attrs attrs;
  Tensor expected, out;

  One(const char* name, std::vector<Tensor> given, const Attrs& with = {})
      : op(*find_op(name)),
        tensors(std::move(given)),
        inputs(tensors.begin(), tensors.end()),
        attrs(with) {
    expected = dispatch(op, inputs.data(), static_cast<int>(inputs.size()), attrs);
    out = full(expected.sizes(), 7, expected.dtype());
  }
  Call call() { return {op, inputs.data(), static_cast<int>(inputs.size()), attrs, &out, 1}; }
  bool is_direct() {
    DirectCalls calls;
    const bool added = calls.add(call());
    EXPECT_EQ(calls.size() > 0, added);
    return added;
  }
};

Attrs flags(int64_t first, int64_t second) {
  Attrs attrs;
  attrs.ints[0] = first;
  attrs.ints[1] = second;
  return attrs;
}

std::vector<One> direct_ones(DType dtype) {
  const auto random = [&](const Shape& sizes) { return to(randn(sizes), dtype); };
  return {{"mm", {random({5, 7}), random({7, 9})}},
          {"mm", {random({16, 64}), random({16, 4})}, flags(1, 0)},
          {"mm", {random({64, 16}), random({4, 16})}, flags(0, 1)},
          {"mm", {random({16, 33}), random({33, 1})}},
          {"mm", {transpose(random({64, 16}), 0, 1), random({64, 64})}},
          {"linear", {random({16, 64}), random({64, 64}), random({64})}},
          {"linear", {random({16, 64}), random({4, 64}), Tensor()}},
          {"linear", {random({2, 3, 5}), random({6, 5}), random({6})}},
          {"add", {random({64}), random({64})}},
          {"relu", {random({3, 5})}},
          {"sigmoid", {random({1})}},
          {"gt", {random({4, 4}), random({4, 4})}}};
}

TEST(Direct, CallsAreTheOpsBitForBit) {
  cpu::for_each_target([] {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      std::vector<One> all = direct_ones(dtype);
      DirectCalls calls;
      std::vector<int> ends;
      for (One& one : all) {
        ASSERT_TRUE(calls.add(one.call())) << one.op.name;
        ends.push_back(calls.size());
      }
      calls.bind();
      int begin = 0;
      for (size_t i = 0; i < all.size(); ++i) {
        calls.run(begin, ends[i]);
        begin = ends[i];
        EXPECT_TRUE(same_bits(all[i].out, all[i].expected)) << all[i].op.name << " " << i;
      }
    }
  });
}

TEST(Direct, OthersAreLeftAlone) {
  const Tensor x = randn({8, 8});
  EXPECT_FALSE(One("mm", {to(x, DType::kInt64), to(x, DType::kInt64)}).is_direct());
  EXPECT_FALSE(One("mm", {zeros({3, 0}), zeros({0, 4})}).is_direct());      // no depth
  EXPECT_FALSE(One("mm", {randn({128, 8}), randn({8, 128})}).is_direct());  // more than a tile
  EXPECT_FALSE(One("relu", {randn({4096})}).is_direct());
  EXPECT_FALSE(One("relu", {zeros({0})}).is_direct());
  EXPECT_FALSE(One("relu", {transpose(randn({8, 4}), 0, 1)}).is_direct());
  EXPECT_FALSE(One("add", {x, randn({8})}).is_direct());  // broadcast
  EXPECT_FALSE(One("add", {x, to(x, DType::kFloat64)}).is_direct());
  EXPECT_FALSE(One("sum", {x}, flags(3, 0)).is_direct());
  EXPECT_FALSE(One("softmax", {x}, flags(1, 0)).is_direct());
}

TEST(Direct, FollowsMemoryThatMoves) {
  One one("linear", {randn({4, 16}), randn({8, 16}), randn({8})});
  DirectCalls calls;
  ASSERT_TRUE(calls.add(one.call()));
  for (int run = 0; run < 3; ++run) {
    const Tensor x = randn({4, 16}), y = zeros({4, 8});
    const Tensor in = one.tensors[0], out = one.out;
    body(in)->data = body(x)->data;
    body(out)->data = body(y)->data;
    calls.bind();
    calls.run(0, calls.size());
    EXPECT_TRUE(same_bits(y, linear(x, one.tensors[1], one.tensors[2])));
  }
}

}  // namespace
}  // namespace autograd::detail
