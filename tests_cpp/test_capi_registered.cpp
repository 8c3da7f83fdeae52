// Ops that a program registers through the C ABI.
#include <cmath>

#include "capi_test.hpp"

namespace {

// hypot(a, b) = sqrt(a^2 + b^2), with a kernel of its own and a gradient in ops of the library.
ag_status hypot_forward(void* calls, ag_tensor* const* inputs, int64_t n_inputs, const double*,
                        ag_tensor* const* outputs, int64_t n_outputs) {
  ++*static_cast<int*>(calls);
  EXPECT_EQ(n_inputs, 2);
  EXPECT_EQ(n_outputs, 1);
  const auto* a = static_cast<const float*>(ag_tensor_data(inputs[0]));
  const auto* b = static_cast<const float*>(ag_tensor_data(inputs[1]));
  auto* out = static_cast<float*>(ag_tensor_data(outputs[0]));
  for (int64_t i = 0; i < ag_tensor_numel(outputs[0]); ++i)
    out[i] = std::sqrt(a[i] * a[i] + b[i] * b[i]);
  return AG_OK;
}

ag_status hypot_backward(void*, ag_tensor* const* inputs, int64_t n_inputs, const double*,
                         ag_tensor* const* outputs, ag_tensor* const* grads, int64_t,
                         ag_tensor** out) {
  for (int64_t i = 0; i < n_inputs; ++i) {
    ag_tensor* ratio = ag_div(inputs[i], outputs[0]);
    out[i] = ag_mul(grads[0], ratio);
    ag_tensor_free(ratio);
  }
  return AG_OK;
}

int hypot_calls = 0;

const ag_op* hypot_op() {
  static const ag_op* op = ag_op_register("test::hypot", 1, nullptr, hypot_forward, hypot_backward,
                                          -1, -1, &hypot_calls);
  return op;
}

ag_tensor* call(const ag_op* op, ag_tensor* a, ag_tensor* b) {
  ag_tensor *inputs[] = {a, b}, *out = nullptr;
  EXPECT_EQ(ag_op_call(op, inputs, 2, nullptr, 0, &out), AG_OK) << ag_last_error();
  return out;
}

double element(const ag_tensor* t, int64_t i) {
  return static_cast<const float*>(ag_tensor_data(t))[i];
}

}  // namespace

TEST_F(Capi, registered_op_computes_and_is_differentiated_twice) {
  ASSERT_NE(hypot_op(), nullptr) << ag_last_error();
  ag_tensor *a = parameter({3, 5}), *b = parameter({4, 12});
  ag_tensor* y = call(hypot_op(), a, b);
  EXPECT_EQ(element(y, 0), 5);
  EXPECT_EQ(element(y, 1), 13);
  ag_tensor* sum = ag_sum(y, nullptr, 0, 0, -1);
  ag_tensor* first = nullptr;
  ASSERT_EQ(ag_grad(&sum, nullptr, 1, &a, 1, 1, 1, 0, &first), AG_OK) << ag_last_error();
  EXPECT_FLOAT_EQ(static_cast<float>(element(first, 0)), 0.6F);
  ag_tensor* total = ag_sum(first, nullptr, 0, 0, -1);
  ag_tensor* second = nullptr;
  ASSERT_EQ(ag_grad(&total, nullptr, 1, &a, 1, 0, 0, 0, &second), AG_OK) << ag_last_error();
  EXPECT_NEAR(element(second, 0), 16.0 / 125, 1e-6);  // b^2 / y^3
  for (ag_tensor* t : {second, total, first, sum, y, b, a}) ag_tensor_free(t);
}

namespace {

// The gradient of hypot by its first input alone, in numbers.
ag_status hypot_numbers(void*, ag_tensor* const* inputs, int64_t, const double*,
                        ag_tensor* const* outputs, ag_tensor* const* grads, int64_t,
                        ag_tensor** out) {
  const auto value =
      static_cast<float>(element(grads[0], 0) * element(inputs[0], 0) / element(outputs[0], 0));
  const int64_t n = 1;
  out[0] = ag_tensor_from_data(&value, AG_FLOAT32, &n, 1);
  return AG_OK;
}

}  // namespace

