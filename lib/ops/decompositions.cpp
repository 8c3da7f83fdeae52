// QR, eigenvalues of symmetric matrices, singular values and the pseudoinverse. They are computed
// in float64; float32 is converted.
#include "kernels/cpu/decompositions.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <tuple>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/flops.hpp"
#include "ops/matrices.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

void transpose_into(int64_t m, int64_t n, const double* a, double* out) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) out[j * m + i] = a[i * n + j];
}

Tensor column(const Tensor& numbers) { return unsqueeze(numbers, -1); }
Tensor row(const Tensor& numbers) { return unsqueeze(numbers, -2); }
Tensor identity_like(const Tensor& a) { return eye(a.size(-1), a.size(-1), a.dtype()); }
Tensor skew(const Tensor& a) { return sub(a, matrix_transposed(a)); }
/// x (I - v v^T) for columns v that are orthonormal.
Tensor beside(const Tensor& x, const Tensor& v) {
  return sub(x, matmul(matmul(x, v), matrix_transposed(v)));
}

// ---- QR; outputs: Q [.., m, k], R [.., k, n]. ints[0]: k is m, else min(m, n)

int64_t columns_of_q(const Call& call) {
  const Shape& sizes = call.in(0).sizes;
  const int64_t m = sizes[sizes.size() - 2];
  return call.attrs.ints[0] ? m : std::min(m, sizes.back());
}

void infer_qr(const Call& call, OutputMetas& outputs) {
  const Shape& sizes = call.in(0).sizes;
  const int64_t k = columns_of_q(call);
  add_output(call, outputs, {sizes[sizes.size() - 2], k});
  add_output(call, outputs, {k, sizes.back()});
}

void forward_qr(const Call& call) {
  const Matrices in(call);
  const int64_t m = in.m, n = in.n, k = columns_of_q(call);
  in.each([&](int64_t i, double* a, double scale) {
    Vector<double> tau(static_cast<size_t>(in.least)), q(static_cast<size_t>(m * k)),
        room(static_cast<size_t>(std::max(n, k)));
    cpu::qr_factor(m, n, a, tau.data(), room.data());
    cpu::qr_columns(m, n, k, a, tau.data(), q.data(), room.data());
    // Below the diagonal lie the reflections; rows of a complete R that a has not are 0.
    for (int64_t r = 1; r < m; ++r) std::fill_n(a + r * n, std::min(r, n), 0.0);
    in.store(call.out(0), i, m * k, q.data());
    in.store(call.out(1), i, k * n, a, scale);
  });
}

// A = Q R with a square R. With M = R dR^T - dQ^T Q and S its lower triangle mirrored,
// dA = (dQ + Q S) R^-T (Liao, Liu, Wang and Xiang 2019).
Tensor qr_gradient(const Tensor& q, const Tensor& r, const Tensor& dq, const Tensor& dr) {
  const Tensor product =
      sub(matmul(r, matrix_transposed(triu(dr))), matmul(matrix_transposed(dq), q));
  const Tensor mirrored = add(tril(product), matrix_transposed(tril(product, -1)));
  return linalg_solve_triangular(matrix_transposed(r), add(dq, matmul(q, mirrored)), false, false);
}

// A wide A is [X Y] with X = Q U and Y = Q V, where R = [U V].
void backward_qr(Backward& b) {
  const Tensor q = b.output(0), r = b.output(1), dq = b.grad(0), dr = b.grad(1);
  const int64_t m = r.size(-2), n = r.size(-1);
  if (m > n)
    fail(ErrorCode::kRuntime,
         "linalg.qr: The QR decomposition is not differentiable when mode='complete' and nrows > "
         "ncols; got Q ",
         q.sizes(), " and R ", r.sizes(), ". Take mode='reduced'");
  if (m == n) return b.set(0, qr_gradient(q, r, dq, dr));
  const Tensor v = narrow(r, -1, m, n - m), dv = narrow(dr, -1, m, n - m);
  const Tensor dq_too = add(dq, matmul(matmul(q, v), matrix_transposed(dv)));
  const Tensor dx = qr_gradient(q, narrow(r, -1, 0, m), dq_too, narrow(dr, -1, 0, m));
  b.set(0, cat({dx, matmul(q, dv)}, -1));
}

double qr_flops(const CallSizes& s) { return 4 * count_of(s.in(0)) * last_of(s.out()); }

