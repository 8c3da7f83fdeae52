// Shape and dtype rules that several op families share.
#pragma once
#include "core/op.hpp"

namespace autograd::detail {

/// The shape both broadcast to; throws Error (runtime) with PyTorch's text.
Shape broadcast_sizes(const char* op, const Shape& a, const Shape& b);
/// True if `sizes` broadcasts to exactly `to`.
bool broadcasts_to(const Shape& sizes, const Shape& to);
/// Strides with which a tensor of `sizes` is read as one of `to`: 0 along broadcast dims.
Shape broadcast_strides(const Shape& sizes, const Shape& strides, const Shape& to);
/// Runs pointwise kernel `kernel` of dtype `compute` over inputs[0..n) that broadcast to the
/// output, in parallel if large.
void run_pointwise(int kernel, DType compute, const double* params, TensorBody& out,
                   const Arg* inputs, int n, bool first_is_bool);

/// out = src, broadcast and converted; for use inside kernels, where the door has been passed
/// already.
void copy_into(TensorBody& out, TensorBody& src);

/// `t` itself if it is row-major, else a copy that is; for use inside kernels.
Tensor dense(TensorBody& t);

}  // namespace autograd::detail
