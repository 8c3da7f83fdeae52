// Sorting along a dim, the largest or smallest elements, the k-th.
#include "kernels/cpu/sort.hpp"

#include <algorithm>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/index.hpp"
#include "kernels/cpu/pause.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// In the attributes: ints[0] = dim, ints[1] = descending or keepdim, ints[2] = k.

int64_t along(const TensorBody& x, int64_t dim) {
  return x.sizes.empty() ? 1 : x.sizes[static_cast<int>(dim)];
}

// t with dim last, dense.
Tensor rows_of(TensorBody& t, int dim) {
  const int last = t.sizes.size() - 1;
  if (dim >= last && t.is_contiguous) return borrow(&t);
  Shape sizes = t.sizes, strides = t.strides;
  if (last >= 0) std::swap(sizes[dim], sizes[last]), std::swap(strides[dim], strides[last]);
  Tensor rows = make_tensor(sizes, t.dtype);
  copy_into(*body(rows), *body(make_alias(&t, sizes, strides, 0)));
  return rows;
}

// Room for rows of `out`, which may be out itself, and back.
Tensor room_for(TensorBody& out, int dim) {
  const int last = out.sizes.size() - 1;
  if (dim >= last) return borrow(&out);
  Shape sizes = out.sizes;
  std::swap(sizes[dim], sizes[last]);
  return make_tensor(sizes, out.dtype);
}

void from_rows(TensorBody& out, const Tensor& rows, int dim) {
  const int last = out.sizes.size() - 1;
  if (dim >= last) return;
  Shape sizes = out.sizes, strides = out.strides;
  std::swap(sizes[dim], sizes[last]), std::swap(strides[dim], strides[last]);
  copy_into(*body(make_alias(&out, sizes, strides, 0)), *body(rows));
}

// Runs find(x, indices, first row, rows, scratch) on rows of n elements, then takes the values.
template <class Find>
void run_rows(const Call& call, int dim, int64_t k, const Find& find) {
  TensorBody& x = call.in(0);
  if (call.out(1).numel == 0) return;
  const int64_t n = along(x, dim), rows = x.numel / n,
                item = static_cast<int64_t>(size_of(x.dtype));
  if (n > UINT32_MAX)
    fail(ErrorCode::kRuntime, call.op.name, ": rows of more than 2^32 elements, got sizes ",
         x.sizes);
  const Tensor in = rows_of(x, dim);
  const Tensor values = room_for(call.out(0), dim), indices = room_for(call.out(1), dim);
  const char* from = static_cast<const char*>(in.data());
  char* to = static_cast<char*>(values.data());
  int64_t* found = indices.data_as<int64_t>();
  parallel_for(rows, std::max<int64_t>(1, kGrain / 16 / n), [&](int64_t begin, int64_t end) {
    const int64_t words = static_cast<int64_t>(cpu::sort_scratch(x.dtype, n) / 8);
    const Tensor scratch = make_tensor({words}, DType::kInt64);
    find(from + begin * n * item, found + begin * k, end - begin, n, scratch.data());
    for (int64_t r = begin; r < end; ++r)
      cpu::in_parts(k, [&](int64_t first, int64_t last) {
        cpu::take_rows(from + r * n * item, found + r * k + first, to + (r * k + first) * item,
                       last - first, item);
      });
  });
  from_rows(call.out(0), values, dim);
  from_rows(call.out(1), indices, dim);
}

void add_outputs(const Call& call, OutputMetas& outputs, const Shape& sizes) {
  OutputMeta& values = outputs.add();
  values.dtype = call.in(0).dtype;
  values.sizes = sizes;
  OutputMeta& indices = outputs.add();
  indices.dtype = DType::kInt64;
  indices.sizes = sizes;
}

// The gradient goes to where the values came from.
void backward_rows(Backward& b) {
  const Tensor g = b.grad();
  Tensor zero = written_with(zeros(b.input_sizes(0), g.dtype()), {&g});
  const UnseenTarget unseen(zero);
  b.set(0, scatter_(zero, b.attrs().ints[0], b.output(1), g));
}

// ---- sort, topk

void infer_sort(const Call& call, OutputMetas& outputs) {
  add_outputs(call, outputs, call.in(0).sizes);
}

void forward_sort(const Call& call) {
  const int dim = static_cast<int>(call.attrs.ints[0]);
  const bool descending = call.attrs.ints[1] != 0;
  const DType dtype = call.in(0).dtype;
  const int64_t k = along(call.out(1), dim);
  run_rows(call, dim, k,
           [&](const char* x, int64_t* indices, int64_t rows, int64_t n, void* scratch) {
             cpu::sort_rows(dtype, x, indices, rows, n, k, descending, scratch);
           });
}

