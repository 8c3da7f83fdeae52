// Collects the op families.
#include "ops/registry.hpp"

#include "autograd/runtime.hpp"

namespace autograd {
namespace detail {

const std::vector<const Op*>& all_ops() {
  static const std::vector<const Op*> ops = [] {
    std::vector<const Op*> all;
    const OpList families[] = {
        // One a line.
        pointwise_ops(),   //
        float_part_ops(),  //
        copy_ops(),        //
        product_ops(),
        product_pair_ops(),     //
        attention_ops(),        //
        recurrent_ops(),        //
        linalg_ops(),           //
        decomposition_ops(),    //
        least_squares_ops(),    //
        matrix_function_ops(),  //
        cross_ops(),            //
        distance_ops(),         //
        reduce_ops(),           //
        view_ops(),             //
        join_ops(),             //
        index_ops(),            //
        index_take_ops(),       //
        mask_ops(),             //
        scatter_ops(),          //
        sort_ops(),             //
        search_ops(),           //
        embedding_ops(),        //
        softmax_ops(),          //
        interpolate_ops(),      //
        grid_sample_ops(),      //
        nll_ops(),              //
        ctc_loss_ops(),         //
        pair_loss_ops(),        //
        multi_margin_ops(),     //
        multilabel_margin_ops(),
        loss_ops(),
        linear_loss_ops(),   //
        conv_ops(),          //
        fold_ops(),          //
        pool_ops(),          //
        random_ops(),        //
        sampling_ops(),      //
        normalize_ops(),     //
        channel_norm_ops(),  //
        group_norm_ops(),    //
        dropout_ops(),       //
        window_ops(),        //
        strided_ops(),       //
        arrange_ops(),       //
        pixel_ops(),         //
        triangle_ops(),      //
        scan_ops(),          //
        norm_ops(),          //
        statistics_ops(),    //
    };
    for (const OpList& family : families) all.insert(all.end(), family.begin(), family.end());
    return all;
  }();
  return ops;
}

const Op* find_op(std::string_view name) {
  for (const Op* op : all_ops())
    if (name == op->name) return op;
  return find_registered_op(name);
}

}  // namespace detail

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const detail::Op* op : detail::all_ops()) names.emplace_back(op->name);
  for (const detail::Op* op : detail::registered_ops()) names.emplace_back(op->name);
  return names;
}

std::string op_doc(const std::string& name) {
  const detail::Op* op = detail::find_op(name);
  if (!op) fail(ErrorCode::kValue, "there is no op named '", name, "'");
  return name + ": " + op->doc;
}

}  // namespace autograd
