// Common subexpressions: the same op on the same values, with the same attributes.
#include <cstring>
#include <map>

#include "graph/passes/passes.hpp"

namespace autograd::detail {

namespace {

/// The op and all it is applied to, as words that can be compared.
std::vector<int64_t> identity(const Rewrite& rewrite, const GraphOp& op) {
  std::vector<int64_t> words = {static_cast<int64_t>(reinterpret_cast<intptr_t>(op.op))};
  for (int v : op.inputs) words.push_back(rewrite.current(v));
  for (const Shape& list : op.attrs.lists) {
    words.push_back(list.size());
    words.insert(words.end(), list.begin(), list.end());
  }
  for (double real : op.attrs.reals) {
    int64_t bits;
    std::memcpy(&bits, &real, sizeof(bits));
    words.push_back(bits);
  }
  words.insert(words.end(), std::begin(op.attrs.ints), std::end(op.attrs.ints));
  return words;
}

}  // namespace

GraphData without_repeats(const GraphData& graph, PassReport& report) {
  Rewrite rewrite(graph);
  std::map<std::vector<int64_t>, int> known;
  for (int i = 0; i < rewrite.n_ops(); ++i) {
    const GraphOp& op = rewrite.op(i);
    bool is_shareable = !is_random(op) && !rewrite.memory.writes(i) && !op.owner;
    // Two outputs of the graph are two tensors, and what changes later is no other's value.
    for (int v : op.outputs)
      is_shareable = is_shareable && !rewrite.memory.is_output(v) && !rewrite.memory.is_written(v);
    if (!is_shareable) continue;
    const auto [first, is_new] = known.try_emplace(identity(rewrite, op), i);
    if (is_new) continue;
    const GraphOp& same = rewrite.op(first->second);
    bool fits = same.outputs.size() == op.outputs.size();
    // The same op may have given another dtype: numbers weigh less than tensors.
    for (size_t k = 0; fits && k < op.outputs.size(); ++k) {
      const GraphValue &a = rewrite.value(same.outputs[k]), &b = rewrite.value(op.outputs[k]);
      fits = a.dtype == b.dtype && a.sizes == b.sizes && a.strides == b.strides;
    }
    if (!fits) continue;
    report.note("common subexpression", std::string(op.op->name) + " is computed once", &op);
    for (size_t k = 0; k < op.outputs.size(); ++k) rewrite.replace(op.outputs[k], same.outputs[k]);
    rewrite.drop(i);
  }
  return rewrite.finish();
}

}  // namespace autograd::detail
