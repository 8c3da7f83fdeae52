// The optimizers through the C ABI and the C++ classes: PyTorch's paths, states, refused arguments.
#include <functional>

#include "autograd/autograd.hpp"
#include "capi_test.hpp"

namespace {

using Step = std::function<ag_status(ag_tensor* const*, ag_tensor**)>;

/// w = 1, eight steps with gradient 2 w - 1.9; the result is PyTorch 2.13's in float64.
struct Path {
  const char* name;
  Step step;
  int states;
  double end;
};

std::vector<Path> paths() {
  const int64_t n = 1;
  return {
      {"sgd", [](auto p, auto s) { return ag_sgd_step(p, s, n, 0.1, 0.9, 0, 0, 0, 0); }, 1,
       0.923859217},
      {"adam",
       [](auto p, auto s) { return ag_adam_step(p, s, n, 0.1, 0.9, 0.99, 1e-3, 0.1, 0, 0, 0); }, 3,
       0.9547594683262894},
      {"adamax", [](auto p, auto s) { return ag_adamax_step(p, s, n, 0.1, 0.9, 0.99, 1e-3, 0, 0); },
       3, 0.9445025040792793},
      {"nadam",
       [](auto p, auto s) { return ag_nadam_step(p, s, n, 0.1, 0.9, 0.99, 1e-3, 0, 0.01, 0, 0); },
       4, 0.952119041695203},
      {"radam", [](auto p, auto s) { return ag_radam_step(p, s, n, 0.1, 0.9, 0.9, 1e-3, 0, 0, 0); },
       3, 0.9028252157871961},
      {"rmsprop",
       [](auto p, auto s) { return ag_rmsprop_step(p, s, n, 0.1, 0.9, 1e-3, 0, 0.5, 1, 0); }, 4,
       0.9731003204070781},
      {"adagrad",
       [](auto p, auto s) { return ag_adagrad_step(p, s, n, 0.1, 0.1, 0, 0.5, 1e-3, 0); }, 2,
       0.9573788906003279},
      {"adadelta", [](auto p, auto s) { return ag_adadelta_step(p, s, n, 0.5, 0.9, 1e-3, 0, 0); },
       3, 0.950000000936198},
      {"rprop", [](auto p, auto s) { return ag_rprop_step(p, s, n, 0.1, 0.5, 1.2, 1e-6, 50, 0); },
       3, 0.9525},
      {"asgd", [](auto p, auto s) { return ag_asgd_step(p, s, n, 0.1, 0.1, 0.75, 1, 0, 0); }, 4,
       0.9200007749306396},
  };
}

void set_gradient(ag_tensor* w) {
  const int64_t sizes[] = {1, 1};
  double value;
  ASSERT_EQ(ag_tensor_item_double(w, &value), AG_OK);
  value = 2 * value - 1.9;
  ag_tensor* grad = ag_tensor_from_data(&value, AG_FLOAT64, sizes, ag_tensor_ndim(w));
  ASSERT_EQ(ag_tensor_set_grad(w, grad), AG_OK) << ag_last_error();
  ag_tensor_free(grad);
}

TEST_F(Capi, optimizers_walk_pytorchs_paths) {
  for (const Path& path : paths()) {
    SCOPED_TRACE(path.name);
    const double one = 1;
    ag_tensor *w = ag_tensor_from_data(&one, AG_FLOAT64, nullptr, 0), *states[4] = {};
    ASSERT_EQ(ag_tensor_set_requires_grad(w, 1), AG_OK);
    ASSERT_EQ(path.step(&w, states), AG_OK) << ag_last_error();
    EXPECT_EQ(states[0], nullptr) << "there was no gradient";
    const int64_t version = ag_tensor_version(w);
    for (int i = 0; i < 8; ++i) {
      set_gradient(w);
      ASSERT_EQ(path.step(&w, states), AG_OK) << ag_last_error();
    }
    double end;
    ASSERT_EQ(ag_tensor_item_double(w, &end), AG_OK);
    // The numbers that PyTorch keeps as float32 tensors are rounded alike.
    EXPECT_NEAR(end, path.end, 1e-13);
    EXPECT_GT(ag_tensor_version(w), version);
    for (int k = 0; k < 4; ++k) EXPECT_EQ(states[k] != nullptr, k < path.states) << k;
    for (ag_tensor* t : states) ag_tensor_free(t);
    ag_tensor_free(w);
  }
}

TEST_F(Capi, optimizers_of_matrices_walk_pytorchs_paths) {
  const Path all[] = {{"adafactor",
                       [](auto p, auto s) {
                         return ag_adafactor_step(p, s, 1, 0.1, -0.8, 1e-3, 1e-2, 1.5, 0.01, 0);
                       },
                       3, 0.9947246694445568},
                      {"muon",
                       [](auto p, auto s) {
                         return ag_muon_step(p, s, 1, 0.1, 0.1, 0.9, 1, 3.4445, -4.775, 2.0315,
                                             1e-7, 5, AG_MUON_SCALE_ORIGINAL);
                       },
                       1, 0.924055510434363}};
  for (const Path& path : all) {
    SCOPED_TRACE(path.name);
    const int64_t sizes[] = {1, 1};
    ag_tensor *w = ag_ones(sizes, 2, AG_FLOAT64), *states[4] = {};
    ASSERT_EQ(ag_tensor_set_requires_grad(w, 1), AG_OK);
    for (int i = 0; i < 8; ++i) {
      set_gradient(w);
      ASSERT_EQ(path.step(&w, states), AG_OK) << ag_last_error();
    }
    double end;
    ASSERT_EQ(ag_tensor_item_double(w, &end), AG_OK);
    EXPECT_NEAR(end, path.end, 1e-12);
    for (int k = 0; k < 4; ++k) EXPECT_EQ(states[k] != nullptr, k < path.states) << k;
    for (ag_tensor* t : states) ag_tensor_free(t);
    ag_tensor_free(w);
  }
}

TEST_F(Capi, muon_refuses_what_is_no_matrix) {
  const double one = 1;
  ag_tensor *w = ag_tensor_from_data(&one, AG_FLOAT64, nullptr, 0), *state = nullptr;
  ASSERT_EQ(ag_tensor_set_requires_grad(w, 1), AG_OK);
  set_gradient(w);
  expect_failure(ag_muon_step(&w, &state, 1, 0.1, 0, 0.9, 1, 1, 0, 0, 1e-7, 5, AG_MUON_SCALE_NONE),
                 AG_ERROR_VALUE, "only supports 2D parameters");
  ag_tensor_free(w);
}

TEST_F(Capi, optimizers_refuse_bad_arguments) {
  for (const Path& path : paths()) {
    SCOPED_TRACE(path.name);
    ag_tensor *null = nullptr, *states[4] = {};
    expect_failure(path.step(nullptr, states), AG_ERROR_VALUE, "'params' is NULL");
    expect_failure(path.step(&null, states), AG_ERROR_VALUE, "'params' is NULL");
    const double one = 1;
    ag_tensor* w = ag_tensor_from_data(&one, AG_FLOAT64, nullptr, 0);
    expect_failure(path.step(&w, nullptr), AG_ERROR_VALUE, "'states' is NULL");
    ASSERT_EQ(ag_tensor_set_requires_grad(w, 1), AG_OK);
    set_gradient(w);
    const int64_t size = 2;
    for (int k = 0; k < path.states; ++k) {
      ag_tensor* wrong[4] = {};
      wrong[k] = ag_ones(&size, 1, AG_FLOAT64);
      expect_failure(path.step(&w, wrong), AG_ERROR_RUNTIME, "does not fit the parameter");
      for (int other = 0; other < 4; ++other) EXPECT_EQ(wrong[other] != nullptr, other == k);
      ag_tensor_free(wrong[k]);
    }
    double value;
    ASSERT_EQ(ag_tensor_item_double(w, &value), AG_OK);
    EXPECT_EQ(value, 1);
    ag_tensor_free(w);
  }
}

TEST_F(Capi, optimizers_write_each_element_of_an_expanded_parameter_never) {
  const double one = 1;
  ag_tensor* base = ag_tensor_from_data(&one, AG_FLOAT64, nullptr, 0);
  const int64_t size = 3;
  ag_tensor *w = ag_expand(base, &size, 1), *grad = ag_ones(&size, 1, AG_FLOAT64);
  ASSERT_EQ(ag_tensor_set_requires_grad(w, 1), AG_OK) << ag_last_error();
  ASSERT_EQ(ag_tensor_set_grad(w, grad), AG_OK);
  expect_failure(ag_sgd_step(&w, nullptr, 1, 0.1, 0, 0, 0, 0, 0), AG_ERROR_RUNTIME,
                 "single memory location");
  for (ag_tensor* t : {base, w, grad}) ag_tensor_free(t);
}

}  // namespace

