// The C ABI: backward and gradients, optimizers, graphs.
#include "capi_test.hpp"

namespace {

// ---- autograd

TEST_F(Capi, backward_accumulates_into_leaves) {
  ag_tensor* x = parameter({1, 2, 3});
  EXPECT_EQ(ag_tensor_grad(x), nullptr);
  for (int i = 0; i < 2; ++i) {
    ag_tensor* loss = sum_of_squares(x);
    ag_node* node = ag_tensor_node(loss);
    EXPECT_EQ(text_of([&](char* b, int64_t n) { return ag_node_name(node, b, n); }),
              "SumBackward0");
    ag_node_free(node);
    EXPECT_EQ(ag_tensor_is_leaf(loss), 0);
    EXPECT_EQ(ag_tensor_retain_grad(loss), AG_OK);
    EXPECT_EQ(ag_tensor_retains_grad(loss), 1);
    EXPECT_EQ(ag_backward(&loss, nullptr, 1, nullptr, 0, 0, 0), AG_OK) << ag_last_error();
    expect_failure(ag_backward(&loss, nullptr, 1, nullptr, 0, 0, 0), AG_ERROR_RUNTIME,
                   "second time");
    ag_tensor_free(loss);
  }
  ag_tensor* g = ag_tensor_grad(x);
  float out[3];
  EXPECT_EQ(ag_tensor_copy_out(g, AG_FLOAT32, out, 3), AG_OK);
  EXPECT_EQ(out[2], 12);
  ag_tensor_free(g);
  EXPECT_EQ(ag_zero_grad(&x, 1, 0), AG_OK);
  g = ag_tensor_grad(x);
  EXPECT_EQ(ag_tensor_copy_out(g, AG_FLOAT32, out, 3), AG_OK);
  EXPECT_EQ(out[2], 0);
  EXPECT_EQ(ag_tensor_set_grad(x, nullptr), AG_OK);
  EXPECT_EQ(ag_tensor_grad(x), nullptr);
  EXPECT_EQ(ag_tensor_set_grad(x, g), AG_OK);
  EXPECT_EQ(ag_zero_grad(&x, 1, 1), AG_OK);
  EXPECT_EQ(ag_tensor_grad(x), nullptr);
  ag_tensor_free(g);
  ag_tensor_free(x);
}

TEST_F(Capi, grad_returns_gradients_of_any_order) {
  ag_tensor *x = parameter({1, 2}), *unused = parameter({1});
  ag_tensor* y = sum_of_squares(x);
  ag_tensor* inputs[] = {x, unused};
  ag_tensor* out[2] = {nullptr, nullptr};
  expect_failure(ag_grad(&y, nullptr, 1, inputs, 2, 1, 0, 0, out), AG_ERROR_RUNTIME,
                 "not have been used");
  EXPECT_EQ(out[0], nullptr);
  ASSERT_EQ(ag_grad(&y, nullptr, 1, inputs, 2, 1, 1, 1, out), AG_OK) << ag_last_error();
  EXPECT_EQ(out[1], nullptr);
  EXPECT_EQ(ag_tensor_requires_grad(out[0]), 1);
  ag_tensor *ones = ag_ones_like(x, AG_FLOAT32), *second = nullptr;
  ASSERT_EQ(ag_grad(out, &ones, 1, &x, 1, 0, 0, 0, &second), AG_OK) << ag_last_error();
  float values[2];
  EXPECT_EQ(ag_tensor_copy_out(second, AG_FLOAT32, values, 2), AG_OK);
  EXPECT_EQ(values[1], 2);
  for (ag_tensor* t : {x, unused, y, out[0], ones, second}) ag_tensor_free(t);
}

TEST_F(Capi, autograd_refuses_bad_arguments) {
  ag_tensor *x = parameter({1, 2}), *y = sum_of_squares(x), *null = nullptr, *out = nullptr;
  expect_failure(ag_backward(nullptr, nullptr, 1, nullptr, 0, 0, 0), AG_ERROR_VALUE,
                 "'tensors' is NULL");
  expect_failure(ag_backward(&null, nullptr, 1, nullptr, 0, 0, 0), AG_ERROR_VALUE,
                 "'tensors' is NULL");
  expect_failure(ag_backward(&y, nullptr, -1, nullptr, 0, 0, 0), AG_ERROR_VALUE,
                 "'tensors' cannot have -1");
  expect_failure(ag_backward(&y, nullptr, kMin, nullptr, 0, 0, 0), AG_ERROR_VALUE,
                 "'tensors' cannot have");
  expect_failure(ag_backward(&y, nullptr, 1, &null, 1, 0, 0), AG_ERROR_VALUE, "'inputs' is NULL");
  expect_failure(ag_backward(&y, nullptr, 1, nullptr, 1, 0, 0), AG_ERROR_VALUE, "'inputs' is NULL");
  expect_failure(ag_backward(&y, nullptr, 0, nullptr, 0, 0, 0), AG_ERROR_RUNTIME, "no tensors");
  expect_failure(ag_grad(&y, nullptr, 1, &x, 1, 0, 0, 0, nullptr), AG_ERROR_VALUE, "'out' is NULL");
  expect_failure(ag_grad(&null, nullptr, 1, &x, 1, 0, 0, 0, &out), AG_ERROR_VALUE,
                 "'outputs' is NULL");
  expect_failure(ag_grad(&y, nullptr, 1, &null, 1, 0, 0, 0, &out), AG_ERROR_VALUE,
                 "'inputs' is NULL");
  expect_failure(ag_zero_grad(nullptr, 1, 1), AG_ERROR_VALUE, "'tensors' is NULL");
  expect_failure(ag_zero_grad(&null, 1, 1), AG_ERROR_VALUE, "'tensors' is NULL");
  expect_failure(ag_tensor_set_requires_grad(nullptr, 1), AG_ERROR_VALUE, "'t' is NULL");
  expect_failure(ag_tensor_set_grad(nullptr, x), AG_ERROR_VALUE, "'t' is NULL");
  expect_failure(ag_tensor_set_grad(x, y), AG_ERROR_RUNTIME, "different size");
  expect_failure(ag_tensor_retain_grad(nullptr), AG_ERROR_VALUE, "'t' is NULL");
  EXPECT_EQ(ag_backward(&y, &null, 1, nullptr, 0, 0, 0), AG_OK) << ag_last_error();
  EXPECT_EQ(out, nullptr);
  ag_tensor_free(y);
  ag_tensor_free(x);
}

// ---- optimizers

TEST_F(Capi, sgd_steps_and_hands_out_momentum) {
  ag_tensor* params[] = {parameter({1, 2}), parameter({3})};  // the second has no gradient
  ag_tensor* momentum[] = {nullptr, nullptr};
  ag_tensor* loss = sum_of_squares(params[0]);
  ASSERT_EQ(ag_backward(&loss, nullptr, 1, nullptr, 0, 0, 0), AG_OK);
  ASSERT_EQ(ag_sgd_step(params, nullptr, 2, 0.25, 0, 0, 0, 0, 0), AG_OK) << ag_last_error();
  ASSERT_EQ(ag_sgd_step(params, momentum, 2, 0.25, 0.5, 0, 0, 0, 0), AG_OK) << ag_last_error();
  float w[2];
  EXPECT_EQ(ag_tensor_copy_out(params[0], AG_FLOAT32, w, 2), AG_OK);
  EXPECT_EQ(w[1], 0);  // 2 - 0.25 * 4 - 0.25 * 4
  ASSERT_NE(momentum[0], nullptr);
  EXPECT_EQ(momentum[1], nullptr);
  ag_tensor* first = momentum[0];
  ASSERT_EQ(ag_sgd_step(params, momentum, 2, 0.25, 0.5, 0, 0, 0, 0), AG_OK);
  EXPECT_EQ(momentum[0], first);
  for (ag_tensor* t : {params[0], params[1], momentum[0], loss}) ag_tensor_free(t);
}

TEST_F(Capi, sgd_refuses_bad_arguments_and_keeps_parameters) {
  ag_tensor *p = parameter({1, 2}), *null = nullptr;
  ag_tensor* loss = sum_of_squares(p);
  ASSERT_EQ(ag_backward(&loss, nullptr, 1, nullptr, 0, 0, 0), AG_OK);
  expect_failure(ag_sgd_step(nullptr, nullptr, 1, 0.1, 0, 0, 0, 0, 0), AG_ERROR_VALUE,
                 "'params' is NULL");
  expect_failure(ag_sgd_step(&null, nullptr, 1, 0.1, 0, 0, 0, 0, 0), AG_ERROR_VALUE,
                 "'params' is NULL");
  expect_failure(ag_sgd_step(&p, nullptr, -1, 0.1, 0, 0, 0, 0, 0), AG_ERROR_VALUE,
                 "'params' cannot have -1");
  expect_failure(ag_sgd_step(&p, nullptr, 1, 0.1, 0.9, 0, 0, 0, 0), AG_ERROR_VALUE,
                 "'states' is NULL");
  ag_tensor* wrong = parameter({1, 2, 3});
  expect_failure(ag_sgd_step(&p, &wrong, 1, 0.1, 0.9, 0, 0, 0, 0), AG_ERROR_RUNTIME,
                 "the state momentum_buffer float32 [3] does not fit the parameter float32 [2]");
  ag_tensor* states[] = {wrong, nullptr, nullptr, nullptr};
  expect_failure(ag_adam_step(&p, states, 1, 0.1, 0.9, 0.99, 0, 0, 0, 0, 0), AG_ERROR_RUNTIME,
                 "the state step float32 [3] does not fit");
  EXPECT_EQ(states[1], nullptr);
  ag_tensor_free(wrong);
  float w[2];
  EXPECT_EQ(ag_tensor_copy_out(p, AG_FLOAT32, w, 2), AG_OK);
  EXPECT_EQ(w[1], 2);
  ag_tensor_free(loss);
  ag_tensor_free(p);
}

// ---- graphs

TEST_F(Capi, graph_outlives_its_tensors) {
  ag_tensor *x = parameter({1, 2}), *y = sum_of_squares(x);
  const char* name = "weight";
  ag_graph* graph = ag_graph_from_tensor(y, &x, &name, 1, 0);
  ag_tensor_free(y);
  ag_tensor_free(x);
  EXPECT_EQ(ag_memory_allocated(), before_);
  EXPECT_EQ(ag_graph_num_ops(graph), 2);
  EXPECT_EQ(ag_graph_num_values(graph), 3);
  const auto dot = [&](char* b, int64_t n) { return ag_graph_dot(graph, 0, -1, 0, 3, b, n); };
  const auto svg = [&](char* b, int64_t n) { return ag_graph_svg(graph, 1, -1, 0, 3, b, n); };
  EXPECT_NE(text_of(dot).find("weight"), std::string::npos);
  EXPECT_NE(text_of(svg).find("weight"), std::string::npos);
  const ag_graph* graphs[] = {graph, graph};
  const char* names[] = {"one", "two"};
  const auto html = [&](char* b, int64_t n) {
    return ag_graph_html(graphs, names, 2, "A title", 0, -1, 0, 3, b, n);
  };
  EXPECT_NE(text_of(html).find("A title"), std::string::npos);
  EXPECT_EQ(text_of([&](char* b, int64_t n) {
              return ag_graph_text(graph, b, n);
            }).find("%0 = parameter \"weight\""),
            0u);
  ag_graph_free(graph);
  ag_graph_free(nullptr);
}

TEST_F(Capi, graph_refuses_bad_arguments) {
  ag_tensor *x = parameter({1}), *null = nullptr;
  const char *name = "x", *no_name = nullptr;
  const auto expect_null = [](ag_graph* graph, const std::string& part) {
    expect_failure(graph == nullptr, AG_ERROR_VALUE, part);
  };
  expect_null(ag_graph_from_tensor(nullptr, nullptr, nullptr, 0, 0), "'t' is NULL");
  expect_null(ag_graph_from_tensor(x, &null, &name, 1, 0), "'named' is NULL");
  expect_null(ag_graph_from_tensor(x, nullptr, &name, 1, 0), "'named' is NULL");
  expect_null(ag_graph_from_tensor(x, &x, nullptr, 1, 0), "'names' is NULL");
  expect_null(ag_graph_from_tensor(x, &x, &no_name, 1, 0), "'names' is NULL");
  expect_null(ag_graph_from_tensor(x, &x, &name, -1, 0), "'named' cannot have -1");
  EXPECT_EQ(ag_graph_num_ops(nullptr), -1);
  EXPECT_EQ(ag_graph_num_values(nullptr), -1);
  EXPECT_EQ(ag_graph_dot(nullptr, 0, -1, 0, 3, nullptr, 0), -1);
  ag_graph* graph = ag_graph_from_tensor(x, nullptr, nullptr, 0, 0);
  for (const auto draw : {ag_graph_dot, ag_graph_svg}) {
    EXPECT_EQ(draw(graph, 4, -1, 0, 3, nullptr, 0), -1);
    EXPECT_EQ(draw(graph, 0, -2, 0, 3, nullptr, 0), -1);
    EXPECT_EQ(draw(graph, 0, -1, 8, 3, nullptr, 0), -1);
    EXPECT_EQ(draw(graph, 0, -1, -1, 3, nullptr, 0), -1);
    EXPECT_EQ(draw(graph, 0, -1, 0, 8, nullptr, 0), -1);
    EXPECT_GT(draw(graph, 3, 0, 7, 4, nullptr, 0), 0);
  }
  const ag_graph *good = graph, *none = nullptr;
  EXPECT_EQ(ag_graph_html(&good, &name, 0, "t", 0, -1, 0, 3, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_html(&none, &name, 1, "t", 0, -1, 0, 3, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_html(nullptr, &name, 1, "t", 0, -1, 0, 3, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_html(&good, &no_name, 1, "t", 0, -1, 0, 3, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_html(&good, &name, 1, nullptr, 0, -1, 0, 3, nullptr, 0), -1);
  EXPECT_EQ(ag_graph_html(&good, &name, 1, "t", 9, -1, 0, 3, nullptr, 0), -1);
  ag_graph_free(graph);
  EXPECT_EQ(ag_graph_text(nullptr, nullptr, 0), -1);
  ag_tensor_free(x);
}

}  // namespace
