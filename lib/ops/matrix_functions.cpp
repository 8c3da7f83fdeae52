// LU factors as a result, and the exponential of matrices.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "kernels/cpu/linalg.hpp"
#include "kernels/cpu/matrix_exp.hpp"
#include "ops/broadcast.hpp"
#include "ops/flops.hpp"
#include "ops/matrices.hpp"
#include "ops/registry.hpp"
#include "ops/scratch.hpp"

namespace autograd {
namespace detail {
namespace {

// ---- LU; outputs: both factors [.., m, n], pivots [.., k] from 1, info. ints[0]: pivots of 0 are
// errors

void infer_lu(const Call& call, OutputMetas& outputs) {
  const Shape& sizes = call.in(0).sizes;
  const int64_t m = sizes[sizes.size() - 2], n = sizes.back();
  add_output(call, outputs, {m, n});
  add_output(call, outputs, {std::min(m, n)}, DType::kInt32);
  add_output(call, outputs, {}, DType::kInt32);
}

void forward_lu(const Call& call) {
  const Matrices in(call);
  int32_t *pivots = reinterpret_cast<int32_t*>(call.out(1).data),
          *info = reinterpret_cast<int32_t*>(call.out(2).data);
  in.each([&](int64_t i, double* a, double scale) {
    Vector<int64_t> places(static_cast<size_t>(in.least));
    int sign;
    info[i] =
        static_cast<int32_t>(cpu::lu_factor(DType::kFloat64, in.m, in.n, a, places.data(), &sign));
    for (int64_t k = 0; k < in.least; ++k)
      pivots[i * in.least + k] = static_cast<int32_t>(places[static_cast<size_t>(k)] + 1);
    if (scale != 1)
      for (int64_t r = 0; r < in.m; ++r)
        for (int64_t c = r; c < in.n; ++c) a[r * in.n + c] *= scale;
    in.store(call.out(0), i, in.m * in.n, a);
  });
  if (!call.attrs.ints[0]) return;
  for (int64_t i = 0; i < in.count; ++i)
    if (info[i])
      fail(ErrorCode::kRuntime, "linalg.lu_factor: ", batch_note(i, call.in(0).sizes.size() > 2),
           "U[", info[i], ",", info[i],
           "] is zero and using it on lu_solve would result in a division by zero. If you still "
           "want to perform the factorization, consider calling linalg.lu(A, pivot=True) or "
           "linalg.lu_factor_ex(A, pivot=True)");
}

// The permutation matrix [.., m, m] of pivots from 1, [.., k]. ints: m, dtype
void infer_permutation(const Call& call, OutputMetas& outputs) {
  const int64_t m = call.attrs.ints[0];
  const Shape& sizes = call.in(0).sizes;
  OutputMeta& meta = outputs.add();
  meta.dtype = static_cast<DType>(call.attrs.ints[1]);
  meta.sizes = Shape(sizes.data(), sizes.size() - 1);
  meta.sizes.push_back(m);
  meta.sizes.push_back(m);
}

void forward_permutation(const Call& call) {
  const Tensor pivots = dense(call.in(0));
  const int32_t* pivot = static_cast<const int32_t*>(pivots.data());
  TensorBody& out = call.out();
  const int64_t m = call.attrs.ints[0], k = call.in(0).sizes.back();
  std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  Vector<int64_t> row(static_cast<size_t>(m));
  for (int64_t at = 0; at < out.numel; at += m * m, pivot += k) {
    std::iota(row.begin(), row.end(), int64_t{0});
    for (int64_t i = 0; i < std::min(k, m); ++i) {
      if (pivot[i] < 1 || pivot[i] > m)
        fail(ErrorCode::kRuntime,
             "lu_unpack: pivots passed to lu_unpack must be between 1 and "
             "LU.size(-2) inclusive, but one is ",
             pivot[i], " and LU.size(-2) ", m);
      std::swap(row[static_cast<size_t>(i)], row[static_cast<size_t>(pivot[i] - 1)]);
    }
    for (int64_t i = 0; i < m; ++i) {
      const int64_t place = at + row[static_cast<size_t>(i)] * m + i;
      if (out.dtype == DType::kFloat64)
        reinterpret_cast<double*>(out.data)[place] = 1;
      else
        reinterpret_cast<float*>(out.data)[place] = 1;
    }
  }
}

void check_permutation(const Call& call) {
  need_counts(call, 1, 1);
  need_dtype(call, 0, DType::kInt32);
  need(call, !call.in(0).sizes.empty(), "rows of pivots are wanted");
  need_number(call, 0, 0, kMostElements);
  need_dtype_number(call, 1);
  need(call, is_floating(static_cast<DType>(call.attrs.ints[1])), "a dtype of floats is wanted");
}

constexpr Op op_permutation = {.name = "permutation",
                               .traits = kCopies,
                               .infer = infer_permutation,
                               .forward = {forward_permutation},
                               .attrs = ";;m,dtype",
                               .doc = "matrix that makes exchanges of rows undone",
                               .batch = {1},
                               .check = check_permutation};

Tensor permutation(const Tensor& pivots, int64_t m, DType dtype) {
  Attrs attrs;
  attrs.ints[0] = m;
  attrs.ints[1] = static_cast<int64_t>(dtype);
  return dispatch(op_permutation, {pivots}, attrs);
}

// x / l for a triangle l: y with y l = x.
Tensor divided_by_lower(const Tensor& x, const Tensor& l) {
  return linalg_solve_triangular(l, x, false, false);
}

// A = P L U. With square L and U, dA = P L^-T (tril(L^T dL, -1) + triu(dU U^T)) U^-T. What lies
// below a square L of more rows, or beside a square U of more columns, is a product with A's part
// there; its gradient reaches the square ones through that product.
void backward_lu(Backward& b) {
  const Tensor lu = b.output(0), g = b.grad(0);
  const int64_t m = lu.size(-2), n = lu.size(-1), k = std::min(m, n);
  const auto part = [](const Tensor& t, int64_t top, int64_t rows, int64_t left, int64_t columns) {
    return narrow(narrow(t, -2, top, rows), -1, left, columns);
  };
  const Tensor square = part(lu, 0, k, 0, k),
               lt = matrix_transposed(add(tril(square, -1), eye(k, k, lu.dtype()))),
               u = triu(square), ut = matrix_transposed(u), gs = part(g, 0, k, 0, k);
  Tensor below = matmul(lt, tril(gs, -1)), above = matmul(triu(gs), ut), beside;
  if (n > k) {
    const Tensor gu = part(g, 0, k, k, n - k);
    below = sub(below, matmul(gu, matrix_transposed(part(lu, 0, k, k, n - k))));
    beside = linalg_solve_triangular(lt, gu, true);
  } else if (m > k) {
    const Tensor gl = part(g, k, m - k, 0, k);
    above = sub(above, matmul(matrix_transposed(part(lu, k, m - k, 0, k)), gl));
    beside = divided_by_lower(gl, ut);
  }
  Tensor da =
      divided_by_lower(linalg_solve_triangular(lt, add(tril(below, -1), triu(above)), true), ut);
  if (beside) da = cat({da, beside}, n > k ? -1 : -2);
  b.set(0, matmul(permutation(b.output(1), m, lu.dtype()), da));
}

double lu_flops(const CallSizes& s) { return 2 * count_of(s.in(0)) * last_of(s.out(1)) / 3; }

constexpr Op op_lu = {.name = "lu",
                      .traits = kProduct,
                      .infer = infer_lu,
                      .forward = {forward_lu},
                      .backward = backward_lu,
                      .reads = {reads_output(0) | reads_output(1)},
                      .attrs = ";;check_errors",
                      .doc = "l and u with l u = a, but for exchanged rows",
                      .flops = lu_flops,
                      .batch = {1},
                      .check = check_floating_call<3>};

// ---- exponential

void infer_exp(const Call& call, OutputMetas& outputs) {
  const int64_t n = call.in(0).sizes.back();
  add_output(call, outputs, {n, n});
}

void forward_exp(const Call& call) {
  const Matrices in(call);
  const size_t bytes = cpu::matrix_exp_room(in.n);
  in.each([&](int64_t i, double* a, double scale) {
    const Scratch room(bytes);
    Vector<int64_t> pivots(static_cast<size_t>(in.n));
    for (int64_t k = 0; k < in.n * in.n; ++k) a[k] *= scale;
    cpu::matrix_exp(in.n, a, pivots.data(), room.data());
    in.store(call.out(), i, in.n * in.n, a);
  });
}

// The gradient is the derivative at A^T in the direction of the output's gradient G, which the
// exponential of [A^T G; 0 A^T] has in its upper right.
void backward_exp(Backward& b) {
  const Tensor at = matrix_transposed(b.input(0)), g = b.grad();
  const int64_t n = g.size(-1);
  const Tensor both = cat({cat({at, g}, -1), cat({zeros_like(g), at}, -1)}, -2);
  b.set(0, narrow(narrow(linalg_matrix_exp(both), -2, 0, n), -1, n, n));
}

void check_exp(const Call& call) {
  check_floating_call<1>(call);
  const Shape& sizes = call.in(0).sizes;
  need(call, sizes.back() == sizes[sizes.size() - 2], "square matrices are wanted");
}

double exp_flops(const CallSizes& s) { return 16 * cubes(s.in(0)); }

constexpr Op op_matrix_exp = {.name = "matrix_exp",
                              .traits = kProduct,
                              .infer = infer_exp,
                              .forward = {forward_exp},
                              .backward = backward_exp,
                              .reads = {reads_input(0)},
                              .doc = "sum of a^i / i!",
                              .flops = exp_flops,
                              .batch = {1},
                              .check = check_exp};

constexpr const Op* kMatrixFunctions[] = {&op_lu, &op_permutation, &op_matrix_exp};

void check_pivots(const char* op, const Tensor& lu, const Tensor& pivots) {
  if (pivots.dtype() != DType::kInt32)
    fail(ErrorCode::kRuntime, op, ": dtype int32 is expected for pivots but got ",
         name_of(pivots.dtype()));
  Shape sizes(lu.sizes().data(), lu.dim() - 2);
  sizes.push_back(std::min(lu.size(-1), lu.size(-2)));
  if (pivots.sizes() != sizes)
    fail(ErrorCode::kRuntime, op,
         ": Number of pivots per batch should be same as the dimension of "
         "the matrix, ",
         sizes, ", but got pivots of ", pivots.sizes(), " for LU of ", lu.sizes());
}

}  // namespace

OpList matrix_function_ops() { return {kMatrixFunctions, std::size(kMatrixFunctions)}; }

}  // namespace detail

std::tuple<Tensor, Tensor, Tensor> linalg_lu_factor_ex(const Tensor& a, bool check_errors) {
  detail::check_floating_matrices("linalg.lu_factor", a);
  detail::Attrs attrs;
  attrs.ints[0] = check_errors;
  Tensor out[3];
  const detail::Arg inputs[] = {a};
  detail::dispatch(detail::op_lu, inputs, 1, attrs, out, 3);
  return {out[0], out[1], out[2]};
}

std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& lu, const Tensor& pivots) {
  detail::check_floating_matrices("lu_unpack", lu);
  detail::check_pivots("lu_unpack", lu, pivots);
  const int64_t m = lu.size(-2), k = std::min(m, lu.size(-1));
  return {detail::permutation(pivots, m, lu.dtype()),
          add(tril(narrow(lu, -1, 0, k), -1), eye(m, k, lu.dtype())), triu(narrow(lu, -2, 0, k))};
}

Tensor linalg_lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left,
                       bool adjoint) {
  constexpr const char* kName = "linalg.lu_solve";
  detail::check_pair(kName, lu, b);
  detail::check_matrices(kName, b);
  detail::check_right_side(kName, lu, b, left);
  detail::check_pivots(kName, lu, pivots);
  if (!left)
    return detail::matrix_transposed(
        linalg_lu_solve(lu, pivots, detail::matrix_transposed(b), true, !adjoint));
  const Tensor p = detail::permutation(pivots, lu.size(-1), lu.dtype());
  if (adjoint) {
    const Tensor t = detail::matrix_transposed(lu);
    const Tensor y = linalg_solve_triangular(t, b, false);
    return matmul(p, linalg_solve_triangular(t, y, true, true, true));
  }
  const Tensor y =
      linalg_solve_triangular(lu, matmul(detail::matrix_transposed(p), b), false, true, true);
  return linalg_solve_triangular(lu, y, true);
}

Tensor linalg_matrix_exp(const Tensor& a) {
  detail::check_square_floating_matrices("linalg.matrix_exp", a);
  return detail::dispatch(detail::op_matrix_exp, {a});
}

}  // namespace autograd
