// What the files of losses share.
#pragma once
#include "autograd/losses.hpp"
#include "core/op.hpp"

namespace autograd::detail {

/// Losses have it as their first number.
inline Reduction reduction_of(const Attrs& attrs) { return static_cast<Reduction>(attrs.ints[0]); }

/// The loss itself, its mean or its sum.
Tensor reduced(const Tensor& loss, Reduction reduction);

/// The same for each of the examples that dim 0 counts.
Tensor reduced_examples(const Tensor& loss, Reduction reduction);

/// Logits [N, C], [C] or [N, C, d1, ...] as rows [R, C], and class indices as [R].
struct ClassRows {
  Tensor rows, targets;
  Shape sizes;  ///< of the losses before they are reduced
};

/// For class indices; throws PyTorch's errors for sizes and types that do not fit.
ClassRows class_rows(const char* op, const Tensor& logits, const Tensor& target,
                     const Tensor& weight);
/// [N, C, d1, ...] -> [N * d1 * ..., C]
Tensor classes_last(const Tensor& x);
/// Throws unless weight is undefined or [classes] of the dtype of x.
void check_class_weight(const char* op, const Tensor& x, int64_t classes, const Tensor& weight);

/// -weight[t] x[t] of each row, reduced; the mean is weighted too.
Tensor nll_rows(const Tensor& rows, const Tensor& targets, const Tensor& weight,
                Reduction reduction, int64_t ignore_index);
/// weight[t] of each target, 0 for ignored ones; for the mean divided by their sum.
Tensor class_weights(const Tensor& targets, const Tensor& weight, DType dtype, Reduction reduction,
                     int64_t ignore_index);
/// For vmap: the losses of rows [examples * R], reduced for each
/// example; the mean is weighted as that of nll_rows.
Tensor reduced_rows(const Tensor& losses, int64_t examples, const Tensor& targets,
                    const Tensor& weight, Reduction reduction, int64_t ignore_index);
/// The gradient of nll_rows.
Tensor nll_rows_backward(const Tensor& g, const Tensor& targets, const Tensor& weight,
                         const Shape& sizes, Reduction reduction, int64_t ignore_index);

/// A number of floats divided in place, for means in kernels.
void divide(TensorBody& number, double by);

/// What cross_entropy and cross_entropy_step do, for ops that hold them. The gradient that the
/// latter makes may lie where the logits lie.
void run_cross_entropy(const Call& call);
void run_cross_entropy_step(const Call& call);

}  // namespace autograd::detail
