// Convolutions and norm layers with pointwise ops around them: before and after the pass, and that
// every bit stays what it was.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ops/pieces.hpp"
#include "pass_test.hpp"

namespace autograd::detail {
namespace {

const std::vector<Pass> kPassesOfPieces = {with_fused_pointwise, with_fused_pieces};

/// Runs with one thread and with two.
void with_threads(const std::function<void()>& body) {
  const int before = num_threads();
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    body();
  }
  set_num_threads(before);
}

int count_of(const Passed& r, const std::string& what) {
  return static_cast<int>(
      std::count_if(r.report.changes.begin(), r.report.changes.end(),
                    [&](const auto& c) { return c.pass == "pieces" && c.what == what; }));
}

bool refused(const Passed& r, const std::string& why) {
  return std::any_of(r.report.refusals.begin(), r.report.refusals.end(),
                     [&](const auto& each) { return each.why.find(why) != std::string::npos; });
}

TEST(Pieces, AConvolutionTakesItsActivation) {
  const Tensor x = randn({4, 3, 20, 20}), w = randn({6, 3, 3, 3}), b = randn({6});
  with_threads([&] {
    const Passed r =
        passed(kPassesOfPieces, [&] { return std::vector<Tensor>{relu(conv2d(x, w, b))}; });
    EXPECT_EQ(r.names(), "fused");
    EXPECT_EQ(count_of(r, "convolution + relu"), 1);
    // The activation is written over the convolution.
    EXPECT_EQ(r.after.ops[0].outputs.size(), 1U);
    ASSERT_TRUE(r.after.ops[0].body);
    EXPECT_EQ(r.after.ops[0].body->ops.size(), 2U);
  });
}

TEST(Pieces, WhatOthersNeedOfAConvolutionIsKept) {
  const Tensor x = randn({4, 3, 20, 20}), w = randn({6, 3, 3, 3}), b = randn({6});
  const Passed r = passed(kPassesOfPieces, [&] {
    const Tensor y = conv2d(x, w, b);
    return std::vector<Tensor>{gelu(y) * 0.5, y};
  });
  EXPECT_EQ(r.names(), "fused");
  EXPECT_EQ(count_of(r, "convolution + gelu + mul"), 1);
  EXPECT_EQ(r.after.ops[0].outputs.size(), 2U);
}

TEST(Pieces, EveryKindOfConvolution) {
  const Tensor x = randn({5, 4, 26, 26}), skip = randn({5, 8, 26, 26});
  ConvOptions grouped, strided, dilated;
  grouped.groups = 2, grouped.padding = {1};
  strided.stride = {2}, dilated.dilation = {5}, dilated.padding = {5};
  ConvTransposeOptions twice;
  twice.stride = {2};
  with_threads([&] {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const Tensor image = to(x, dtype), w = to(randn({8, 4, 3, 3}), dtype),
                   half = to(randn({8, 2, 3, 3}), dtype), up = to(randn({4, 8, 3, 3}), dtype);
      const Passed r = passed(kPassesOfPieces, [&] {
        return std::vector<Tensor>{
            tanh(conv2d(image, half, {}, grouped) + to(skip, dtype)),
            sigmoid(conv2d(image, w, {}, strided)), relu(conv2d(image, w, {}, dilated)),
            relu(conv_transpose2d(image, up)), relu(conv_transpose2d(image, up, {}, twice))};
      });
      EXPECT_EQ(r.names(), "fused fused fused fused fused") << name_of(dtype);
    }
  });
}

TEST(Pieces, NarrowImagesGoByColumns) {
  // So few positions in wide sheets that windows are copied instead.
  const Tensor x = randn({64, 8, 2, 2}), w = randn({32, 8, 5, 5});
  ConvOptions options;
  options.padding = {2};
  with_threads([&] {
    const Passed r = passed(kPassesOfPieces, [&] {
      const Tensor y = conv2d(x, w, randn({32}), options);
      return std::vector<Tensor>{relu(y), relu(conv_transpose2d(y, w))};
    });
    EXPECT_EQ(count_of(r, "convolution_transpose + relu"), 1);
  });
}

