// Products composed of matrix products and pointwise ops.
#include <algorithm>
#include <limits>
#include <vector>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/text.hpp"
#include "ops/broadcast.hpp"
#include "ops/product_rules.hpp"

namespace autograd {
namespace detail {
namespace {

Scalar number_like(const char* op, const char* name, const Tensor& t, double value) {
  if (is_floating(t.dtype())) return Scalar(value);
  // Written so that NaN is refused as well.
  if (!(value >= -9007199254740992.0 && value <= 9007199254740992.0) ||
      value != static_cast<double>(static_cast<int64_t>(value)))
    fail(ErrorCode::kRuntime, op, ": For integral input tensors, argument ", name,
         " must not be a floating point number.");
  return Scalar(static_cast<long long>(value));
}

Tensor times(const char* op, const char* name, const Tensor& t, double factor) {
  return factor == 1 ? t : mul(t, scalar(number_like(op, name, t, factor)));
}

}  // namespace

Tensor scaled_sum(const char* op, const Tensor& input, const Tensor& product, double beta,
                  double alpha) {
  const Shape &from = input.sizes(), &to = product.sizes();
  if (from.size() > to.size() || !broadcasts_to(from, to)) {
    if (from.size() <= to.size())
      for (int d = 0; d < from.size(); ++d) {
        const int at = to.size() - from.size() + d;
        if (from[d] != 1 && from[d] != to[at])
          fail(ErrorCode::kRuntime, op, ": The expanded size of the tensor (", to[at],
               ") must match the existing size (", from[d], ") at non-singleton dimension ", at,
               ".  Target sizes: ", to, ".  Tensor sizes: ", from);
      }
    fail(ErrorCode::kRuntime, op, ": the number of sizes provided (", to.size(),
         ") must be greater or equal to the number of dimensions in the tensor (", from.size(),
         "); input ", from, " cannot be expanded to ", to);
  }
  const Tensor scaled = times(op, "alpha", product, alpha);
  if (beta == 0) {
    const bool is_recorded = grad_enabled() && input.requires_grad();
    // Its elements count for nothing, even if they are NaN; its gradient is zeros.
    return is_recorded ? where(scalar(false), input, scaled) : scaled;
  }
  if (input.dtype() != product.dtype())
    fail(ErrorCode::kRuntime, op,
         ": expected input and product to have the same dtype, but got: ", name_of(input.dtype()),
         " != ", name_of(product.dtype()));
  return add(times(op, "beta", input, beta), scaled);
}

namespace {

void check_vector(const char* op, const char* name, const Tensor& t) {
  if (t.dim() != 1)
    fail(ErrorCode::kRuntime, op, ": Expected 1-D argument ", name, ", but got ", t.dim(),
         "-D; got sizes ", t.sizes());
}

void check_batches(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dim() != 3)
    fail(ErrorCode::kRuntime, op, ": batch1 must be a 3D tensor, got sizes ", a.sizes());
  if (b.dim() != 3)
    fail(ErrorCode::kRuntime, op, ": batch2 must be a 3D tensor, got sizes ", b.sizes());
  if (a.sizes()[0] != b.sizes()[0] || a.sizes()[2] != b.sizes()[1])
    fail(ErrorCode::kRuntime, op,
         ": Expected size for first two dimensions of batch2 tensor to be: [", a.sizes()[0], ", ",
         a.sizes()[2], "] but got: [", b.sizes()[0], ", ", b.sizes()[1], "]; got sizes ", a.sizes(),
         " and ", b.sizes());
}

// The order in which a chain of matrices of sizes p[i] x p[i + 1] is multiplied with the fewest
// multiply-adds: split[i][j] parts i..j.
using SplitTable = std::vector<std::vector<int>>;

SplitTable cheapest_splits(const std::vector<int64_t>& p) {
  const int n = static_cast<int>(p.size()) - 1;
  std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
  SplitTable split(n, std::vector<int>(n, 0));
  for (int length = 1; length < n; ++length)
    for (int i = 0; i + length < n; ++i) {
      const int j = i + length;
      cost[i][j] = std::numeric_limits<double>::infinity();
      for (int k = i; k < j; ++k) {
        const double c = cost[i][k] + cost[k + 1][j] +
                         static_cast<double>(p[i]) * static_cast<double>(p[k + 1]) *
                             static_cast<double>(p[j + 1]);
        if (c >= cost[i][j]) continue;
        cost[i][j] = c;
        split[i][j] = k;
      }
    }
  return split;
}

Tensor multiply_chain(const std::vector<Tensor>& m, const SplitTable& split, int i, int j) {
  if (i == j) return m[static_cast<size_t>(i)];
  return mm(multiply_chain(m, split, i, split[i][j]), multiply_chain(m, split, split[i][j] + 1, j));
}

void check_chain(const std::vector<Tensor>& matrices) {
  for (size_t i = 1; i + 1 < matrices.size(); ++i)
    if (matrices[i].dim() != 2)
      fail(ErrorCode::kRuntime, "multi_dot(): tensor ", i, " must be 2D but got ",
           matrices[i].dim(), "D; got sizes ", matrices[i].sizes());
  for (size_t i : {size_t{0}, matrices.size() - 1})
    if (matrices[i].dim() != 1 && matrices[i].dim() != 2)
      fail(ErrorCode::kRuntime, "multi_dot(): the ", i ? "last" : "first",
           " tensor must be 1D or 2D but got ", matrices[i].dim(), "D; got sizes ",
           matrices[i].sizes());
  for (size_t i = 0; i + 1 < matrices.size(); ++i) {
    const Tensor &a = matrices[i], &b = matrices[i + 1];
    if (a.dtype() != b.dtype())
      fail(ErrorCode::kRuntime,
           "multi_dot(): all tensors must have be the same dtype but tensor 0 is ",
           name_of(a.dtype()), " and tensor ", i + 1, " ", name_of(b.dtype()));
    if (a.size(-1) != b.sizes()[0])
      fail(ErrorCode::kRuntime, "multi_dot(): tensors ", i, " and ", i + 1, " with shapes ",
           a.sizes(), " and ", b.sizes(), " cannot be multiplied");
  }
}

}  // namespace
}  // namespace detail

