// The pseudoinverse and least squares, in float64; float32 is converted. Matrices whose rank is
// full beyond doubt are taken apart by QR, others by their singular values.
#include <atomic>
#include <cmath>

#include "autograd/ops.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "kernels/cpu/gemm.hpp"
#include "kernels/cpu/linalg.hpp"
#include "ops/registry.hpp"
#include "ops/scratch.hpp"
#include "ops/singular.hpp"

namespace autograd {
namespace detail {
namespace {

/// A matrix [rows, columns] of float64, or its transpose.
cpu::MatrixView view(const double* data, int64_t columns, bool transposed = false) {
  if (transposed) return {data, 1, columns};
  return {data, columns, 1};
}

/// c [m, n] = a b
void multiply(int64_t m, int64_t n, int64_t k, const cpu::MatrixView& a, const cpu::MatrixView& b,
              double* c) {
  const Scratch workspace(cpu::gemm_workspace(DType::kFloat64, m, n, k, a, b));
  cpu::gemm(DType::kFloat64, m, n, k, a, b, c, n, {}, workspace.data());
}

double norm_of(const Vector<double>& x) {
  double sum = 0;
  for (double v : x) sum += v * v;
  return std::sqrt(sum);
}

/// Singular values that count as 0, of the matrix divided by its scale.
struct Tolerance {
  double absolute, relative;
  double of(double largest) const { return std::max(absolute, relative * largest); }
};

/// A [m, n] with m >= n, or its transpose, is Q R.
class FullRank {
 public:
  FullRank(const Matrices& in, const double* a, Tolerance tolerance)
      : m_(std::max(in.m, in.n)), n_(in.least), q_(size(n_ * m_)), lower_(size(n_ * n_)) {
    Vector<double> columns(size(n_ * m_)), room(size(2 * n_));
    if (in.m >= in.n)
      transpose_into(in.m, in.n, a, columns.data());
    else
      std::copy_n(a, n_ * m_, columns.data());
    cpu::column_qr(m_, n_, n_, columns.data(), q_.data(), room.data());
    for (int64_t j = 0; j < n_; ++j)
      std::copy_n(columns.data() + j * m_, n_, lower_.data() + j * n_);
    upper_ = Vector<double>(size(n_ * n_));
    transpose_into(n_, n_, lower_.data(), upper_.data());
    inverse_ = Vector<double>(size(n_ * n_), 0.0);
    for (int64_t j = 0; j < n_; ++j) inverse_[size(j * (n_ + 1))] = 1;
    cpu::solve_triangular(DType::kFloat64, n_, n_, upper_.data(), true, false, inverse_.data());
    // Norms over all elements bound the extreme singular values from both sides; false for NaN.
    certain_ = n_ > 0 && 1 / norm_of(inverse_) > tolerance.of(norm_of(lower_));
  }

  /// Does every singular value count?
  bool is_certain() const { return certain_; }

  /// out [n, m] = R^-1 Q^T: the pseudoinverse, or its transpose.
  void invert(double* out) const {
    multiply(n_, m_, n_, view(inverse_.data(), n_), view(q_.data(), m_), out);
  }

  /// x [n, k] = R^-1 Q^T b for b [m, k].
  void solve_tall(int64_t k, const double* b, double* x) const {
    multiply(n_, k, m_, view(q_.data(), m_), view(b, k), x);
    cpu::solve_triangular(DType::kFloat64, n_, k, upper_.data(), true, false, x);
  }

  /// x [m, k] = Q R^-T b for b [n, k], which is overwritten.
  void solve_wide(int64_t k, double* b, double* x) const {
    cpu::solve_triangular(DType::kFloat64, n_, k, lower_.data(), false, false, b);
    multiply(m_, k, n_, view(q_.data(), m_, true), view(b, k), x);
  }

