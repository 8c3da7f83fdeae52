// What the normalizations share.
#pragma once
#include "core/batching.hpp"
#include "core/node.hpp"
#include "core/op.hpp"

namespace autograd::detail {

/// Throws Error (runtime) unless input i, if present, has these sizes and the dtype of input 0.
void check_affine(const Call& call, int i, const char* what, const Shape& sizes);

/// The gradient of xhat * weight + bias with respect to x in public ops, with xhat = (x - mean) /
/// sqrt(var + eps) over dims; weight, which broadcasts to x, may be undefined. Also gives xhat.
Tensor normalized_gradient(const Tensor& g, const Tensor& x, const Tensor& weight,
                           const Shape& dims, double eps, Tensor* xhat);

/// The gradients of a normalization are an op: (g, x, statistics, weight) -> dx, dweight, dbias,
/// those of the bits of ints[wanted]; the others are empty. `affine`: the sizes of the last two.
void infer_norm_backward(const Call& call, OutputMetas& outputs, int wanted, const Shape& affine);
/// The rule that calls this op, where no further gradient is wanted.
void run_norm_backward(const Op& op, int wanted, Backward& b, const Tensor& x,
                       const Tensor& weight);

/// vmap of layer_norm and rms_norm, and of group_norm: weights that differ between examples are
/// applied after the call.
bool batch_rows(const BatchedCall& c);
bool batch_groups(const BatchedCall& c);
/// Throws Error (runtime) if examples would have to update statistics that all of them share.
void check_statistics_of_examples(const Tensor& x, const Tensor& mean, const Tensor& var);

}  // namespace autograd::detail
