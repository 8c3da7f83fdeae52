// Masks: places of true elements, and elements chosen or replaced where a mask is true.
#include <algorithm>

#include "autograd/ops.hpp"
#include "autograd/runtime.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
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

// ---- masked_scatter(x, mask, source); ints: leading dims of x and of source, which the mask does
// not have: so many rows are filled alike, each from its own source

void check_source(const Tensor& source, int64_t numel, int64_t wanted) {
  if (numel < wanted)
    fail(ErrorCode::kRuntime,
         "masked_scatter: Number of elements of source < number of ones in mask, got ", numel,
         " (sizes ", source.sizes(), ") and ", wanted);
}

void infer_masked_scatter(const Call& call, OutputMetas& outputs) {
  outputs.add(call.in(0).dtype, call.in(0).sizes);
}

void forward_masked_scatter(const Call& call) {
  const Tensor x = dense(call.in(0)), mask = dense(call.in(1)), source = dense(call.in(2));
  if (x.numel() == 0) return;
  const int64_t n = mask.numel(), rows = x.numel() / n, given = source.numel() / rows;
  const auto* const chosen = static_cast<const uint8_t*>(mask.data());
  check_source(source, given, count_true_of(mask));
  const int64_t bytes = static_cast<int64_t>(size_of(x.dtype()));
  const char *kept = static_cast<const char*>(x.data()),
             *next = static_cast<const char*>(source.data());
  for (int64_t row = 0; row < rows; ++row)
    cpu::put_where_true(bytes, chosen, n, kept + row * n * bytes, next + row * given * bytes, given,
                        call.out().data + row * n * bytes);
}

void backward_masked_scatter(Backward& b) {
  const Tensor mask = b.input(1), g = b.grad();
  if (b.needs(0)) b.set(0, masked_fill(g, mask, scalar(0)));
  if (!b.needs(2)) return;
  const Shape sizes = b.input_sizes(2);
  Shape rows(sizes.data(), static_cast<int>(b.attrs().ints[0])), rest = rows;
  rows.push_back(mask.numel());
  const Tensor positions = mask_positions(mask);
  const Tensor used = index_select(reshape(g, rows), -1, positions);
  int64_t given = 1;
  for (int d = rest.size(); d < sizes.size(); ++d) given *= sizes[d];
  rest.push_back(given - positions.numel());
  b.set(2, reshape(cat({used, zeros(rest, g.dtype())}, -1), sizes));
}

void check_masked_scatter(const Call& call) {
  need_counts(call, 3, 3);
  need_dtype(call, 1, DType::kBool);
  need_dtype_of(call, 2, 0);
  const Shape &x = call.in(0).sizes, &source = call.in(2).sizes;
  need_number(call, 0, 0, std::min(x.size(), source.size()));
  const int lead = static_cast<int>(call.attrs.ints[0]);
  need(call, std::equal(x.data(), x.data() + lead, source.data()), "as many sources are wanted");
  need_sizes(call, 1, Shape(x.data() + lead, x.size() - lead));
}

constexpr Op op_masked_scatter = {.name = "masked_scatter",
                                  .traits = kCopies,
                                  .infer = infer_masked_scatter,
                                  .forward = {forward_masked_scatter},
                                  .backward = backward_masked_scatter,
                                  .reads = {reads_input(1), 0, reads_input(1)},
                                  .attrs = ";;leading_dims",
                                  .doc = "x with the elements of source where the mask is true",
                                  .inputs = ",mask,source",
                                  .batch = {1 | 4, [](Attrs& a, int64_t) { ++a.ints[0]; }},
                                  .check = check_masked_scatter};

constexpr const Op* kMaskOps[] = {&op_mask_positions, &op_nonzero, &op_masked_fill,
                                  &op_masked_scatter};

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

void check_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  check_mask("masked_scatter_", mask);
  if (x.dtype() != source.dtype())
    fail(ErrorCode::kRuntime,
         "masked_scatter: expected self and source to have same dtypes but got ",
         name_of(x.dtype()), " and ", name_of(source.dtype()));
}

// The first elements of source, as many as there are positions.
Tensor first_elements(const Tensor& source, const Tensor& positions) {
  check_source(source, source.numel(), positions.numel());
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
  detail::check_scatter(self, mask, source);
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
  detail::check_scatter(x, mask, source);
  const Tensor all = x.sizes() == sizes ? x : expand(x, sizes),
               wide = mask.sizes() == sizes ? mask : expand(mask, sizes);
  if (!detail::has_elements(mask)) return detail::scattered_by_count(all, wide, source);
  return detail::dispatch(detail::op_masked_scatter, {all, wide, source});
}

}  // namespace autograd