 private:
  static size_t size(int64_t n) { return static_cast<size_t>(n); }
  int64_t m_, n_;
  Vector<double> q_, lower_, upper_, inverse_;
  bool certain_;
};

/// How many singular values count.
int64_t rank_of(const Singular& found, Tolerance tolerance) {
  int64_t rank = 0;
  while (rank < found.least && found.s[static_cast<size_t>(rank)] > tolerance.of(found.s[0]))
    ++rank;
  return rank;
}

/// The first `rank` rows of `right`, each divided by its singular value.
void divide_rows(Singular& found, int64_t rank) {
  for (int64_t k = 0; k < rank; ++k)
    for (int64_t c = 0; c < found.n; ++c)
      found.right[static_cast<size_t>(k * found.n + c)] /= found.s[static_cast<size_t>(k)];
}

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
    const Tolerance tolerance{call.attrs.reals[0] / scale, call.attrs.reals[1]};
    Vector<double> out(static_cast<size_t>(in.n * in.m)), turned;
    const FullRank full(in, a, tolerance);
    if (full.is_certain() && in.m >= in.n) {
      full.invert(out.data());
    } else if (full.is_certain()) {
      turned = Vector<double>(out.size());
      full.invert(turned.data());
      transpose_into(in.m, in.n, turned.data(), out.data());
    } else {
      Singular found(in, false);
      if (!found.decompose(a)) failed = true;
      const int64_t rank = rank_of(found, tolerance);
      divide_rows(found, rank);
      multiply(in.n, in.m, rank, view(found.right.data(), in.n, true),
               view(found.left.data(), in.m), out.data());
    }
    in.store(call.out(), i, in.n * in.m, out.data(), 1 / scale);
  });
  if (failed) fail_svd("linalg.pinv", call);
}

// x y z by way of the smaller of x y and y z: a matrix that is high or wide must not be squared.
Tensor product(const Tensor& x, const Tensor& y, const Tensor& z) {
  const bool first = x.size(-2) * y.size(-1) <= y.size(-2) * z.size(-1);
  return first ? matmul(matmul(x, y), z) : matmul(x, matmul(y, z));
}

// dA = -P^T G P^T + (I - A P) G^T P P^T + P^T P G^T (I - P A) (Golub and Pereyra 1973), for a rank
// that stays the same.
Tensor pinv_gradient(const Tensor& a, const Tensor& p, const Tensor& g) {
  const Tensor pt = matrix_transposed(p), gt = matrix_transposed(g);
  const Tensor left = product(gt, p, pt), right = product(pt, p, gt);
  const Tensor out_of_columns = sub(left, product(a, p, left));
  const Tensor out_of_rows = sub(right, product(right, p, a));
  return sub(add(out_of_columns, out_of_rows), product(pt, g, pt));
}

void backward_pinv(Backward& b) { b.set(0, pinv_gradient(b.input(0), b.output(), b.grad())); }

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

// ---- least squares, a [.., m, n] and b [.., m, k] of the same batch; outputs: x [.., n, k], the
// ranks (int64). reals[0]: singular values up to this times the largest count as 0

void infer_lstsq(const Call& call, OutputMetas& outputs) {
  add_output(call, outputs, {call.in(0).sizes.back(), call.in(1).sizes.back()});
  OutputMeta& rank = outputs.add();
  rank.dtype = DType::kInt64;
  rank.sizes = Shape(call.in(0).sizes.data(), call.in(0).sizes.size() - 2);
}

