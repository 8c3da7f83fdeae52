// The C functions of compiled functions: a step is captured, repeated, and described.
#include "capi_test.hpp"

namespace {

struct CapiCompiled : Capi {
  // One step of SGD on the sum of (w x)^2; the loss.
  ag_tensor* train(ag_tensor* w, ag_tensor* x) {
    ag_tensor* wx = ag_mul(w, x);
    ag_tensor* loss = sum_of_squares(wx);
    EXPECT_EQ(ag_zero_grad(&w, 1, 1), AG_OK);
    EXPECT_EQ(ag_backward(&loss, nullptr, 1, nullptr, 0, 0, 0), AG_OK);
    EXPECT_EQ(ag_sgd_step(&w, nullptr, 1, 0.1, 0, 0, 0, 0, 0), AG_OK);
    ag_tensor_free(wx);
    return loss;
  }

  // The captured call of a training loop; the loss.
  double step(ag_compiled* compiled, ag_tensor* w, ag_tensor* x) {
    ag_tensor* loss = nullptr;
    const int64_t count = ag_compiled_run(compiled, &x, 1, &loss, 1);
    EXPECT_TRUE(count == 1 || count == -2) << ag_last_error();
    if (count == -2) {
      EXPECT_EQ(ag_compiled_begin(compiled, &x, 1), 1) << ag_last_error();
      EXPECT_EQ(ag_compiled_is_capturing(), 1);
      loss = train(w, x);
      EXPECT_EQ(ag_compiled_end(compiled, &loss, 1), AG_OK) << ag_last_error();
    }
    EXPECT_EQ(ag_compiled_is_capturing(), 0);
    const double value = item(loss);
    ag_tensor_free(loss);
    return value;
  }
};

TEST_F(CapiCompiled, trains_like_the_calls_themselves) {
  ag_tensor *x = parameter({.3f, -.2f, .5f}), *w = parameter({1, 2, 3}), *v = parameter({1, 2, 3});
  ag_tensor_set_requires_grad(x, 0);
  ag_compiled* compiled = ag_compiled_create(0, 0, 1, 1);
  ASSERT_NE(compiled, nullptr) << ag_last_error();
  for (int i = 0; i < 6; ++i) {
    ag_tensor* loss = train(v, x);
    EXPECT_EQ(step(compiled, w, x), item(loss));
    ag_tensor_free(loss);
  }
  EXPECT_EQ(ag_compiled_num_plans(compiled), 1);
  EXPECT_EQ(ag_compiled_num_captures(compiled), 2);

  const double slower[] = {0.01, 0, 0, 0, 0, 0};
  EXPECT_EQ(ag_compiled_set_options(compiled, 0, slower, 6), AG_OK);
  expect_failure(ag_compiled_set_options(compiled, 0, slower, 5), AG_ERROR_VALUE, "6 options");
  expect_failure(ag_compiled_set_options(compiled, 1, slower, 6), AG_ERROR_INDEX, "no step 1");

  ag_tensor* loss = ag_compiled_call(compiled, x, nullptr, nullptr, nullptr);
  ASSERT_NE(loss, nullptr) << ag_last_error();
  ag_tensor_free(loss);
  expect_failure(ag_compiled_call(compiled, x, nullptr, x, nullptr), AG_ERROR_VALUE, "n");

  const char *const names[] = {"weight"}, *const inputs[] = {"x"};
  ag_graph* graph = ag_compiled_graph(compiled, 0, 1, &w, names, 1, 0, inputs, 1);
  EXPECT_NE(
      text_of([&](char* b, int64_t n) { return ag_graph_text(graph, b, n); }).find("sgd_step"),
      std::string::npos);
  ag_graph_free(graph);
  EXPECT_EQ(ag_compiled_graph(compiled, 1, 0, nullptr, nullptr, 0, 0, nullptr, 0), nullptr);
  EXPECT_EQ(ag_compiled_graph(compiled, 0, 0, nullptr, nullptr, 0, 0, nullptr, 1), nullptr);
  EXPECT_EQ(ag_compiled_graph(compiled, 0, 0, &w, names, 1, 2, inputs, 1), nullptr);
  EXPECT_NE(text_of([&](char* b, int64_t n) {
              return ag_compiled_explain(compiled, 0, b, n);
            }).find("captured"),
            std::string::npos);
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_compiled_difference(compiled, b, n); }),
            "");
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_compiled_misfit(compiled, &x, 1, b, n); }),
            "");

  EXPECT_EQ(ag_compiled_doubt(compiled, 0), AG_OK);
  EXPECT_EQ(ag_compiled_call(compiled, x, nullptr, nullptr, nullptr), nullptr);
  EXPECT_EQ(ag_last_status(), AG_OK);
  step(compiled, w, x);  // captured, and found to be the same
  EXPECT_EQ(ag_compiled_num_plans(compiled), 1);
  EXPECT_EQ(ag_compiled_clear(compiled), AG_OK);
  EXPECT_EQ(ag_compiled_num_plans(compiled), 0);
  ag_compiled_free(compiled);
  for (ag_tensor* t : {x, w, v}) ag_tensor_free(t);
}

