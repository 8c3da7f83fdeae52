// Fused programs: whatever the steps, layouts and sums, the same bits as op by op.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "autograd/autograd.hpp"
#include "core/dispatch.hpp"
#include "graph_run.hpp"
#include "ops/direct.hpp"
#include "ops/fused.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {
namespace {

FusedArgument argument_of(const Tensor& t) { return {t.dtype(), t.sizes(), t.strides()}; }

/// A program and what its values are when the ops run one by one.
class Pair {
 public:
  explicit Pair(const Shape& sizes) : sizes_(sizes), builder_(sizes) {}

  int input(const Tensor& t) {
    inputs_.push_back(t);
    values_.push_back(t);
    return builder_.input(argument_of(t));
  }
  int product(const char* name, const std::vector<Tensor>& factors, const Attrs& attrs = {}) {
    std::vector<FusedArgument> arguments;
    for (const Tensor& t : factors) arguments.push_back(argument_of(t));
    inputs_ = factors;
    const std::vector<Arg> inputs(factors.begin(), factors.end());
    const Op& op = *find_op(name);
    values_.push_back(dispatch(op, inputs.data(), static_cast<int>(inputs.size()), attrs));
    EXPECT_EQ(values_.back().sizes(), sizes_);
    return builder_.product(op, attrs, arguments);
  }
  int number(double x) {
    const Tensor t = scalar(x);
    inputs_.push_back(t);
    values_.push_back(t);
    FusedArgument argument = argument_of(t);
    argument.has_number = true;
    argument.number = x;
    return builder_.input(argument);
  }
  int step(const char* name, const std::vector<int>& inputs, DType compute,
           const Attrs& attrs = {}) {
    const Op& op = *find_op(name);
    std::vector<Tensor> tensors;
    for (int i : inputs) tensors.push_back(i < 0 ? Tensor() : values_[static_cast<size_t>(i)]);
    const std::vector<Arg> arguments(tensors.begin(), tensors.end());
    Tensor result = dispatch(op, arguments.data(), static_cast<int>(arguments.size()), attrs);
    EXPECT_EQ(result.sizes(), sizes_);
    values_.push_back(result);
    return builder_.step(op, attrs, inputs, compute, result.dtype());
  }
  void output(int v) {
    builder_.output(v);
    expected_.push_back(values_[static_cast<size_t>(v)]);
  }
  void sum(int v, Mask mask, bool keepdim, bool mean) {
    builder_.sum(v, mask, keepdim, mean);
    Shape dims;
    for (int d = 0; d < sizes_.size(); ++d)
      if (mask >> d & 1) dims.push_back(d);
    const Tensor& x = values_[static_cast<size_t>(v)];
    expected_.push_back(mean ? autograd::mean(x, dims, keepdim) : autograd::sum(x, dims, keepdim));
  }
  const Tensor& value(int v) const { return values_[static_cast<size_t>(v)]; }

  void expect_same() {
    std::string why;
    const std::shared_ptr<const Op> op = builder_.finish(&why);
    ASSERT_NE(op, nullptr) << why;
    const std::vector<Arg> arguments(inputs_.begin(), inputs_.end());
    std::vector<Tensor> results(expected_.size());
    dispatch(*op, arguments.data(), static_cast<int>(arguments.size()), {}, results.data(),
             static_cast<int>(results.size()));
    for (size_t i = 0; i < results.size(); ++i)
      EXPECT_TRUE(same_bits(results[i], expected_[i])) << "output " << i;
    is_direct_ = expect_same_directly(*op, arguments);
  }
  /// The program that was compared last is one of direct calls.
  bool is_direct() const { return is_direct_; }
  std::string reason() const {
    std::string why;
    EXPECT_EQ(builder_.finish(&why), nullptr);
    return why;
  }

