// C functions of linear algebra.
#include "guard.hpp"

using namespace autograd;
using namespace autograd::capi;

namespace {

/// Hands two results to the caller.
void give(std::pair<Tensor, Tensor>&& results, ag_tensor** first, ag_tensor** second) {
  *first = to_handle(std::move(results.first));
  *second = to_handle(std::move(results.second));
}

/// Three of them.
void give(std::tuple<Tensor, Tensor, Tensor>&& results, ag_tensor** first, ag_tensor** second,
          ag_tensor** third) {
  auto& [a, b, c] = results;
  *first = to_handle(std::move(a));
  *second = to_handle(std::move(b));
  *third = to_handle(std::move(c));
}

}  // namespace

ag_tensor* ag_linalg_inv(const ag_tensor* a) {
  return make(__func__, [&](Arguments in) { return linalg_inv(in.tensor(a, "a")); });
}

ag_status ag_linalg_inv_ex(const ag_tensor* a, int32_t check_errors, ag_tensor** inverse,
                           ag_tensor** info) {
  return run(__func__, [&](Arguments in) {
    in.pointer(inverse, "inverse");
    in.pointer(info, "info");
    give(linalg_inv_ex(in.tensor(a, "a"), check_errors != 0), inverse, info);
  });
}

ag_tensor* ag_linalg_solve(const ag_tensor* a, const ag_tensor* b, int32_t left) {
  return make(__func__, [&](Arguments in) {
    return linalg_solve(in.tensor(a, "a"), in.tensor(b, "b"), left != 0);
  });
}

ag_tensor* ag_linalg_solve_triangular(const ag_tensor* a, const ag_tensor* b, int32_t upper,
                                      int32_t left, int32_t unitriangular) {
  return make(__func__, [&](Arguments in) {
    return linalg_solve_triangular(in.tensor(a, "a"), in.tensor(b, "b"), upper != 0, left != 0,
                                   unitriangular != 0);
  });
}

ag_tensor* ag_linalg_cholesky(const ag_tensor* a, int32_t upper) {
  return make(__func__,
              [&](Arguments in) { return linalg_cholesky(in.tensor(a, "a"), upper != 0); });
}

ag_status ag_linalg_cholesky_ex(const ag_tensor* a, ag_bool upper, ag_bool check_errors,
                                ag_tensor** factor, ag_tensor** info) {
  return run(__func__, [&](Arguments in) {
    in.pointer(factor, "factor");
    in.pointer(info, "info");
    give(linalg_cholesky_ex(in.tensor(a, "a"), upper != 0, check_errors != 0), factor, info);
  });
}

ag_status ag_linalg_lu_factor_ex(const ag_tensor* a, ag_bool check_errors, ag_tensor** lu,
                                 ag_tensor** pivots, ag_tensor** info) {
  return run(__func__, [&](Arguments in) {
    in.pointer(lu, "lu");
    in.pointer(pivots, "pivots");
    in.pointer(info, "info");
    give(linalg_lu_factor_ex(in.tensor(a, "a"), check_errors != 0), lu, pivots, info);
  });
}

ag_status ag_lu_unpack(const ag_tensor* lu, const ag_tensor* pivots, ag_tensor** p, ag_tensor** l,
                       ag_tensor** u) {
  return run(__func__, [&](Arguments in) {
    in.pointer(p, "p");
    in.pointer(l, "l");
    in.pointer(u, "u");
    give(lu_unpack(in.tensor(lu, "lu"), in.tensor(pivots, "pivots")), p, l, u);
  });
}

ag_tensor* ag_linalg_lu_solve(const ag_tensor* lu, const ag_tensor* pivots, const ag_tensor* b,
                              ag_bool left, ag_bool adjoint) {
  return make(__func__, [&](Arguments in) {
    return linalg_lu_solve(in.tensor(lu, "lu"), in.tensor(pivots, "pivots"), in.tensor(b, "b"),
                           left != 0, adjoint != 0);
  });
}

ag_tensor* ag_linalg_matrix_exp(const ag_tensor* a) {
  return make(__func__, [&](Arguments in) { return linalg_matrix_exp(in.tensor(a, "a")); });
}

ag_tensor* ag_linalg_det(const ag_tensor* a) {
  return make(__func__, [&](Arguments in) { return linalg_det(in.tensor(a, "a")); });
}

ag_status ag_linalg_qr(const ag_tensor* a, ag_bool complete, ag_tensor** q, ag_tensor** r) {
  return run(__func__, [&](Arguments in) {
    in.pointer(q, "q");
    in.pointer(r, "r");
    give(linalg_qr(in.tensor(a, "a"), complete != 0), q, r);
  });
}

ag_status ag_linalg_eigh(const ag_tensor* a, ag_bool upper, ag_tensor** values,
                         ag_tensor** vectors) {
  return run(__func__, [&](Arguments in) {
    in.pointer(values, "values");
    in.pointer(vectors, "vectors");
    give(linalg_eigh(in.tensor(a, "a"), upper != 0), values, vectors);
  });
}

ag_status ag_linalg_svd(const ag_tensor* a, ag_bool full_matrices, ag_tensor** u, ag_tensor** s,
                        ag_tensor** vh) {
  return run(__func__, [&](Arguments in) {
    in.pointer(u, "u");
    in.pointer(s, "s");
    in.pointer(vh, "vh");
    give(linalg_svd(in.tensor(a, "a"), full_matrices != 0), u, s, vh);
  });
}

ag_tensor* ag_linalg_svdvals(const ag_tensor* a) {
  return make(__func__, [&](Arguments in) { return linalg_svdvals(in.tensor(a, "a")); });
}

ag_status ag_linalg_lstsq(const ag_tensor* a, const ag_tensor* b, double rtol, ag_tensor** x,
                          ag_tensor** rank) {
  return run(__func__, [&](Arguments in) {
    in.pointer(x, "x");
    in.pointer(rank, "rank");
    give(linalg_lstsq(in.tensor(a, "a"), in.tensor(b, "b"), rtol), x, rank);
  });
}

ag_tensor* ag_linalg_pinv(const ag_tensor* a, double atol, double rtol) {
  return make(__func__, [&](Arguments in) { return linalg_pinv(in.tensor(a, "a"), atol, rtol); });
}

ag_status ag_linalg_slogdet(const ag_tensor* a, ag_tensor** sign, ag_tensor** logabsdet) {
  return run(__func__, [&](Arguments in) {
    in.pointer(sign, "sign");
    in.pointer(logabsdet, "logabsdet");
    give(linalg_slogdet(in.tensor(a, "a")), sign, logabsdet);
  });
}

ag_tensor* ag_linalg_matrix_power(const ag_tensor* a, int64_t n) {
  return make(__func__, [&](Arguments in) { return linalg_matrix_power(in.tensor(a, "a"), n); });
}

ag_tensor* ag_linalg_cross(const ag_tensor* a, const ag_tensor* b, int64_t dim) {
  return make(__func__, [&](Arguments in) {
    return linalg_cross(in.tensor(a, "a"), in.tensor(b, "b"), dim);
  });
}
