// What code of the user's may do wrong within a backward pass, in C++ and through the C ABI: what
// is thrown comes out as it is, or as an error of the C ABI, and the library goes on.
#include <cmath>
#include <functional>
#include <stdexcept>

#include "capi_test.hpp"
#include "engine_test.hpp"

namespace autograd {
namespace {

struct Own {
  int number;
};
using Thrower = std::function<void()>;

/// What a user's code may throw, and how it is told when it comes out.
struct Kind {
  const char* name;
  Thrower raise;
  std::function<bool(const Thrower&)> comes_out;
};

template <class E>
bool comes_out_as(const Thrower& call) {
  try {
    call();
  } catch (const E&) {
    return true;
  } catch (...) {
  }
  return false;
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"an Error", [] { throw Error(ErrorCode::kIndex, "own words"); }, comes_out_as<Error>},
      {"a std::exception", [] { throw std::out_of_range("own"); }, comes_out_as<std::out_of_range>},
      {"no memory", [] { throw std::bad_alloc(); }, comes_out_as<std::bad_alloc>},
      {"a class of one's own", [] { throw Own{3}; }, comes_out_as<Own>},
      {"an int", [] { throw 7; }, comes_out_as<int>},
  };
  return all;
}

using Gradients = std::vector<Tensor>;

/// A backward in which `raise` runs, and after which everything is as before.
struct Place {
  const char* name;
  std::function<void(const Thrower& raise)> run;
};

Tensor with_foreign_rule(const Tensor& x, FunctionRule rule) {
  return call_function(
      "foreign", {x},
      [](Context& c, const Gradients& in) {
        c.save_for_backward({in[0]});
        return Gradients{in[0] * 2.0};
      },
      std::move(rule))[0];
}

const std::vector<Place>& places() {
  static const std::vector<Place> all = {
      {"forward",
       [](const Thrower& raise) {
         call_function(
             "foreign", {leaf({1})},
             [&](Context&, const Gradients& in) {
               raise();
               return in;
             },
             [](Context&, const Gradients& grads) { return grads; });
       }},
      {"rule",
       [](const Thrower& raise) {
         sum(with_foreign_rule(leaf({1, 2}), [&](Context&, const Gradients& grads) {
           raise();
           return grads;
         })).backward();
       }},
      {"rule within a rule",
       [](const Thrower& raise) {
         sum(with_foreign_rule(leaf({1, 2}), [&](Context&, const Gradients& grads) {
           EnableGrad on;
           sum(with_foreign_rule(leaf({3}), [&](Context&, const Gradients& inner) {
             raise();
             return inner;
           })).backward();
           return grads;
         })).backward();
       }},
      {"hook of a tensor",
       [](const Thrower& raise) {
         const Tensor y = leaf({1, 2}) * 2.0;
         register_hook(y, [&](const Tensor& grad) {
           raise();
           return grad;
         });
         sum(y * y).backward();
       }},
      {"hook of a leaf",
       [](const Thrower& raise) {
         const Tensor x = leaf({1, 2});
         register_accumulation_hook(x, [&](const Tensor&) { raise(); });
         sum(x * x).backward();
       }},
      {"hook before a node",
       [](const Thrower& raise) {
         const Tensor y = leaf({1, 2}) * 2.0;
         GradFn::of(y).register_prehook([&](const Gradients& grads) {
           raise();
           return grads;
         });
         sum(y).backward();
       }},
      {"hook after a node",
       [](const Thrower& raise) {
         const Tensor y = leaf({1, 2}) * 2.0;
         GradFn::of(y).register_hook([&](const Gradients& in, const Gradients&) {
           raise();
           return in;
         });
         sum(y).backward();
       }},
      {"packing of a saved value",
       [](const Thrower& raise) {
         const Tensor x = leaf({1, 2});
         push_saved_tensor_hooks({[&](const Tensor&) -> std::shared_ptr<void> {
                                    raise();
                                    return nullptr;
                                  },
                                  [](const std::shared_ptr<void>&) { return Tensor(); }});
         struct Pop {
           ~Pop() { pop_saved_tensor_hooks(); }
         } pop;
         exp(x * x);
       }},
      {"unpacking of a saved value",
       [](const Thrower& raise) {
         push_saved_tensor_hooks({[](const Tensor& t) -> std::shared_ptr<void> {
                                    return std::make_shared<Tensor>(t.detach());
                                  },
                                  [&](const std::shared_ptr<void>& content) {
                                    raise();
                                    return *std::static_pointer_cast<Tensor>(content);
                                  }});
         const Tensor x = leaf({1, 2}), y = sum(exp(x));
         pop_saved_tensor_hooks();
         y.backward();
       }},
  };
  return all;
}