 private:
  /// The same as direct calls, whose results move from run to run; false if they are none.
  bool expect_same_directly(const Op& op, const std::vector<Arg>& inputs) const {
    std::vector<Tensor> results;
    for (const Tensor& t : expected_) results.push_back(make_tensor(t.sizes(), t.dtype()));
    const Attrs attrs{};
    DirectCalls calls;
    if (!calls.add({op, inputs.data(), static_cast<int>(inputs.size()), attrs, results.data(),
                    static_cast<int>(results.size())}))
      return false;
    for (int run = 0; run < 2; ++run) {
      std::vector<Tensor> kept;
      for (Tensor& t : results) {
        kept.push_back(full(t.sizes(), 7, t.dtype()));
        body(t)->data = static_cast<char*>(kept.back().data());
      }
      calls.bind();
      calls.run(0, calls.size());
      for (size_t i = 0; i < results.size(); ++i)
        EXPECT_TRUE(same_bits(kept[i], expected_[i])) << "directly, output " << i;
    }
    return true;
  }

  bool is_direct_ = false;
  Shape sizes_;
  FusedBuilder builder_;
  std::vector<Tensor> inputs_, values_, expected_;
};

constexpr DType kF32 = DType::kFloat32, kF64 = DType::kFloat64, kBool = DType::kBool;

TEST(Fused, ChainWithBiasAndNumber) {
  for (const Shape& sizes : {Shape{16, 64}, Shape{1, 1}, Shape{3, 5}, Shape{7, 1500},
                             Shape{5000, 3}, Shape{2, 3, 700}, Shape{4, 40000}}) {
    for (DType dtype : {kF32, kF64}) {
      SCOPED_TRACE(to_string(sizes));
      Pair p(sizes);
      const int x = p.input(to(randn(sizes), dtype));
      const int b = p.input(to(randn({sizes.back()}), dtype));
      const int half = p.number(0.5);
      const int y = p.step("sigmoid", {p.step("add", {x, b}, dtype)}, dtype);
      const int z = p.step("mul", {p.step("mul", {y, half}, dtype), x}, dtype);
      p.output(y);
      p.output(p.step("tanh", {z}, dtype));
      p.expect_same();
    }
  }
}

TEST(Fused, EveryLayoutOfAnInput) {
  const Shape sizes{30, 50};
  Pair p(sizes);
  const Tensor big = randn({60, 100});
  int sum = p.input(randn(sizes));
  for (const Tensor& t :
       {transpose(randn({50, 30}), 0, 1), randn({30, 1}), randn({1, 50}), randn({50}), randn({}),
        randn({1, 1}), slice(slice(big, 0, 0, 60, 2), 1, 0, 100, 2), expand(randn({30, 1}), sizes),
        to(randn({50}), kF64), to(randn({30, 1}), kF64)})
    sum = p.step("add", {sum, p.input(t.dtype() == kF64 ? to(t, kF32) : t)}, kF32);
  p.output(sum);
  p.expect_same();
}

TEST(Fused, RowsLongerThanATile) {
  Pair p({6, 5, 3000});
  const int x = p.input(randn({6, 5, 3000})), b = p.input(randn({3000})),
            c = p.input(randn({5, 1}));
  p.output(p.step("mul", {p.step("add", {x, b}, kF32), c}, kF32));
  p.output(p.step("sub", {x, b}, kF32));
  p.expect_same();
}

TEST(Fused, ConditionsAndConversions) {
  Pair p({33, 70});
  const int x = p.input(randn({33, 70})), n = p.input(arange(0, 70, 1, DType::kInt64)),
            zero = p.number(0);
  const int positive = p.step("gt", {x, zero}, kF32);
  const int chosen = p.step("where", {positive, x, zero}, kF32);
  Attrs wide;
  wide.ints[0] = static_cast<int64_t>(kF64);
  const int w = p.step("to", {chosen}, kF32, wide);
  p.output(positive);
  p.output(p.step("exp", {w}, kF64));
  p.output(p.step("logical_not", {positive}, kBool));
  p.output(p.step("mul", {chosen, n}, kF32));
  p.expect_same();
}

TEST(Fused, AbsentInputsAndParameters) {
  Pair p({16, 64});
  const int g = p.input(randn({16, 64})), y = p.input(relu(randn({16, 64})));
  Attrs attrs;
  attrs.reals[0] = 0.3;
  p.output(p.step("leaky_relu", {p.step("relu_backward", {g, -1, y}, kF32)}, kF32, attrs));
  p.expect_same();
}

TEST(Fused, EndsInSums) {
  struct Case {
    Shape sizes;
    Mask mask;
  };
  for (const Case& c :
       {Case{{16, 64}, 1}, Case{{16, 64}, 2}, Case{{16, 64}, 3}, Case{{100, 300}, 2},
        Case{{4, 5, 6}, 6}, Case{{4, 5, 6}, 3}, Case{{1, 64}, 1}, Case{{7, 1}, 1},
        Case{{7, 5000}, 2}, Case{{1000}, 1}, Case{{64, 100}, 1}}) {
    SCOPED_TRACE(to_string(c.sizes) + " mask " + std::to_string(c.mask));
    Pair p(c.sizes);
    const int x = p.input(randn(c.sizes)), two = p.number(2);
    const int y = p.step("mul", {p.step("square", {x}, kF32), two}, kF32);
    p.output(y);
    p.sum(y, c.mask, true, false);
    p.sum(y, c.mask, false, true);
    p.expect_same();
  }
}

TEST(Fused, BeginsWithAProduct) {
  for (int64_t m : {1, 16, 300, 5000}) {
    for (DType dtype : {kF32, kF64}) {
      SCOPED_TRACE(m);
      const Tensor x = to(randn({m, 30}), dtype), w = to(randn({40, 30}), dtype),
                   b = to(randn({40}), dtype), g = to(randn({m, 40}), dtype);
      Pair hidden({m, 40});
      const int h = hidden.product("linear", {x, w, b});
      hidden.output(hidden.step("relu", {h}, dtype));
      hidden.expect_same();
      Pair kept({m, 40});
      const int k = kept.product("linear", {x, w});
      const int y = kept.step("gelu", {kept.step("add", {k, kept.input(g)}, dtype)}, dtype);
      kept.output(k);
      kept.output(kept.step("mul", {y, k}, dtype));
      kept.sum(y, 2, false, false);
      kept.expect_same();
    }
  }
  for (int flags = 0; flags < 4; ++flags) {
    Attrs attrs;
    attrs.ints[0] = flags & 1;
    attrs.ints[1] = flags >> 1;
    Pair p({20, 50});
    const Tensor a = randn({20, 70}), b = randn({70, 50});
    const int y = p.product("mm",
                            {flags & 1 ? contiguous(transpose(a, 0, 1)) : a,
                             flags >> 1 ? contiguous(transpose(b, 0, 1)) : b},
                            attrs);
    const int z = p.step("sigmoid", {p.step("add", {y, p.input(randn({50}))}, kF32)}, kF32);
    p.output(z);
    p.sum(z, 1, true, false);
    p.expect_same();
  }
  Pair three({2, 9, 40});
  const int y = three.product("linear", {randn({2, 9, 30}), randn({40, 30}), randn({40})});
  three.output(three.step("tanh", {y}, kF32));
  three.output(y);
  three.expect_same();
}

TEST(Fused, SumsThatDoNotFitSayWhy) {
  Pair middle({4, 5, 6});
  middle.sum(middle.step("exp", {middle.input(randn({4, 5, 6}))}, kF32), 2, false, false);
  EXPECT_NE(middle.reason().find("middle"), std::string::npos);
  Pair large({1000, 1000});
  large.sum(large.step("exp", {large.input(randn({1000, 1000}))}, kF32), 3, false, false);
  EXPECT_NE(large.reason().find("more elements"), std::string::npos);
}

TEST(Fused, PowerOfANumberOnly) {
  Pair p({40, 50});
  const int x = p.input(exp(randn({40, 50}))), cube = p.number(3), rough = p.input(scalar(1.7));
  p.output(p.step("pow", {p.step("pow", {x, cube}, kF32), rough}, kF32));
  p.expect_same();
  Pair q({40, 50});
  q.output(q.step("pow", {q.input(exp(randn({40, 50}))), q.input(randn({50}))}, kF32));
  EXPECT_NE(q.reason().find("exponents"), std::string::npos);
}

TEST(Fused, ACallWithOtherSizesIsRefused) {
  FusedBuilder builder({4, 4});
  const Tensor x = randn({4, 4});
  builder.output(builder.step(*find_op("exp"), {}, {builder.input(argument_of(x))}, kF32, kF32));
  std::string why;
  const auto op = builder.finish(&why);
  ASSERT_NE(op, nullptr);
  EXPECT_THROW(dispatch(*op, {randn({4, 5})}), Error);
  EXPECT_THROW(dispatch(*op, {transpose(x, 0, 1)}), Error);
  EXPECT_THROW(dispatch(*op, {to(x, kF64)}), Error);
  EXPECT_THROW(dispatch(*op, {x, x}), Error);
}

TEST(Fused, RandomPrograms) {
  std::mt19937 random(7);
  const auto any = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  const char* const unary[] = {"neg",  "sigmoid", "tanh", "relu", "exp",  "square",
                               "sqrt", "abs",     "sin",  "silu", "gelu", "log"};
  const char* const binary[] = {"add", "sub", "mul", "div", "maximum", "minimum"};
  const Shape spaces[] = {{16, 64}, {5, 7, 3}, {3, 1200}, {2000}, {13, 1}, {70, 41}, {2, 3, 2, 5}};
  for (int round = 0; round < 200; ++round) {
    const Shape sizes = spaces[any(7)];
    const DType dtype = any(4) ? kF32 : kF64;
    Pair p(sizes);
    std::vector<int> values;
    values.push_back(p.input(to(randn(sizes), dtype)));
    for (int i = any(4); i > 0; --i) {
      Shape part = sizes;
      for (int d = 0; d < part.size(); ++d)
        if (any(2)) part[d] = 1;
      values.push_back(any(3) ? p.input(to(randn(part), dtype)) : p.number(any(5) - 2));
    }
    for (int i = 1 + any(12); i > 0; --i) {
      const auto pick = [&] {
        return values[static_cast<size_t>(any(static_cast<int>(values.size())))];
      };
      int a = pick();
      if (p.value(a).sizes() != sizes) a = values[0];
      if (any(2))
        values.push_back(p.step(unary[any(12)], {a}, dtype));
      else
        values.push_back(p.step(binary[any(6)], {a, pick()}, dtype));
      if (any(3) == 0) p.output(values.back());
    }
    p.output(values.back());
    SCOPED_TRACE("round " + std::to_string(round) + ", sizes " + to_string(sizes));
    p.expect_same();
  }
}

TEST(Fused, SmallProgramsAreDirectCalls) {
  for (DType dtype : {kF32, kF64}) {
    const auto random = [&](const Shape& sizes) { return to(randn(sizes), dtype); };
    {
      Pair p({16, 64});
      const int y = p.product("linear", {random({16, 20}), random({64, 20}), random({64})});
      p.output(p.step("relu", {y}, dtype));
      p.expect_same();
      EXPECT_TRUE(p.is_direct());
    }
    {
      // The product needs memory of its own, and so do two steps.
      Pair p({16, 64});
      const int g = p.product("mm", {random({16, 4}), random({4, 64})});
      const int y = p.input(random({16, 64}));
      const int half = p.step("sigmoid_backward", {g, -1, y}, dtype);
      const int sum = p.step("add", {p.step("mul", {half, g}, dtype), g}, dtype);
      p.sum(sum, 1, true, false);
      p.sum(half, 2, false, false);
      p.sum(g, 3, false, false);
      p.output(p.step("mul", {sum, p.number(0.5)}, dtype));
      p.expect_same();
      EXPECT_TRUE(p.is_direct());
    }
    for (const bool is_mean : {false, true}) {
      Pair p({8, 32});
      const int y = p.step("exp", {p.input(random({8, 32}))}, dtype);
      p.sum(y, 2, false, is_mean);
      p.expect_same();
      EXPECT_EQ(p.is_direct(), !is_mean);
    }
    Pair p({8, 32});
    p.output(p.step("add", {p.input(random({8, 32})), p.input(random({32}))}, dtype));
    p.expect_same();
    EXPECT_FALSE(p.is_direct());  // a row that is repeated
  }
}

}  // namespace
}  // namespace autograd::detail
