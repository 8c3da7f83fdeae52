// Gradient clipping through the C ABI.
#include <cmath>

#include "capi_test.hpp"

namespace {

// A parameter whose gradient is {6, 8}: the norm is 10.
ag_tensor* with_gradient() {
  ag_tensor* x = parameter({3, 4});
  ag_tensor* sum = sum_of_squares(x);
  EXPECT_EQ(ag_backward(&sum, nullptr, 1, nullptr, 0, 0, 0), AG_OK);
  ag_tensor_free(sum);
  return x;
}

float gradient_at(const ag_tensor* x, int i) {
  ag_tensor* grad = ag_tensor_grad(x);
  const float value = static_cast<const float*>(ag_tensor_data(grad))[i];
  ag_tensor_free(grad);
  return value;
}

}  // namespace

TEST_F(Capi, clip_grad_norm_scales_to_the_norm_and_returns_the_one_before) {
  ag_tensor* x = with_gradient();
  ag_tensor* norm = ag_clip_grad_norm(&x, 1, 5, 2, 0);
  EXPECT_EQ(item(norm), 10);
  EXPECT_NEAR(gradient_at(x, 0), 3, 1e-5);
  EXPECT_EQ(ag_clip_grads_with_norm(&x, 1, 1, norm), AG_OK);
  EXPECT_NEAR(gradient_at(x, 1), 0.4, 1e-5);
  ag_tensor_free(norm);
  ag_tensor_free(x);
}

TEST_F(Capi, clip_grad_value_limits_the_elements) {
  ag_tensor* x = with_gradient();
  EXPECT_EQ(ag_clip_grad_value(&x, 1, 7), AG_OK);
  EXPECT_EQ(gradient_at(x, 0), 6);
  EXPECT_EQ(gradient_at(x, 1), 7);
  ag_tensor_free(x);
}

TEST_F(Capi, total_norm_of_what_is_not_finite_is_refused_if_asked) {
  ag_tensor* x = parameter({INFINITY, 1});
  ag_tensor* norm = ag_total_norm(&x, 1, 2, 0);
  EXPECT_TRUE(std::isinf(item(norm)));
  ag_tensor_free(norm);
  expect_failure(ag_total_norm(&x, 1, 2, 1), AG_ERROR_RUNTIME, "non-finite");
  expect_failure(ag_total_norm(nullptr, 1, 2, 0), AG_ERROR_VALUE, "NULL");
  norm = ag_total_norm(nullptr, 0, 2, 0);
  EXPECT_EQ(item(norm), 0);
  ag_tensor_free(norm);
  ag_tensor_free(x);
}
