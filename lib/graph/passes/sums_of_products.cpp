// Sums of products: A B + C D in one pass over the result, and c + A B in one op where c's memory
// can take the sum. Gradients of weights that are used more than once, of inputs of several layers,
// and gradients that pile up over several calls, are such sums.
#include <algorithm>

#include "graph/passes/passes.hpp"
#include "ops/product_rules.hpp"
#include "ops/registry.hpp"

namespace autograd::detail {

namespace {

class Sums {
 public:
  Sums(const GraphData& graph, PassReport& report)
      : rewrite_(graph), report_(report), add_(find_op("add")), mm_(find_op("mm")) {}

  GraphData operator()() {
    for (int i = 0; i < rewrite_.n_ops(); ++i) {
      const GraphOp& op = rewrite_.op(i);
      if (op.op != add_ || op.inputs.size() != 2) continue;
      if (try_pair(i)) continue;
      // The product that is made last joins the sum.
      const int a = rewrite_.maker(op.inputs[0]), b = rewrite_.maker(op.inputs[1]);
      const int later = a > b ? 0 : 1;
      if (!try_fuse(i, later)) try_fuse(i, 1 - later);
    }
    return rewrite_.finish();
  }

 private:
  /// The op is a matrix product whose result nothing but op i looks at.
  bool is_own_product(int maker, int i) {
    if (maker < 0 || rewrite_.op(maker).op != mm_ || rewrite_.is_dropped(maker)) return false;
    const int product = rewrite_.op(maker).outputs[0];
    return !rewrite_.is_result(product) && rewrite_.readers(product) == std::vector<int>{i};
  }

  int64_t depth_of(int maker) {
    const GraphOp& op = rewrite_.op(maker);
    return rewrite_.value(op.inputs[0]).sizes[op.attrs.ints[0] ? 0 : 1];
  }

  bool try_pair(int i) {
    GraphOp& op = rewrite_.op(i);
    const int a = rewrite_.maker(op.inputs[0]), b = rewrite_.maker(op.inputs[1]);
    if (a == b || op.in_place || !is_own_product(a, i) || !is_own_product(b, i)) return false;
    const GraphValue &sum = rewrite_.value(op.outputs[0]), &x = rewrite_.value(op.inputs[0]),
                     &y = rewrite_.value(op.inputs[1]);
    if (!is_floating(sum.dtype) || x.dtype != sum.dtype || y.dtype != sum.dtype ||
        x.sizes != sum.sizes || y.sizes != sum.sizes)
      return false;
    const int64_t depth = std::max(depth_of(a), depth_of(b));
    if (!adds_in_order(depth) || !is_small_product(sum.sizes[0], sum.sizes[1], depth)) return false;
    if (!rewrite_.can_join({a, b, i})) return refuse("other ops lie between");
    const GraphOp &first = rewrite_.op(a), &second = rewrite_.op(b);
    Attrs attrs;
    attrs.ints[0] = transposes_of(first.attrs);
    attrs.ints[1] = transposes_of(second.attrs);
    const std::vector<int> inputs = {first.inputs[0], first.inputs[1], second.inputs[0],
                                     second.inputs[1]};
    op.body = rewrite_.body_of({a, b, i}, inputs, op.outputs);
    op.op = find_op("mm_pair");
    op.attrs = attrs;
    op.inputs = inputs;
    for (const int maker : {a, b}) {
      rewrite_.drop(maker);
      rewrite_.merge(maker, i);
    }
    report_.note("sum of products", "mm + mm + add = mm_pair", &op);
    return true;
  }

  bool try_fuse(int i, int product_side) {
    const GraphOp& op = rewrite_.op(i);
    const int product = op.inputs[static_cast<size_t>(product_side)];
    const int other = op.inputs[static_cast<size_t>(1 - product_side)];
    const int maker = rewrite_.maker(product);
    if (maker < 0 || product == other || rewrite_.op(maker).op != mm_ ||
        rewrite_.is_dropped(maker) || rewrite_.readers(product).size() != 1 ||
        rewrite_.is_result(product) || (op.in_place && product_side == 0))
      return false;
    const GraphValue &sum = rewrite_.value(op.outputs[0]), &start = rewrite_.value(other);
    if (!is_floating(sum.dtype) || start.dtype != sum.dtype || start.sizes != sum.sizes ||
        rewrite_.value(product).sizes != sum.sizes || !is_row_major(start.sizes, start.strides))
      return refuse("the other term does not lie as the product does");
    const GraphOp& factors = rewrite_.op(maker);
    const GraphValue& a = rewrite_.value(factors.inputs[0]);
    if (!adds_in_order(a.sizes[factors.attrs.ints[0] ? 0 : 1]))
      return refuse("the product is so deep that the sum would round otherwise");
    if (!op.in_place && !can_take_memory(other, i))
      return refuse("the memory of the other term is needed");
    if (!rewrite_.can_join({maker, i})) return refuse("other ops lie between");
    fuse(i, maker, other);
    return true;
  }

  /// The value is a result that nothing but op i looks at.
  bool can_take_memory(int v, int i) {
    const int maker = rewrite_.maker(v);
    return maker >= 0 && !is_view(rewrite_.op(maker)) && !rewrite_.is_result(v) &&
           !rewrite_.memory.is_outside(v) && rewrite_.memory.sharing(v).size() == 1 &&
           rewrite_.readers(v) == std::vector<int>{i};
  }

  void fuse(int i, int maker, int start) {
    GraphOp& op = rewrite_.op(i);
    const GraphOp& factors = rewrite_.op(maker);
    op.op = find_op("addmm");
    op.attrs = factors.attrs;
    op.inputs = {start, factors.inputs[0], factors.inputs[1]};
    if (!op.in_place) rewrite_.value(op.outputs[0]).storage = rewrite_.value(start).storage;
    op.in_place = true;
    rewrite_.drop(maker);
    rewrite_.merge(maker, i);
    report_.note("sum of products", "mm + add = addmm in place", &op);
  }

  bool refuse(const char* why) {
    report_.refuse("mm + add", why);
    return false;
  }

  Rewrite rewrite_;
  PassReport& report_;
  const Op *const add_, *const mm_;
};

}  // namespace

GraphData with_fused_sums_of_products(const GraphData& graph, PassReport& report) {
  return Sums(graph, report)();
}

}  // namespace autograd::detail
