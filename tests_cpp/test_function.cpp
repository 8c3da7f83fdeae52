// Functions and ops of the user's own through the C++ API.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/dispatch.hpp"
#include "engine_test.hpp"

namespace autograd {
namespace {

struct Cube : Function<Cube> {
  static Tensor forward(Context& context, const Tensor& x, double factor) {
    context.save_for_backward({x});
    context.data = factor;
    return x * x * x * factor;
  }
  static std::vector<Tensor> backward(Context& context, const std::vector<Tensor>& grads) {
    const Tensor x = context.saved_tensors()[0];
    return {grads[0] * (3 * std::any_cast<double>(context.data)) * x * x};
  }
};

TEST(Function, class_is_differentiated_to_the_second_order) {
  const Tensor x = leaf({2, 3});
  const Tensor y = Cube::apply(x, 2.0);
  EXPECT_EQ(y.to_vector(), (std::vector<double>{16, 54}));
  EXPECT_EQ(y.grad_fn(), "Cube");
  EXPECT_EQ(GradFn::of(y).name(), "CubeBackward");
  BackwardOptions options;
  options.create_graph = true;
  const Tensor first = grad({sum(y)}, {x}, {}, options)[0];
  EXPECT_EQ(first.to_vector(), (std::vector<double>{24, 54}));
  EXPECT_EQ(grad({sum(first)}, {x})[0].to_vector(), (std::vector<double>{24, 36}));
  NoGrad off;
  EXPECT_FALSE(Cube::apply(x, 1.0).requires_grad());
}

// Its gradient is written with its own result.
struct Exp : Function<Exp> {
  static std::vector<Tensor> forward(Context& context, const Tensor& x) {
    const Tensor y = exp(x), constant = floor(x);
    context.mark_non_differentiable(constant);
    context.save_for_backward({y, Tensor()});
    return {y, constant};
  }
  static std::vector<Tensor> backward(Context& context, const std::vector<Tensor>& grads) {
    EXPECT_EQ(grads.size(), 2u);
    EXPECT_TRUE(grads[1].defined());  // zeros
    EXPECT_FALSE(context.saved_tensors()[1].defined());
    return {grads[0] * context.saved_tensors()[0]};
  }
};

TEST(Function, saved_output_knows_where_it_came_from) {
  const Tensor x = leaf({0.5});
  const std::vector<Tensor> y = Exp::apply(x);
  EXPECT_FALSE(y[1].requires_grad());
  BackwardOptions options;
  options.create_graph = true;
  Tensor d = y[0];
  for (int order = 1; order <= 3; ++order) {
    d = grad({d}, {x}, {}, options)[0];
    EXPECT_NEAR(d.item(), std::exp(0.5), 1e-6) << order;
  }
}

TEST(Function, saved_tensors_are_freed_and_guarded) {
  const Tensor x = leaf({1});
  Tensor y = Cube::apply(x, 1.0);
  y.backward();
  expect_error("second time", [&] { y.backward(); });
  Tensor h = x * 1.0;
  Tensor z = Cube::apply(h, 1.0);
  neg_(h);
  expect_error("modified by an inplace operation", [&] { z.backward(); });
}

std::vector<Tensor> with_rule(const Tensor& x, FunctionRule rule) {
  return call_function(
      "lambda", {x, x},
      [](Context&, const std::vector<Tensor>& in) {
        return std::vector<Tensor>{in[0] * 2.0, in[1] * 3.0};
      },
      std::move(rule));
}

TEST(Function, lambdas_see_only_the_gradients_they_ask_for) {
  const Tensor x = leaf({1, 1});
  const auto y = call_function(
      "lambda", {x},
      [](Context& context, const std::vector<Tensor>& in) {
        EXPECT_TRUE(context.needs_input_grad(0));
        expect_error("no input 1", [&] { (void)context.needs_input_grad(1); });
        context.set_materialize_grads(false);
        return std::vector<Tensor>{in[0] * 2.0, in[0] * 3.0};
      },
      [](Context&, const std::vector<Tensor>& grads) {
        EXPECT_FALSE(grads[0].defined());
        return std::vector<Tensor>{grads[1] * 3.0};
      });
  sum(y[1]).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{3, 3}));
}

TEST(Function, wrong_gradients_are_errors_and_the_library_goes_on) {
  const Tensor x = leaf({1, 1});
  const auto run = [&](std::vector<Tensor> results) {
    sum(with_rule(x, [=](Context&, const std::vector<Tensor>&) { return results; })[0]).backward();
  };
  const Tensor g = ones({2}), wrong = ones({3}), small = ones({});
  expect_error("incorrect number of gradients (expected 2, got 3)", [&] { run({g, g, g}); });
  expect_error("invalid gradient at index 1 - got [3] but expected shape compatible with [2]", [&] {
    run({g, wrong});
  });
  expect_error("got [] but expected shape compatible with [2]", [&] { run({small}); });
  run({g, ones({4, 2}), Tensor()});  // summed; a further undefined one is nothing
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{5, 5}));
  expect_error("own words", [&] {
    sum(with_rule(x,
                  [](Context&, const std::vector<Tensor>&) -> std::vector<Tensor> {
                    throw Error(ErrorCode::kRuntime, "own words");
                  })[0])
        .backward();
  });
  run({ones({2}, DType::kFloat32)});
  EXPECT_EQ(x.grad().dtype(), x.dtype());
}

