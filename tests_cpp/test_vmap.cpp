// vmap through the public C++ API and through C.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "autograd/autograd.hpp"
#include "capi_test.hpp"

namespace autograd {
namespace {

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

Tensor grid(const Shape& sizes) {
  int64_t n = 1;
  for (int64_t size : sizes) n *= size;
  return reshape(arange(0, static_cast<double>(n), 1, DType::kFloat64), sizes);
}

void expect_equal(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  EXPECT_EQ(a.to_vector(), b.to_vector());
}

TEST(Vmap, AFunctionOfOneExampleAppliesToAll) {
  const Tensor x = grid({4, 3}), w = grid({3});
  const auto results = vmap(
      [](const std::vector<Tensor>& in) {
        EXPECT_EQ(in[0].sizes(), Shape({3}));
        return std::vector<Tensor>{dot(in[0], in[1]), in[0] * 2.0};
      },
      {x, w}, {0, kShared});
  expect_equal(results[0], mv(x, w));
  expect_equal(results[1], x * 2.0);
}

TEST(Vmap, LevelsNest) {
  const Tensor x = grid({2, 3}), y = grid({4, 3});
  const VmapScope outer(2);
  const Tensor a = outer.example(x);
  Tensor row;
  {
    const VmapScope inner(4);
    const Tensor b = inner.example(y);
    EXPECT_EQ(vmap_depth(), 2);
    EXPECT_EQ(vmap_depth_of(b), 2);
    EXPECT_EQ(vmap_depth_of(a * b), 2);
    EXPECT_TRUE(outer.varies(a * b));
    EXPECT_FALSE(outer.varies(b));
    row = inner.all(dot(a, b));
  }
  EXPECT_EQ(vmap_depth_of(row), 1);
  expect_equal(outer.all(row), mm(x, t(y)));
}

TEST(Vmap, GradientsOfExamples) {
  const Tensor x = grid({4, 3});
  const auto results = vmap(
      [](const std::vector<Tensor>& in) {
        const Tensor mine = transform_input(in[0]);
        const Tensor total = sum(mine * mine * mine);
        return grad({total}, {mine});
      },
      {x});
  expect_equal(results[0], 3.0 * (x * x));
}

TEST(Vmap, GradientsGoOnToWhatIsShared) {
  Tensor w = grid({3});
  w.requires_grad_();
  const Tensor x = grid({4, 3});
  const auto results =
      vmap([](const std::vector<Tensor>& in) { return std::vector<Tensor>{sum(in[0] * in[1])}; },
           {x, w}, {0, kShared});
  sum(results[0]).backward();
  expect_equal(w.grad(), sum(x, {0}));
}

TEST(Vmap, ElementsOfExamplesAreRefused) {
  const VmapScope scope(4);
  const Tensor x = scope.example(grid({4, 3}));
  EXPECT_NE(error_of([&] { sum(x).item(); }).find(".item()"), std::string::npos);
  EXPECT_NE(error_of([&] { x.to_vector(); }).find("doesn't have storage"), std::string::npos);
  EXPECT_NE(error_of([&] { nonzero(x); }).find("dynamic shape"), std::string::npos);
  EXPECT_NE(error_of([&] { rand({2}); }).find("randomness error mode"), std::string::npos);
  EXPECT_NE(error_of([&] { sum(x).backward(); }).find("not supported"), std::string::npos);
  Tensor shared = zeros({3}, DType::kFloat64);
  EXPECT_NE(error_of([&] { add_(shared, x); }).find("`self` not being vmapped"), std::string::npos);
  expect_equal(shared, zeros({3}, DType::kFloat64));
}

TEST(Vmap, AnExampleIsNothingOutside) {
  Tensor kept;
  {
    const VmapScope scope(2);
    kept = scope.example(grid({2, 3}));
  }
  EXPECT_NE(error_of([&] { kept + kept; }).find("may have escaped"), std::string::npos);
  EXPECT_EQ(kept.sizes(), Shape({3}));
}

TEST(Vmap, AnExampleIsNothingInAnotherThread) {
  const VmapScope scope(2);
  const Tensor x = scope.example(grid({2, 3}));
  std::string text;
  std::thread([&] { text = error_of([&] { x + x; }); }).join();
  EXPECT_NE(text.find("another thread"), std::string::npos);
}

TEST(Vmap, MisuseIsAnError) {
  EXPECT_NE(error_of([] { VmapScope(-1); }).find("negative"), std::string::npos);
  EXPECT_NE(error_of([] { vmap_end(12345678); }).find("not the innermost"), std::string::npos);
  const VmapScope scope(2);
  EXPECT_NE(error_of([&] { scope.example(grid({3})); }).find("mapped dimension"),
            std::string::npos);
  EXPECT_NE(error_of([&] { scope.example(grid({})); }).find("no dims"), std::string::npos);
  EXPECT_NE(error_of([&] {
              vmap([](const std::vector<Tensor>& in) { return in; }, {grid({2})}, {kShared});
            }).find("no input"),
            std::string::npos);
}

TEST(TransformInput, IsALeafOfItsOwnOrAView) {
  const Tensor plain = grid({3});
  const Tensor leaf = transform_input(plain);
  EXPECT_TRUE(leaf.is_leaf() && leaf.requires_grad() && !plain.requires_grad());
  Tensor w = grid({3});
  w.requires_grad_();
  const Tensor view = transform_input(w);
  EXPECT_FALSE(view.is_leaf());
  EXPECT_FALSE(depends_on_others({leaf * 2.0}, {leaf}));
  EXPECT_TRUE(depends_on_others({leaf * w}, {leaf}));
  EXPECT_TRUE(depends_on_others({view * 2.0}, {view}));
  const NoGrad off;
  EXPECT_TRUE(transform_input(w).is_leaf());
  EXPECT_NE(
      error_of([] { transform_input(arange(0, 3, 1, DType::kInt64)); }).find("floating point"),
      std::string::npos);
}

TEST(CapiVmap, takes_nothing_wrong) {
  EXPECT_EQ(ag_vmap_begin(-1, 0), -1);
  EXPECT_EQ(ag_vmap_begin(2, 3), -1);
  EXPECT_NE(ag_vmap_end(-5), AG_OK);
  EXPECT_EQ(ag_vmap_example(nullptr, 0, 0), nullptr);
  EXPECT_EQ(ag_vmap_all(nullptr, 0, 0), nullptr);
  EXPECT_EQ(ag_vmap_varies(nullptr, 0), -1);
  EXPECT_EQ(ag_vmap_depth_of(nullptr), -1);
  EXPECT_EQ(ag_vmap_value(nullptr), nullptr);
  EXPECT_EQ(ag_vmap_like(nullptr, nullptr), nullptr);
  EXPECT_EQ(ag_transform_input(nullptr), nullptr);
  EXPECT_EQ(ag_depends_on_others(nullptr, 1, nullptr, 0), -1);
}

}  // namespace
}  // namespace autograd