constexpr Op op_qr = {.name = "qr",
                      .traits = kProduct,
                      .infer = infer_qr,
                      .forward = {forward_qr},
                      .backward = backward_qr,
                      .reads = {reads_output(0) | reads_output(1)},
                      .attrs = ";;complete",
                      .doc = "q of orthonormal columns and an upper triangular r with q r = a",
                      .flops = qr_flops,
                      .batch = {1},
                      .check = check_floating_call<2>};

// ---- eigenvalues of symmetric matrices; outputs: values [.., n], vectors. ints[0]: the upper
// triangle is read

void infer_eigh(const Call& call, OutputMetas& outputs) {
  const int64_t n = call.in(0).sizes.back();
  add_output(call, outputs, {n});
  add_output(call, outputs, {n, n});
}

void forward_eigh(const Call& call) {
  const Matrices in(call);
  const int64_t n = in.n;
  std::atomic<bool> failed{false};
  in.each([&](int64_t i, double* a, double scale) {
    Vector<double> w(static_cast<size_t>(n)), v(static_cast<size_t>(n * n)),
        room(static_cast<size_t>(2 * n));
    if (call.attrs.ints[0]) {
      transpose_into(n, n, a, v.data());
      std::copy(v.begin(), v.end(), a);
    }
    if (!cpu::symmetric_eigen(n, a, w.data(), v.data(), room.data())) failed = true;
    transpose_into(n, n, v.data(), a);
    in.store(call.out(0), i, n, w.data(), scale);
    in.store(call.out(1), i, n * n, a);
  });
  if (failed)
    fail(ErrorCode::kLinalg,
         "linalg.eigh: The algorithm failed to converge because the input matrix is "
         "ill-conditioned or has elements that are not finite; got sizes ",
         call.in(0).sizes);
}

// dA = V (diag(dw) + F * V^T dV) V^T with F_ij = 1 / (w_j - w_i) beside the diagonal; of the
// second, what is symmetric counts.
void backward_eigh(Backward& b) {
  const Tensor w = b.output(0), v = b.output(1), vt = matrix_transposed(v);
  if (!b.has_grad(1)) return b.set(0, matmul(mul(v, row(b.grad(0))), vt));
  const Tensor gaps = add(sub(row(w), column(w)), identity_like(v));
  Tensor inner = div(mul(skew(matmul(vt, b.grad(1))), scalar(0.5)), gaps);
  if (b.has_grad(0)) inner = add(inner, diag_embed(b.grad(0)));
  b.set(0, matmul(matmul(v, inner), vt));
}

void check_eigh(const Call& call) {
  check_floating_call<2>(call);
  const Shape& a = call.in(0).sizes;
  need(call, a[a.size() - 1] == a[a.size() - 2], "square matrices are wanted");
}

double eigh_flops(const CallSizes& s) { return 9 * cubes(s.in(0)); }

constexpr Op op_eigh = {.name = "eigh",
                        .traits = kProduct,
                        .infer = infer_eigh,
                        .forward = {forward_eigh},
                        .backward = backward_eigh,
                        .reads = {reads_output(0) | reads_output(1)},
                        .attrs = ";;upper",
                        .doc = "ascending eigenvalues and the eigenvectors, v diag(w) v^T = a",
                        .flops = eigh_flops,
                        .batch = {1},
                        .check = check_eigh};

// ---- singular values; outputs: U, S, Vh. ints[0]: U and Vh are square

/// One matrix decomposed: the rows of `left` are columns of U, those of `right` rows of Vh.
struct Singular {
  Singular(const Matrices& in, bool full, bool vectors = true)
      : m(in.m),
        n(in.n),
        least(in.least),
        n_left(full ? m : least),
        n_right(full ? n : least),
        s(static_cast<size_t>(least)),
        left(vectors ? static_cast<size_t>(n_left * m) : 0),
        right(vectors ? static_cast<size_t>(n_right * n) : 0),
        columns(static_cast<size_t>(m * n)),
        room(static_cast<size_t>(cpu::singular_values_room(std::max(m, n), least))) {}

