// Access to the records of pointwise.def for the functions that are written by hand.
#pragma once
#include "core/dispatch.hpp"
#include "core/op.hpp"
#include "kernels/cpu/pointwise.hpp"

namespace autograd::detail {

/// The record of a row, or of a UNARY row's fused gradient.
const Op& pointwise_op(cpu::PointwiseOp op);

/// The record applied to the tensors, with up to three scalar parameters.
inline Tensor apply(cpu::PointwiseOp op, std::initializer_list<Arg> inputs, double p = 0,
                    double q = 0, double r = 0) {
  Attrs attrs;
  attrs.reals[0] = p;
  attrs.reals[1] = q;
  attrs.reals[2] = r;
  return dispatch(pointwise_op(op), inputs, attrs);
}

/// The same in place: the first of the tensors becomes the result.
inline Tensor& apply_in_place(cpu::PointwiseOp op, Tensor& self, std::initializer_list<Arg> inputs,
                              double p = 0, double q = 0, double r = 0) {
  Attrs attrs;
  attrs.reals[0] = p;
  attrs.reals[1] = q;
  attrs.reals[2] = r;
  dispatch_in_place(pointwise_op(op), inputs, attrs);
  return self;
}

}  // namespace autograd::detail
