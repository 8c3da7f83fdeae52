/* An op with a gradient, registered by a C program: softplus(x) = log(1 + e^x). The kernel is a
 * plain loop; the gradient is written with the library's ops, so that it can be differentiated
 * again. */
#include <autograd.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static ag_status forward(void* context, ag_tensor* const* inputs, int64_t n_inputs,
                         const double* numbers, ag_tensor* const* outputs, int64_t n_outputs) {
  int64_t i;
  const int64_t n = ag_tensor_numel(outputs[0]);
  const float* x = ag_tensor_data(inputs[0]);
  float* y = ag_tensor_data(outputs[0]);
  (void)context, (void)numbers, (void)n_outputs;
  if (n_inputs != 1 || ag_tensor_dtype(inputs[0]) != AG_FLOAT32 ||
      !ag_tensor_is_contiguous(inputs[0]))
    return AG_ERROR_TYPE;
  for (i = 0; i < n; ++i) y[i] = x[i] > 20 ? x[i] : (float)log1p(exp(x[i]));
  return AG_OK;
}

/* g sigmoid(x) */
static ag_status backward(void* context, ag_tensor* const* inputs, int64_t n_inputs,
                          const double* numbers, ag_tensor* const* outputs, ag_tensor* const* grads,
                          int64_t n_outputs, ag_tensor** out) {
  ag_tensor* slope = ag_sigmoid(inputs[0]);
  (void)context, (void)n_inputs, (void)numbers, (void)outputs, (void)n_outputs;
  if (!slope) return ag_last_status();
  out[0] = ag_mul(grads[0], slope);
  ag_tensor_free(slope);
  return out[0] ? AG_OK : ag_last_status();
}

static void check(int ok) {
  if (ok) return;
  fprintf(stderr, "failed: %s\n", ag_last_error());
  exit(1);
}

int main(void) {
  const float values[] = {-1, 0, 2};
  const int64_t n = 3;
  double first, second;
  ag_tensor *x, *y = NULL, *sum, *slope = NULL, *slopes, *curve = NULL;
  /* All inputs are saved, no output. */
  const ag_op* softplus =
      ag_op_register("example::softplus", 1, NULL, forward, backward, -1, 0, NULL);
  check(softplus != NULL);
  x = ag_tensor_from_data(values, AG_FLOAT32, &n, 1);
  check(x != NULL);
  check(ag_tensor_set_requires_grad(x, 1) == AG_OK);
  check(ag_op_call(softplus, &x, 1, NULL, 0, &y) == AG_OK);
  sum = ag_sum(y, NULL, 0, 0, -1);
  check(sum != NULL);
  check(ag_grad(&sum, NULL, 1, &x, 1, 1, 1, 0, &slope) == AG_OK);
  slopes = ag_sum(slope, NULL, 0, 0, -1);
  check(slopes != NULL);
  check(ag_grad(&slopes, NULL, 1, &x, 1, 0, 0, 0, &curve) == AG_OK);
  first = ((const float*)ag_tensor_data(slope))[1];
  second = ((const float*)ag_tensor_data(curve))[1];
  printf("softplus'(0) = %.3f, softplus''(0) = %.3f\n", first, second);
  check(fabs(first - 0.5) < 1e-6 && fabs(second - 0.25) < 1e-6);
  ag_tensor_free(curve);
  ag_tensor_free(slopes);
  ag_tensor_free(slope);
  ag_tensor_free(sum);
  ag_tensor_free(y);
  ag_tensor_free(x);
  return 0;
}
