// Distances of all rows of two matrices, or of one.
#include "kernels/cpu/distance.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/batching.hpp"
#include "core/node.hpp"
#include "ops/flops.hpp"
#include "ops/matrices.hpp"
#include "ops/recompute.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// cdist(x1, x2): [..., P, M] and [..., R, M] to [..., P, R]; pdist(x): [..., N, M] to
// [..., N (N - 1) / 2]. reals[0]: p. Their gradients take g, the inputs, and the distances.

template <bool kSame>
cpu::RowPairs pairs_of(const Shape& a, const Shape& b) {
  const int rows = a.size() - 2;
  return {a[rows], b[rows], a[rows + 1], kSame};
}

// What the gradient of one element costs about.
int64_t pair_cost(const cpu::RowPairs& pairs) { return std::max<int64_t>(1, pairs.size); }

template <bool kSame>
void infer_distances(const Call& call, OutputMetas& outputs) {
  const TensorBody& a = call.in(0);
  OutputMeta& meta = outputs.add();
  meta.dtype = a.dtype;
  meta.sizes = a.sizes;
  meta.sizes.erase(meta.sizes.size() - 1);
  if (kSame)
    meta.sizes[meta.sizes.size() - 1] = meta.sizes.back() * (meta.sizes.back() - 1) / 2;
  else
    meta.sizes.push_back(call.in(1).sizes[a.sizes.size() - 2]);
}

template <bool kSame>
void forward_distances(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor a = dense(call.in(0)), b = kSame ? a : dense(call.in(1));
  const cpu::RowPairs pairs = pairs_of<kSame>(a.sizes(), b.sizes());
  const int64_t item = static_cast<int64_t>(size_of(out.dtype)), each = pairs.at(pairs.rows1),
                batches = out.numel / each;
  const int64_t work = each / pairs.rows1 * pair_cost(pairs) + 1;
  parallel_for(batches * pairs.rows1, std::max<int64_t>(1, kGrain / work),
               [&](int64_t begin, int64_t end) {
                 while (begin < end) {
                   const int64_t m = begin / pairs.rows1, i = begin % pairs.rows1;
                   const int64_t last = std::min(pairs.rows1, i + end - begin);
                   const auto of = [&](const Tensor& x, int64_t rows) {
                     return static_cast<const char*>(x.data()) + m * rows * pairs.size * item;
                   };
                   cpu::distances(out.dtype, call.attrs.reals[0], pairs, of(a, pairs.rows1),
                                  of(b, pairs.rows2), i, last, out.data + m * each * item);
                   begin += last - i;
                 }
               });
}

void need_norm(const Call& call) { need(call, call.attrs.reals[0] >= 0, "p >= 0 is wanted"); }

void check_cdist(const Call& call) {
  need_counts(call, 2, 2);
  need_norm(call);
  const int rank = call.in(0).sizes.size();
  need_float(call, 0);
  need_dtype_of(call, 1, 0);
  need_rank(call, 1, rank);
  need(call, rank >= 2, "matrices are wanted");
  Shape other = call.in(0).sizes;
  other[rank - 2] = call.in(1).sizes[rank - 2];
  need_sizes(call, 1, other);
}

void check_pdist(const Call& call) {
  need_counts(call, 1, 1);
  need_norm(call);
  need_float(call, 0);
  need(call, call.in(0).sizes.size() >= 2, "a matrix is wanted");
}

// A difference, a power and a sum; of slopes two sums.
double distance_flops(const CallSizes& s) { return 3 * count_of(s.out()) * last_of(s.in(0)); }
double slopes_flops(const CallSizes& s) { return 4 * count_of(s.in(0)) * last_of(s.in(1)); }

template <bool kSame>
void infer_slopes(const Call& call, OutputMetas& outputs) {
  for (int i = 1; i <= (kSame ? 1 : 2); ++i) {
    OutputMeta& meta = outputs.add();
    meta.dtype = call.in(i).dtype;
    meta.sizes = call.in(i).sizes;
  }
}

