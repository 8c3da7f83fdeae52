#include "ops/call_check.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace autograd::detail {

void refuse_call(const Call& call, const char* what) {
  fail(ErrorCode::kValue, call.op.name, ": ", what);
}

void need_counts(const Call& call, int least_inputs, int most_inputs, int outputs) {
  need(call, call.n_inputs >= least_inputs && call.n_inputs <= most_inputs,
       "another number of arguments than the operation takes");
  need(call, call.n_outputs == outputs, "another number of results than the operation has");
}

int need_dim(const Call& call, int i, int rank) {
  const int64_t dim = call.attrs.ints[i];
  need(call, dim >= 0 && dim < std::max(rank, 1), "a dim that is not there");
  return static_cast<int>(dim);
}

void need_mask(const Call& call, int rank, bool single) {
  const int64_t mask = call.attrs.ints[0];
  need(call, mask >= 0 && mask < int64_t{1} << std::max(rank, 1), "dims that are not there");
  need(call, !single || (mask && !(mask & (mask - 1))), "one dim is wanted");
}

void need_dtype_number(const Call& call, int i, bool optional) {
  need_number(call, i, optional ? -1 : 0, kDTypeCount - 1);
}

void need_number(const Call& call, int i, int64_t low, int64_t high) {
  need(call, call.attrs.ints[i] >= low && call.attrs.ints[i] <= high, "a number is out of range");
}

const Shape& need_list(const Call& call, int i, int length, int64_t low, int64_t high) {
  const Shape& list = call.attrs.lists[i];
  need(call, list.size() == length, "a list of another length than the operation takes");
  for (int64_t each : list)
    need(call, each >= low && each <= high, "an entry of a list is out of range");
  return list;
}

const Shape& need_sizes_list(const Call& call, int i) {
  const Shape& sizes = call.attrs.lists[i];
  int64_t n = 1;
  for (int64_t size : sizes) {
    need(call, size >= 0 && size <= kMostElements, "a size is out of range");
    n *= std::max<int64_t>(size, 1);
    need(call, n <= kMostElements, "a result is too large");
  }
  return sizes;
}

void need_float(const Call& call, int i) {
  need(call, !call.has(i) || is_floating(call.in(i).dtype), "floats are wanted");
}

void need_dtype(const Call& call, int i, DType dtype) {
  need(call, call.has(i) && call.in(i).dtype == dtype, "an argument of another dtype is wanted");
}

void need_rank(const Call& call, int i, int rank) {
  need(call, call.has(i) && call.in(i).sizes.size() == rank,
       "an argument has too few or many dims");
}

void need_sizes(const Call& call, int i, const Shape& sizes) {
  need(call, !call.has(i) || call.in(i).sizes == sizes, "an argument of other sizes is wanted");
}

void need_dtype_of(const Call& call, int i, int k) {
  need(call, !call.has(i) || call.in(i).dtype == call.in(k).dtype, "arguments of different dtypes");
}

void need_like(const Call& call, int i, int k) {
  need_dtype_of(call, i, k);
  need_sizes(call, i, call.in(k).sizes);
}

void need_dense(const Call& call, int i) {
  need(call, call.has(i) && call.in(i).is_contiguous, "an argument with gaps between its elements");
}

void need_numel(const Call& call, int i, int64_t numel) {
  need(call, call.has(i) && call.in(i).numel == numel, "an argument of other sizes is wanted");
}

void check_positions(const Call& call, const Tensor& index, int64_t size) {
  const int64_t* at = index.data_as<int64_t>();
  const int64_t n = index.numel();
  uint64_t largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, static_cast<uint64_t>(at[i]));
  if (n > 0 && largest >= static_cast<uint64_t>(size))
    fail(ErrorCode::kIndex, call.op.name,
         ": a position is out of range: ", static_cast<int64_t>(largest), " for ", size,
         " elements");
}

}  // namespace autograd::detail