TEST(Pieces, NothingToMultiply) {
  const Tensor x = zeros({3, 0, 40, 40}), w = zeros({4, 0, 3, 3});
  const Passed r =
      passed(kPassesOfPieces, [&] { return std::vector<Tensor>{relu(conv2d(x, w, randn({4})))}; });
  EXPECT_EQ(r.names(), "random_ fused");
}

TEST(Pieces, NormLayersTakeWhatStandsAroundThem) {
  const Tensor x = randn({6, 8, 13, 13}), w = randn({8}), b = randn({8});
  const Tensor rows = randn({100, 64}), wr = randn({64}), br = randn({64});
  with_threads([&] {
    const Passed r = passed(kPassesOfPieces, [&] {
      return std::vector<Tensor>{
          relu(batch_norm(x * x, {}, {}, w, b, true)), sigmoid(group_norm(x + 1.0, 4, w, b)),
          gelu(layer_norm(rows * 2.0, {64}, wr, br)), tanh(rms_norm(exp(rows), {64}, wr))};
    });
    EXPECT_EQ(r.names(), "fused fused fused fused");
    EXPECT_EQ(count_of(r, "mul + batch_norm + relu"), 1);
    EXPECT_EQ(count_of(r, "add + group_norm + sigmoid"), 1);
    EXPECT_EQ(count_of(r, "mul + layer_norm + gelu"), 1);
    EXPECT_EQ(count_of(r, "exp + rms_norm + tanh"), 1);
  });
}

TEST(Pieces, ChannelsWithoutPositions) {
  const Tensor x = randn({300, 20}), w = randn({20}), b = randn({20});
  const Tensor mean = randn({20}), var = rand({20}) + 0.5;
  with_threads([&] {
    const Passed r = passed(kPassesOfPieces, [&] {
      return std::vector<Tensor>{relu(batch_norm(x * x, {}, {}, w, b, true)),
                                 relu(batch_norm(x * x, mean, var, w, b, false)),
                                 relu(group_norm(x * 2.0, 5, w, b))};
    });
    EXPECT_EQ(count_of(r, "mul + batch_norm + relu"), 2);
    EXPECT_EQ(count_of(r, "mul + group_norm + relu"), 1);
  });
}

/// A number whose gradient for x is made by no pointwise op.
Tensor loss_of(const Tensor& x) {
  const Tensor rows = reshape(x, {x.size(0), -1});
  const Tensor y = matmul(rows, full({rows.size(1), 1}, 0.25));
  return sum(y * y);
}

TEST(Pieces, TheGradientsTakeThemToo) {
  const Tensor x = randn({6, 8, 13, 13}), rows = randn({100, 64});
  with_threads([&] {
    const Tensor w = parameter({8}), b = parameter({8}), wr = parameter({64}), br = parameter({64});
    const Tensor conv = parameter({8, 8, 3, 3}), bias = parameter({8});
    ConvOptions same;
    same.padding = {1};
    const Passed r = passed({without_in_place, without_dead_code, with_split_sums,
                             with_fused_pointwise, with_fused_pieces},
                            [&] {
                              const Tensor y = relu(conv2d(x, conv, bias, same));
                              const Tensor z = relu(batch_norm(y, {}, {}, w, b, true));
                              const Tensor u = relu(conv2d(z, conv, bias, same));
                              const Tensor v = relu(group_norm(u, 4, w, b));
                              const Tensor n = gelu(layer_norm(rows, {64}, wr, br));
                              const Tensor m = relu(rms_norm(rows, {64}, wr));
                              const Tensor loss = loss_of(v) + loss_of(n) + loss_of(m);
                              return grad({loss}, {w, b, wr, br, conv, bias});
                            });
    for (const char* what :
         {"convolution + relu", "batch_norm + relu", "group_norm + relu", "layer_norm + gelu",
          "rms_norm + relu", "relu_backward + group_norm_backward + relu_backward + sum",
          "convolution_transpose + relu_backward", "batch_norm_backward + relu_backward + sum",
          "gelu_backward + layer_norm_backward", "relu_backward + rms_norm_backward"})
      EXPECT_TRUE(r.has(what)) << what << "\n" << r.report.text();
  });
}