TEST_F(Capi, registered_op_that_is_once_differentiable) {
  static const ag_op* op = ag_op_register_once_differentiable(
      "test::hypot_once", 1, nullptr, hypot_forward, hypot_numbers, -1, -1, &hypot_calls);
  ASSERT_NE(op, nullptr) << ag_last_error();
  ag_tensor *a = parameter({3}), *b = parameter({4});
  ag_tensor* y = call(op, a, b);
  ag_tensor *first = nullptr, *second = nullptr;
  ASSERT_EQ(ag_grad(&y, nullptr, 1, &a, 1, 1, 1, 0, &first), AG_OK) << ag_last_error();
  EXPECT_FLOAT_EQ(static_cast<float>(element(first, 0)), 0.6F);
  expect_failure(ag_grad(&first, nullptr, 1, &a, 1, 0, 0, 0, &second) == AG_ERROR_RUNTIME,
                 AG_ERROR_RUNTIME, "test::hypot_once: trying to differentiate twice");
  expect_failure(ag_op_register_once_differentiable("test::hypot_once", 1, nullptr, hypot_forward,
                                                    nullptr, 0, 0, nullptr) == nullptr,
                 AG_ERROR_VALUE, "already");
  for (ag_tensor* t : {first, y, b, a}) ag_tensor_free(t);
}

TEST_F(Capi, registered_op_is_known_by_name) {
  EXPECT_EQ(ag_op_find("test::hypot"), hypot_op());
  EXPECT_EQ(ag_op_num_outputs(hypot_op()), 1);
  const auto names = text_of([](char* b, int64_t n) { return ag_op_names(b, n); });
  EXPECT_NE(names.find("test::hypot"), std::string::npos);
  EXPECT_EQ(ag_op_find("test::missing"), nullptr);
  expect_failure(ag_op_find("mul") == nullptr, AG_ERROR_VALUE, "no registered op named 'mul'");
  ag_tensor *a = parameter({3}), *b = parameter({4});
  ag_tensor* y = call(hypot_op(), a, b);
  ag_graph* graph = ag_graph_from_tensor(y, nullptr, nullptr, 0, 0);
  const auto text = text_of([&](char* to, int64_t n) { return ag_graph_text(graph, to, n); });
  EXPECT_NE(text.find("test::hypot"), std::string::npos) << text;
  ag_graph_free(graph);
  for (ag_tensor* t : {y, b, a}) ag_tensor_free(t);
}

TEST_F(Capi, registration_refuses_what_cannot_work) {
  const auto refused = [](const char* name, int64_t n_outputs, ag_op_forward forward,
                          const char* part) {
    expect_failure(
        ag_op_register(name, n_outputs, nullptr, forward, nullptr, 0, 0, nullptr) == nullptr,
        AG_ERROR_VALUE, part);
  };
  ASSERT_NE(hypot_op(), nullptr);
  refused(nullptr, 1, hypot_forward, "'name'");
  refused("", 1, hypot_forward, "no name");
  refused("a b", 1, hypot_forward, "no name");
  refused("mul", 1, hypot_forward, "already");
  refused("test::hypot", 1, hypot_forward, "already");
  refused("test::none", 1, nullptr, "'forward'");
  refused("test::none", 0, hypot_forward, "'n_outputs'");
  refused("test::none", 17, hypot_forward, "'n_outputs'");
}

TEST_F(Capi, call_of_a_registered_op_refuses_bad_arguments) {
  ag_tensor *a = parameter({1, 2}), *b = parameter({1, 2, 3}), *out = nullptr;
  ag_tensor *pair[] = {a, b}, *hole[] = {a, nullptr};
  const double numbers[4] = {};
  expect_failure(ag_op_call(nullptr, pair, 2, nullptr, 0, &out), AG_ERROR_VALUE, "'op'");
  expect_failure(ag_op_call(hypot_op(), pair, 2, nullptr, 0, nullptr), AG_ERROR_VALUE, "'out'");
  expect_failure(ag_op_call(hypot_op(), nullptr, 2, nullptr, 0, &out), AG_ERROR_VALUE, "'inputs'");
  expect_failure(ag_op_call(hypot_op(), pair, -1, nullptr, 0, &out), AG_ERROR_VALUE, "'inputs'");
  expect_failure(ag_op_call(hypot_op(), hole, 2, nullptr, 0, &out), AG_ERROR_VALUE, "'inputs'");
  expect_failure(ag_op_call(hypot_op(), pair, 2, numbers, 4, &out), AG_ERROR_VALUE, "numbers");
  expect_failure(ag_op_call(hypot_op(), pair, 2, nullptr, 1, &out), AG_ERROR_VALUE, "'numbers'");
  expect_failure(ag_op_call(hypot_op(), pair, 2, nullptr, 0, &out), AG_ERROR_RUNTIME,
                 "test::hypot");
  ag_tensor_free(b);
  ag_tensor_free(a);
}

