// The sum, mean or maximum of the rows of a table that each bag of numbers picks.
#include <limits>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/batching.hpp"
#include "core/dispatch.hpp"

namespace autograd {
namespace detail {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// The numbers as a column each, [..., 1].
Shape column_of(Shape sizes) {
  sizes.push_back(1);
  return sizes;
}

void check_bag_types(const Tensor& weight, const Tensor& index, const Tensor& offsets) {
  if (weight.dim() != 2)
    fail(ErrorCode::kValue, "weight has to be a 2D Tensor, but got Tensor of dimension ",
         weight.dim(), " and sizes ", weight.sizes());
  if (!is_floating(weight.dtype()))
    fail(ErrorCode::kRuntime,
         "Expected tensor for argument #1 'weight' to have one of the following scalar types: "
         "Float, Double; but got ",
         name_of(weight.dtype()), " instead (while checking arguments for embedding_bag)");
  for (const Tensor* t : {&index, &offsets})
    if (*t && t->dtype() != DType::kInt64 && t->dtype() != DType::kInt32)
      fail(ErrorCode::kRuntime, "Expected tensor for argument #1 '",
           t == &index ? "indices" : "offsets",
           "' to have one of the following scalar types: Long, Int; but got ", name_of(t->dtype()),
           " instead (while checking arguments for embedding_bag)");
}

void check_bag_sizes(const Tensor& index, const Tensor& offsets, bool include_last_offset) {
  const int rank = index.dim();
  if (rank != 1 && rank != 2)
    fail(ErrorCode::kValue, "input has to be 1D or 2D Tensor, but got Tensor of dimension ", rank);
  if (rank == 2 && offsets)
    fail(ErrorCode::kValue,
         "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of "
         "fixed length sequences. However, found offsets of sizes ",
         offsets.sizes());
  if (rank == 1 && !offsets) fail(ErrorCode::kValue, "offsets has to be a 1D Tensor but got None");
  if (rank == 1 && offsets.dim() != 1)
    fail(ErrorCode::kValue, "offsets has to be a 1D Tensor, got sizes ", offsets.sizes());
  if (rank == 1 && offsets.numel() == 0 && (include_last_offset || index.numel() > 0))
    fail(ErrorCode::kRuntime, include_last_offset
                                  ? "include_last_offset: number of offsets should be at least 1"
                                  : "embedding_bag: there are numbers, but no bag to hold them");
}

// The first bag begins at 0, and none behind the end. A check, and no part of the computation.
void check_offsets(const Tensor& offsets, int64_t n) {
  if (!has_elements(offsets) || offsets.numel() == 0) return;
  const Unobserved pause;
  const NoGrad off;
  const int64_t first = select(offsets, 0, 0).item_int(), last = select(offsets, 0, -1).item_int();
  if (first != 0)
    fail(ErrorCode::kRuntime,
         "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
         "position 0. However, got ",
         first);
  if (last > n)
    fail(ErrorCode::kRuntime, "offsets[-1] can not be greater than input's length ", n,
         " but got offsets[-1] of ", last);
}

// How rows [..., n, d] come together in bags: one bag per row of numbers, or those of the offsets.
struct Bags {
  Tensor bag;  // of each row, [n]; undefined where a row of numbers is a bag
  int64_t count = 0;

  Tensor sum_of(const Tensor& rows) const {
    if (!bag) return sum(rows, {1});
    Shape sizes = rows.sizes();
    sizes[0] = count;
    return index_add(zeros(sizes, rows.dtype()), 0, bag, rows);
  }
  // Of equal elements, the first one has the gradient. Rows without `kept` are left out.
  Tensor max_of(const Tensor& rows, const Tensor& kept) const {
    const Tensor seen = kept ? where(kept, rows, scalar(-kInf)) : rows;
    if (!bag) return max(seen, 1).first;
    const int64_t n = rows.size(0), width = rows.size(1);
    const Tensor places = expand(unsqueeze(bag, -1), {n, width});
    const auto best_of = [&](double start, const Tensor& values, ScatterReduce reduce) {
      return scatter_reduce(full({count, width}, start, values.dtype()), 0, places, values, reduce);
    };
    Tensor hit;
    {
      const NoGrad off;
      const Tensor best = best_of(-kInf, seen, ScatterReduce::kAmax);
      hit = logical_or(eq(seen, index_select(best, 0, bag)), isnan(seen));
      if (kept) hit = logical_and(hit, kept);
      const Tensor number = unsqueeze(arange(0, static_cast<double>(n)), -1);
      hit = best_of(static_cast<double>(n - 1), where(hit, number, scalar(int64_t{n - 1})),
                    ScatterReduce::kAmin);
    }
    return gather(seen, 0, hit);
  }
};

Bags bags_of(const Tensor& index, const Tensor& offsets, bool include_last_offset) {
  if (!offsets) return {Tensor(), index.size(0)};
  check_offsets(offsets, index.numel());
  const Tensor begins = include_last_offset ? slice(offsets, 0, 0, -1) : offsets;
  const Tensor numbers = arange(0, static_cast<double>(index.numel()), 1, begins.dtype());
  return {searchsorted(begins, numbers, true) - 1, begins.size(0)};
}

}  // namespace
}  // namespace detail

Tensor embedding_bag(const Tensor& weight, const Tensor& index, const Tensor& offsets, BagMode mode,
                     const Tensor& per_sample_weights, int64_t padding_idx, bool scale_grad_by_freq,
                     bool include_last_offset) {
  using detail::Bags;
  detail::check_bag_sizes(index, offsets, include_last_offset);
  detail::check_bag_types(weight, index, offsets);
  if (per_sample_weights) {
    if (per_sample_weights.sizes() != index.sizes())
      fail(ErrorCode::kValue, "embedding_bag: If per_sample_weights (", per_sample_weights.sizes(),
           ") is not None, then it must have the same shape as the input (", index.sizes(), ")");
    if (mode != BagMode::kSum)
      fail(ErrorCode::kNotImplemented,
           "embedding_bag: per_sample_weights is only supported for mode='sum'");
    if (per_sample_weights.dtype() != weight.dtype())
      fail(ErrorCode::kRuntime,
           "Expected tensor for argument #1 'weight' to have the same type as tensor for argument "
           "#1 'per_sample_weights'; but type ",
           name_of(weight.dtype()), " does not equal ", name_of(per_sample_weights.dtype()));
  }
  const Bags bags = detail::bags_of(index, offsets, include_last_offset);
  Tensor rows = embedding(weight, index, padding_idx, scale_grad_by_freq);
  if (per_sample_weights) rows = rows * unsqueeze(per_sample_weights, -1);
  const Tensor kept = padding_idx < 0 ? Tensor() : unsqueeze(ne(index, scalar(padding_idx)), -1);
  const bool is_empty = index.size(-1) == 0;
  if (mode == BagMode::kMax && !is_empty && bags.count > 0) {
    const Tensor found = bags.max_of(rows, kept);
    const Tensor filled = bags.sum_of(kept ? to(kept, DType::kInt64)
                                           : ones(detail::column_of(index.sizes()), DType::kInt64));
    return where(filled > 0, found, zeros({}, found.dtype()));
  }
  if (kept) rows = where(kept, rows, zeros({}, rows.dtype()));
  const Tensor total = bags.sum_of(rows);
  if (mode != BagMode::kMean) return total;
  const Tensor one = ones({}, total.dtype());
  const Tensor counts =
      bags.sum_of(kept ? to(kept, total.dtype()) : expand(one, detail::column_of(index.sizes())));
  return total / maximum(counts, one);
}

}  // namespace autograd