TEST(Pieces, TheGradientOfAConvolutionTakesTheActivationBelow) {
  const Tensor x = randn({6, 3, 16, 16});
  with_threads([&] {
    const Tensor w1 = parameter({8, 3, 3, 3}), b1 = parameter({8}), w2 = parameter({8, 8, 3, 3});
    const Passed r = passed({without_in_place, without_dead_code, with_split_sums,
                             with_fused_pointwise, with_fused_pieces},
                            [&] {
                              const Tensor y = relu(conv2d(x, w1, b1));
                              return grad({loss_of(conv2d(y, w2))}, {w1, b1, w2});
                            });
    EXPECT_EQ(count_of(r, "convolution_transpose + relu_backward + sum"), 1) << r.report.text();
  });
}

TEST(Pieces, SmallOnesStayAsTheyAre) {
  const Tensor x = randn({2, 3, 8, 8}), w = randn({4, 3, 3, 3});
  const Passed r = passed(kPassesOfPieces, [&] { return std::vector<Tensor>{relu(conv2d(x, w))}; });
  EXPECT_EQ(r.names(), "convolution relu");
  EXPECT_TRUE(refused(r, "so small")) << r.report.text();
}

TEST(Pieces, WhatIsWholeOnlyAtTheEndIsWaitedFor) {
  const Tensor x = randn({100, 64}), w = randn({64});
  const Passed r = passed(kPassesOfPieces, [&] {
    const Tensor y = layer_norm(x * 2.0, {64}, w);
    // The sums of columns want all rows at once.
    return std::vector<Tensor>{sum(relu(y), {0})};
  });
  EXPECT_EQ(r.names(), "fused fused");
  EXPECT_EQ(count_of(r, "mul + layer_norm"), 1);
  EXPECT_TRUE(refused(r, "pieces would cut")) << r.report.text();
}

TEST(Pieces, StepsBetweenTwoTakeOneSide) {
  const Tensor x = randn({100, 64}), w = randn({64});
  const Passed r = passed(kPassesOfPieces, [&] {
    return std::vector<Tensor>{layer_norm(relu(layer_norm(x, {64}, w)), {64}, w)};
  });
  EXPECT_EQ(r.names(), "fused layer_norm");
}

TEST(Pieces, ChangedMemoryIsLeftAlone) {
  const Tensor x = randn({4, 3, 20, 20}), w = randn({6, 3, 3, 3});
  const Tensor kept = zeros({4, 6, 18, 18});
  const Passed r = passed(kPassesOfPieces, [&] {
    Tensor leaf = kept;
    const Tensor y = conv2d(x, w);
    add_(leaf, y);
    return std::vector<Tensor>{relu(y), leaf + y};
  });
  EXPECT_EQ(r.after.outputs.size(), 2U);
}

const std::vector<Pass> kViews = {without_in_place, with_simpler_algebra, without_repeats,
                                  without_dead_code, with_moved_views};

TEST(Views, AnActivationBetweenLayersOfSequencesWorksOnRows) {
  const Tensor x = randn({3, 5, 8});
  for (const auto& activation : std::vector<std::function<Tensor(const Tensor&)>>{
           [](const Tensor& t) { return relu(t); }, [](const Tensor& t) { return gelu(t); },
           [](const Tensor& t) { return sigmoid(t); }}) {
    const Tensor w1 = parameter({6, 8}), b1 = parameter({6}), w2 = parameter({4, 6});
    const auto body = [&] {
      const Tensor y = linear(activation(linear(x, w1, b1)), w2);
      return grad({sum(y * y)}, {w1, b1, w2});
    };
    const Passed r = passed(kViews, body);
    EXPECT_TRUE(r.has("works on the shape of the product")) << r.report.text();
    std::vector<Pass> fused = kViews;
    fused.push_back(with_fused_pointwise);
    EXPECT_TRUE(passed(fused, body).has("_backward + sum"));
  }
}

