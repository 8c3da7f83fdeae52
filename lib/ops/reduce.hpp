// What all reductions share: the attributes, the shapes, the way to the kernel.
#pragma once
#include "core/node.hpp"
#include "kernels/cpu/reduce.hpp"

namespace autograd::detail {

/// Bit d: dim d is reduced.
using Mask = uint32_t;

/// The dims, none meaning all; throws Error (index, runtime) for dims that are not there or twice.
Mask mask_of(const Shape& dims, int rank);

/// The attributes of every reduction: ints[0] = mask, ints[1] = keepdim, ints[2] = output dtype or
/// -1.
Attrs reduce_attrs(const Tensor& x, const Shape& dims, bool keepdim);
/// The reduced dims of a tensor of this rank.
Shape dims_of(const Attrs& attrs, int rank);

Shape reduced_sizes(const Shape& sizes, Mask mask, bool keepdim);
/// Elements that go into one result.
int64_t reduced_count(const Shape& sizes, Mask mask);
/// Throws Error unless every result has an element that goes into it; an index error if a dim was
/// named, which those ops that take all dims by default only know if it is not the last one left.
void check_not_empty(const Call& call, bool has_dim = false);

/// Reduces x into out, in parallel if large. Throws Error (not implemented) for a dtype that has no
/// kernel.
void run_reduce(const char* name, cpu::ReduceOp op, TensorBody& x, Mask mask, TensorBody& out,
                const double* p);

/// `x` itself if it has that dtype, else a copy that does.
Tensor converted(TensorBody& x, DType dtype);

/// A row-major tensor around one dim: [outer, n, inner].
struct Along {
  int64_t outer = 1, n = 1, inner = 1;
};
Along along(const Shape& sizes, Mask mask);

/// Zeros of sizes attrs.lists[0] with g at one position along the reduced dim; differentiable.
Tensor put_along_dim(const Tensor& g, const Tensor& index, const Attrs& attrs);

/// For gradient rules: a reduced tensor with the reduced dims put back as size 1.
Tensor with_dims(const Backward& b, const Tensor& t);
/// Elements that went into one result.
double count_of(const Backward& b);

}  // namespace autograd::detail
