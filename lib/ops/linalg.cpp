// Linear algebra: LU, Cholesky and triangular solves as ops, the rest composed of them.
#include "kernels/cpu/linalg.hpp"

#include <algorithm>
#include <cstring>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/thread_state.hpp"
#include "ops/broadcast.hpp"
#include "ops/flops.hpp"
#include "ops/matrices.hpp"
#include "ops/minors.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"
#include "ops/scratch.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr int64_t kFactorWork = 1 << 21;  // multiply-adds worth a second thread

// ---- shapes

struct MatrixBatch {
  explicit MatrixBatch(const TensorBody& a)
      : n(a.sizes.back()), dtype(a.dtype), item(static_cast<int64_t>(size_of(a.dtype))) {
    for (int d = 0; d + 2 < a.sizes.size(); ++d) count *= a.sizes[d];
  }
  /// Runs work(first, last) over the matrices.
  template <class Work>
  void each(const Work& work) const {
    parallel_for(count, std::max<int64_t>(1, kFactorWork / std::max<int64_t>(1, n * n * n)), work);
  }
  int64_t count = 1, n;
  DType dtype;
  int64_t item;
};

/// A copy of one matrix and its factors.
class LuFactors {
 public:
  explicit LuFactors(const MatrixBatch& batch)
      : batch_(batch),
        bytes_(static_cast<size_t>(batch.n * batch.n * batch.item)),
        lu_(bytes_ + 64),
        pivots_(static_cast<size_t>(batch.n) + 1) {}

  int64_t factor(const char* a) {
    std::memcpy(lu_.data(), a, bytes_);
    return cpu::lu_factor(batch_.dtype, batch_.n, batch_.n, lu_.data(), pivots_.data(), &sign_);
  }
  void solve(int64_t m, void* b) const {
    cpu::lu_solve(batch_.dtype, batch_.n, m, lu_.data(), pivots_.data(), b);
  }
  void* data() const { return lu_.data(); }
  int sign() const { return sign_; }

 private:
  const MatrixBatch& batch_;
  size_t bytes_;
  Scratch lu_;
  Vector<int64_t> pivots_;
  int sign_ = 1;
};

void fill_identity(const MatrixBatch& batch, char* out, double value = 1) {
  std::memset(out, 0, static_cast<size_t>(batch.n * batch.n * batch.item));
  for (int64_t i = 0; i < batch.n; ++i) {
    if (batch.dtype == DType::kFloat64)
      reinterpret_cast<double*>(out)[i * (batch.n + 1)] = value;
    else
      reinterpret_cast<float*>(out)[i * (batch.n + 1)] = static_cast<float>(value);
  }
}

// ---- inverse; outputs: inverse, info. ints[0]: singular matrices are errors

void infer_inv(const Call& call, OutputMetas& outputs) {
  const TensorBody& a = call.in(0);
  outputs.add(a.dtype, a.sizes);
  outputs.add(DType::kInt32, batch_of(a.sizes));
}

void forward_inv(const Call& call) {
  const MatrixBatch batch(call.in(0));
  const Tensor a = dense(call.in(0));
  const int64_t bytes = batch.n * batch.n * batch.item;
  int32_t* info = reinterpret_cast<int32_t*>(call.out(1).data);
  batch.each([&](int64_t begin, int64_t end) {
    LuFactors factors(batch);
    for (int64_t i = begin; i < end; ++i) {
      char* out = call.out(0).data + i * bytes;
      info[i] =
          static_cast<int32_t>(factors.factor(static_cast<const char*>(a.data()) + i * bytes));
      fill_identity(batch, out);
      factors.solve(batch.n, out);
    }
  });
  if (!call.attrs.ints[0]) return;
  for (int64_t i = 0; i < batch.count; ++i)
    if (info[i])
      fail(ErrorCode::kLinalg, "linalg.inv: ", batch_note(i, a.dim() > 2), "The diagonal element ",
           info[i],
           " is zero, the inversion could not be completed because the input matrix is singular.");
}

// d(A^-1) = -A^-1 dA A^-1
void backward_inv(Backward& r) {
  const Tensor t = matrix_transposed(r.output());
  r.set(0, neg(matmul(matmul(t, r.grad()), t)));
}

void need_squares(const Call& call) {
  need_float(call, 0);
  const Shape& a = call.in(0).sizes;
  need(call, a.size() >= 2 && a[a.size() - 1] == a[a.size() - 2], "square matrices are wanted");
}

