// Rows of a table picked by number.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"
#include "core/interrupt.hpp"
#include "core/node.hpp"
#include "ops/broadcast.hpp"
#include "ops/call_check.hpp"
#include "ops/indexing.hpp"
#include "ops/registry.hpp"

namespace autograd {
namespace detail {
namespace {

// In the attributes: ints[0] = padding_idx or -1, ints[1] = scale_grad_by_freq, ints[2] = rows of
// the table, where it is no input.

const Shape kRows = {0};

void check_types(const char* op, const TensorBody& weight, const TensorBody& index) {
  if (weight.sizes.size() != 2)
    fail(ErrorCode::kRuntime, "'weight' must be 2-D, got sizes ", weight.sizes);
  if (index.dtype != DType::kInt64 && index.dtype != DType::kInt32)
    fail(ErrorCode::kRuntime,
         "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
         "Long, Int; but got ",
         name_of(index.dtype), " instead (while checking arguments for ", op, ")");
}

void infer_embedding(const Call& call, OutputMetas& outputs) {
  check_types(call.op.name, call.in(0), call.in(1));
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = indexed_sizes(call.in(0).sizes, {kRows, 0}, call.in(1).sizes);
}

void forward_embedding(const Call& call) {
  const TensorBody& weight = call.in(0);
  const Tensor offsets = offsets_of(weight, kRows, call.in(1), Range::kSelect);
  const int64_t item = static_cast<int64_t>(size_of(weight.dtype));
  char* out = call.out().data;
  run_blocks(plan_blocks(weight, {kRows, 0}, offsets.numel(), false), Split::kOuterOrCount,
             [&](const cpu::Blocks& blocks, int64_t first, int64_t x_at, int64_t y_at) {
               cpu::take_blocks(item, weight.data + x_at * item,
                                static_cast<const int64_t*>(offsets.data()) + first,
                                out + y_at * item, blocks);
             });
}

void backward_embedding(Backward& b);

constexpr Op op_embedding = {.name = "embedding",
                             .traits = kCopies,
                             .infer = infer_embedding,
                             .forward = {forward_embedding},
                             .backward = backward_embedding,
                             .reads = {reads_input(1)},
                             .attrs = ";;padding_idx,scale_grad_by_freq",
                             .doc = "rows of weight by number",
                             .batch = {2},
                             .check = takes<2>};

// ---- embedding_backward: zeros to whose rows g is added

void infer_embedding_backward(const Call& call, OutputMetas& outputs) {
  OutputMeta& meta = outputs.add();
  meta.dtype = call.in(0).dtype;
  meta.sizes = {call.attrs.ints[2], call.in(0).sizes.back()};
}

template <class T>
void divide_rows(T* rows, const int64_t* offsets, int64_t count, int64_t width, int64_t n) {
  Vector<int64_t> picked(static_cast<size_t>(n), 0);
  for (int64_t j = 0; j < count; ++j) ++picked[static_cast<size_t>(offsets[j] / width)];
  for (int64_t r = 0; r < n; ++r, rows += width)
    if (picked[static_cast<size_t>(r)] > 1)
      for (int64_t i = 0; i < width; ++i) rows[i] /= static_cast<T>(picked[static_cast<size_t>(r)]);
}

void forward_embedding_backward(const Call& call) {
  TensorBody& out = call.out();
  const int64_t item = static_cast<int64_t>(size_of(out.dtype)), width = out.sizes[1];
  std::memset(out.data, 0, static_cast<size_t>(out.numel * item));
  const Tensor g = dense(call.in(0));
  const Tensor offsets = offsets_of(out, kRows, call.in(1), Range::kSelect);
  const int64_t* at = static_cast<const int64_t*>(offsets.data());
  const char* from = static_cast<const char*>(g.data());
  run_blocks(plan_blocks(out, {kRows, 0}, offsets.numel(), false), Split::kOuterOrInner,
             [&](const cpu::Blocks& blocks, int64_t first, int64_t x_at, int64_t y_at) {
               cpu::add_blocks(out.dtype, out.data + x_at * item, at + first, from + y_at * item,
                               blocks);
             });
  if (call.attrs.ints[1] && out.numel) {
    if (out.dtype == DType::kFloat32)
      divide_rows(reinterpret_cast<float*>(out.data), at, offsets.numel(), width, out.sizes[0]);
    else
      divide_rows(reinterpret_cast<double*>(out.data), at, offsets.numel(), width, out.sizes[0]);
  }
  const int64_t padding = call.attrs.ints[0];
  if (padding >= 0 && padding < out.sizes[0])
    std::memset(out.data + padding * width * item, 0, static_cast<size_t>(width * item));
}

void backward_embedding_backward(Backward& b) {
  const int64_t padding = b.attrs().ints[0];
  if (b.attrs().ints[1])
    fail(ErrorCode::kRuntime,
         "double backward is not supported for embedding with scale_grad_by_freq");
  const Tensor g = embedding(b.grad(), b.input(1));
  if (padding < 0) return b.set(0, g);
  b.set(0, masked_fill(g, unsqueeze(eq(b.input(1), scalar(padding)), -1), scalar(0)));
}

void check_embedding_backward(const Call& call) {
  need_counts(call, 2, 2);
  need_float(call, 0);
  need_number(call, 2, 0, kMostElements);
  const TensorBody &g = call.in(0), &index = call.in(1);
  need(call, index.dtype == DType::kInt64 || index.dtype == DType::kInt32, "integers are wanted");
  need(call,
       g.sizes.size() == index.sizes.size() + 1 &&
           Shape(g.sizes.data(), index.sizes.size()) == index.sizes,
       "an argument of other sizes is wanted");
}

constexpr Op op_embedding_backward = {.name = "embedding_backward",
                                      .traits = kCopies,
                                      .infer = infer_embedding_backward,
                                      .forward = {forward_embedding_backward},
                                      .backward = backward_embedding_backward,
                                      .reads = {reads_input(1)},
                                      .attrs = ";;padding_idx,scale_grad_by_freq,rows",
                                      .doc = "zeros to whose rows g is added",
                                      .check = check_embedding_backward};

void backward_embedding(Backward& b) {
  Attrs attrs = b.attrs();
  attrs.ints[2] = b.input_sizes(0)[0];
  b.set(0, dispatch(op_embedding_backward, {b.grad(), b.input(1)}, attrs));
}

// ---- embedding_renorm_; reals[0] = max_norm, reals[1] = norm_type

void infer_renorm(const Call& call, OutputMetas& outputs) {
  const TensorBody& weight = call.in(0);
  check_types(call.op.name, weight, call.in(1));
  if (!is_floating(weight.dtype))
    fail(ErrorCode::kRuntime, "embedding_renorm_: not implemented for ", name_of(weight.dtype));
  OutputMeta& meta = outputs.add();
  meta.dtype = weight.dtype;
  meta.sizes = weight.sizes;
}

template <class T>
void limit_norm(T* row, int64_t n, int64_t stride, double max_norm, double p) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double size = std::fabs(static_cast<double>(row[i * stride]));
    if (std::isinf(p))
      sum = p > 0 ? std::max(sum, size) : (i ? std::min(sum, size) : size);
    else
      sum += p == 2 ? size * size : p == 1 ? size : p == 0 ? size != 0 : std::pow(size, p);
  }
  const double norm = std::isinf(p) || p == 1 || p == 0 ? sum : std::pow(sum, 1 / p);
  if (!(norm > max_norm)) return;
  const T scale = static_cast<T>(max_norm / (norm + 1e-7));
  for (int64_t i = 0; i < n; ++i) row[i * stride] *= scale;
}

void forward_renorm(const Call& call) {
  TensorBody& weight = call.out();
  const Tensor offsets = offsets_of(weight, kRows, call.in(1), Range::kSelect);
  int64_t* rows = offsets.data_as<int64_t>();
  std::sort(rows, rows + offsets.numel());
  const int64_t count = std::unique(rows, rows + offsets.numel()) - rows;
  for (int64_t j = 0; j < count; ++j) {
    if (weight.dtype == DType::kFloat32)
      limit_norm(reinterpret_cast<float*>(weight.data) + rows[j], weight.sizes[1],
                 weight.strides[1], call.attrs.reals[0], call.attrs.reals[1]);
    else
      limit_norm(reinterpret_cast<double*>(weight.data) + rows[j], weight.sizes[1],
                 weight.strides[1], call.attrs.reals[0], call.attrs.reals[1]);
  }
}

constexpr Op op_renorm = {.name = "embedding_renorm_",
                          .traits = kInPlace,
                          .infer = infer_renorm,
                          .forward = {forward_renorm},
                          .attrs = ";max_norm,norm_type;",
                          .doc = "the rows named by index scaled down to a largest norm",
                          .check = takes<2>};

constexpr const Op* kEmbeddingOps[] = {&op_embedding, &op_embedding_backward, &op_renorm};

// The same of a table that differs between examples, by an op that has a rule for it.
Tensor rows_of_examples(const Tensor& weight, const Tensor& index, int64_t padding) {
  const Tensor rows = take_parts(weight, {0}, 0, index, Range::kSelect);
  if (padding < 0) return rows;
  return where(unsqueeze(eq(index, scalar(padding)), -1), rows.detach(), rows);
}

// The largest class; checks that none is negative.
int64_t largest_class(const Tensor& index) {
  note_read(*body(index), "one_hot()");
  const Unobserved pause;
  const NoGrad off;
  const int64_t least = amin(index).item_int();
  if (least < 0)
    fail(ErrorCode::kRuntime, "Class values must be non-negative, got ", least, " (sizes ",
         index.sizes(), ")");
  return amax(index).item_int();
}

}  // namespace

