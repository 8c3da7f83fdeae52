// What the ops that pick parts of a tensor share.
#pragma once
#include <vector>

#include "autograd/indexing.hpp"
#include "ops/index_plan.hpp"

namespace autograd::detail {

/// The positions through dims of the given sizes that stand for one integer tensor per dim, which
/// are broadcast and, if the range says so, may count from the end; errors name `dims`. is_empty:
/// the tensor has no elements.
Tensor positions_through(const std::vector<Tensor>& per_dim, const Shape& sizes, const Shape& dims,
                         bool is_empty, Range range = Range::kWrap);

/// The parts of x at positions through dims (ascending); the dims of index stand behind the first
/// `place` other dims. With gradient.
Tensor take_parts(const Tensor& x, const Shape& dims, int place, const Tensor& index, Range range);

/// Writes, or adds, values to those parts.
void put_parts_(Tensor& self, const Shape& dims, int place, const Tensor& index,
                const Tensor& values, Range range, bool accumulate);

/// self[items] = value, or += for accumulate, where tensors choose.
void put_items_(Tensor& self, std::vector<Index> items, const std::vector<Tensor>& tensors,
                const Tensor& value, bool accumulate);

/// 0, 1, ..., rank - 1.
Shape all_dims(int rank);

/// The row-major positions of the elements that are not 0; 1-d int64.
Tensor mask_positions(const Tensor& mask);

}  // namespace autograd::detail