Tensor vdot(const Tensor& a, const Tensor& b) { return dot(a, b); }

Tensor outer(const Tensor& a, const Tensor& b) {
  detail::check_vector("outer", "self", a);
  detail::check_vector("outer", "vec2", b);
  return mul(unsqueeze(a, 1), b);
}

Tensor inner(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) return mul(a, b);
  if (a.size(-1) != b.size(-1))
    fail(ErrorCode::kRuntime,
         "inner() the last dimension must match on both input tensors but got shapes ", a.sizes(),
         " and ", b.sizes());
  return tensordot(a, b, {-1}, {-1});
}

Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  detail::check_batches("baddbmm", a, b);
  return detail::scaled_sum("baddbmm", input, bmm(a, b), beta, alpha);
}

// The sum over the batch is a product of [m, B k] and [B k, n].
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  detail::check_batches("addbmm", a, b);
  const int64_t m = a.sizes()[1], inner = a.sizes()[0] * a.sizes()[2], n = b.sizes()[2];
  const Tensor left = reshape(permute(a, {1, 0, 2}), {m, inner});
  return detail::scaled_sum("addbmm", input, mm(left, reshape(b, {inner, n})), beta, alpha);
}

Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& v, double beta, double alpha) {
  if (a.dim() != 2 || v.dim() != 1 || input.dim() > 1)
    fail(ErrorCode::kRuntime, "addmv: vector + matrix @ vector expected, got ", input.dim(), ", ",
         a.dim(), ", ", v.dim(), "; got sizes ", input.sizes(), ", ", a.sizes(), " and ",
         v.sizes());
  const int64_t rows = a.sizes()[0];
  if (a.sizes()[1] != v.sizes()[0] ||
      (input.dim() == 1 && input.sizes()[0] != rows && input.sizes()[0] != 1))
    fail(ErrorCode::kRuntime, "addmv: size mismatch, got input ", input.sizes(), ", mat ",
         a.sizes(), ", vec ", v.sizes());
  return detail::scaled_sum("addmv", input, mv(a, v), beta, alpha);
}

Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  detail::check_vector("addr", "vec1", a);
  detail::check_vector("addr", "vec2", b);
  const DType common = promote(autograd::result_type(input, a), b.dtype());
  const Tensor product = outer(to(a, common), to(b, common));
  return detail::scaled_sum("addr", to(input, common), product, beta, alpha);
}

Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int64_t>& dims_a,
                 const std::vector<int64_t>& dims_b) {
  if (dims_a.size() != dims_b.size())
    fail(ErrorCode::kRuntime, "tensordot: both dimension lists should have same length, got ",
         dims_a.size(), " and ", dims_b.size());
  if (a.dtype() != b.dtype())
    fail(ErrorCode::kRuntime, "tensordot: both inputs should have same dtype, got ",
         name_of(a.dtype()), " and ", name_of(b.dtype()));
  uint32_t in_a = 0, in_b = 0;
  Shape contracted_a, contracted_b;
  Tensor left = a, right = b;
  for (size_t i = 0; i < dims_a.size(); ++i) {
    const int x = detail::normalize_dim(dims_a[i], a.dim());
    const int y = detail::normalize_dim(dims_b[i], b.dim());
    const int64_t m = a.dim() ? a.sizes()[x] : 1, n = b.dim() ? b.sizes()[y] : 1;
    // A size of 1 counts as repeated: the other side is summed.
    if (m != n && m != 1 && n != 1)
      fail(ErrorCode::kRuntime,
           "tensordot: contracted dimensions need to match, but first has size ", m, " in dim ",
           dims_a[i], " and second has size ", n, " in dim ", dims_b[i], "; got sizes ", a.sizes(),
           " and ", b.sizes());
    if ((in_a >> x & 1) || (in_b >> y & 1))
      fail(ErrorCode::kRuntime, "tensordot: dim ", in_a >> x & 1 ? x : y,
           " appears multiple times in the list of dims; got sizes ", a.sizes(), " and ",
           b.sizes());
    in_a |= 1u << x;
    in_b |= 1u << y;
    if (a.dim() == 0 || b.dim() == 0) continue;
    if (m != n && m == 1) right = sum(right, {y}, true, right.dtype());
    if (m != n && n == 1) left = sum(left, {x}, true, left.dtype());
    contracted_a.push_back(x);
    contracted_b.push_back(y);
  }
  Shape order_a, order_b, sizes;
  int64_t rows = 1, inner = 1, cols = 1;
  for (int d = 0; d < a.dim(); ++d)
    if (!(in_a >> d & 1)) {
      order_a.push_back(d);
      sizes.push_back(a.sizes()[d]);
      rows *= a.sizes()[d];
    }
  for (int64_t d : contracted_a) {
    order_a.push_back(d);
    inner *= left.sizes()[static_cast<int>(d)];
  }
  for (int64_t d : contracted_b) order_b.push_back(d);
  for (int d = 0; d < b.dim(); ++d)
    if (!(in_b >> d & 1)) {
      order_b.push_back(d);
      sizes.push_back(b.sizes()[d]);
      cols *= b.sizes()[d];
    }
  const Tensor m = reshape(permute(left, order_a), {rows, inner});
  const Tensor n = reshape(permute(right, order_b), {inner, cols});
  return reshape(mm(m, n), sizes);
}

Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims) {
  if (dims < 0) fail(ErrorCode::kRuntime, "tensordot expects dims >= 0, but got dims=", dims);
  if (dims > std::min(a.dim(), b.dim()))
    fail(ErrorCode::kRuntime, "tensordot expects dims < ndim_a or ndim_b, but got dims=", dims,
         " for sizes ", a.sizes(), " and ", b.sizes());
  std::vector<int64_t> dims_a, dims_b;
  for (int64_t d = 0; d < dims; ++d) {
    dims_a.push_back(a.dim() - dims + d);
    dims_b.push_back(d);
  }
  return tensordot(a, b, dims_a, dims_b);
}