TEST(Views, WhatOthersSeeInItsOwnShapeStays) {
  const Tensor a = randn({15, 8}), b = randn({8, 6}), y = randn({3, 5, 6}), z = randn({3, 5, 6});
  const auto seen = [&] { return view(matmul(a, b), {3, 5, 6}); };
  for (const auto& body : std::vector<Body>{
           [&] { return std::vector<Tensor>{relu(seen())}; },  // a result
           [&] {
             return std::vector<Tensor>{view(relu(seen()), {15, 6})};
           },  // a view of it is
           [&] {
             return std::vector<Tensor>{exp(view(relu(seen()), {5, 18}))};
           },  // other sizes
           [&] {
             return std::vector<Tensor>{exp(view(where(y > 0.0, seen(), z), {15, 6}))};
           },
           [&] {
             const Tensor s = seen();
             return std::vector<Tensor>{exp(view(relu(s), {15, 6})), exp(s)};
           },
           [&] {
             const Tensor r = relu(seen());
             return std::vector<Tensor>{exp(view(r, {15, 6})), exp(r)};
           }})
    EXPECT_FALSE(passed({with_moved_views}, body).has("works on"));
}

TEST(Views, OneMoreArgumentIsSeenAsRows) {
  const Tensor a = randn({15, 8}), b = randn({8, 6}), y = randn({3, 5, 6});
  const Passed r = passed({with_moved_views}, [&] {
    return std::vector<Tensor>{exp(view(mul(view(matmul(a, b), {3, 5, 6}), y), {15, 6}))};
  });
  EXPECT_EQ(r.names(), "mm view mul exp");
  const Passed alone = passed({with_moved_views}, [&] {
    return std::vector<Tensor>{exp(view(mul(view(matmul(a, b), {3, 5, 6}), scalar(2.0)), {15, 6}))};
  });
  EXPECT_EQ(alone.names(), "mm mul exp");
}

TEST(Pools, TheGradientOfReluIsTakenOfTheLargest) {
  const Tensor x = randn({4, 3, 20, 20});
  MaxPoolOptions overlapping;
  overlapping.stride = {1};
  for (const MaxPoolOptions& options : {MaxPoolOptions(), overlapping}) {
    const Tensor w = parameter({6, 3, 3, 3});
    const Passed r = passed({without_in_place, without_dead_code, with_pooled_gradients}, [&] {
      const Tensor y = max_pool2d(relu(conv2d(x, w)), {3}, options);
      return grad({sum(y * y * y)}, {w});
    });
    EXPECT_EQ(r.report.changes.back().pass, "pools");
    const std::string names = r.names();
    EXPECT_LT(names.find("relu_backward"), names.find("pool_scatter")) << names;
  }
}

TEST(Pools, OtherReadersKeepTheWholeGradient) {
  const Tensor x = randn({4, 3, 20, 20}).requires_grad_();
  const Passed r = passed({without_in_place, without_dead_code, with_pooled_gradients}, [&] {
    const Tensor y = relu(x), z = y * 2.0;
    return grad({sum(max_pool2d(y, {2})) + sum(z)}, {x});
  });
  EXPECT_NE(r.names().find("relu_backward"), std::string::npos);
  EXPECT_FALSE(r.has("pool_scatter"));
}

TEST(SplitSums, TheLastDimsFirst) {
  const Tensor x = randn({7, 5, 3, 4});
  const Passed r = passed({with_split_sums, with_fused_pointwise}, [&] {
    return std::vector<Tensor>{sum(relu(x), {0, 2, 3}), sum(exp(x), {0, 3}, true)};
  });
  EXPECT_EQ(r.names(), "fused sum fused sum");
  EXPECT_TRUE(r.has("relu + sum"));
}

TEST(SplitSums, OthersAreLeftAlone) {
  const Tensor x = randn({7, 5, 3, 4});
  const Passed r = passed({with_split_sums}, [&] {
    return std::vector<Tensor>{sum(relu(x), {2, 3}), sum(relu(x), {0}), sum(relu(x), {0, 2}),
                               sum(x, {0, 2, 3}), sum(relu(x))};
  });
  EXPECT_EQ(r.report.changes.size(), 0U);
}

}  // namespace
}  // namespace autograd::detail
