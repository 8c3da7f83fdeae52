// Pointwise fusion: ops over one shape that feed each other become one op, which runs tile by tile
// (lib/ops/fused.hpp). A group may begin with a matrix product, whose rows its steps then meet in
// the cache, and end in sums. Its values that others need are outputs of the fused op.
#include <algorithm>

#include "graph/passes/passes.hpp"
#include "ops/fused.hpp"

namespace autograd::detail {

namespace {

constexpr int kMaxMembers = 28, kMaxValues = 44, kMaxSums = 4;

class Fusion {
 public:
  Fusion(const GraphData& graph, const std::vector<char>& banned)
      : rewrite_(graph), banned_(banned), group_of_(graph.ops.size(), -1) {}

  /// False if some group cannot be compiled: its ops are banned then, to be left alone next time.
  bool operator()(PassReport& report, std::vector<char>& banned);
  GraphData finish() { return rewrite_.finish(); }

 private:
  struct Group {
    Shape sizes;
    std::vector<int> ops;
    int product = -1, sums = 0;
  };

  Group& group(int g) { return groups_[static_cast<size_t>(g)]; }
  int group_of(int i) const { return i < 0 ? -1 : group_of_[static_cast<size_t>(i)]; }
  bool is_member(int i, int g) const { return group_of(i) == g; }
  bool is_sum(int i) { return rewrite_.op(i).op->traits & kReduction; }

  bool is_plain(int i);
  void start(int i, bool is_product);
  void add_step(int i, PassReport& report);
  void add_sum(int i, PassReport& report);
  bool join(int i, int g, PassReport& report);
  bool waits_inside(const Group& candidate);
  std::vector<int> inputs_of(int g);
  bool is_needed_outside(int v, int g);
  bool is_worthwhile(const Group& candidate) const { return candidate.ops.size() > 1; }
  FusedArgument argument(int v);
  bool compile(int g, PassReport& report, std::string* why);
  void put_op(int g, std::shared_ptr<const Op> op, const std::vector<int>& inputs,
              const std::vector<int>& outputs, PassReport& report);

