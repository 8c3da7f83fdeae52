// Triangles of matrices, and the positions in them.
#include <algorithm>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/grid.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

void infer_triangle(const Call& call, OutputMetas& outputs) {
  const TensorBody& x = call.in(0);
  if (x.sizes.size() < 2)
    fail(ErrorCode::kRuntime, call.op.name,
         ": input tensor must have at least 2 dimensions, got sizes ", x.sizes);
  OutputMeta& meta = outputs.add();
  meta.dtype = x.dtype;
  meta.sizes = x.sizes;
}

template <bool upper>
void forward_triangle(const Call& call) {
  TensorBody& out = call.out();
  if (out.numel == 0) return;
  const Tensor x = dense(call.in(0));
  const int64_t rows = out.sizes[out.sizes.size() - 2], columns = out.sizes.back();
  parallel_for(out.numel / columns, std::max<int64_t>(1, kGrain / columns),
               [&](int64_t begin, int64_t end) {
                 cpu::triangle(x.data(), out.data, upper, call.attrs.ints[0], rows, columns,
                               size_of(out.dtype), begin, end);
               });
}

constexpr Op op_tril = {
    .name = "tril",
    .traits = kCopies,
    .infer = infer_triangle,
    .forward = {forward_triangle<false>},
    .backward = [](Backward& b) { b.set(0, tril(b.grad(), b.attrs().ints[0])); },
    .attrs = ";;diagonal",
    .doc = "x on and below a diagonal, else 0",
    .batch = {1},
    .check = takes<1>};
constexpr Op op_triu = {
    .name = "triu",
    .traits = kCopies,
    .infer = infer_triangle,
    .forward = {forward_triangle<true>},
    .backward = [](Backward& b) { b.set(0, triu(b.grad(), b.attrs().ints[0])); },
    .attrs = ";;diagonal",
    .doc = "x on and above a diagonal, else 0",
    .batch = {1},
    .check = takes<1>};

constexpr const Op* kTriangleOps[] = {&op_tril, &op_triu};

Attrs diagonal_attrs(int64_t diagonal) {
  Attrs attrs;
  attrs.ints[0] = diagonal;
  return attrs;
}

// Positions (r, c), c - r <= offset, in a matrix; the offset lies between -rows and columns.
__int128 count_lower(int64_t rows, int64_t columns, int64_t offset) {
  // Row r holds r + offset + 1 of them, from `first` on; all columns from `full` on.
  const __int128 first = std::max<int64_t>(0, -offset),
                 full = std::clamp<int64_t>(columns - 1 - offset, 0, rows);
  const __int128 partial =
      full > first ? (full - first) * (first + full - 1 + 2 * (__int128{offset} + 1)) / 2 : 0;
  return partial + (rows - std::max(full, std::min<__int128>(first, rows))) * columns;
}

Tensor triangle_indices(const char* name, int64_t rows, int64_t columns, int64_t offset, bool upper,
                        DType dtype) {
  if (rows < 0) fail(ErrorCode::kRuntime, name, ": row must be non-negative, got", rows);
  if (columns < 0) fail(ErrorCode::kRuntime, name, ": col must be non-negative, got", columns);
  if (dtype != DType::kInt64 && dtype != DType::kInt32)
    fail(ErrorCode::kNotImplemented, "\"", name, "\" not implemented for '", name_of(dtype), "'");
  checked_numel({rows, columns, 2});
  if (rows == 0 || columns == 0) return make_tensor({2, 0}, dtype);
  offset = std::clamp(offset, -rows, columns);
  const __int128 lower = count_lower(rows, columns, upper ? std::max(offset - 1, -rows) : offset);
  const int64_t count = static_cast<int64_t>(upper ? __int128{rows} * columns - lower : lower);
  Tensor t = make_tensor({2, count}, DType::kInt64);
  int64_t *row = t.data_as<int64_t>(), *column = row + count;
  const int64_t begin = upper ? 0 : std::max<int64_t>(0, -offset),
                end = upper ? std::min(rows, columns - offset) : rows;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t from = upper ? std::max<int64_t>(0, r + offset) : 0,
                  to = upper ? columns : std::min(columns, r + offset + 1);
    for (int64_t c = from; c < to; ++c) {
      *row++ = r;
      *column++ = c;
    }
  }
  return to(t, dtype);
}

}  // namespace

OpList triangle_ops() { return {kTriangleOps, std::size(kTriangleOps)}; }

}  // namespace detail

Tensor tril(const Tensor& x, int64_t diagonal) {
  return detail::dispatch(detail::op_tril, {x}, detail::diagonal_attrs(diagonal));
}
Tensor triu(const Tensor& x, int64_t diagonal) {
  return detail::dispatch(detail::op_triu, {x}, detail::diagonal_attrs(diagonal));
}
Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset, DType dtype) {
  return detail::triangle_indices("tril_indices", rows, columns, offset, false, dtype);
}
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset, DType dtype) {
  return detail::triangle_indices("triu_indices", rows, columns, offset, true, dtype);
}

}  // namespace autograd
