// Masks: places of true elements, and elements chosen or replaced where a mask is true.
#include <algorithm>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/node.hpp"
#include "core/parallel.hpp"
#include "kernels/cpu/mask.hpp"
#include "kernels/cpu/pause.hpp"
#include "kernels/cpu/pointwise.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/indexing.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// ---- mask_positions: row-major positions of true elements

int64_t count_true_of(const Tensor& mask) {
  return cpu::count_true(static_cast<const uint8_t*>(mask.data()), mask.numel());
}

void infer_mask_positions(const Call& call, OutputMetas& outputs) {
  note_read(call.in(0), call.op.name);  // the shape depends on values
  OutputMeta& meta = outputs.add();
  meta.dtype = DType::kInt64;
  meta.sizes = {count_true_of(dense(call.in(0)))};
}

void forward_mask_positions(const Call& call) {
  const Tensor mask = dense(call.in(0));
  TensorBody& out = call.out();
  cpu::true_positions(static_cast<const uint8_t*>(mask.data()), out.numel, 0,
                      reinterpret_cast<int64_t*>(out.data));
}

constexpr Op op_mask_positions = {.name = "mask_positions",
                                  .traits = kCopies | kValueShaped,
                                  .infer = infer_mask_positions,
                                  .forward = {forward_mask_positions},
                                  .doc = "row-major positions of the true elements"};

// ---- nonzero: their coordinates

void infer_nonzero(const Call& call, OutputMetas& outputs) {
  infer_mask_positions(call, outputs);
  outputs[0].sizes.push_back(call.in(0).sizes.size());
}

void forward_nonzero(const Call& call) {
  const Tensor mask = dense(call.in(0));
  const Shape& sizes = mask.sizes();
  const int rank = sizes.size();
  const int64_t count = call.out().sizes[0];
  if (rank == 0 || count == 0) return;
  int64_t* out = reinterpret_cast<int64_t*>(call.out().data);
  const Tensor found = rank == 1 ? Tensor() : make_tensor({count}, DType::kInt64);
  int64_t* flat = rank == 1 ? out : found.data_as<int64_t>();
  cpu::true_positions(static_cast<const uint8_t*>(mask.data()), count, 0, flat);
  if (rank == 1) return;
  int64_t row_begin = 0, row_end = -1;  // of the row that `coordinates` stand for
  int64_t coordinates[kMaxDims];
  for (int64_t j = 0; j < count; ++j, out += rank) {
    const int64_t p = flat[j];
    if (p >= row_end) {
      int64_t rest = p / sizes.back();
      row_begin = rest * sizes.back();
      row_end = row_begin + sizes.back();
      for (int d = rank - 2; d >= 0; --d) {
        coordinates[d] = rest % sizes[d];
        rest /= sizes[d];
      }
    }
    for (int d = 0; d < rank - 1; ++d) out[d] = coordinates[d];
    out[rank - 1] = p - row_begin;
    cpu::pause_after(rank);
  }
}

constexpr Op op_nonzero = {.name = "nonzero",
                           .traits = kCopies | kValueShaped,
                           .infer = infer_nonzero,
                           .forward = {forward_nonzero},
                           .doc = "coordinates of the elements that are not 0"};

// ---- masked_fill_

void infer_fill(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = broadcast_sizes(call.op.name, call.in(0).sizes, call.in(1).sizes);
}

void forward_fill(const Call& call) {
  const double none[2] = {0, 0};
  const Arg inputs[] = {call.inputs[1], call.inputs[2], call.inputs[0]};
  run_pointwise(static_cast<int>(cpu::PointwiseOp::k_where), call.in(0).dtype, none, call.out(),
                inputs, 3, true);
}

void backward_fill(Backward& b) {
  if (b.needs(0)) b.set(0, masked_fill(b.grad(), b.input(1), scalar(0)));
  if (b.needs(2)) b.set(2, where(b.input(1), b.grad(), scalar(0)));
}

void check_fill(const Call& call) {
  need_counts(call, 3, 3);
  need(call, broadcasts_to(call.in(2).sizes, call.in(0).sizes), "an argument is too large");
}

constexpr Op op_masked_fill = {.name = "masked_fill_",
                               .traits = kPointwise | kInPlace,
                               .infer = infer_fill,
                               .forward = {forward_fill},
                               .backward = backward_fill,
                               .reads = {reads_input(1), 0, reads_input(1)},
                               .doc = "self with value where the mask is true",
                               .check = check_fill};

