// C functions of the products.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

using Product = Tensor (*)(const Tensor&, const Tensor&);

ag_tensor* product(const char* function, Product op, const ag_tensor* a, const ag_tensor* b) {
  return make(function, [&](Arguments in) { return op(in.tensor(a, "a"), in.tensor(b, "b")); });
}

using AddedProduct = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, double, double);

ag_tensor* added(const char* function, AddedProduct op, const ag_tensor* input, const ag_tensor* a,
                 const ag_tensor* b, double beta, double alpha) {
  return make(function, [&](Arguments in) {
    return op(in.tensor(input, "input"), in.tensor(a, "a"), in.tensor(b, "b"), beta, alpha);
  });
}

std::vector<int64_t> dims_of(const Arguments& in, const int64_t* dims, int64_t n,
                             const char* name) {
  const Shape list = in.shape(dims, n, name);
  return {list.begin(), list.end()};
}

}  // namespace

ag_tensor* ag_mm(const ag_tensor* a, const ag_tensor* b) { return product(__func__, mm, a, b); }
ag_tensor* ag_bmm(const ag_tensor* a, const ag_tensor* b) { return product(__func__, bmm, a, b); }
ag_tensor* ag_mv(const ag_tensor* a, const ag_tensor* b) { return product(__func__, mv, a, b); }
ag_tensor* ag_dot(const ag_tensor* a, const ag_tensor* b) { return product(__func__, dot, a, b); }
ag_tensor* ag_vdot(const ag_tensor* a, const ag_tensor* b) { return product(__func__, vdot, a, b); }
ag_tensor* ag_outer(const ag_tensor* a, const ag_tensor* b) {
  return product(__func__, outer, a, b);
}
ag_tensor* ag_inner(const ag_tensor* a, const ag_tensor* b) {
  return product(__func__, inner, a, b);
}
ag_tensor* ag_matmul(const ag_tensor* a, const ag_tensor* b) {
  return product(__func__, matmul, a, b);
}
ag_tensor* ag_kron(const ag_tensor* a, const ag_tensor* b) { return product(__func__, kron, a, b); }

ag_tensor* ag_addmm(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b, double beta,
                    double alpha) {
  return added(__func__, addmm, input, a, b, beta, alpha);
}
ag_tensor* ag_baddbmm(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b, double beta,
                      double alpha) {
  return added(__func__, baddbmm, input, a, b, beta, alpha);
}
ag_tensor* ag_addbmm(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b, double beta,
                     double alpha) {
  return added(__func__, addbmm, input, a, b, beta, alpha);
}
ag_tensor* ag_addmv(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b, double beta,
                    double alpha) {
  return added(__func__, addmv, input, a, b, beta, alpha);
}
ag_tensor* ag_addr(const ag_tensor* input, const ag_tensor* a, const ag_tensor* b, double beta,
                   double alpha) {
  return added(__func__, addr, input, a, b, beta, alpha);
}

ag_tensor* ag_einsum(const char* equation, const ag_tensor* const* operands, int64_t n) {
  return make(__func__, [&](Arguments in) {
    return einsum(in.pointer(equation, "equation"), in.tensors(operands, n, "operands"));
  });
}

ag_tensor* ag_tensordot(const ag_tensor* a, const ag_tensor* b, const int64_t* dims_a,
                        int64_t n_dims_a, const int64_t* dims_b, int64_t n_dims_b) {
  return make(__func__, [&](Arguments in) {
    return tensordot(in.tensor(a, "a"), in.tensor(b, "b"), dims_of(in, dims_a, n_dims_a, "dims_a"),
                     dims_of(in, dims_b, n_dims_b, "dims_b"));
  });
}

ag_tensor* ag_trace(const ag_tensor* x) {
  return make(__func__, [&](Arguments in) { return trace(in.tensor(x, "x")); });
}

ag_tensor* ag_multi_dot(const ag_tensor* const* matrices, int64_t n) {
  return make(__func__,
              [&](Arguments in) { return multi_dot(in.tensors(matrices, n, "matrices")); });
}

ag_tensor* ag_linear(const ag_tensor* x, const ag_tensor* weight, const ag_tensor* bias) {
  return make(__func__, [&](Arguments in) {
    return linear(in.tensor(x, "x"), in.tensor(weight, "weight"), in.optional_tensor(bias));
  });
}

ag_tensor* ag_bilinear(const ag_tensor* x1, const ag_tensor* x2, const ag_tensor* weight,
                       const ag_tensor* bias) {
  return make(__func__, [&](Arguments in) {
    return bilinear(in.tensor(x1, "x1"), in.tensor(x2, "x2"), in.tensor(weight, "weight"),
                    in.optional_tensor(bias));
  });
}
