// QR, eigenvalues of symmetric matrices and singular values. They are computed in float64; float32
// is converted.
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
#include "ops/singular.hpp"

namespace autograd {
namespace detail {
namespace {

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
    Vector<double> columns(static_cast<size_t>(n * m)), q(static_cast<size_t>(k * m)),
        out(static_cast<size_t>(std::max(m * k, k * n))), room(static_cast<size_t>(2 * in.least));
    transpose_into(m, n, a, columns.data());
    cpu::column_qr(m, n, k, columns.data(), q.data(), room.data());
    transpose_into(k, m, q.data(), out.data());
    in.store(call.out(0), i, m * k, out.data());
    for (int64_t r = 0; r < k; ++r)
      for (int64_t c = 0; c < n; ++c)
        out[static_cast<size_t>(r * n + c)] = columns[static_cast<size_t>(c * m + r)];
    in.store(call.out(1), i, k * n, out.data(), scale);
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

// ---- singular values alone

void infer_svdvals(const Call& call, OutputMetas& outputs) {
  const Shape& sizes = call.in(0).sizes;
  add_output(call, outputs, {std::min(sizes[sizes.size() - 2], sizes.back())});
}

void forward_svdvals(const Call& call) {
  const Matrices in(call);
  std::atomic<bool> failed{false};
  in.each([&](int64_t i, double* a, double scale) {
    Singular found(in, false, false);
    if (!found.decompose(a)) failed = true;
    in.store(call.out(), i, in.least, found.s.data(), scale);
  });
  if (failed) fail_svd("linalg.svdvals", call);
}

void backward_svdvals(Backward& b) {
  const auto [u, s, vh] = linalg_svd(b.input(0), false);
  b.set(0, matmul(mul(u, row(b.grad())), vh));
}

double svdvals_flops(const CallSizes& s) { return svd_flops(s) / 5; }

constexpr Op op_svdvals = {.name = "svdvals",
                           .traits = kProduct,
                           .infer = infer_svdvals,
                           .forward = {forward_svdvals},
                           .backward = backward_svdvals,
                           .reads = {reads_input(0)},
                           .doc = "descending singular values",
                           .flops = svdvals_flops,
                           .batch = {1},
                           .check = check_floating_call<1>};

constexpr const Op* kDecompositions[] = {&op_qr, &op_eigh, &op_svd, &op_svdvals};

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

Tensor linalg_svdvals(const Tensor& a) {
  detail::check_floating_matrices("linalg.svdvals", a);
  // The gradient takes the vectors.
  if (a.requires_grad() && grad_enabled()) return std::get<1>(linalg_svd(a, false));
  return detail::dispatch(detail::op_svdvals, {a});
}

}  // namespace autograd