void expect_usable(const char* place, const char* kind) {
  EXPECT_TRUE(grad_enabled()) << place << ", " << kind;
  const Tensor x = leaf({2, 3});
  const Tensor y = sum(x * x * x);
  BackwardOptions options;
  options.create_graph = true;
  const Tensor first = grad({y}, {x}, {}, options)[0];
  EXPECT_EQ(first.to_vector(), (std::vector<double>{12, 27})) << place << ", " << kind;
  EXPECT_EQ(grad({sum(first)}, {x})[0].to_vector(), (std::vector<double>{12, 18}));
}

TEST(ForeignCode, what_is_thrown_comes_out_and_the_library_goes_on) {
  for (const Place& place : places())
    for (const Kind& kind : kinds()) {
      int calls = 0;
      place.run([&] { ++calls; });
      EXPECT_GT(calls, 0) << place.name;
      EXPECT_TRUE(kind.comes_out([&] { place.run(kind.raise); }))
          << place.name << ", " << kind.name;
      expect_usable(place.name, kind.name);
    }
}

TEST(ForeignCode, a_graph_that_a_rule_left_may_be_tried_again) {
  const Tensor x = leaf({1, 2});
  int calls = 0;
  const Tensor y = sum(with_foreign_rule(x, [&](Context& c, const Gradients& grads) {
    if (++calls == 1) throw 7;
    return Gradients{grads[0] * c.saved_tensors()[0]};
  }));
  EXPECT_THROW(y.backward(Tensor(), true), int);
  y.backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{1, 2}));
}

TEST(ForeignCode, rules_that_call_their_own_graph) {
  const Tensor x = leaf({1, 2});
  Tensor y;
  int depth = 0;
  y = sum(with_foreign_rule(x, [&](Context&, const Gradients& grads) {
    if (++depth < 3) y.backward(Tensor(), true);
    return Gradients{grads[0] * 1.0};
  }));
  y.backward();
  EXPECT_EQ(depth, 3);
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{3, 3}));
  y = Tensor();  // the rule refers to it
}

TEST(ForeignCode, rules_without_end_are_an_error) {
  std::function<void()> again;
  again = [&] {
    EnableGrad on;
    sum(with_foreign_rule(leaf({1}), [&](Context&, const Gradients& grads) {
      again();
      return grads;
    })).backward();
  };
  try {
    again();
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("backward passes within each other"), std::string::npos)
        << e.what();
  }
  expect_usable("a rule without end", "an Error");
}

TEST(ForeignCode, wrong_results_of_rules_and_hooks) {
  const auto fails = [](const char* phrase, const std::function<void()>& call) {
    try {
      call();
      ADD_FAILURE() << "no error, expected: " << phrase;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(phrase), std::string::npos) << e.what();
    }
    expect_usable(phrase, "an Error");
  };
  const Tensor wrong[] = {zeros({3}), zeros({0}), zeros({2, 2}), zeros({2}, DType::kInt64)};
  for (const Tensor& bad : wrong) {
    const bool is_int = bad.dtype() == DType::kInt64;
    if (bad.sizes() != Shape{2, 2} && !is_int)
      fails("invalid gradient at index 0", [&] {
        sum(with_foreign_rule(leaf({1, 2}), [&](Context&, const Gradients&) {
          return Gradients{bad};
        })).backward();
      });
    fails("hook has changed", [&] {
      const Tensor y = leaf({1, 2}) * 2.0;
      register_hook(y, [&](const Tensor&) { return bad; });
      sum(y).backward();
    });
  }
  fails("gradients", [&] {
    sum(with_foreign_rule(leaf({1, 2}), [&](Context&, const Gradients& g) {
      return Gradients{g[0], g[0], g[0]};
    })).backward();
  });
}

}  // namespace
}  // namespace autograd