void forward_lstsq(const Call& call) {
  const Matrices in(call);
  const Tensor right = to(dense(call.in(1)), DType::kFloat64);
  const int64_t m = in.m, n = in.n, k = call.in(1).sizes.back();
  std::atomic<bool> failed{false};
  in.each([&](int64_t i, double* a, double scale) {
    const Tolerance tolerance{0, call.attrs.reals[0]};
    const double* from = static_cast<const double*>(right.data()) + i * m * k;
    Vector<double> b(from, from + m * k), x(static_cast<size_t>(n * k));
    int64_t rank = in.least;
    const FullRank full(in, a, tolerance);
    if (full.is_certain() && m >= n) {
      full.solve_tall(k, b.data(), x.data());
    } else if (full.is_certain()) {
      full.solve_wide(k, b.data(), x.data());
    } else {
      Singular found(in, false);
      if (!found.decompose(a)) failed = true;
      rank = rank_of(found, tolerance);
      divide_rows(found, rank);
      Vector<double> parts(static_cast<size_t>(rank * k));
      multiply(rank, k, m, view(found.left.data(), m), view(b.data(), k), parts.data());
      multiply(n, k, rank, view(found.right.data(), n, true), view(parts.data(), k), x.data());
    }
    in.store(call.out(0), i, n * k, x.data(), 1 / scale);
    reinterpret_cast<int64_t*>(call.out(1).data)[i] = rank;
  });
  if (failed) fail_svd("linalg.lstsq", call);
}

// x = P b with the pseudoinverse P of a.
void backward_lstsq(Backward& b) {
  const Tensor a = b.input(0), p = linalg_pinv(a, 0, b.attrs().reals[0]), g = b.grad(0);
  if (b.needs(1)) b.set(1, matmul(matrix_transposed(p), g));
  if (b.needs(0)) b.set(0, pinv_gradient(a, p, matmul(g, matrix_transposed(b.input(1)))));
}

void check_lstsq(const Call& call) {
  need_counts(call, 2, 2, 2);
  need_float(call, 0);
  need_dtype_of(call, 1, 0);
  const Shape &a = call.in(0).sizes, &b = call.in(1).sizes;
  need(call, a.size() >= 2 && a.size() == b.size() && a[a.size() - 2] == b[b.size() - 2],
       "matrices of as many rows are wanted");
  for (int d = 0; d + 2 < a.size(); ++d) need(call, a[d] == b[d], "one batch is wanted");
}

double lstsq_flops(const CallSizes& s) {
  const Shape& a = s.in(0);
  return 4 * count_of(a) * static_cast<double>(std::min(a[a.size() - 2], a.back())) +
         2 * count_of(a) * last_of(s.in(1));
}

constexpr Op op_lstsq = {.name = "lstsq",
                         .traits = kProduct,
                         .infer = infer_lstsq,
                         .forward = {forward_lstsq},
                         .backward = backward_lstsq,
                         .reads = {reads_input(0) | reads_input(1), reads_input(0)},
                         .attrs = ";rtol",
                         .doc = "the x of smallest norm with the least |a x - b|, and the ranks",
                         .flops = lstsq_flops,
                         .batch = {3},
                         .check = check_lstsq};

constexpr const Op* kLeastSquares[] = {&op_pinv, &op_lstsq};

}  // namespace

OpList least_squares_ops() { return {kLeastSquares, std::size(kLeastSquares)}; }

}  // namespace detail

Tensor linalg_pinv(const Tensor& a, double atol, double rtol) {
  detail::check_floating_matrices("linalg.pinv", a);
  detail::Attrs attrs;
  attrs.reals[0] = atol;
  attrs.reals[1] = rtol;
  return detail::dispatch(detail::op_pinv, {a}, attrs);
}

std::pair<Tensor, Tensor> linalg_lstsq(const Tensor& a, const Tensor& b, double rtol) {
  constexpr const char* kName = "linalg.lstsq";
  detail::check_floating_matrices(kName, a);
  detail::check_matrices(kName, b);
  if (a.dtype() != b.dtype())
    fail(ErrorCode::kRuntime, kName,
         ": Expected input and other to have the same dtype, but got input's dtype ",
         name_of(a.dtype()), " and other's dtype ", name_of(b.dtype()));
  if (a.size(-2) != b.size(-2))
    fail(ErrorCode::kRuntime, kName, ": input.size(-2) should match other.size(-2), got ",
         a.sizes(), " and ", b.sizes());
  const auto [left, right] = detail::broadcast_matrices(kName, a, b);
  detail::Attrs attrs;
  attrs.reals[0] = rtol;
  return detail::dispatch_pair(detail::op_lstsq, {left, right}, attrs);
}

}  // namespace autograd