template <int kOutputs>
void check_matrices(const Call& call) {
  need_counts(call, 1, 1, kOutputs);
  need_squares(call);
}

void check_inv(const Call& call) { check_matrices<2>(call); }

void check_solve(const Call& call) {
  need_counts(call, 2, 2);
  need_squares(call);
  need_dtype_of(call, 1, 0);
  const Shape &a = call.in(0).sizes, &b = call.in(1).sizes;
  need(call, b.size() == a.size() && Shape(a.data(), a.size() - 1) == Shape(b.data(), b.size() - 1),
       "an argument of other sizes is wanted");
}

constexpr Op op_inv = {.name = "inv",
                       .traits = kProduct,
                       .infer = infer_inv,
                       .forward = {forward_inv},
                       .backward = backward_inv,
                       .reads = {reads_output()},
                       .attrs = ";;check_errors",
                       .doc = "inverse matrix, and the number of a pivot that is 0",
                       .flops = inverse_flops,
                       .batch = {1},
                       .check = check_inv};

std::pair<Tensor, Tensor> invert(const Tensor& a, bool check_errors) {
  Attrs attrs;
  attrs.ints[0] = check_errors;
  return dispatch_pair(op_inv, {a}, attrs);
}

// ---- solve, a [..., n, n] and b [..., n, k] of the same batch; ints[0]: a is read transposed

void infer_solve(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(1).dtype, call.in(1).sizes);
}

void forward_solve(const Call& call) {
  TensorBody& a = call.in(0);
  const MatrixBatch batch(a);
  const int last = a.sizes.size() - 1;
  Shape strides = a.strides;
  if (call.attrs.ints[0]) std::swap(strides[last], strides[last - 1]);
  const Tensor alias = make_alias(&a, a.sizes, strides, 0), rows = dense(*body(alias));
  TensorBody& out = call.out();
  copy_into(out, call.in(1));
  if (out.numel == 0) return;
  const int64_t k = out.sizes.back(), bytes = batch.n * batch.n * batch.item;
  Vector<char> singular(static_cast<size_t>(batch.count), 0);
  batch.each([&](int64_t begin, int64_t end) {
    LuFactors factors(batch);
    for (int64_t i = begin; i < end; ++i) {
      singular[static_cast<size_t>(i)] =
          factors.factor(static_cast<const char*>(rows.data()) + i * bytes) != 0;
      factors.solve(k, out.data + i * batch.n * k * batch.item);
    }
  });
  for (int64_t i = 0; i < batch.count; ++i)
    if (singular[static_cast<size_t>(i)])
      fail(ErrorCode::kLinalg, "linalg.solve: ", batch_note(i, a.sizes.size() > 2),
           "The solver failed because the input matrix is singular.");
}

Tensor solve_matrices(const Tensor& a, const Tensor& b, bool transposed);

// A x = b: db = A^-T dx, dA = -db x^T.
void backward_solve(Backward& r) {
  const bool transposed = r.attrs().ints[0];
  const Tensor db = solve_matrices(r.input(0), r.grad(), !transposed);
  if (r.needs(1)) r.set(1, db);
  if (!r.needs(0)) return;
  const Tensor x = r.output();
  r.set(0, neg(transposed ? matmul(x, matrix_transposed(db)) : matmul(db, matrix_transposed(x))));
}

constexpr Op op_solve = {.name = "solve",
                         .traits = kProduct,
                         .infer = infer_solve,
                         .forward = {forward_solve},
                         .backward = backward_solve,
                         .reads = {reads_input(0) | reads_output(), reads_input(0)},
                         .attrs = ";;transpose_a",
                         .doc = "x with a x = b",
                         .flops = solve_flops,
                         .batch = {3},
                         .check = check_solve};

Tensor solve_matrices(const Tensor& a, const Tensor& b, bool transposed) {
  Attrs attrs;
  attrs.ints[0] = transposed;
  return dispatch(op_solve, {a, b}, attrs);
}

// ---- triangular solve; ints: upper, unit