Tensor kron(const Tensor& a, const Tensor& b) {
  const int rank = std::max(a.dim(), b.dim());
  Shape left, right, sizes;
  for (int d = 0; d < rank; ++d) {
    const int x = d - (rank - a.dim()), y = d - (rank - b.dim());
    const int64_t m = x < 0 ? 1 : a.sizes()[x], n = y < 0 ? 1 : b.sizes()[y];
    left.push_back(m);
    left.push_back(1);
    right.push_back(1);
    right.push_back(n);
    int64_t size;
    if (__builtin_mul_overflow(m, n, &size))
      fail(ErrorCode::kRuntime, "kron: sizes ", a.sizes(), " and ", b.sizes(),
           " make too many elements");
    sizes.push_back(size);
  }
  return reshape(mul(reshape(a, left), reshape(b, right)), sizes);
}

Tensor multi_dot(const std::vector<Tensor>& matrices) {
  if (matrices.size() < 2)
    fail(ErrorCode::kRuntime, "multi_dot(): expected at least 2 tensors but got ", matrices.size());
  detail::check_chain(matrices);
  std::vector<Tensor> chain = matrices;
  const bool row = chain.front().dim() == 1, column = chain.back().dim() == 1;
  if (row) chain.front() = unsqueeze(chain.front(), 0);
  if (column) chain.back() = unsqueeze(chain.back(), 1);
  std::vector<int64_t> p;
  for (const Tensor& m : chain) p.push_back(m.sizes()[0]);
  p.push_back(chain.back().sizes()[1]);
  Tensor result = detail::multiply_chain(chain, detail::cheapest_splits(p), 0,
                                         static_cast<int>(chain.size()) - 1);
  if (column) result = squeeze(result, {1});
  if (row) result = squeeze(result, {0});
  return result;
}

Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
  if (x1.dim() != x2.dim() || x1.dim() == 0)
    fail(ErrorCode::kRuntime, "bilinear(): input dimensions do not match: got ", x1.dim(), " and ",
         x2.dim(), "; got sizes ", x1.sizes(), " and ", x2.sizes());
  for (int d = 0; d + 1 < x1.dim(); ++d)
    if (x1.sizes()[d] != x2.sizes()[d])
      fail(ErrorCode::kRuntime, "bilinear(): input batch dimensions do not match at dim ", d,
           ": got ", x1.sizes()[d], " and ", x2.sizes()[d], "; got sizes ", x1.sizes(), " and ",
           x2.sizes());
  for (const Tensor& other : {x2, weight, bias ? bias : weight})
    if (other.dtype() != x1.dtype())
      fail(ErrorCode::kRuntime,
           "bilinear(): All tensors must have the same dtype, got input1: ", name_of(x1.dtype()),
           ", input2: ", name_of(x2.dtype()), ", weight: ", name_of(weight.dtype()),
           bias ? ", bias: " : "", bias ? name_of(bias.dtype()) : "");
  if (weight.dim() != 3)
    fail(weight.dim() > 1 && weight.sizes()[1] != x1.size(-1) ? ErrorCode::kRuntime
                                                              : ErrorCode::kIndex,
         "Dimension out of range: bilinear() needs a weight of sizes "
         "[out, in1, in2], got ",
         weight.sizes());
  const int64_t out = weight.sizes()[0], in1 = weight.sizes()[1], in2 = weight.sizes()[2];
  if (x1.size(-1) != in1)
    fail(ErrorCode::kRuntime, "bilinear(): input1 size does not match weight size: got ",
         x1.size(-1), " but expected ", in1, "; got ", x1.sizes(), " and weight ", weight.sizes());
  if (x2.size(-1) != in2)
    fail(ErrorCode::kRuntime, "bilinear(): input2 size does not match weight size: got ",
         x2.size(-1), " but expected ", in2, "; got ", x2.sizes(), " and weight ", weight.sizes());
  if (bias && (bias.dim() != 1 || bias.sizes()[0] != out))
    fail(ErrorCode::kRuntime, "bilinear(): bias size does not match weight size: got ",
         bias.dim() ? bias.sizes()[0] : 1, " but expected ", out, "; got bias ", bias.sizes());
  for (const Tensor* each : {&x2, &weight, &bias})
    if (*each && each->dtype() != x1.dtype())
      fail(ErrorCode::kRuntime,
           "bilinear(): All tensors must have the same dtype, got input1: ", name_of(x1.dtype()),
           ", input2: ", name_of(x2.dtype()), ", weight: ", name_of(weight.dtype()),
           ", bias: ", bias ? name_of(bias.dtype()) : "none");
  Shape sizes = x1.sizes();
  sizes[sizes.size() - 1] = out;
  int64_t rows = 1;
  for (int d = 0; d + 1 < sizes.size(); ++d) rows *= sizes[d];
  // [out, rows, in1] x [out, in1, in2], where the first factor repeats x1 without copying.
  const Tensor left = expand(reshape(x1, {rows, in1}), {out, rows, in1});
  const Tensor mixed = bmm(left, weight);
  const Tensor y = sum(mul(mixed, reshape(x2, {rows, in2})), {-1});
  const Tensor result = reshape(contiguous(transpose(y, 0, 1)), sizes);
  return bias ? add(result, bias) : result;
}

}  // namespace autograd
