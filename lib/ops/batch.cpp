// Batches of rows, all tensors of a data set in one call.
#include <cstring>

#include "autograd/data.hpp"
#include "core/tensor_body.hpp"
#include "core/text.hpp"
#include "kernels/cpu/index.hpp"
#include "ops/broadcast.hpp"

namespace autograd {

using detail::body;
using detail::TensorBody;

namespace {

/// The row numbers of a batch; null for consecutive rows.
struct BatchRows {
  const int64_t* numbers;
  int64_t start, count;
  int64_t at(int64_t i) const { return numbers ? numbers[i] : start + i; }
};

BatchRows checked_rows(const Tensor& index, int64_t start, int64_t count) {
  if (start < 0 || count < 0 || start > INT64_MAX - count)
    fail(ErrorCode::kIndex, "take_batch: no rows ", start, " to ", start, " + ", count);
  if (!index.defined()) return {nullptr, start, count};
  if (index.dtype() != DType::kInt64 || index.dim() != 1 || !index.is_contiguous())
    fail(ErrorCode::kRuntime, "take_batch: the index must be int64, 1-d and contiguous, got ",
         name_of(index.dtype()), " ", index.sizes());
  if (start + count > index.numel())
    fail(ErrorCode::kIndex, "take_batch: rows ", start, " to ", start + count,
         " of an index of size ", index.numel());
  return {index.data_as<int64_t>() + start, start, count};
}

void check_source(const Tensor& source, const BatchRows& rows) {
  if (source.dim() == 0) fail(ErrorCode::kIndex, "take_batch: a 0-d tensor has no rows");
  const int64_t n = source.sizes()[0];
  if (!rows.numbers) {
    if (rows.start + rows.count > n)
      fail(ErrorCode::kIndex, "take_batch: rows ", rows.start, " to ", rows.start + rows.count,
           " of a tensor of sizes ", source.sizes());
    return;
  }
  for (int64_t i = 0; i < rows.count; ++i)
    if (rows.numbers[i] < 0 || rows.numbers[i] >= n)
      fail(ErrorCode::kIndex, "index ", rows.numbers[i],
           " is out of bounds for dimension 0 with size ", n);
}

Shape without_first(const Shape& shape) { return Shape(shape.begin() + 1, shape.size() - 1); }

/// Row by row through views, for tensors whose rows lie anyhow.
void take_strided(TensorBody& source, const BatchRows& rows, TensorBody& out) {
  const Shape sizes = without_first(source.sizes), strides = without_first(source.strides);
  const Shape to = without_first(out.strides);
  for (int64_t i = 0; i < rows.count; ++i) {
    const Tensor from = detail::make_alias(&source, sizes, strides, rows.at(i) * source.strides[0]);
    const Tensor row = detail::make_alias(&out, sizes, to, i * out.strides[0]);
    detail::copy_into(*body(row), *body(from));
  }
}

/// `before` is a batch of these sizes that nobody else sees: it can be written over.
bool can_reuse(const Tensor& before, const Shape& sizes, DType dtype) {
  const TensorBody* b = detail::body_or_null(before);
  return b && b->dtype == dtype && b->sizes == sizes && b->is_contiguous &&
         b->refs.load(std::memory_order_relaxed) == 1 && !b->storage->is_shared() &&
         !b->storage->foreign && b->data == b->storage->data && !b->needs_grad() && !b->grad;
}

void take(const Tensor& source, const BatchRows& rows, Tensor& out) {
  TensorBody& from = *body(source);
  Shape sizes = from.sizes;
  sizes[0] = rows.count;
  if (!can_reuse(out, sizes, from.dtype)) out = detail::make_tensor(sizes, from.dtype);
  if (out.numel() == 0) return;
  if (!from.is_contiguous) return take_strided(from, rows, *body(out));
  const int64_t n = from.sizes[0];
  const int64_t row_bytes = from.numel / n * static_cast<int64_t>(size_of(from.dtype));
  if (rows.numbers)
    cpu::take_rows(from.data, rows.numbers, out.data(), rows.count, row_bytes);
  else
    std::memcpy(out.data(), from.data + rows.start * row_bytes,
                static_cast<size_t>(rows.count * row_bytes));
}

}  // namespace

void take_batch(const Tensor* tensors, int64_t n, const Tensor& index, int64_t start, int64_t count,
                Tensor* out) {
  const BatchRows rows = checked_rows(index, start, count);
  for (int64_t i = 0; i < n; ++i) check_source(tensors[i], rows);
  for (int64_t i = 0; i < n; ++i) take(tensors[i], rows, out[i]);
}

}  // namespace autograd
