// Broadcasting, promotion, and the run of a pointwise kernel over tensors.
#include "ops/broadcast.hpp"

#include <algorithm>

#include "autograd/runtime.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "kernels/cpu/stream.hpp"

namespace autograd::detail {

Shape broadcast_sizes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  const int shift = longer.size() - shorter.size();
  for (int d = 0; d < shorter.size(); ++d) {
    const int64_t x = longer[d + shift], y = shorter[d];
    if (x == y || y == 1) continue;
    if (x != 1)
      fail(ErrorCode::kRuntime, op, ": The size of tensor a (",
           a[d + shift - (longer.size() - a.size())], ") must match the size of tensor b (",
           b[d + shift - (longer.size() - b.size())], ") at non-singleton dimension ", d + shift,
           "; got sizes ", a, " and ", b);
    out[d + shift] = y;
  }
  return out;
}

bool broadcasts_to(const Shape& sizes, const Shape& to) {
  const int extra = to.size() - sizes.size();
  if (extra < 0) return false;
  for (int d = 0; d < sizes.size(); ++d)
    if (sizes[d] != 1 && sizes[d] != to[d + extra]) return false;
  return true;
}

Shape broadcast_strides(const Shape& sizes, const Shape& strides, const Shape& to) {
  Shape out = to;
  const int shift = to.size() - sizes.size();
  for (int d = 0; d < to.size(); ++d)
    out[d] = d < shift || (sizes[d - shift] == 1 && to[d] != 1) ? 0 : strides[d - shift];
  return out;
}

void run_pointwise(int kernel, DType compute, const double* params, TensorBody& out,
                   const Arg* inputs, int n, bool first_is_bool) {
  const auto op = static_cast<cpu::PointwiseOp>(kernel);
  const cpu::PointwiseKernel run = cpu::pointwise_kernel(op, compute);
  const DType out_as = cpu::gives_bool(op) ? DType::kBool : compute;
  // Results too large for the caches are left to the loop.
  bool plain = out.is_contiguous && out.dtype == out_as &&
               out.numel * static_cast<int64_t>(size_of(out_as)) < cpu::kStreamedBytes;
  const void* pointers[cpu::kMaxPointwiseInputs];
  size_t item[cpu::kMaxPointwiseInputs];
  for (int i = 0; i < n; ++i) {
    const TensorBody* in = inputs[i].body;
    pointers[i] = in ? in->data : nullptr;
    if (!in) continue;
    const DType as = first_is_bool && i == 0 ? DType::kBool : compute;
    item[i] = size_of(as);
    plain = plain && in->is_contiguous && in->dtype == as && in->sizes == out.sizes;
  }
  if (plain) {
    parallel_for(
        out.numel, kGrain,
        [&](int64_t begin, int64_t end) {
          const void* at[cpu::kMaxPointwiseInputs];
          for (int i = 0; i < n; ++i)
            at[i] = pointers[i] ? static_cast<const char*>(pointers[i]) +
                                      static_cast<size_t>(begin) * item[i]
                                : nullptr;
          run(at, out.data + static_cast<size_t>(begin) * size_of(out_as), end - begin, params);
        },
        kManyPieces);
    return;
  }
  Shape strides[cpu::kMaxPointwiseInputs];
  cpu::Operand operands[cpu::kMaxPointwiseInputs + 1];
  operands[0] = {out.data, out.dtype, out_as, out.strides.data()};
  for (int i = 0; i < n; ++i) {
    const TensorBody* in = inputs[i].body;
    if (!in) {
      operands[i + 1] = {nullptr, compute, compute, nullptr};
      continue;
    }
    strides[i] = broadcast_strides(in->sizes, in->strides, out.sizes);
    operands[i + 1] = {in->data, in->dtype, first_is_bool && i == 0 ? DType::kBool : compute,
                       strides[i].data()};
  }
  const cpu::PointwiseRowsKernel by_rows =
      n == 2 ? cpu::pointwise_rows_kernel(op, compute) : nullptr;
  parallel_for(
      out.numel, kGrain,
      [&](int64_t begin, int64_t end) {
        cpu::pointwise_loop(run, params, operands, n, out.sizes.data(), out.sizes.size(), begin,
                            end, by_rows);
      },
      kManyPieces);
}

Tensor dense(TensorBody& t) {
  if (t.is_contiguous) return borrow(&t);
  Tensor copy = make_tensor(t.sizes, t.dtype);
  copy_into(*body(copy), t);
  return copy;
}

}  // namespace autograd::detail
