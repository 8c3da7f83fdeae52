// The user's own code in the backward pass, through the C ABI.
#include "capi_test.hpp"

namespace {

// Counts its calls and doubles what it gets.
struct Doubler {
  int calls = 0, freed = 0;
  ag_status answer = AG_OK;

  static ag_tensor* twice(const ag_tensor* grad) { return ag_add(grad, grad); }
  static ag_status hook(void* context, ag_tensor* grad, ag_tensor** replacement) {
    Doubler& self = *static_cast<Doubler*>(context);
    ++self.calls;
    if (self.answer == AG_OK) *replacement = twice(grad);
    return self.answer;
  }
  static ag_status rule(void* context, ag_tensor* const* grads, int64_t n_outputs, ag_tensor** out,
                        int64_t n_inputs) {
    Doubler& self = *static_cast<Doubler*>(context);
    ++self.calls;
    EXPECT_EQ(n_outputs, 1);
    EXPECT_EQ(n_inputs, 2);
    out[0] = twice(grads[0]);  // and nothing flows to the second input
    return self.answer;
  }
  static void free(void* context) { ++static_cast<Doubler*>(context)->freed; }
};

double first_of_grad(const ag_tensor* t) {
  ag_tensor* grad = ag_tensor_grad(t);
  EXPECT_NE(grad, nullptr);
  if (!grad) return -1;
  const double value = static_cast<const float*>(ag_tensor_data(grad))[0];
  ag_tensor_free(grad);
  return value;
}

ag_status backward(ag_tensor* t) { return ag_backward(&t, nullptr, 1, nullptr, 0, 0, 0); }

}  // namespace

TEST_F(Capi, hook_replaces_the_gradient_and_its_context_is_freed_once) {
  Doubler doubler;
  ag_tensor* x = parameter({3, 4});
  ASSERT_EQ(ag_tensor_register_hook(x, Doubler::hook, &doubler, Doubler::free), AG_OK);
  ag_tensor* sum = sum_of_squares(x);
  EXPECT_EQ(backward(sum), AG_OK) << ag_last_error();
  EXPECT_EQ(doubler.calls, 1);
  EXPECT_EQ(first_of_grad(x), 12);  // twice 2 x
  ag_tensor_free(sum);
  EXPECT_EQ(doubler.freed, 0);
  ag_tensor_free(x);
  EXPECT_EQ(doubler.freed, 1);
}

TEST_F(Capi, hook_that_fails_ends_the_backward) {
  Doubler doubler;
  doubler.answer = AG_ERROR_VALUE;
  ag_tensor* x = parameter({3});
  ASSERT_EQ(ag_tensor_register_hook(x, Doubler::hook, &doubler, nullptr), AG_OK);
  ag_tensor* sum = sum_of_squares(x);
  expect_failure(backward(sum), AG_ERROR_RUNTIME, "hook reported a failure");
  ag_tensor_free(sum);
  ag_tensor_free(x);
}

TEST_F(Capi, hook_needs_a_function_and_a_tensor_that_requires_grad) {
  ag_tensor* x = parameter({3});
  ag_tensor* plain = ag_detach(x);
  expect_failure(ag_tensor_register_hook(x, nullptr, nullptr, nullptr), AG_ERROR_VALUE, "'hook'");
  expect_failure(ag_tensor_register_hook(plain, Doubler::hook, nullptr, nullptr), AG_ERROR_RUNTIME,
                 "require");
  ag_tensor_free(plain);
  ag_tensor_free(x);
}

TEST_F(Capi, recorded_function_uses_its_own_rule) {
  Doubler doubler;
  ag_tensor* inputs[] = {parameter({3, 4}), parameter({1, 1})};
  const int64_t n = 2;
  const float values[] = {30, 40};
  ag_tensor* value = ag_tensor_from_data(values, AG_FLOAT32, &n, 1);
  ag_tensor* output = nullptr;
  ASSERT_EQ(
      ag_record_function(inputs, 2, &value, 1, Doubler::rule, &doubler, Doubler::free, &output),
      AG_OK)
      << ag_last_error();
  ag_tensor* sum = ag_sum(output, nullptr, 0, 0, -1);
  EXPECT_EQ(item(sum), 70);
  EXPECT_EQ(backward(sum), AG_OK) << ag_last_error();
  EXPECT_EQ(doubler.calls, 1);
  EXPECT_EQ(first_of_grad(inputs[0]), 2);
  for (ag_tensor* t : {sum, output, value, inputs[0], inputs[1]}) ag_tensor_free(t);
  EXPECT_EQ(doubler.freed, 1);
  expect_failure(ag_record_function(inputs, 0, nullptr, 0, nullptr, nullptr, nullptr, nullptr),
                 AG_ERROR_VALUE, "'rule'");
}