TEST_F(CapiCompiled, runs_batches) {
  ag_tensor *x = parameter({1, 2, 3, 4, 5}), *w = parameter({1, 1});
  ag_tensor_set_requires_grad(x, 0);
  ag_compiled* compiled = ag_compiled_create(0, 0, 1, 1);
  double losses[3] = {-1, -1, -1};
  EXPECT_EQ(ag_compiled_run_batches(compiled, &x, 1, nullptr, 0, 5, 2, 0, losses), 0);
  const int64_t two = 2;
  const float first[] = {1, 2};
  ag_tensor* batch = ag_tensor_from_data(first, AG_FLOAT32, &two, 1);
  for (int i = 0; i < 3; ++i) step(compiled, w, batch);
  EXPECT_EQ(ag_compiled_run_batches(compiled, &x, 1, nullptr, 0, 5, 2, 0, losses), 2);
  EXPECT_GT(losses[1], 0);
  EXPECT_EQ(ag_compiled_run_batches(compiled, &x, 1, nullptr, 0, 5, 0, 0, losses), -1);
  ag_compiled_free(compiled);
  for (ag_tensor* t : {x, w, batch}) ag_tensor_free(t);
}

TEST_F(CapiCompiled, trains_on_from_a_file) {
  ag_tensor *x = parameter({.3f, -.2f, .5f}), *w = parameter({1, 2, 3});
  ag_tensor_set_requires_grad(x, 0);
  ag_compiled* compiled = ag_compiled_create(0, 0, 1, 1);
  for (int i = 0; i < 4; ++i) step(compiled, w, x);
  const std::string path = testing::TempDir() + "step.plan";
  const char* name = "w";
  ASSERT_EQ(ag_compiled_save(compiled, path.c_str(), &w, &name, 1), AG_OK) << ag_last_error();
  ag_compiled* loaded = ag_compiled_load(path.c_str(), 1 << 20);
  ASSERT_NE(loaded, nullptr) << ag_last_error();
  ASSERT_EQ(ag_compiled_num_tensors(loaded), 1);
  EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_compiled_tensor_name(loaded, 0, b, n); }),
            "w");
  ag_tensor* v = ag_compiled_tensor(loaded, 0);
  for (int i = 0; i < 3; ++i) {
    ag_tensor* loss = nullptr;
    ASSERT_EQ(ag_compiled_run(loaded, &x, 1, &loss, 1), 1) << ag_last_error();
    EXPECT_EQ(item(loss), step(compiled, w, x));
    ag_tensor_free(loss);
  }
  double options[6];
  EXPECT_EQ(ag_compiled_options(loaded, 0, options, 6), 6);
  EXPECT_EQ(options[0], 0.1);
  EXPECT_EQ(ag_compiled_options(loaded, 1, options, 6), -1);
  EXPECT_EQ(ag_compiled_tensor(loaded, 1), nullptr);
  EXPECT_EQ(ag_compiled_load("no such file", 1 << 20), nullptr);
  EXPECT_EQ(ag_compiled_load(nullptr, 1 << 20), nullptr);
  ag_compiled_free(loaded);
  ag_compiled_free(compiled);
  for (ag_tensor* t : {x, w, v}) ag_tensor_free(t);
}

