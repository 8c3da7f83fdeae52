// Arithmetic between runs and numbers: rows of a matrix with a number for each, outer products. The
// ops that take no longer than their operands take to come from memory have such a kernel.
#include "kernels/cpu/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pointwise_broadcast.cpp"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/pointwise_run-inl.h"

HWY_BEFORE_NAMESPACE();
namespace autograd::cpu {
namespace HWY_NAMESPACE {

/// Elements of a run, or a number for all of them.
template <class T, bool constant>
struct RowInput {
  const T* data;
  Vec<T> number;

  HWY_INLINE RowInput(const BroadcastRows& r, int k, int64_t row)
      : data(static_cast<const T*>(r.in[k]) + row * r.row[k]), number(constant ? *data : T(0)) {}
  HWY_INLINE Vec<T> load(int64_t i) const {
    if constexpr (constant) return number;
    return hn::LoadU(hn::ScalableTag<T>(), data + i);
  }
};

/// The rows from `row` on.
template <class Row, class T, bool a_constant, bool b_constant>
void run_long_rows(const BroadcastRows& r, int64_t row = 0) {
  using V = Vec<T>;
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), last = r.n - lanes;
  for (; row < r.rows; ++row) {
    const RowInput<T, a_constant> a(r, 0, row);
    const RowInput<T, b_constant> b(r, 1, row);
    T* const y = static_cast<T*>(r.out) + row * r.out_row;
    const auto at = [&](int64_t i) HWY_ATTR {
      return Row::template of<V>(a.load(i), b.load(i), V(0), V(0), V(0), V(0));
    };
    // The last, possibly overlapping vector is made first: the output may be one of the inputs.
    const V end = at(last);
    for (int64_t i = 0; i < last; i += lanes) hn::StoreU(at(i).raw, d, y + i);
    hn::StoreU(end.raw, d, y + last);
  }
}

/// A number for each row, and the same run for all. A load behind many stores waits whenever its
/// place in a page is that of one of them. So there are few: four rows at a time share those of the
/// run, and what describes the rows is copied, for the compiler would read it after each store.
template <class Row, class T, bool a_constant>
void run_outer(const BroadcastRows& rows) {
  using V = Vec<T>;
  constexpr int kRows = 4, kNumber = a_constant ? 0 : 1;
  const hn::ScalableTag<T> d;
  const BroadcastRows r = rows;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), last = r.n - lanes;
  const T* const run = static_cast<const T*>(r.in[1 - kNumber]);
  int64_t row = 0;
  for (; row + kRows <= r.rows; row += kRows) {
    const T* const numbers = static_cast<const T*>(r.in[kNumber]) + row * r.row[kNumber];
    T* const y = static_cast<T*>(r.out) + row * r.out_row;
    V number[kRows];
    for (int k = 0; k < kRows; ++k) number[k] = V(numbers[k * r.row[kNumber]]);
    for (int64_t i = 0; i < r.n; i += lanes) {
      const int64_t at = HWY_MIN(i, last);  // the last vector may overlap the one before it
      const V x = hn::LoadU(d, run + at);
      for (int k = 0; k < kRows; ++k) {
        const V a = a_constant ? number[k] : x, b = a_constant ? x : number[k];
        hn::StoreU(Row::template of<V>(a, b, V(0), V(0), V(0), V(0)).raw, d,
                   y + k * r.out_row + at);
      }
    }
  }
  run_long_rows<Row, T, a_constant, !a_constant>(rows, row);
}

template <class Row, class T>
void run_short_rows(const BroadcastRows& r) {
  using V = Vec<T>;
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* const a = static_cast<const T*>(r.in[0]) + row * r.row[0];
    const T* const b = static_cast<const T*>(r.in[1]) + row * r.row[1];
    T* const y = static_cast<T*>(r.out) + row * r.out_row;
    const T first = *a, second = *b;  // y may be one of them
    for (int64_t i = 0; i < r.n; ++i)
      y[i] =
          hn::GetLane(Row::template of<V>(V(r.constant[0] ? first : a[i]),
                                          V(r.constant[1] ? second : b[i]), V(0), V(0), V(0), V(0))
                          .raw);
  }
}

template <class Row, class T>
void run_rows(const BroadcastRows& r) {
  if (r.n < static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()))) return run_short_rows<Row, T>(r);
  if (r.constant[0] && r.constant[1]) return run_long_rows<Row, T, true, true>(r);
  if (r.constant[0]) {
    if (r.row[1] == 0) return run_outer<Row, T, true>(r);
    return run_long_rows<Row, T, true, false>(r);
  }
  if (r.constant[1]) {
    if (r.row[0] == 0) return run_outer<Row, T, false>(r);
    return run_long_rows<Row, T, false, true>(r);
  }
  run_long_rows<Row, T, false, false>(r);
}

template <class T>
PointwiseRowsKernel rows_kernel_of(PointwiseOp op) {
  switch (op) {
    case PointwiseOp::k_add:
      return &run_rows<add_row, T>;
    case PointwiseOp::k_sub:
      return &run_rows<sub_row, T>;
    case PointwiseOp::k_mul:
      return &run_rows<mul_row, T>;
    case PointwiseOp::k_div:
      return &run_rows<div_row, T>;
    case PointwiseOp::k_maximum:
      return &run_rows<maximum_row, T>;
    case PointwiseOp::k_minimum:
      return &run_rows<minimum_row, T>;
    default:
      return nullptr;
  }
}

PointwiseRowsKernel rows_kernel(PointwiseOp op, DType compute) {
  if (compute == DType::kFloat32) return rows_kernel_of<float>(op);
  if (compute == DType::kFloat64) return rows_kernel_of<double>(op);
  return nullptr;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace autograd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace autograd::cpu {

HWY_EXPORT(rows_kernel);

PointwiseRowsKernel pointwise_rows_kernel(PointwiseOp op, DType compute) {
  return HWY_DYNAMIC_DISPATCH(rows_kernel)(op, compute);
}

}  // namespace autograd::cpu
#endif  // HWY_ONCE