  bool decompose(const double* a) {
    double *const u = left.empty() ? nullptr : left.data(), *const v = right.empty() ? nullptr
                                                                                     : right.data();
    if (m >= n) {
      transpose_into(m, n, a, columns.data());
      return cpu::singular_values(m, n, n_left, columns.data(), s.data(), v, u, room.data());
    }
    std::copy_n(a, m * n, columns.data());
    return cpu::singular_values(n, m, n_right, columns.data(), s.data(), u, v, room.data());
  }

  int64_t m, n, least, n_left, n_right;
  Vector<double> s, left, right, columns, room;
};

[[noreturn]] void fail_svd(const char* op, const Call& call) {
  fail(ErrorCode::kLinalg, op,
       ": The algorithm failed to converge because the input matrix contained non-finite values; "
       "got sizes ",
       call.in(0).sizes);
}

void infer_svd(const Call& call, OutputMetas& outputs) {
  const Shape& sizes = call.in(0).sizes;
  const int64_t m = sizes[sizes.size() - 2], n = sizes.back(), least = std::min(m, n);
  const bool full = call.attrs.ints[0];
  add_output(call, outputs, {m, full ? m : least});
  add_output(call, outputs, {least});
  add_output(call, outputs, {full ? n : least, n});
}

void forward_svd(const Call& call) {
  const Matrices in(call);
  std::atomic<bool> failed{false};
  in.each([&](int64_t i, double* a, double scale) {
    Singular found(in, call.attrs.ints[0]);
    if (!found.decompose(a)) failed = true;
    Vector<double> u(found.left.size());
    transpose_into(found.n_left, in.m, found.left.data(), u.data());
    in.store(call.out(0), i, in.m * found.n_left, u.data());
    in.store(call.out(1), i, in.least, found.s.data(), scale);
    in.store(call.out(2), i, found.n_right * in.n, found.right.data());
  });
  if (failed) fail_svd("linalg.svd", call);
}

// With F_ij = 1 / (s_j^2 - s_i^2) beside the diagonal and skew(X) = X - X^T,
// dA = U ((F * skew(U^T dU)) S + S (F * skew(V^T dV)) + diag(ds)) V^T
//      + (I - U U^T) dU S^-1 V^T + U S^-1 dV^T (I - V V^T) (Townsend 2016).
void backward_svd(Backward& b) {
  const Tensor s = b.output(1);
  const int64_t least = s.size(-1);
  const auto first = [&](const Tensor& t, int64_t dim) {
    return t.size(dim) == least ? t : narrow(t, dim, 0, least);
  };
  const Tensor u = first(b.output(0), -1), vt = first(b.output(2), -2), v = matrix_transposed(vt);
  if (!b.has_grad(0) && !b.has_grad(2)) return b.set(0, matmul(mul(u, row(b.grad(1))), vt));
  const Tensor gaps =
      add(mul(sub(row(s), column(s)), add(row(s), column(s))), identity_like(row(s)));
  Tensor inner, outer;
  const auto sum = [](const Tensor& x, const Tensor& y) { return x ? add(x, y) : y; };
  if (b.has_grad(1)) inner = diag_embed(b.grad(1));
  if (b.has_grad(0)) {
    const Tensor du = first(b.grad(0), -1);
    inner = sum(inner, mul(div(skew(matmul(matrix_transposed(u), du)), gaps), row(s)));
    if (u.size(-2) > least)
      outer = matmul(div(matrix_transposed(beside(matrix_transposed(du), u)), row(s)), vt);
  }
  if (b.has_grad(2)) {
    const Tensor dvt = first(b.grad(2), -2);
    inner = sum(inner, mul(div(skew(matmul(vt, matrix_transposed(dvt))), gaps), column(s)));
    if (v.size(-2) > least) outer = sum(outer, matmul(u, div(beside(dvt, v), column(s))));
  }
  const Tensor da = matmul(matmul(u, inner), vt);
  b.set(0, outer ? add(da, outer) : da);
}

double svd_flops(const CallSizes& s) {
  const Shape& a = s.in(0);
  return 20 * count_of(a) * static_cast<double>(std::min(a[a.size() - 2], a.back()));
}

constexpr Op op_svd = {.name = "svd",
                       .traits = kProduct,
                       .infer = infer_svd,
                       .forward = {forward_svd},
                       .backward = backward_svd,
                       .reads = {reads_output(0) | reads_output(1) | reads_output(2)},
                       .attrs = ";;full_matrices",
                       .doc = "u, descending s and vh with u diag(s) vh = a",
                       .flops = svd_flops,
                       .batch = {1},
                       .check = check_floating_call<3>};