constexpr const Op* kMaskOps[] = {&op_mask_positions, &op_nonzero, &op_masked_fill};

void check_mask(const char* op, const Tensor& mask) {
  if (mask.dtype() != DType::kBool)
    fail(ErrorCode::kRuntime, op, " only supports boolean masks, but got mask with dtype ",
         name_of(mask.dtype()), " (sizes ", mask.sizes(), ")");
}

void check_fill_value(const Tensor& value) {
  if (value.dim() > 0)
    fail(ErrorCode::kRuntime,
         "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
         value.dim(), " dimension(s) (sizes ", value.sizes(), ")");
}

// The first elements of source, as many as there are positions.
Tensor first_elements(const Tensor& source, const Tensor& positions) {
  if (source.numel() < positions.numel())
    fail(ErrorCode::kRuntime,
         "masked_scatter: Number of elements of source < number of ones in mask, got ",
         source.numel(), " (sizes ", source.sizes(), ") and ", positions.numel());
  return slice(reshape(source, {-1}), 0, 0, positions.numel());
}

}  // namespace

OpList mask_ops() { return {kMaskOps, std::size(kMaskOps)}; }

Tensor mask_positions(const Tensor& mask) {
  return dispatch(op_mask_positions, {to(mask, DType::kBool)});
}

}  // namespace detail

Tensor nonzero(const Tensor& x) {
  return detail::dispatch(detail::op_nonzero, {to(x, DType::kBool)});
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  detail::check_mask("masked_fill_", mask);
  detail::check_fill_value(value);
  if (result_type(x, value) == x.dtype()) return where(mask, value, x);
  return where(mask, to(value, x.dtype()), x);
}

Tensor& masked_fill_(Tensor& self, const Tensor& mask, const Tensor& value) {
  detail::check_mask("masked_fill_", mask);
  detail::check_fill_value(value);
  detail::dispatch_in_place(detail::op_masked_fill, {self, mask, value});
  return self;
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  if (mask.dtype() != DType::kBool)
    fail(ErrorCode::kRuntime, "masked_select: expected BoolTensor for mask, got ",
         name_of(mask.dtype()));
  const Shape sizes = detail::broadcast_sizes("masked_select", x.sizes(), mask.sizes());
  const Tensor positions =
      detail::mask_positions(mask.sizes() == sizes ? mask : expand(mask, sizes));
  const Tensor all = x.sizes() == sizes ? x : expand(x, sizes);
  return detail::take_parts(all, detail::all_dims(all.dim()), 0, positions, detail::Range::kWrap);
}

Tensor& masked_scatter_(Tensor& self, const Tensor& mask, const Tensor& source) {
  detail::check_mask("masked_scatter_", mask);
  if (self.dtype() != source.dtype())
    fail(ErrorCode::kRuntime,
         "masked_scatter: expected self and source to have same dtypes but got ",
         name_of(self.dtype()), " and ", name_of(source.dtype()));
  const Tensor positions =
      detail::mask_positions(mask.sizes() == self.sizes() ? mask : expand(mask, self.sizes()));
  detail::put_parts_(self, detail::all_dims(self.dim()), 0, positions,
                     detail::first_elements(source, positions), detail::Range::kWrap, false);
  return self;
}

namespace detail {
namespace {
// The same for a mask that can't be looked at: the n-th true element gets the n-th of the source.
Tensor scattered_by_count(const Tensor& x, const Tensor& mask, const Tensor& source) {
  if (x.numel() == 0) return x;
  const Tensor flat = reshape(to(mask, DType::kInt64), {-1});
  const long long last = std::max<long long>(source.numel() - 1, 0);
  const Tensor place = clamp(cumsum(flat, 0) - 1, scalar(0), scalar(last));
  return where(mask, take(source, reshape(place, x.sizes())), x);
}
}  // namespace
}  // namespace detail

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  const Shape sizes = detail::broadcast_sizes("masked_scatter", x.sizes(), mask.sizes());
  if (!detail::has_elements(mask)) {
    detail::check_mask("masked_scatter_", mask);
    return detail::scattered_by_count(x.sizes() == sizes ? x : expand(x, sizes),
                                      mask.sizes() == sizes ? mask : expand(mask, sizes), source);
  }
  Tensor result =
      detail::written_with(clone(x.sizes() == sizes ? x : expand(x, sizes)), {&mask, &source});
  const detail::UnseenTarget unseen(result);
  return masked_scatter_(result, mask, source);
}

}  // namespace autograd
