/* A function with a gradient of its own in C99: x^n, whose n is the user data of the rule. The
 * value is computed without recording; the rule is written with the library's ops, so that it can
 * be differentiated again. */
#include <autograd.h>
#include <stdio.h>
#include <stdlib.h>

static ag_tensor* power_of(const ag_tensor* x, double n) {
  ag_tensor* exponent = ag_scalar_double(n);
  ag_tensor* y = exponent ? ag_pow(x, exponent) : NULL;
  ag_tensor_free(exponent);
  return y;
}

/* n x^(n - 1) g */
static ag_status backward(void* context, ag_node* node, ag_tensor* const* grads, int64_t n_grads,
                          ag_tensor** out, int64_t n_inputs) {
  const double n = *(const double*)context;
  ag_tensor *x = NULL, *factor = NULL, *power = NULL, *slope = NULL;
  (void)n_grads, (void)n_inputs;
  if (ag_node_saved(node, &x, 1) != 1) return ag_last_status();
  factor = ag_scalar_double(n);
  power = power_of(x, n - 1);
  if (factor && power) slope = ag_mul(power, factor);
  if (slope) out[0] = ag_mul(grads[0], slope);
  ag_tensor_free(slope);
  ag_tensor_free(power);
  ag_tensor_free(factor);
  ag_tensor_free(x);
  return out[0] ? AG_OK : ag_last_status();
}

static void check(int ok) {
  if (ok) return;
  fprintf(stderr, "failed: %s\n", ag_last_error());
  exit(1);
}

int main(void) {
  const float values[] = {2};
  const int64_t n = 1;
  double* exponent = malloc(sizeof *exponent);
  ag_tensor *x, *value, *y = NULL, *slope = NULL, *curve = NULL;
  double first, second;
  int32_t recording;
  check(exponent != NULL);
  *exponent = 3;
  x = ag_tensor_from_data(values, AG_FLOAT32, &n, 1);
  check(x != NULL);
  check(ag_tensor_set_requires_grad(x, 1) == AG_OK);

  recording = ag_set_grad_enabled(0);
  value = power_of(x, *exponent);
  ag_set_grad_enabled(recording);
  check(value != NULL);
  /* `free` is called with exponent when the last history that needs it is gone. */
  check(ag_function_record("power", &x, 1, &value, 1, NULL, &x, 1, 1, backward, exponent, free,
                           &y) == AG_OK);

  check(ag_grad(&y, NULL, 1, &x, 1, 1, 1, 0, &slope) == AG_OK);
  check(ag_grad(&slope, NULL, 1, &x, 1, 0, 0, 0, &curve) == AG_OK);
  first = ((const float*)ag_tensor_data(slope))[0];
  second = ((const float*)ag_tensor_data(curve))[0];
  printf("x = 2: gradient of x^3 %g, second %g\n", first, second);
  check(first == 12 && second == 12);
  ag_tensor_free(curve);
  ag_tensor_free(slope);
  ag_tensor_free(y);
  ag_tensor_free(value);
  ag_tensor_free(x);
  return 0;
}