  Rewrite rewrite_;
  const std::vector<char>& banned_;
  std::vector<Group> groups_;
  std::vector<int> group_of_;  // by op
};

bool Fusion::operator()(PassReport& report, std::vector<char>& banned) {
  for (int i = 0; i < rewrite_.n_ops(); ++i) {
    if (!is_plain(i)) continue;
    const Op& op = *rewrite_.op(i).op;
    if (is_fusable_product(op))
      start(i, true);
    else if (is_fusable_step(op))
      add_step(i, report);
    else if (is_sum(i))
      add_sum(i, report);
  }
  bool all = true;
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::string why;
    if (!is_worthwhile(groups_[g]) || compile(static_cast<int>(g), report, &why)) continue;
    report.refuse("fused", why);
    for (int i : groups_[g].ops) banned[static_cast<size_t>(i)] = 1;
    all = false;
  }
  return all;
}

/// One result of known layout, nothing changed in place.
bool Fusion::is_plain(int i) {
  const GraphOp& op = rewrite_.op(i);
  if (banned_[static_cast<size_t>(i)] || op.in_place || op.outputs.size() != 1 || op.owner ||
      rewrite_.memory.writes(i))
    return false;
  const GraphValue& out = rewrite_.value(op.outputs[0]);
  for (int v : op.inputs)
    if (v >= 0 && rewrite_.value(v).strides.size() != rewrite_.value(v).sizes.size()) return false;
  return is_row_major(out.sizes, out.strides) &&
         std::count(out.sizes.begin(), out.sizes.end(), 0) == 0;
}

void Fusion::start(int i, bool is_product) {
  Group& g = groups_.emplace_back();
  g.sizes = rewrite_.value(rewrite_.op(i).outputs[0]).sizes;
  g.ops = {i};
  if (is_product) g.product = i;
  group_of_[static_cast<size_t>(i)] = static_cast<int>(groups_.size()) - 1;
}

void Fusion::add_step(int i, PassReport& report) {
  start(i, false);
  const Shape sizes = rewrite_.value(rewrite_.op(i).outputs[0]).sizes;
  for (int v : rewrite_.op(i).inputs) {
    const int maker = rewrite_.maker(v), g = group_of(maker);
    if (g < 0 || g == group_of(i) || is_sum(maker) || rewrite_.value(v).sizes != sizes) continue;
    if (group(g).sizes == sizes) join(i, g, report);
  }
}

void Fusion::add_sum(int i, PassReport& report) {
  const GraphOp& op = rewrite_.op(i);
  if (op.inputs.size() != 1) return;
  const int v = op.inputs[0], maker = rewrite_.maker(v), g = group_of(maker);
  if (g < 0 || is_sum(maker) || group(g).sums == kMaxSums) return;
  std::string why;
  if (!is_fusable_sum(*op.op, op.attrs, rewrite_.value(v).sizes, rewrite_.value(v).dtype,
                      rewrite_.value(op.outputs[0]).dtype, &why))
    return report.refuse(std::string(rewrite_.op(maker).op->name) + " + " + op.op->name, why);
  start(i, false);
  Group& mine = groups_.back();
  mine.sizes = rewrite_.value(v).sizes;
  mine.sums = 1;
  if (join(i, g, report)) return;
  groups_.pop_back();
  group_of_[static_cast<size_t>(i)] = -1;
}

/// A member needs all of another before it starts: the product its factors, a step a sum.
bool Fusion::waits_inside(const Group& candidate) {
  const auto is_in = [&](int i) {
    return std::binary_search(candidate.ops.begin(), candidate.ops.end(), i);
  };
  if (candidate.product >= 0)
    for (int v : rewrite_.op(candidate.product).inputs)
      if (is_in(rewrite_.maker(v))) return true;
  for (int i : candidate.ops) {
    if (!is_sum(i)) continue;
    const std::vector<int>& readers = rewrite_.readers(rewrite_.op(i).outputs[0]);
    if (std::any_of(readers.begin(), readers.end(), is_in)) return true;
  }
  return false;
}

/// Puts the group of op i and group g into one, that of op i.
bool Fusion::join(int i, int g, PassReport& report) {
  const int mine = group_of(i);
  const std::string what =
      std::string(rewrite_.op(group(g).ops.back()).op->name) + " + " + rewrite_.op(i).op->name;
  const auto refuse = [&](const char* why) {
    report.refuse(what, why);
    return false;
  };
  Group both = group(g);
  both.ops.insert(both.ops.end(), group(mine).ops.begin(), group(mine).ops.end());
  both.sums += group(mine).sums;
  if (group(mine).product >= 0) {
    if (both.product >= 0) return refuse("two products");
    both.product = group(mine).product;
  }
  if (both.ops.size() > kMaxMembers || both.sums > kMaxSums) return refuse("the group is full");
  std::sort(both.ops.begin(), both.ops.end());
  if (waits_inside(both)) return refuse("a product or a sum is whole only when the group is done");
  if (!rewrite_.can_join(both.ops))
    return refuse("an op between them needs the one and makes the other");
  const std::vector<int> before_mine = group(mine).ops, before_other = group(g).ops;
  for (int k : before_other) group_of_[static_cast<size_t>(k)] = mine;
  group(mine) = both;
  if (static_cast<int>(inputs_of(mine).size() + both.ops.size()) > kMaxValues) {
    group(mine).ops = before_mine;
    for (int k : before_other) group_of_[static_cast<size_t>(k)] = g;
    return refuse("the group has too many inputs");
  }
  group(g).ops.clear();
  for (int k : before_other) rewrite_.merge(k, i);
  for (int k : before_mine) rewrite_.merge(k, i);
  return true;
}

/// The values that the group reads from outside, the product's first.
std::vector<int> Fusion::inputs_of(int g) {
  std::vector<int> inputs;
  if (group(g).product >= 0) inputs = rewrite_.op(group(g).product).inputs;
  std::erase(inputs, -1);
  const size_t factors = inputs.size();
  for (int i : group(g).ops) {
    if (i == group(g).product) continue;
    for (int v : rewrite_.op(i).inputs) {
      if (v < 0 || is_member(rewrite_.maker(v), g)) continue;
      if (std::find(inputs.begin() + static_cast<std::ptrdiff_t>(factors), inputs.end(), v) ==
          inputs.end())
        inputs.push_back(v);
    }
  }
  return inputs;
}

bool Fusion::is_needed_outside(int v, int g) {
  if (rewrite_.is_result(v)) return true;
  const std::vector<int>& readers = rewrite_.readers(v);
  return std::any_of(readers.begin(), readers.end(), [&](int r) { return !is_member(r, g); });
}

FusedArgument Fusion::argument(int v) {
  const GraphValue& value = rewrite_.value(v);
  FusedArgument argument{value.dtype, value.sizes, value.strides};
  argument.has_number = rewrite_.is_number(v);
  argument.number = value.number;
  return argument;
}

bool Fusion::compile(int g, PassReport& report, std::string* why) {
  const Group& now = group(g);
  FusedBuilder builder(now.sizes);
  const std::vector<int> inputs = inputs_of(g);
  std::vector<int> number(rewrite_.graph.values.size(), -1), outputs;
  size_t first = 0;
  if (now.product >= 0) {
    const GraphOp& op = rewrite_.op(now.product);
    std::vector<FusedArgument> factors;
    for (int v : op.inputs)
      if (v >= 0) factors.push_back(argument(v));
    first = factors.size();
    number[static_cast<size_t>(op.outputs[0])] = builder.product(*op.op, op.attrs, factors);
  }
  for (size_t k = first; k < inputs.size(); ++k)
    number[static_cast<size_t>(inputs[k])] = builder.input(argument(inputs[k]));
  for (int i : now.ops) {
    if (i == now.product || is_sum(i)) continue;
    const GraphOp& op = rewrite_.op(i);
    std::vector<int> steps;
    std::vector<FusedArgument> arguments;
    for (int v : op.inputs) {
      steps.push_back(v < 0 ? -1 : number[static_cast<size_t>(v)]);
      if (v >= 0) arguments.push_back(argument(v));
    }
    DType compute;
    const DType result = rewrite_.value(op.outputs[0]).dtype;
    if (!step_dtype(*op.op, arguments, result, &compute)) {
      *why = std::string(op.op->name) + " compares different dtypes";
      return false;
    }
    number[static_cast<size_t>(op.outputs[0])] =
        builder.step(*op.op, op.attrs, steps, compute, result);
  }
  for (int i : now.ops) {
    const GraphOp& op = rewrite_.op(i);
    const int out = op.outputs[0];
    if (is_sum(i)) {
      builder.sum(number[static_cast<size_t>(op.inputs[0])], static_cast<Mask>(op.attrs.ints[0]),
                  op.attrs.ints[1], std::string_view(op.op->name) == "mean");
      outputs.push_back(out);
    } else if (is_needed_outside(out, g)) {
      builder.output(number[static_cast<size_t>(out)]);
      outputs.push_back(out);
    }
  }
  const std::shared_ptr<const Op> op = builder.finish(why);
  if (!op) return false;
  put_op(g, op, inputs, outputs, report);
  return true;
}

void Fusion::put_op(int g, std::shared_ptr<const Op> op, const std::vector<int>& inputs,
                    const std::vector<int>& outputs, PassReport& report) {
  const std::vector<int>& ops = group(g).ops;
  const std::string names = rewrite_.names_of(ops);
  GraphOp fused = rewrite_.op(ops.back());
  fused.body = rewrite_.body_of(ops, inputs, outputs);
  // What holds a part of the forward pass stands there, in drawings.
  for (int i : ops) fused.phase = std::min(fused.phase, rewrite_.op(i).phase);
  fused.op = op.get();
  fused.owner = std::move(op);
  fused.attrs = Attrs();
  fused.scope = rewrite_.scope_around(ops);
  fused.inputs = inputs;
  fused.outputs = outputs;
  rewrite_.put(ops.back(), std::move(fused));
  report.note("pointwise", names, &rewrite_.op(ops.back()));
}

}  // namespace

GraphData with_fused_pointwise(const GraphData& graph, PassReport& report) {
  std::vector<char> banned(graph.ops.size(), 0);
  for (;;) {
    PassReport attempt = report;
    std::vector<char> next = banned;
    Fusion fusion(graph, banned);
    if (fusion(attempt, next)) {
      report = attempt;
      return fusion.finish();
    }
    for (const PassReport::Refusal& refusal : attempt.refusals)
      if (refusal.what == "fused") report.refuse(refusal.what, refusal.why);
    banned = next;
  }
}

}  // namespace autograd::detail