void forward_triangular(const Call& call) {
  const MatrixBatch batch(call.in(0));
  const Tensor a = dense(call.in(0));
  TensorBody& out = call.out();
  copy_into(out, call.in(1));
  if (out.numel == 0) return;
  const int64_t k = out.sizes.back();
  batch.each([&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      cpu::solve_triangular(batch.dtype, batch.n, k,
                            static_cast<const char*>(a.data()) + i * batch.n * batch.n * batch.item,
                            call.attrs.ints[0], call.attrs.ints[1],
                            out.data + i * batch.n * k * batch.item);
  });
}

Tensor solve_triangle(const Tensor& a, const Tensor& b, bool upper, bool unit);

void backward_triangular(Backward& r) {
  const bool upper = r.attrs().ints[0], unit = r.attrs().ints[1];
  const Tensor db = solve_triangle(matrix_transposed(r.input(0)), r.grad(), !upper, unit);
  if (r.needs(1)) r.set(1, db);
  if (!r.needs(0)) return;
  const Tensor da = neg(matmul(db, matrix_transposed(r.output())));
  r.set(0, upper ? triu(da, unit ? 1 : 0) : tril(da, unit ? -1 : 0));
}

constexpr Op op_triangular = {.name = "solve_triangular",
                              .traits = kProduct,
                              .infer = infer_solve,
                              .forward = {forward_triangular},
                              .backward = backward_triangular,
                              .reads = {reads_input(0) | reads_output(), reads_input(0)},
                              .attrs = ";;upper,unit",
                              .doc = "x with a x = b for a triangular a",
                              .flops = triangular_flops,
                              .batch = {3},
                              .check = check_solve};

Tensor solve_triangle(const Tensor& a, const Tensor& b, bool upper, bool unit) {
  Attrs attrs;
  attrs.ints[0] = upper;
  attrs.ints[1] = unit;
  return dispatch(op_triangular, {a, b}, attrs);
}

// ---- Cholesky; outputs: the lower factor, info. ints[0]: matrices without one are errors

void infer_same(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(0).dtype, call.in(0).sizes);
}

void forward_cholesky(const Call& call) {
  const MatrixBatch batch(call.in(0));
  TensorBody& out = call.out(0);
  copy_into(out, call.in(0));
  int32_t* info = reinterpret_cast<int32_t*>(call.out(1).data);
  std::fill_n(info, batch.count, 0);
  if (out.numel == 0) return;
  batch.each([&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      info[i] = static_cast<int32_t>(cpu::cholesky_factor(
          batch.dtype, batch.n, out.data + i * batch.n * batch.n * batch.item));
  });
  if (!call.attrs.ints[0]) return;
  for (int64_t i = 0; i < batch.count; ++i)
    if (info[i])
      fail(ErrorCode::kLinalg, "linalg.cholesky: ", batch_note(i, out.sizes.size() > 2),
           "The factorization could not be completed because the input is not positive-definite "
           "(the leading minor of order ",
           info[i], " is not positive-definite).");
}

// dA = L^-T S L^-1 with S the symmetric half of tril(L^T dL).
void backward_cholesky(Backward& r) {
  const Tensor l = r.output(0), lt = matrix_transposed(l);
  const Tensor p = tril(matmul(lt, tril(r.grad())));
  const Tensor s = mul(add(p, matrix_transposed(tril(p, -1))), scalar(0.5));
  const Tensor y = solve_triangle(lt, s, true, false);
  r.set(0, matrix_transposed(solve_triangle(lt, matrix_transposed(y), true, false)));
}

constexpr Op op_cholesky = {.name = "cholesky",
                            .traits = kProduct,
                            .infer = infer_inv,
                            .forward = {forward_cholesky},
                            .backward = backward_cholesky,
                            .reads = {reads_output()},
                            .attrs = ";;check_errors",
                            .doc = "l with l l^T = a",
                            .flops = cholesky_flops,
                            .batch = {1},
                            .check = check_matrices<2>};

std::pair<Tensor, Tensor> factor_positive(const Tensor& a, bool upper, bool check_errors) {
  Attrs attrs;
  attrs.ints[0] = check_errors;
  if (!upper) return dispatch_pair(op_cholesky, {a}, attrs);
  auto [l, info] = dispatch_pair(op_cholesky, {matrix_transposed(a)}, attrs);
  return {matrix_transposed(l), info};
}

// ---- determinants

void infer_det(const Call& call, OutputMetas& outputs) {
  for (int i = 0; i < call.n_outputs; ++i)
    outputs.add(call.in(0).dtype, batch_of(call.in(0).sizes));
}