// Threads share the columns: what a pair adds to both of its rows is added in the same order then.
template <bool kSame>
void forward_slopes(const Call& call) {
  const int kDistances = kSame ? 2 : 3;
  const Tensor g = dense(call.in(0)), a = dense(call.in(1)), b = kSame ? a : dense(call.in(2)),
               d = dense(call.in(kDistances));
  for (int i = 0; i < call.n_outputs; ++i) {
    TensorBody& out = call.out(i);
    std::memset(out.data, 0, static_cast<size_t>(out.numel) * size_of(out.dtype));
  }
  if (d.numel() == 0) return;
  TensorBody &da = call.out(0), &db = call.out(kSame ? 0 : 1);
  const cpu::RowPairs pairs = pairs_of<kSame>(a.sizes(), b.sizes());
  const int64_t item = static_cast<int64_t>(size_of(da.dtype)), each = pairs.at(pairs.rows1),
                batches = d.numel() / each;
  constexpr int64_t kColumns = 64;  // of a job
  const int64_t jobs = (pairs.size + kColumns - 1) / kColumns;
  parallel_for(batches * jobs, std::max<int64_t>(1, kGrain / (each * kColumns)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t job = begin; job < end; ++job) {
                   const int64_t m = job / jobs, first = job % jobs * kColumns;
                   const int64_t left = m * pairs.rows1 * pairs.size * item,
                                 right = m * pairs.rows2 * pairs.size * item, at = m * each * item;
                   const auto start = [](const Tensor& x) { return static_cast<char*>(x.data()); };
                   cpu::distances_backward(da.dtype, call.attrs.reals[0], pairs, start(a) + left,
                                           start(b) + right, start(d) + at, start(g) + at, first,
                                           std::min(pairs.size, first + kColumns), da.data + left,
                                           db.data + right);
                 }
               });
}

template <bool kSame>
void check_slopes(const Call& call) {
  constexpr int kDistances = kSame ? 2 : 3;
  need_counts(call, kDistances + 1, kDistances + 1, kSame ? 1 : 2);
  OutputMetas metas(1);
  const Call forward{call.op, call.inputs + 1, kDistances - 1, call.attrs, nullptr, 1};
  kSame ? check_pdist(forward) : check_cdist(forward);
  infer_distances<kSame>(forward, metas);
  for (int i : {0, kDistances}) {
    need_sizes(call, i, metas[0].sizes);
    need_dtype_of(call, i, 1);
  }
}

constexpr Op op_cdist_backward = {.name = "cdist_backward",
                                  .traits = kProduct,
                                  .infer = infer_slopes<false>,
                                  .forward = {forward_slopes<false>},
                                  .attrs = ";p",
                                  .doc = "gradients of cdist for both inputs",
                                  .flops = slopes_flops,
                                  .check = check_slopes<false>};
constexpr Op op_pdist_backward = {.name = "pdist_backward",
                                  .traits = kProduct,
                                  .infer = infer_slopes<true>,
                                  .forward = {forward_slopes<true>},
                                  .attrs = ";p",
                                  .doc = "gradient of pdist",
                                  .flops = slopes_flops,
                                  .check = check_slopes<true>};

// The norms of rows of differences in public ops. Of equal largest ones each has the whole
// gradient, as in the kernel.
Tensor norms_of(const Tensor& differences, double p) {
  if (p != std::numeric_limits<double>::infinity()) return vector_norm(differences, p, {-1});
  const Tensor sizes = abs(differences);
  return sum(sizes * to(sizes == amax(sizes, {-1}, true), sizes.dtype()), {-1});
}

void backward_cdist(Backward& r) {
  const double p = r.attrs().reals[0];
  if (wants_composite(r))
    return differentiate_composite(r, [p](const std::vector<Tensor>& x) {
      return std::vector<Tensor>{norms_of(unsqueeze(x[0], -2) - unsqueeze(x[1], -3), p)};
    });
  auto [da, db] =
      dispatch_pair(op_cdist_backward, {r.grad(), r.input(0), r.input(1), r.output()}, r.attrs());
  if (r.needs(0)) r.set(0, std::move(da));
  if (r.needs(1)) r.set(1, std::move(db));
}