TEST_F(CapiCompiled, several_functions_in_a_file) {
  ag_tensor *x = parameter({.3f, -.2f, .5f}), *w = parameter({1, 2, 3}), *v = parameter({4, 5, 6});
  ag_tensor_set_requires_grad(x, 0);
  ag_compiled *first = ag_compiled_create(0, 0, 1, 1), *second = ag_compiled_create(0, 0, 1, 1);
  for (int i = 0; i < 4; ++i) step(first, w, x), step(second, v, x);
  const ag_compiled* both[] = {first, second};
  const char *labels[] = {"first", "second"}, *names[] = {"w", "v"};
  const ag_tensor* named[] = {w, v};
  const std::string path = testing::TempDir() + "both.plan";
  ASSERT_EQ(ag_compiled_save_all(both, labels, 2, path.c_str(), named, names, 2), AG_OK)
      << ag_last_error();
  ag_compiled* loaded[2] = {nullptr, nullptr};
  EXPECT_EQ(ag_compiled_load_all(path.c_str(), 1 << 20, loaded, 1), -1);
  EXPECT_EQ(ag_compiled_load_all("no such file", 1 << 20, loaded, 2), -1);
  EXPECT_EQ(ag_compiled_load_all(path.c_str(), -1, loaded, 2), -1);
  EXPECT_EQ(ag_compiled_load_all(path.c_str(), 1 << 20, nullptr, 2), -1);
  EXPECT_EQ(ag_compiled_load(path.c_str(), 1 << 20), nullptr);
  ASSERT_EQ(ag_compiled_load_all(path.c_str(), 1 << 20, loaded, 2), 2) << ag_last_error();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_compiled_label(loaded[i], b, n); }),
              labels[i]);
    EXPECT_EQ(ag_compiled_num_tensors(loaded[i]), 2);
    ag_tensor* loss = nullptr;
    ASSERT_EQ(ag_compiled_run(loaded[i], &x, 1, &loss, 1), 1) << ag_last_error();
    EXPECT_EQ(item(loss), i == 0 ? step(first, w, x) : step(second, v, x));
    ag_tensor_free(loss);
  }
  EXPECT_NE(ag_compiled_save_all(nullptr, labels, 2, path.c_str(), named, names, 2), AG_OK);
  EXPECT_NE(ag_compiled_save_all(both, nullptr, 2, path.c_str(), named, names, 2), AG_OK);
  EXPECT_NE(ag_compiled_save_all(both, labels, 0, path.c_str(), named, names, 2), AG_OK);
  EXPECT_NE(ag_compiled_save_all(both, labels, 2, nullptr, named, names, 2), AG_OK);
  EXPECT_EQ(ag_compiled_label(nullptr, nullptr, 0), -1);
  for (ag_compiled* each : {first, second, loaded[0], loaded[1]}) ag_compiled_free(each);
  for (ag_tensor* t : {x, w, v}) ag_tensor_free(t);
}

TEST_F(CapiCompiled, keeps_what_its_plans_use) {
  ag_tensor *x = parameter({.3f, -.2f, .5f}), *w = parameter({1, 2, 3});
  ag_tensor_set_requires_grad(x, 0);
  ag_compiled* compiled = ag_compiled_create(0, 0, 1, 1);
  for (int i = 0; i < 4; ++i) step(compiled, w, x);
  ag_tensor_free(w);  // the plan has a reference of its own
  double last = 1e9;
  for (int i = 0; i < 3; ++i) {
    ag_tensor* loss = nullptr;
    ASSERT_EQ(ag_compiled_run(compiled, &x, 1, &loss, 1), 1) << ag_last_error();
    EXPECT_LT(item(loss), last);
    last = item(loss);
    ag_tensor_free(loss);
  }
  ag_compiled_free(compiled);
  ag_tensor_free(x);
}

TEST_F(CapiCompiled, refuses_what_is_wrong) {
  EXPECT_EQ(ag_compiled_create(-1, 0, 0, 1), nullptr);
  ag_compiled* compiled = ag_compiled_create(1, 2, 1, 0);
  ag_tensor* none = nullptr;
  expect_failure(ag_compiled_run(nullptr, &none, 1, &none, 1) == -1, AG_ERROR_VALUE, "NULL");
  expect_failure(ag_compiled_run(compiled, &none, 1, &none, 1) == -1, AG_ERROR_VALUE, "NULL");
  expect_failure(ag_compiled_end(compiled, nullptr, 0), AG_ERROR_RUNTIME, "end() without begin()");
  expect_failure(ag_compiled_begin(compiled, &none, 1) == -1, AG_ERROR_VALUE, "NULL");
  EXPECT_EQ(ag_compiled_begin(compiled, nullptr, 0), 1);
  expect_failure(ag_compiled_end(compiled, nullptr, 0), AG_ERROR_RUNTIME, "uses no tensors");
  EXPECT_EQ(ag_compiled_begin(compiled, nullptr, 0), 1);
  ag_compiled_cancel(compiled);
  ag_compiled_cancel(nullptr);
  EXPECT_EQ(ag_compiled_num_plans(nullptr), -1);
  ag_compiled_free(compiled);
  ag_compiled_free(nullptr);
}

}  // namespace