OpList embedding_ops() { return {kEmbeddingOps, std::size(kEmbeddingOps)}; }

}  // namespace detail

Tensor embedding(const Tensor& weight, const Tensor& index, int64_t padding_idx,
                 bool scale_grad_by_freq) {
  const bool is_table = weight.dim() == 2 && !is_floating(index.dtype());
  if (!detail::has_elements(weight) && is_table && !scale_grad_by_freq)
    return detail::rows_of_examples(weight, index, padding_idx);
  detail::Attrs attrs;
  attrs.ints[0] = padding_idx;
  attrs.ints[1] = scale_grad_by_freq;
  return detail::dispatch(detail::op_embedding, {weight, index}, attrs);
}

Tensor& embedding_renorm_(Tensor& weight, const Tensor& index, double max_norm, double norm_type) {
  detail::Attrs attrs;
  attrs.reals[0] = max_norm;
  attrs.reals[1] = norm_type;
  detail::dispatch_in_place(detail::op_renorm, {weight, index}, attrs);
  return weight;
}

Tensor one_hot(const Tensor& index, int64_t num_classes) {
  if (index.dtype() != DType::kInt64)
    fail(ErrorCode::kRuntime, "one_hot is only applicable to index tensor of type LongTensor, got ",
         name_of(index.dtype()));
  if (index.numel() == 0 && num_classes <= 0)
    fail(ErrorCode::kRuntime, "Can not infer total number of classes from empty tensor (sizes ",
         index.sizes(), ")");
  if (!detail::has_elements(index) && num_classes < 0) detail::need_elements("one_hot", index);
  if (index.numel() != 0 && detail::has_elements(index)) {
    const int64_t largest = detail::largest_class(index);
    if (num_classes == -1) num_classes = largest + 1;
    if (largest >= num_classes)
      fail(ErrorCode::kRuntime, "Class values must be smaller than num_classes, got ", largest,
           " and num_classes ", num_classes);
  }
  Shape sizes = index.sizes();
  sizes.push_back(num_classes);
  Tensor hot = detail::written_with(zeros(sizes, DType::kInt64), {&index});
  const detail::UnseenTarget unseen(hot);
  return index.numel() ? scatter_(hot, -1, unsqueeze(index, -1), scalar(1)) : hot;
}

}  // namespace autograd