TEST(Function, output_that_is_an_input_cannot_be_changed_in_place) {
  const Tensor x = leaf({1, 1});
  const Tensor h = x * 1.0;
  Tensor y = call_function(
      "same", {h}, [](Context&, const std::vector<Tensor>& in) { return in; },
      [](Context&, const std::vector<Tensor>& grads) { return grads; })[0];
  EXPECT_FALSE(y.is_same(h));
  expect_error("is a view and is being modified inplace", [&] { neg_(y); });
  Tensor part = select(y, 0, 0);
  expect_error("is a view and is being modified inplace", [&] { neg_(part); });
  Tensor other = h;
  neg_(other);
  expect_error("its base or another view of its base has been modified", [&] { sum(y); });
}

TEST(Function, backward_may_run_another_backward) {
  const Tensor x = leaf({3});
  const auto y = call_function(
      "outer", {x},
      [](Context&, const std::vector<Tensor>& in) { return std::vector{in[0] * 1.0}; },
      [](Context&, const std::vector<Tensor>& grads) {
        EnableGrad on;
        Tensor inner = leaf({3});
        sum(inner * inner).backward();
        return std::vector<Tensor>{grads[0] * inner.grad()};
      });
  sum(y[0]).backward();
  EXPECT_EQ(x.grad().item(), 6);
}

TEST(Nodes, walk_and_watch) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 3.0;
  const GradFn fn = GradFn::of(y);
  EXPECT_EQ(fn.name(), "MulBackward0");
  EXPECT_EQ(fn.n_inputs(), 2);
  EXPECT_TRUE(fn.next(0).leaf.is_same(x));
  EXPECT_FALSE(fn.next(1).leaf.defined() || fn.next(1).fn.defined());
  EXPECT_EQ(fn.context(), nullptr);
  EXPECT_FALSE(GradFn::of(x).defined());
  std::vector<double> seen;
  fn.register_prehook([&](const std::vector<Tensor>& grads) {
    seen.push_back(grads[0].to_vector()[0]);
    return std::vector<Tensor>{grads[0] * 10.0};
  });
  fn.register_hook([&](const std::vector<Tensor>& in, const std::vector<Tensor>& out) {
    seen.push_back(in[0].to_vector()[0]);
    seen.push_back(out[0].to_vector()[0]);
    return std::vector<Tensor>();
  });
  sum(y).backward();
  EXPECT_EQ(seen, (std::vector<double>{1, 30, 10}));
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{30, 30}));
}

TEST(SavedHooks, values_come_back_with_their_history) {
  const Tensor x = leaf({2, 3});
  int packed = 0;
  push_saved_tensor_hooks({[&](const Tensor& t) -> std::shared_ptr<void> {
                             ++packed;
                             return std::make_shared<Tensor>(t.detach());
                           },
                           [](const std::shared_ptr<void>& content) {
                             return clone(*std::static_pointer_cast<Tensor>(content));
                           }});
  const Tensor y = exp(x * x), z = Cube::apply(y, 1.0);
  pop_saved_tensor_hooks();
  EXPECT_EQ(packed, 4);  // x twice, exp's result, Cube's x
  BackwardOptions options;
  options.create_graph = true;
  const Tensor first = grad({sum(z)}, {x}, {}, options)[0];
  const Tensor second = grad({sum(first)}, {x})[0];
  for (size_t i = 0; i < 2; ++i) {  // e^(3 x^2)
    const double v = x.to_vector()[i], e = std::exp(3 * v * v);
    EXPECT_NEAR(first.to_vector()[i] / (6 * v * e), 1, 1e-5);
    EXPECT_NEAR(second.to_vector()[i] / ((6 + 36 * v * v) * e), 1, 1e-5);
  }
  expect_error("no hooks", [] { pop_saved_tensor_hooks(); });
}

TEST(InferenceMode, tensors_stay_out_of_gradients) {
  const Tensor x = leaf({2});
  Tensor y;
  {
    InferenceMode mode;
    y = x * 2.0;
    EnableGrad on;
    EXPECT_TRUE(grad_enabled());
    EXPECT_FALSE((x * 2.0).requires_grad());
    InferenceMode off(false);
    EXPECT_TRUE((x * 2.0).requires_grad());
  }
  EXPECT_TRUE(grad_enabled() && !inference_mode());
  EXPECT_TRUE(y.is_inference() && select(y, 0, 0).is_inference() && !clone(y).is_inference());
  expect_error("Inplace update to inference tensor", [&] { neg_(y); });
  expect_error("cannot be saved for backward", [&] { x* y; });
  expect_error("outside InferenceMode", [&] { y.requires_grad_(); });
  EXPECT_TRUE((x + y).requires_grad());
}