namespace autograd {
namespace {

TEST(Optim, ClassesKeepTheirStates) {
  Tensor w = tensor(std::vector<double>{1., -2.}).requires_grad_();
  optim::AdamOptions options;
  options.amsgrad = true;
  optim::Adam adam({w}, options);
  EXPECT_FALSE(adam.state(0, 0).defined());
  for (int i = 0; i < 3; ++i) {
    adam.zero_grad();
    sum(w * w).backward();
    adam.step();
  }
  EXPECT_EQ(adam.state(0, 0).item(), 3);
  EXPECT_EQ(adam.state(3, 0).to_vector(), adam.state(2, 0).to_vector());
  EXPECT_NEAR(w.to_vector()[0], 1 - 3e-3, 1e-5);
  EXPECT_THROW(adam.state(4, 0), Error);
  EXPECT_THROW(adam.state(0, 1), Error);
}

TEST(Optim, AdamWDecaysApartFromTheGradient) {
  Tensor w = tensor(std::vector<double>{1.}).requires_grad_();
  w.set_grad(tensor(std::vector<double>{0.}));
  optim::AdamW adam({w});
  adam.step();
  EXPECT_DOUBLE_EQ(w.item(), 1 - 1e-3 * 1e-2);
}

TEST(Optim, ClassesRefuseSenselessOptions) {
  const Tensor w = tensor(std::vector<double>{1.}).requires_grad_();
  optim::AdamOptions adam;
  adam.beta2 = 1;
  EXPECT_THROW(optim::Adam({w}, adam), Error);
  optim::RpropOptions rprop;
  rprop.eta_minus = 1.1;
  EXPECT_THROW(optim::Rprop({w}, rprop), Error);
  optim::RMSpropOptions rmsprop;
  rmsprop.lr = -1;
  EXPECT_THROW(optim::RMSprop({w}, rmsprop), Error);
  EXPECT_THROW(optim::NAdam({}), Error);
  EXPECT_THROW(optim::ASGD({w * 2}), Error);
}

}  // namespace
TEST_F(Capi, numbers_in_tensors_as_options) {
  ag_tensor *rate = parameter({0.25f}), *two = parameter({1, 2});
  double number = 0;
  EXPECT_EQ(ag_optim_number(rate, &number), AG_OK) << ag_last_error();
  EXPECT_EQ(number, 0.25);
  expect_failure(ag_optim_number(two, &number), AG_ERROR_RUNTIME, "element");
  expect_failure(ag_optim_number(rate, nullptr), AG_ERROR_VALUE, "'out' is NULL");
  expect_failure(ag_optim_number(nullptr, &number), AG_ERROR_VALUE, "'t' is NULL");
  ag_tensor_free(rate);
  ag_tensor_free(two);
}

}  // namespace autograd