void check_sort(const Call& call) {
  need_counts(call, 1, 1, 2);
  need_dim(call, 0, call.in(0).sizes.size());
}

constexpr Op op_sort = {.name = "sort",
                        .traits = kReduction,
                        .infer = infer_sort,
                        .forward = {forward_sort},
                        .backward = backward_rows,
                        .reads = {reads_output(1)},
                        .attrs = ";;dim,descending",
                        .doc = "elements in order along a dim, and where they were",
                        .batch = by_dim(1),
                        .check = check_sort};

void infer_topk(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  const int64_t k = call.attrs.ints[2];
  if (x.dtype == DType::kBool)
    fail(ErrorCode::kRuntime, "topk does not support bool dtypes on CPU");
  if (k < 0 || k > along(x, call.attrs.ints[0]))
    fail(ErrorCode::kRuntime, "topk: selected index k out of range, got ", k, " for sizes ",
         x.sizes, " and dim ", call.attrs.ints[0]);
  Shape sizes = x.sizes;
  if (!sizes.empty()) sizes[static_cast<int>(call.attrs.ints[0])] = k;
  add_outputs(call, outputs, sizes);
}

constexpr Op op_topk = {.name = "topk",
                        .traits = kReduction,
                        .infer = infer_topk,
                        .forward = {forward_sort},
                        .backward = backward_rows,
                        .reads = {reads_output(1)},
                        .attrs = ";;dim,largest,k",
                        .doc = "the largest or smallest elements along a dim, and where they were",
                        .batch = by_dim(1),
                        .check = check_sort};

// ---- kthvalue

void infer_kth(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  const int dim = static_cast<int>(call.attrs.ints[0]);
  const int64_t n = along(x, dim), k = call.attrs.ints[2];
  if (x.dtype == DType::kBool)
    fail(ErrorCode::kNotImplemented, "\"kthvalue_cpu\" not implemented for 'Bool'");
  if (n == 0)
    fail(ErrorCode::kIndex, "kthvalue(): Expected reduction dim ", dim,
         " to have non-zero size (sizes ", x.sizes, ").");
  if (k < 1 || k > n)
    fail(ErrorCode::kRuntime, "kthvalue(): selected number k out of range for dimension ", dim,
         ", got ", k, " for sizes ", x.sizes);
  Shape sizes = x.sizes;
  if (!sizes.empty()) sizes[dim] = 1;
  add_outputs(call, outputs, sizes);
}

void forward_kth(const Call& call) {
  const DType dtype = call.in(0).dtype;
  const int64_t k = call.attrs.ints[2];
  run_rows(call, static_cast<int>(call.attrs.ints[0]), 1,
           [&](const char* x, int64_t* indices, int64_t rows, int64_t n, void* scratch) {
             cpu::nth_of_rows(dtype, x, indices, rows, n, k - 1, scratch);
           });
}

constexpr Op op_kth = {.name = "kthvalue",
                       .traits = kReduction,
                       .infer = infer_kth,
                       .forward = {forward_kth},
                       .backward = backward_rows,
                       .reads = {reads_output(1)},
                       .attrs = ";;dim,,k",
                       .doc = "the k-th smallest element along a dim, and where it was",
                       .batch = by_dim(1),
                       .check = check_sort};

constexpr const Op* kSortOps[] = {&op_sort, &op_topk, &op_kth};

std::pair<Tensor, Tensor> pair_of(const Op& op, const Tensor& x, int64_t dim, bool flag,
                                  int64_t k) {
  Attrs attrs;
  attrs.ints[0] = normalize_dim(dim, x.dim());
  attrs.ints[1] = flag;
  attrs.ints[2] = k;
  return dispatch_pair(op, {x}, attrs);
}

}  // namespace

OpList sort_ops() { return {kSortOps, std::size(kSortOps)}; }

}  // namespace detail

std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending) {
  return detail::pair_of(detail::op_sort, x, dim, descending, 0);
}

Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
  return sort(x.detach(), dim, descending).second;
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest) {
  return detail::pair_of(detail::op_topk, x, dim, largest, k);
}

std::pair<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  std::pair<Tensor, Tensor> found = detail::pair_of(detail::op_kth, x, dim, false, k);
  if (keepdim || x.dim() == 0) return found;
  return {squeeze(found.first, {dim}), squeeze(found.second, {dim})};
}

}  // namespace autograd
