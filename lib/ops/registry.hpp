// The list of all ops: each family hands in its own.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "core/op.hpp"

namespace autograd::detail {

struct OpList {
  const Op* const* first;
  size_t count;
  const Op* const* begin() const { return first; }
  const Op* const* end() const { return first + count; }
};

OpList pointwise_ops();
OpList float_part_ops();
OpList copy_ops();
OpList product_ops();
OpList product_pair_ops();
OpList attention_ops();
OpList recurrent_ops();
OpList linalg_ops();
OpList decomposition_ops();
OpList matrix_function_ops();
OpList least_squares_ops();
OpList cross_ops();
OpList distance_ops();
OpList reduce_ops();
OpList view_ops();
OpList window_ops();
OpList strided_ops();
OpList arrange_ops();
OpList pixel_ops();
OpList triangle_ops();
OpList join_ops();
OpList index_ops();
OpList index_take_ops();
OpList mask_ops();
OpList scatter_ops();
OpList embedding_ops();
OpList sort_ops();
OpList search_ops();
OpList softmax_ops();
OpList loss_ops();
OpList linear_loss_ops();
OpList conv_ops();
OpList fold_ops();
OpList pool_ops();
OpList interpolate_ops();
OpList grid_sample_ops();
OpList nll_ops();
OpList ctc_loss_ops();
OpList pair_loss_ops();
OpList multi_margin_ops();
OpList multilabel_margin_ops();
OpList random_ops();
OpList sampling_ops();
OpList scan_ops();
OpList norm_ops();
OpList statistics_ops();
OpList normalize_ops();
OpList channel_norm_ops();
OpList group_norm_ops();
OpList dropout_ops();

/// All ops in a fixed order.
const std::vector<const Op*>& all_ops();
/// Those that the user has registered so far, in order.
std::vector<const Op*> registered_ops();
const Op* find_registered_op(std::string_view name);
/// nullptr if there is none of that name, in either list.
const Op* find_op(std::string_view name);

}  // namespace autograd::detail