// work(factors, index) after every factorisation.
template <class Work>
void factor_all(const Call& call, const Work& work) {
  const MatrixBatch batch(call.in(0));
  const Tensor a = dense(call.in(0));
  batch.each([&](int64_t begin, int64_t end) {
    LuFactors factors(batch);
    for (int64_t i = begin; i < end; ++i) {
      factors.factor(static_cast<const char*>(a.data()) + i * batch.n * batch.n * batch.item);
      work(batch, factors, i);
    }
  });
}

void forward_det(const Call& call) {
  factor_all(call, [&](const MatrixBatch& batch, const LuFactors& factors, int64_t i) {
    cpu::lu_determinant(batch.dtype, batch.n, factors.data(), factors.sign(),
                        call.out().data + i * batch.item);
  });
}

void forward_slogdet(const Call& call) {
  factor_all(call, [&](const MatrixBatch& batch, const LuFactors& factors, int64_t i) {
    cpu::lu_log_determinant(batch.dtype, batch.n, factors.data(), factors.sign(),
                            call.out(0).data + i * batch.item, call.out(1).data + i * batch.item);
  });
}

// det(A) A^-T, where a pivot of 0 counts as a tiny one: the gradient of det exists there, too.
void forward_cofactors(const Call& call) {
  factor_all(call, [&](const MatrixBatch& batch, const LuFactors& factors, int64_t i) {
    cpu::lu_lift(batch.dtype, batch.n, factors.data());
    double det;
    float single;
    cpu::lu_determinant(batch.dtype, batch.n, factors.data(), factors.sign(),
                        batch.dtype == DType::kFloat64 ? static_cast<void*>(&det) : &single);
    char* out = call.out().data + i * batch.n * batch.n * batch.item;
    fill_identity(batch, out, batch.dtype == DType::kFloat64 ? det : single);
    factors.solve(batch.n, out);
  });
}

// Are the pivots of all matrices far from 0? Not where the elements can't be looked at.
bool all_regular(const Tensor& a) {
  if (!has_elements(a)) return true;
  const Unobserved pause;
  const NoGrad off;
  const double limit = a.dtype() == DType::kFloat64 ? 1e-10 : 1e-4;
  const Tensor bound = prod(sqrt(sum(square(a.detach()), {-1})), -1);
  return sum(abs(linalg_det(a.detach())) <= bound * limit).item_int() == 0;
}

void backward_cofactors(Backward& r) {
  differentiate_composite(r, [](const std::vector<Tensor>& inputs) -> std::vector<Tensor> {
    const Tensor& a = inputs[0];
    constexpr int64_t kSmall = 4;  // minors cost next to nothing
    if (a.size(-1) <= kSmall || !all_regular(a)) return {cofactors_by_minors(a)};
    return {mul(unsqueeze(unsqueeze(linalg_det(a), -1), -1), invert(a, false).first)};
  });
}

constexpr Op op_cofactors = {.name = "cofactors",
                             .traits = kProduct,
                             .infer = infer_same,
                             .forward = {forward_cofactors},
                             .backward = backward_cofactors,
                             .reads = {reads_input(0)},
                             .doc = "det(a) a^-1",
                             .flops = inverse_flops,
                             .batch = {1},
                             .check = check_matrices<1>};

Tensor per_matrix(const Tensor& g) { return unsqueeze(unsqueeze(g, -1), -1); }

void backward_det(Backward& r) {
  const Tensor cofactors = dispatch(op_cofactors, {r.input(0)});
  r.set(0, mul(per_matrix(r.grad()), matrix_transposed(cofactors)));
}

constexpr Op op_det = {.name = "det",
                       .traits = kProduct,
                       .infer = infer_det,
                       .forward = {forward_det},
                       .backward = backward_det,
                       .reads = {reads_input(0)},
                       .doc = "determinant",
                       .flops = factor_flops,
                       .batch = {1},
                       .check = check_matrices<1>};

void backward_slogdet(Backward& r) {
  if (!r.has_grad(1)) return;
  r.set(0, mul(per_matrix(r.grad(1)), matrix_transposed(invert(r.input(0), false).first)));
}

constexpr Op op_slogdet = {.name = "slogdet",
                           .traits = kProduct,
                           .infer = infer_det,
                           .forward = {forward_slogdet},
                           .backward = backward_slogdet,
                           .reads = {reads_input(0)},
                           .doc = "sign and log of the absolute value of the determinant",
                           .flops = factor_flops,
                           .batch = {1},
                           .check = check_matrices<2>};

