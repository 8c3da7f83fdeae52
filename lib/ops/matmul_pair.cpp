// The sum of two matrix products in one pass over the result. Only compiled graphs hold it: where a
// gradient is the sum of two uses of a weight or of an input.
#include "core/allocator.hpp"
#include "core/dispatch.hpp"
#include "ops/call_check.hpp"
#include "ops/flops.hpp"
#include "ops/product_rules.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {
namespace {

// ints[0], ints[1]: transposes_of the first and of the second product.

void check_mm_pair(const Call& call) {
  need_counts(call, 4, 4);
  for (int i = 0; i < 4; ++i) {
    need_rank(call, i, 2);
    need_float(call, i);
    need_dtype_of(call, i, 0);
  }
  need_number(call, 0, 0, 3);
  need_number(call, 1, 0, 3);
}

void infer_mm_pair(const Call& call, OutputMetas& outputs) {
  const Factors x(call, 0, call.attrs.ints[0]), y(call, 2, call.attrs.ints[1]);
  if (x.depth != x.depth_of_b || y.depth != y.depth_of_b || x.rows != y.rows ||
      x.columns != y.columns)
    fail(ErrorCode::kRuntime, "mm_pair: shapes cannot be multiplied and added: ", x.rows, "x",
         x.depth, " and ", x.depth_of_b, "x", x.columns, ", ", y.rows, "x", y.depth, " and ",
         y.depth_of_b, "x", y.columns);
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = {x.rows, x.columns};
}

void forward_mm_pair(const Call& call) {
  const Factors x(call, 0, call.attrs.ints[0]), y(call, 2, call.attrs.ints[1]);
  TensorBody& out = call.out();
  if (!is_small_product(x.rows, x.columns, std::max(x.depth, y.depth))) {
    multiply_matrices(out.dtype, x.rows, x.columns, x.depth, x.a, x.b, out.data, x.columns);
    return multiply_matrices(out.dtype, x.rows, x.columns, y.depth, y.a, y.b, out.data, x.columns,
                             {.accumulate = true});
  }
  cpu::gemm_pair(out.dtype, x.rows, x.columns, x.depth, x.a, x.b, y.depth, y.a, y.b, out.data,
                 x.columns, nullptr);
}

double pair_flops(const CallSizes& s) {
  const double depths =
      (count_of(s.in(0)) + count_of(s.in(2))) / (s.out().empty() ? 1 : s.out()[0]);
  return (2 * depths + 1) * count_of(s.out());
}

constexpr Op op_mm_pair = {.name = "mm_pair",
                           .traits = kProduct,
                           .infer = infer_mm_pair,
                           .forward = {forward_mm_pair},
                           .attrs = ";;transposes,transposes_2",
                           .doc = "a b + c d",
                           .flops = pair_flops,
                           .check = check_mm_pair};

constexpr const Op* kProductPairOps[] = {&op_mm_pair};

}  // namespace

bool is_small_product(int64_t m, int64_t n, int64_t k) {
  return m * n * k <= kThreadWork &&
         cpu::gemm_workspace(DType::kFloat64, m, n, k, {nullptr, k, 1}, {nullptr, n, 1}) == 0;
}

bool adds_in_order(int64_t depth) { return depth <= cpu::kGemmDepth; }

OpList product_pair_ops() { return {kProductPairOps, std::size(kProductPairOps)}; }

}  // namespace autograd::detail