namespace {

// Splits [n] into its first and second half, as int64 counts would say; takes a factor.
ag_status halves_infer(void*, ag_tensor* const* inputs, int64_t, const double* numbers,
                       int32_t* dtypes, int64_t* ndims, int64_t* sizes, int64_t n_outputs) {
  if (numbers[0] == -1) return AG_ERROR_VALUE;        // reported without words
  if (numbers[0] == -2) ndims[0] = 99;                // nonsense
  if (numbers[0] == -3) dtypes[0] = 99;               // nonsense
  if (numbers[0] == -4) sizes[0] = -5, ndims[0] = 1;  // nonsense
  if (numbers[0] < 0) return AG_OK;
  const int64_t n = ag_tensor_numel(inputs[0]);
  for (int64_t i = 0; i < n_outputs; ++i) {
    dtypes[i] = ag_tensor_dtype(inputs[0]);
    ndims[i] = 1;
    sizes[12 * i] = i ? n - n / 2 : n / 2;
  }
  return AG_OK;
}
ag_status halves_forward(void*, ag_tensor* const* inputs, int64_t, const double* numbers,
                         ag_tensor* const* outputs, int64_t n_outputs) {
  if (numbers[1] != 0) {  // passes the library's failure on
    ag_matmul(inputs[0], nullptr);
    return ag_last_status();
  }
  const auto* x = static_cast<const float*>(ag_tensor_data(inputs[0]));
  for (int64_t i = 0; i < n_outputs; ++i) {
    auto* out = static_cast<float*>(ag_tensor_data(outputs[i]));
    for (int64_t k = 0; k < ag_tensor_numel(outputs[i]); ++k)
      out[k] = static_cast<float>(numbers[0]) * *x++;
  }
  return AG_OK;
}
ag_status halves_backward(void*, ag_tensor* const* inputs, int64_t, const double* numbers,
                          ag_tensor* const* outputs, ag_tensor* const* grads, int64_t n_outputs,
                          ag_tensor** out) {
  EXPECT_EQ(inputs[0], nullptr);  // neither is saved
  EXPECT_EQ(outputs[0], nullptr);
  EXPECT_EQ(n_outputs, 2);
  EXPECT_NE(grads[0], nullptr);
  EXPECT_EQ(grads[1], nullptr);
  // A gradient of wrong sizes where the factor is 7.
  const int64_t n = numbers[0] == 7 ? 3 : 4;
  out[0] = ag_zeros(&n, 1, AG_FLOAT32);
  return AG_OK;
}
const ag_op* halves_op() {
  static const ag_op* op = ag_op_register("test.halves", 2, halves_infer, halves_forward,
                                          halves_backward, 0, 0, nullptr);
  return op;
}

}  // namespace

TEST_F(Capi, registered_op_of_two_outputs_says_what_they_are) {
  ag_tensor *x = parameter({1, 2, 3, 4}), *out[2] = {};
  const double factor = 10;
  ASSERT_EQ(ag_op_call(halves_op(), &x, 1, &factor, 1, out), AG_OK) << ag_last_error();
  EXPECT_EQ(ag_tensor_numel(out[0]), 2);
  EXPECT_EQ(element(out[1], 1), 40);
  ag_tensor* sum = ag_sum(out[0], nullptr, 0, 0, -1);
  EXPECT_EQ(ag_backward(&sum, nullptr, 1, nullptr, 0, 0, 0), AG_OK) << ag_last_error();
  for (ag_tensor* t : {sum, out[0], out[1], x}) ag_tensor_free(t);
}

TEST_F(Capi, failures_of_a_registered_op_are_errors) {
  ag_tensor *x = parameter({1, 2, 3, 4}), *out[2] = {};
  const auto fails = [&](double first, double second, ag_status status, const char* part) {
    const double numbers[] = {first, second};
    expect_failure(ag_op_call(halves_op(), &x, 1, numbers, 2, out), status, part);
  };
  fails(-1, 0, AG_ERROR_VALUE, "test.halves: infer reported a failure");
  fails(-2, 0, AG_ERROR_VALUE, "99 dims");
  fails(-3, 0, AG_ERROR_VALUE, "dtype 99");
  fails(-4, 0, AG_ERROR_RUNTIME, "negative dimension");
  fails(1, 1, AG_ERROR_VALUE, "is NULL");
  const double seven = 7;
  ASSERT_EQ(ag_op_call(halves_op(), &x, 1, &seven, 1, out), AG_OK);
  ag_tensor* sum = ag_sum(out[0], nullptr, 0, 0, -1);
  expect_failure(ag_backward(&sum, nullptr, 1, nullptr, 0, 0, 0), AG_ERROR_RUNTIME,
                 "returned an invalid gradient at index 0 - got [3] but expected shape compatible "
                 "with [4]");
  for (ag_tensor* t : {sum, out[0], out[1], x}) ag_tensor_free(t);
}