constexpr const Op* kLinalgOps[] = {&op_inv,       &op_solve, &op_triangular, &op_cholesky,
                                    &op_cofactors, &op_det,   &op_slogdet};

}  // namespace

OpList linalg_ops() { return {kLinalgOps, std::size(kLinalgOps)}; }

}  // namespace detail

using detail::check_pair;
using detail::check_square_floating_matrices;

Tensor linalg_inv(const Tensor& a) {
  check_square_floating_matrices("linalg.inv", a);
  return detail::invert(a, true).first;
}

std::pair<Tensor, Tensor> linalg_inv_ex(const Tensor& a, bool check_errors) {
  check_square_floating_matrices("linalg.inv_ex", a);
  return detail::invert(a, check_errors);
}

Tensor linalg_solve(const Tensor& a, const Tensor& b, bool left) {
  constexpr const char* kName = "linalg.solve";
  check_pair(kName, a, b);
  // b is a batch of vectors if it has the sizes of a without the last.
  const Shape vector_sizes(a.sizes().data(), a.dim() - 1);
  const bool is_vector = b.dim() == 1 || (a.dim() - 1 == b.dim() && b.sizes() == vector_sizes);
  if (is_vector && !left && b.dim() != 1)
    fail(ErrorCode::kRuntime, kName,
         ": Vector broadcasting of the left hand side is not supported "
         "for left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)");
  if (b.dim() == 0)
    fail(ErrorCode::kRuntime, kName, ": The input tensor B must have at least 2 dimensions.");
  const Tensor matrix = is_vector ? unsqueeze(b, -1) : b;
  const bool from_left = left || is_vector;
  detail::check_right_side(kName, a, matrix, from_left);
  const auto [m, right] = detail::broadcast_matrices(kName, a, matrix);
  if (!from_left)
    return detail::matrix_transposed(
        detail::solve_matrices(m, detail::matrix_transposed(right), true));
  const Tensor x = detail::solve_matrices(m, right, !left);
  return is_vector ? squeeze(x, {-1}) : x;
}

Tensor linalg_solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left,
                               bool unitriangular) {
  constexpr const char* kName = "linalg.solve_triangular";
  check_pair(kName, a, b);
  if (b.dim() < 2)
    fail(ErrorCode::kRuntime, kName,
         ": The input tensor B must have at least 2 dimensions, got sizes ", b.sizes());
  detail::check_right_side(kName, a, b, left);
  const auto [m, right] = detail::broadcast_matrices(kName, a, b);
  if (left) return detail::solve_triangle(m, right, upper, unitriangular);
  return detail::matrix_transposed(detail::solve_triangle(
      detail::matrix_transposed(m), detail::matrix_transposed(right), !upper, unitriangular));
}

Tensor linalg_cholesky(const Tensor& a, bool upper) {
  check_square_floating_matrices("linalg.cholesky", a);
  return detail::factor_positive(a, upper, true).first;
}

std::pair<Tensor, Tensor> linalg_cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
  check_square_floating_matrices("linalg.cholesky_ex", a);
  return detail::factor_positive(a, upper, check_errors);
}

Tensor linalg_det(const Tensor& a) {
  check_square_floating_matrices("linalg.det", a);
  return detail::dispatch(detail::op_det, {a});
}

std::pair<Tensor, Tensor> linalg_slogdet(const Tensor& a) {
  check_square_floating_matrices("linalg.slogdet", a);
  return detail::dispatch_pair(detail::op_slogdet, {a});
}

Tensor linalg_matrix_power(const Tensor& a, int64_t n) {
  detail::check_square_matrices("linalg.matrix_power", a);
  if (n == 0) return clone(expand(eye(a.size(-1), a.size(-1), a.dtype()), a.sizes()));
  Tensor base = n < 0 ? linalg_inv(a) : a, result;
  // The magnitude of the smallest number has no signed counterpart.
  uint64_t rest = n < 0 ? uint64_t{0} - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  for (;; base = matmul(base, base)) {
    if (rest & 1) result = result ? matmul(result, base) : base;
    rest >>= 1;
    if (!rest) return n == 1 ? clone(result) : result;
  }
}

}  // namespace autograd