namespace {

/// Callbacks of C++ code that throw through the C ABI, which they must not; it ends in an error.
struct Thrown {
  int kind = 0;
  int freed = 0;
  void raise() const {
    if (kind == 1) throw std::runtime_error("own words");
    if (kind == 2) throw 7;
    if (kind == 3) throw std::bad_alloc();
  }
  static void free(void* context) { ++static_cast<Thrown*>(context)->freed; }
  static ag_status hook(void* context, ag_tensor*, ag_tensor**) {
    static_cast<const Thrown*>(context)->raise();
    return AG_OK;
  }
};

ag_status no_kernel(void*, ag_tensor* const*, int64_t, const double*, ag_tensor* const*, int64_t) {
  throw 7;
}
ag_status wrong_rule(void* context, ag_tensor* const* inputs, int64_t, const double*,
                     ag_tensor* const*, ag_tensor* const*, int64_t, ag_tensor** out) {
  const int kind = *static_cast<int*>(context);
  if (kind == 1) throw std::runtime_error("own words");
  if (kind == 2) return AG_ERROR_INDEX;
  if (kind == 3) return static_cast<ag_status>(99);
  if (kind == 4) {
    const int64_t sizes[] = {3};
    out[0] = ag_reshape(inputs[0], sizes, 1);  // NULL: there are 2 elements
    return ag_last_status();
  }
  return AG_OK;
}
ag_status copies(void*, ag_tensor* const* inputs, int64_t, const double*, ag_tensor* const* outputs,
                 int64_t) {
  ag_tensor* made = outputs[0];
  return ag_copy_(made, inputs[0]);
}

}  // namespace

TEST_F(Capi, hooks_that_throw_are_errors) {
  for (const int kind : {1, 2, 3}) {
    Thrown thrown{kind};
    ag_tensor* x = parameter({3, 4});
    ASSERT_EQ(ag_tensor_register_hook(x, Thrown::hook, &thrown, Thrown::free), AG_OK);
    ag_tensor* loss = sum_of_squares(x);
    EXPECT_NE(ag_backward(&loss, nullptr, 1, nullptr, 0, 0, 0), AG_OK) << kind;
    EXPECT_STRNE(ag_last_error(), "");
    if (kind == 1) {
      EXPECT_STREQ(ag_last_error(), "own words");
    }
    ag_tensor_free(loss);
    ag_tensor_free(x);
    EXPECT_EQ(thrown.freed, 1);
  }
}

TEST_F(Capi, registered_ops_that_throw_or_answer_nonsense_are_errors) {
  static int kind = 0;
  const ag_op* never =
      ag_op_register("test::throws", 1, nullptr, no_kernel, nullptr, -1, -1, nullptr);
  const ag_op* op =
      ag_op_register("test::wrong_rule", 1, nullptr, copies, wrong_rule, -1, -1, &kind);
  ASSERT_TRUE(never && op) << ag_last_error();
  ag_tensor *x = parameter({3, 4}), *out = nullptr;
  EXPECT_NE(ag_op_call(never, &x, 1, nullptr, 0, &out), AG_OK);
  EXPECT_EQ(out, nullptr);
  for (kind = 0; kind < 5; ++kind) {
    ASSERT_EQ(ag_op_call(op, &x, 1, nullptr, 0, &out), AG_OK) << ag_last_error();
    ag_tensor* loss = ag_sum(out, nullptr, 0, 0, -1);
    const ag_status status = ag_backward(&loss, nullptr, 1, nullptr, 0, 0, 0);
    EXPECT_EQ(status == AG_OK, kind == 0) << kind << ": " << ag_last_error();
    if (kind == 2) {
      EXPECT_EQ(status, AG_ERROR_INDEX);
    }
    ag_tensor_free(loss);
    ag_tensor_free(out);
    out = nullptr;
  }
  ag_tensor_free(x);
}
