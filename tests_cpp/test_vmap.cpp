// vmap through the public C++ API and through C.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "capi_test.hpp"
#include "engine_test.hpp"

namespace autograd {
namespace {

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

// What would be done once, or with one example's numbers, where the program says: for each example.
TEST(Vmap, SideEffectsOfOneExampleAreRefused) {
  Tensor shared = zeros({3}, DType::kFloat64), w = grid({3}).requires_grad_();
  double* const elements = shared.data_as<double>();
  const auto refused = [&](const char* part, const std::function<void(const Tensor&)>& effect) {
    const std::string text = error_of([&] {
      vmap(
          [&](const std::vector<Tensor>& in) {
            effect(in[0]);
            return in;
          },
          {grid({4, 3})});
    });
    EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_EQ(vmap_depth(), 0);
    expect_equal(shared, zeros({3}, DType::kFloat64));
  };
  const char* no_storage = "doesn't have storage";
  refused(no_storage, [&](const Tensor& x) { elements[0] = x.data_as<double>()[0]; });
  refused(no_storage, [&](const Tensor& x) { static_cast<double*>(x.data())[0] = 1; });
  refused(no_storage, [&](const Tensor& x) { x.copy_out(DType::kFloat64, elements); });
  refused(".item()", [&](const Tensor& x) { elements[0] = sum(x).item(); });
  refused("`self` not being vmapped", [&](const Tensor& x) { copy_(shared, x); });
  refused("`self` not being vmapped", [&](const Tensor& x) {
    Tensor part = select(shared, 0, 1);
    mul_(part, sum(x));
  });
  refused("hook on a tensor that stands for one example",
          [&](const Tensor& x) { register_hook(x * w, [](const Tensor& g) { return g; }); });
  refused("retain_grad()", [&](const Tensor& x) { (x * w).retain_grad(); });
  refused("call requires_grad_() outside", [](const Tensor& x) { Tensor(x).requires_grad_(); });
  refused("not supported", [&](const Tensor& x) { sum(x * w).backward(); });
  EXPECT_FALSE(w.grad().defined());
}

struct Twice : Function<Twice> {
  static Tensor forward(Context&, const Tensor& x) { return x * 2.0; }
  static std::vector<Tensor> backward(Context&, const std::vector<Tensor>& grads) {
    return {grads[0] * 2.0};
  }
};

TEST(Vmap, FunctionsOfOnesOwnAreRefusedAndOpsOfOnesOwnCalledForEach) {
  static int calls = 0;
  OpDefinition definition;
  definition.name = "test_vmap::cumulated";
  definition.forward = [](const OpArguments& a) {
    ++calls;
    EXPECT_EQ(a.inputs[0].sizes(), Shape({3}));
    double total = 0;
    for (int64_t i = 0; i < 3; ++i)
      a.outputs[0].data_as<double>()[i] = total += a.inputs[0].data_as<double>()[i];
  };
  definition.backward = [](const OpArguments&, const std::vector<Tensor>& grads) {
    return std::vector<Tensor>{flip(cumsum(flip(grads[0], {0}), 0), {0})};
  };
  const CustomOp op = register_op(definition);
  const Tensor x = grid({4, 3}).requires_grad_();
  const auto over = [&](const std::function<Tensor(const Tensor&)>& call) {
    return vmap([&](const std::vector<Tensor>& in) { return std::vector<Tensor>{call(in[0])}; },
                {x})[0];
  };
  for (const std::string& text :
       {error_of([&] { over([](const Tensor& one) { return Twice::apply(one); }); }), error_of([&] {
          over([](const Tensor& one) {
            return call_function(
                "Twice", {one}, [](Context&, const std::vector<Tensor>& in) { return in; },
                [](Context&, const std::vector<Tensor>& grads) { return grads; })[0];
          });
        })})
    EXPECT_NE(text.find("You tried to vmap over Twice"), std::string::npos) << text;
  EXPECT_TRUE(grad_enabled());
  const Tensor y = over([&](const Tensor& one) { return op(one) * 2.0; });
  EXPECT_EQ(calls, 4);
  expect_equal(y, cumsum(x, 1) * 2.0);
  const Tensor weights = grid({4, 3});
  expect_equal(grad({sum(y * weights)}, {x})[0], grad({sum(cumsum(x, 1) * 2.0 * weights)}, {x})[0]);
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

ag_status unused_rule(void*, ag_node*, ag_tensor* const*, int64_t, ag_tensor**, int64_t) {
  return AG_ERROR_RUNTIME;
}
ag_status unused_hook(void*, ag_tensor*, ag_tensor**) { return AG_ERROR_RUNTIME; }

TEST(CapiVmap, side_effects_of_one_example_are_refused) {
  const int64_t sizes[] = {2, 1};
  const float values[] = {3, 4};
  ag_tensor* all = ag_tensor_from_data(values, AG_FLOAT32, sizes, 2);
  ag_tensor *shared = ag_detach(all), *out = nullptr;
  const int64_t level = ag_vmap_begin(2, 0);
  ag_tensor* x = ag_vmap_example(all, 0, level);
  double number = 0;
  expect_failure(ag_tensor_data(x) == nullptr, AG_ERROR_RUNTIME, "doesn't have storage");
  expect_failure(ag_tensor_item_double(x, &number) == AG_ERROR_RUNTIME, AG_ERROR_RUNTIME,
                 ".item()");
  expect_failure(ag_copy_(shared, x) == AG_ERROR_RUNTIME, AG_ERROR_RUNTIME,
                 "`self` not being vmapped");
  expect_failure(ag_tensor_register_hook(x, unused_hook, nullptr, nullptr) == AG_ERROR_RUNTIME,
                 AG_ERROR_RUNTIME, "stands for one example");
  expect_failure(ag_function_record("F", &x, 1, &x, 1, nullptr, nullptr, 0, 0, unused_rule, nullptr,
                                    nullptr, &out) == AG_ERROR_RUNTIME,
                 AG_ERROR_RUNTIME, "You tried to vmap over F");
  EXPECT_EQ(ag_vmap_end(level), AG_OK);
  expect_failure(ag_add(x, x) == nullptr, AG_ERROR_RUNTIME, "may have escaped");
  for (ag_tensor* t : {x, shared, all}) ag_tensor_free(t);
}

}  // namespace
}  // namespace autograd