// Its gradient is computed with numbers, of which no history knows.
std::vector<Tensor> doubled_numbers(const Tensor& x, const Tensor& g) {
  std::vector<double> result = x.to_vector();
  for (size_t i = 0; i < result.size(); ++i) result[i] *= 2 * g.to_vector()[i];
  return {tensor(result, x.sizes())};
}

struct SquareOfNumbers : Function<SquareOfNumbers> {
  static Tensor forward(Context& context, const Tensor& x) {
    context.save_for_backward({x});
    context.mark_once_differentiable();
    return x * x;
  }
  static std::vector<Tensor> backward(Context& context, const std::vector<Tensor>& grads) {
    return doubled_numbers(context.saved_tensors()[0], grads[0]);
  }
};

Tensor marked_in_backward(const Tensor& x) {
  return call_function(
      "SquareOfNumbers", {x},
      [](Context& context, const std::vector<Tensor>& in) {
        context.save_for_backward(in);
        return std::vector<Tensor>{in[0] * in[0]};
      },
      [](Context& context, const std::vector<Tensor>& grads) {
        context.mark_once_differentiable();
        return doubled_numbers(context.saved_tensors()[0], grads[0]);
      })[0];
}

Tensor square_of_numbers_op(const Tensor& x) {
  static const CustomOp op = [] {
    OpDefinition d;
    d.name = "SquareOfNumbers";
    d.forward = [](const OpArguments& a) {
      Tensor out = a.outputs[0];
      copy_(out, a.inputs[0] * a.inputs[0]);
    };
    d.backward = [](const OpArguments& a, const std::vector<Tensor>& grads) {
      return doubled_numbers(a.inputs[0], grads[0]);
    };
    d.once_differentiable = true;
    return register_op(d);
  }();
  return op(x);
}

TEST(OnceDifferentiable, second_backward_is_an_error_and_never_a_part_of_the_truth) {
  BackwardOptions options;
  options.create_graph = true;
  for (Tensor (*square)(const Tensor&) :
       {+[](const Tensor& x) { return SquareOfNumbers::apply(x); }, marked_in_backward,
        square_of_numbers_op}) {
    const Tensor x = leaf({2, 3});
    for (const bool deeper : {false, true}) {
      const Tensor inner = deeper ? x * 1.0 : x;
      // 3 x^2: the part 2 x^2 has a history, whose derivative alone would be wrong.
      const Tensor y = sum(square(inner) + 2.0 * (x * x));
      const Tensor first = grad({y}, {x}, {}, options)[0];
      EXPECT_EQ(first.to_vector(), (std::vector<double>{12, 18}));
      expect_error("SquareOfNumbers: trying to differentiate twice",
                   [&] { grad({sum(first)}, {x}); });
    }
    const Tensor start = leaf({1, 1});  // by what the gradient starts from, too
    const Tensor first = grad({square(x)}, {x}, {start}, options)[0];
    expect_error("trying to differentiate twice", [&] { grad({sum(first)}, {start}); });
    sum(square(x)).backward();
    EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{4, 6}));
  }
}

struct Counter : Observer {
  std::vector<std::string> names;
  void on_call(const detail::Call& call) override { names.emplace_back(call.op.name); }
};

TEST(RegisteredOp, passes_the_door_as_any_other) {
  OpDefinition d;
  d.name = "test_scaled_add";
  d.forward = [](const OpArguments& a) {
    const double factor = a.numbers[0];
    for (int64_t i = 0; i < a.outputs[0].numel(); ++i)
      a.outputs[0].data_as<double>()[i] =
          a.inputs[0].data_as<double>()[i] + factor * a.inputs[1].data_as<double>()[i];
  };
  d.backward = [](const OpArguments& a, const std::vector<Tensor>& grads) {
    return std::vector<Tensor>{grads[0], grads[0] * a.numbers[0]};
  };
  d.saves_inputs = d.saves_outputs = 0;
  const CustomOp op = register_op(d);
  expect_error("already", [&] { register_op(d); });
  const Tensor a = leaf({1, 2}), b = leaf({10, 20});
  Counter counter;
  const struct Watched {
    Observer* before;
    ~Watched() { detail::set_observer(before); }
  } watched{detail::set_observer(&counter)};
  const Tensor y = op.call({a, b}, {0.5})[0];
  detail::set_observer(nullptr);
  EXPECT_EQ(counter.names, std::vector<std::string>{"test_scaled_add"});
  EXPECT_EQ(y.to_vector(), (std::vector<double>{6, 12}));
  EXPECT_NE(Graph::from_tensor(y).text().find("test_scaled_add"), std::string::npos);
  sum(y).backward();
  EXPECT_EQ(b.grad().to_vector(), (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(op(a, b).to_vector(), (std::vector<double>{1, 2}));
  EXPECT_STREQ(CustomOp::find("test_scaled_add").name(), "test_scaled_add");
  EXPECT_NE(op_doc("test_scaled_add"), "");
}

}  // namespace
}  // namespace autograd