void backward_pdist(Backward& r) {
  const double p = r.attrs().reals[0];
  if (wants_composite(r))
    return differentiate_composite(r, [p](const std::vector<Tensor>& x) {
      const Tensor all = triu_indices(x[0].size(-2), x[0].size(-2), 1);
      return std::vector<Tensor>{norms_of(
          index_select(x[0], -2, select(all, 0, 0)) - index_select(x[0], -2, select(all, 0, 1)),
          p)};
    });
  r.set(0, dispatch(op_pdist_backward, {r.grad(), r.input(0), r.output()}, r.attrs()));
}

constexpr uint32_t kCdistReads = reads_input(0) | reads_input(1) | reads_output();

constexpr Op op_cdist = {.name = "cdist",
                         .traits = kProduct,
                         .infer = infer_distances<false>,
                         .forward = {forward_distances<false>},
                         .backward = backward_cdist,
                         .reads = {kCdistReads, kCdistReads},
                         .attrs = ";p",
                         .doc = "p-norms of the differences of all rows of two matrices",
                         .flops = distance_flops,
                         .batch = {3},
                         .check = check_cdist};
constexpr Op op_pdist = {.name = "pdist",
                         .traits = kProduct,
                         .infer = infer_distances<true>,
                         .forward = {forward_distances<true>},
                         .backward = backward_pdist,
                         .reads = {reads_input(0) | reads_output()},
                         .attrs = ";p",
                         .doc = "p-norms of the differences of rows i < j of a matrix",
                         .flops = distance_flops,
                         .batch = {1},
                         .check = check_pdist};

constexpr const Op* kDistanceOps[] = {&op_cdist, &op_cdist_backward, &op_pdist, &op_pdist_backward};

Attrs norm_attrs(double p) {
  Attrs attrs;
  attrs.reals[0] = p;
  return attrs;
}

}  // namespace

OpList distance_ops() { return {kDistanceOps, std::size(kDistanceOps)}; }

}  // namespace detail

Tensor cdist(const Tensor& x1, const Tensor& x2, double p) {
  for (const Tensor* x : {&x1, &x2}) {
    const char* name = x == &x1 ? "X1" : "X2";
    if (!is_floating(x->dtype()))
      fail(ErrorCode::kRuntime, "cdist only supports floating-point dtypes, ", name,
           " got: ", name_of(x->dtype()));
    if (x->dim() < 2)
      fail(ErrorCode::kRuntime, "cdist only supports at least 2D tensors, ", name,
           " got: ", x->dim(), "D");
  }
  if (x1.dtype() != x2.dtype())
    fail(ErrorCode::kRuntime, "cdist: expected scalar type ", name_of(x1.dtype()), " but found ",
         name_of(x2.dtype()));
  if (x1.size(-1) != x2.size(-1))
    fail(ErrorCode::kRuntime,
         "cdist: X1 and X2 must have the same number of columns. X1: ", x1.size(-1),
         " X2: ", x2.size(-1));
  if (!(p >= 0)) fail(ErrorCode::kRuntime, "cdist only supports non-negative p values, got ", p);
  const auto [a, b] = detail::broadcast_matrices("cdist", x1, x2);
  return detail::dispatch(detail::op_cdist, {a, b}, detail::norm_attrs(p));
}

Tensor pdist(const Tensor& x, double p) {
  if (x.dim() != 2)
    fail(ErrorCode::kRuntime, "pdist only supports 2D tensors, got sizes ", x.sizes());
  if (!is_floating(x.dtype()))
    fail(ErrorCode::kRuntime, "pdist only supports floating-point dtypes, got ",
         name_of(x.dtype()));
  if (!(p >= 0)) fail(ErrorCode::kRuntime, "pdist only supports non-negative p values, got ", p);
  return detail::dispatch(detail::op_pdist, {x}, detail::norm_attrs(p));
}

}  // namespace autograd
