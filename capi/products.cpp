// C functions of the products.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

ag_tensor* ag_mm(const ag_tensor* a, const ag_tensor* b) {
  return make(__func__, [&](Arguments in) { return mm(in.tensor(a, "a"), in.tensor(b, "b")); });
}

ag_tensor* ag_bmm(const ag_tensor* a, const ag_tensor* b) {
  return make(__func__, [&](Arguments in) { return bmm(in.tensor(a, "a"), in.tensor(b, "b")); });
}

ag_tensor* ag_matmul(const ag_tensor* a, const ag_tensor* b) {
  return make(__func__, [&](Arguments in) { return matmul(in.tensor(a, "a"), in.tensor(b, "b")); });
}

ag_tensor* ag_addmm(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b, double beta,
                    double alpha) {
  return make(__func__, [&](Arguments in) {
    return addmm(in.tensor(input, "input"), in.tensor(a, "a"), in.tensor(b, "b"), beta, alpha);
  });
}

ag_tensor* ag_linear(const ag_tensor* x, const ag_tensor* weight, const ag_tensor* bias) {
  return make(__func__, [&](Arguments in) {
    return linear(in.tensor(x, "x"), in.tensor(weight, "weight"), in.optional_tensor(bias));
  });
}
