// Losses: softmax cross entropy and its gradient become one op, which has both from one look at the
// logits, where the gradient from above is a known number, as it is for a loss that backward()
// starts from. That, or the loss alone, becomes one op with the product that makes the logits,
// where nothing else reads them.
#include "graph/passes/passes.hpp"
#include "ops/product_rules.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

/// The op that gave a backward op its logarithms, and the same arguments; -1 if there is none.
int forward_of(Rewrite& rewrite, int i, const Op* forward) {
  const GraphOp& op = rewrite.op(i);
  const int lse = op.inputs[3], maker = rewrite.maker(lse);
  if (maker < 0 || rewrite.op(maker).op != forward) return -1;
  const GraphOp& loss = rewrite.op(maker);
  const auto input = [](const GraphOp& of, size_t k) {
    return k < of.inputs.size() ? of.inputs[k] : -1;
  };
  const bool same = loss.outputs[1] == lse && input(loss, 0) == op.inputs[1] &&
                    input(loss, 1) == op.inputs[2] && input(loss, 2) == input(op, 4) &&
                    loss.attrs.ints[0] == op.attrs.ints[0] &&
                    loss.attrs.ints[1] == op.attrs.ints[1];
  return same ? maker : -1;
}

GraphData with_gradients(const GraphData& graph, PassReport& report) {
  const Op *const forward = find_op("cross_entropy"), *const step = find_op("cross_entropy_step");
  const Op* const backward = find_op("cross_entropy_backward");
  const char* const what = "cross_entropy + cross_entropy_backward";
  Rewrite rewrite(graph);
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    if (rewrite.op(i).op != backward) continue;
    const int maker = forward_of(rewrite, i, forward);
    if (maker < 0) continue;
    const int g = rewrite.op(i).inputs[0], lse = rewrite.op(i).inputs[3];
    if (!rewrite.is_number(g)) {
      report.refuse(what, "the gradient of the loss is no known number");
    } else if (rewrite.is_result(lse) || rewrite.readers(lse) != std::vector<int>{i}) {
      report.refuse(what, "others need the logarithms of the sums");
    } else if (!rewrite.can_join({maker, i})) {
      report.refuse(what, "other ops lie between");
    } else {
      GraphOp both = rewrite.op(maker);
      both.op = step;
      both.attrs.reals[0] = rewrite.value(g).number;
      both.outputs = {both.outputs[0], rewrite.op(i).outputs[0]};
      both.body = rewrite.body_of({maker, i}, both.inputs, both.outputs);
      report.note("losses", std::string(what) + " = cross_entropy_step", &both);
      rewrite.merge(i, maker);
      rewrite.put(maker, std::move(both));
    }
  }
  return rewrite.finish();
}

class Products {
 public:
  Products(const GraphData& graph, PassReport& report)
      : rewrite_(graph), report_(report), mm_(find_op("mm")), linear_(find_op("linear")) {}

  GraphData operator()() {
    const Op *const loss = find_op("cross_entropy"), *const step = find_op("cross_entropy_step");
    for (int i = 0; i < rewrite_.n_ops(); ++i) {
      if (rewrite_.op(i).op == loss)
        try_fuse(i, find_op("linear_cross_entropy"));
      else if (rewrite_.op(i).op == step)
        try_fuse(i, find_op("linear_cross_entropy_step"));
    }
    return rewrite_.finish();
  }

 private:
  void try_fuse(int i, const Op* fused) {
    const int logits = rewrite_.op(i).inputs[0], maker = rewrite_.maker(logits);
    if (maker < 0) return;
    const GraphOp& product = rewrite_.op(maker);
    if (product.op != mm_ && product.op != linear_) return;
    const std::string what = std::string(product.op->name) + " + " + rewrite_.op(i).op->name;
    const auto refuse = [&](const char* why) { report_.refuse(what, why); };
    if (rewrite_.value(product.inputs[0]).sizes.size() != 2)
      return refuse("the product has more than two dims");
    if (rewrite_.is_result(logits) || rewrite_.readers(logits) != std::vector<int>{i} ||
        rewrite_.memory.sharing(logits).size() != 1)
      return refuse("others need the logits");
    if (!rewrite_.can_join({maker, i})) return refuse("other ops lie between");
    fuse(i, maker, fused);
    report_.note("losses", what, &rewrite_.op(i));
  }

  void fuse(int i, int maker, const Op* op) {
    const GraphOp& product = rewrite_.op(maker);
    GraphOp fused = rewrite_.op(i);
    const auto input = [](const GraphOp& of, size_t k) {
      return k < of.inputs.size() ? of.inputs[k] : -1;
    };
    const bool is_linear = product.op == linear_;
    fused.op = op;
    fused.inputs = {product.inputs[0], product.inputs[1], fused.inputs[1],
                    is_linear ? input(product, 2) : -1, input(fused, 2)};
    fused.attrs.ints[2] = is_linear ? 2 : transposes_of(product.attrs);
    fused.scope = rewrite_.scope_around({maker, i});
    fused.body = rewrite_.body_of({maker, i}, fused.inputs, fused.outputs);
    rewrite_.drop(maker);
    rewrite_.merge(maker, i);
    rewrite_.put(i, std::move(fused));
  }

  Rewrite rewrite_;
  PassReport& report_;
  const Op *const mm_, *const linear_;
};

}  // namespace

GraphData with_fused_losses(const GraphData& graph, PassReport& report) {
  return Products(with_gradients(graph, report), report)();
}

}  // namespace autograd::detail