// ---- the pseudoinverse, [.., n, m]. reals: singular values count from the larger one of the
// first, and the second times the largest

void infer_pinv(const Call& call, OutputMetas& outputs) {
  const Shape& sizes = call.in(0).sizes;
  add_output(call, outputs, {sizes.back(), sizes[sizes.size() - 2]});
}

void forward_pinv(const Call& call) {
  const Matrices in(call);
  std::atomic<bool> failed{false};
  in.each([&](int64_t i, double* a, double scale) {
    Singular found(in, false);
    if (!found.decompose(a)) failed = true;
    Vector<double> out(static_cast<size_t>(in.n * in.m), 0.0);
    const double* s = found.s.data();
    for (int64_t k = 0; k < in.least; ++k) {
      if (!(s[k] > std::max(call.attrs.reals[0] / scale, call.attrs.reals[1] * s[0]))) break;
      for (int64_t r = 0; r < in.n; ++r) {
        const double factor = found.right.data()[k * in.n + r] / s[k];
        for (int64_t c = 0; c < in.m; ++c)
          out[static_cast<size_t>(r * in.m + c)] += factor * found.left.data()[k * in.m + c];
      }
    }
    in.store(call.out(), i, in.n * in.m, out.data(), 1 / scale);
  });
  if (failed) fail_svd("linalg.pinv", call);
}

// dA = -P^T G P^T + (I - A P) G^T P P^T + P^T P G^T (I - P A) (Golub and Pereyra 1973), for a rank
// that stays the same.
void backward_pinv(Backward& b) {
  const Tensor a = b.input(0), p = b.output(), pt = matrix_transposed(p),
               gt = matrix_transposed(b.grad());
  const Tensor left = matmul(matmul(gt, p), pt), right = matmul(matmul(pt, p), gt);
  const Tensor turned = neg(matmul(matmul(pt, b.grad()), pt));
  const Tensor out_of_columns = sub(left, matmul(a, matmul(p, left)));
  const Tensor out_of_rows = sub(right, matmul(matmul(right, p), a));
  b.set(0, add(turned, add(out_of_columns, out_of_rows)));
}

constexpr Op op_pinv = {.name = "pinv",
                        .traits = kProduct,
                        .infer = infer_pinv,
                        .forward = {forward_pinv},
                        .backward = backward_pinv,
                        .reads = {reads_input(0) | reads_output()},
                        .attrs = ";atol,rtol",
                        .doc = "pseudoinverse of Moore and Penrose",
                        .flops = svd_flops,
                        .batch = {1},
                        .check = check_floating_call<1>};

constexpr const Op* kDecompositions[] = {&op_qr, &op_eigh, &op_svd, &op_pinv};

}  // namespace

OpList decomposition_ops() { return {kDecompositions, std::size(kDecompositions)}; }

}  // namespace detail

std::pair<Tensor, Tensor> linalg_qr(const Tensor& a, bool complete) {
  detail::check_floating_matrices("linalg.qr", a);
  detail::Attrs attrs;
  attrs.ints[0] = complete;
  return detail::dispatch_pair(detail::op_qr, {a}, attrs);
}

std::pair<Tensor, Tensor> linalg_eigh(const Tensor& a, bool upper) {
  detail::check_square_floating_matrices("linalg.eigh", a);
  detail::Attrs attrs;
  attrs.ints[0] = upper;
  return detail::dispatch_pair(detail::op_eigh, {a}, attrs);
}

std::tuple<Tensor, Tensor, Tensor> linalg_svd(const Tensor& a, bool full_matrices) {
  detail::check_floating_matrices("linalg.svd", a);
  detail::Attrs attrs;
  attrs.ints[0] = full_matrices;
  Tensor out[3];
  const detail::Arg inputs[] = {a};
  detail::dispatch(detail::op_svd, inputs, 1, attrs, out, 3);
  return {out[0], out[1], out[2]};
}

Tensor linalg_pinv(const Tensor& a, double atol, double rtol) {
  detail::check_floating_matrices("linalg.pinv", a);
  detail::Attrs attrs;
  attrs.reals[0] = atol;
  attrs.reals[1] = rtol;
  return detail::dispatch(detail::op_pinv, {a}, attrs);
}

}  // namespace autograd
