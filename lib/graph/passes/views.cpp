// Views between a product and the pointwise op that follows it: a linear layer of [batch, time,
// features] multiplies rows, so that its gradient is a product, a view of it, the activation's
// gradient, and a view back. The pointwise op works on the product's own shape instead, which lets
// both become one op; the view is taken of its other argument.
#include <algorithm>

#include "graph/passes/passes.hpp"
#include "ops/fused.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

class Views {
 public:
  Views(const GraphData& graph, PassReport& report)
      : rewrite_(graph), report_(report), view_(find_op("view")) {}

  GraphData operator()() {
    for (int i = 0; i < rewrite_.n_ops(); ++i) try_move(i);
    return rewrite_.finish();
  }

 private:
  bool is_dense(int v) {
    const GraphValue& value = rewrite_.value(v);
    return is_row_major(value.sizes, value.strides) && !rewrite_.memory.is_written(v);
  }

  /// Op i is the only reader of a view of a product, all readers of its result take views of the
  /// product's shape, and it has one more argument of its shape at most.
  void try_move(int i) {
    GraphOp& op = rewrite_.op(i);
    if (!is_fusable_step(*op.op) || op.outputs.size() != 1 || op.inputs.empty()) return;
    const int seen = op.inputs[0], at = rewrite_.maker(seen), out = op.outputs[0];
    if (at < 0 || rewrite_.op(at).op != view_ || rewrite_.is_dropped(at)) return;
    const int product = rewrite_.op(at).inputs[0], maker = rewrite_.maker(product);
    if (maker < 0 || !is_fusable_product(*rewrite_.op(maker).op) || rewrite_.is_result(seen) ||
        rewrite_.is_result(product) || rewrite_.readers(seen) != std::vector<int>{i} ||
        !is_dense(product) || !is_dense(out) || rewrite_.is_result(out) ||
        rewrite_.value(out).sizes != rewrite_.value(seen).sizes)
      return;
    const Shape inner = rewrite_.value(product).sizes;
    const std::vector<int> readers = rewrite_.readers(out);
    const bool all_back = std::all_of(readers.begin(), readers.end(), [&](int r) {
      return rewrite_.op(r).op == view_ && !rewrite_.is_dropped(r) &&
             rewrite_.value(rewrite_.op(r).outputs[0]).sizes == inner &&
             !rewrite_.is_result(rewrite_.op(r).outputs[0]);
    });
    int other = -1;
    for (size_t k = 1; k < op.inputs.size(); ++k) {
      const int v = op.inputs[k];
      if (v < 0 || rewrite_.value(v).sizes.empty()) continue;
      if (other >= 0 || rewrite_.value(v).sizes != rewrite_.value(seen).sizes || !is_dense(v) ||
          rewrite_.maker(v) >= at)
        return;
      other = static_cast<int>(k);
    }
    if (readers.empty() || !all_back) return;
    move(i, at, product, other, readers);
  }

  void move(int i, int at, int product, int other, const std::vector<int>& readers) {
    GraphOp& op = rewrite_.op(i);
    const int seen = op.inputs[0], out = op.outputs[0];
    const Shape inner = rewrite_.value(product).sizes;
    op.inputs[0] = product;
    if (other < 0) {
      rewrite_.drop(at);
    } else {
      const int v = op.inputs[static_cast<size_t>(other)];
      GraphOp& view = rewrite_.op(at);
      view.inputs[0] = v;
      view.attrs.lists[0] = inner;
      rewrite_.value(seen).dtype = rewrite_.value(v).dtype;
      rewrite_.value(seen).sizes = inner;
      rewrite_.value(seen).strides = contiguous_strides(inner);
      op.inputs[static_cast<size_t>(other)] = seen;
    }
    rewrite_.value(out).sizes = inner;
    rewrite_.value(out).strides = contiguous_strides(inner);
    for (int r : readers) {
      rewrite_.replace(rewrite_.op(r).outputs[0], out);
      rewrite_.drop(r);
    }
    report_.note("views", std::string(op.op->name) + " works on the shape of the product", &op);
  }

  Rewrite rewrite_;
  PassReport& report_;
  const Op* const view_;
};

}  // namespace

GraphData with_moved_views(const GraphData& graph, PassReport& report) {
  return Views(graph, report)();
}

}  // namespace autograd::detail
