// Convolutions and norm layers, and their gradients, with the pointwise ops that stand before and
// behind them: the steps run over each piece, such as an image or some rows, while it is in the
// cache (lib/ops/pieces.hpp). Runs after the pointwise pass, whose groups are what is taken in.
#include "ops/pieces.hpp"

#include <algorithm>

#include "graph/passes/passes.hpp"

namespace autograd::detail {

namespace {

constexpr size_t kMostArguments = 40;

class Surrounding {
 public:
  Surrounding(const GraphData& graph, PassReport& report)
      : rewrite_(graph), report_(report), taken_(graph.ops.size(), 0) {}

  GraphData operator()() {
    for (int i = 0; i < rewrite_.n_ops(); ++i) {
      const PiecewiseOp* middle = find_piecewise(*rewrite_.op(i).op);
      if (middle && is_plain(i)) try_join(i, *middle);
    }
    return rewrite_.finish();
  }

 private:
  /// An op that may stand around another: where it is, and its steps.
  struct Steps {
    int at = -1;
    std::shared_ptr<const Op> op;
  };

  bool is_plain(int i) const {
    const GraphOp& op = rewrite_.graph.ops[static_cast<size_t>(i)];
    if (taken_[static_cast<size_t>(i)] || op.in_place || rewrite_.memory.writes(i)) return false;
    const auto is_known = [&](int v) {
      if (v < 0) return true;
      const GraphValue& value = rewrite_.graph.values[static_cast<size_t>(v)];
      return value.strides.size() == value.sizes.size();
    };
    const auto is_dense = [&](int v) {
      const GraphValue& value = rewrite_.graph.values[static_cast<size_t>(v)];
      return is_known(v) && is_row_major(value.sizes, value.strides);
    };
    return std::all_of(op.inputs.begin(), op.inputs.end(), is_known) &&
           std::all_of(op.outputs.begin(), op.outputs.end(), is_dense);
  }

  FusedArgument argument(int v) {
    const GraphValue& value = rewrite_.value(v);
    return {value.dtype, value.sizes, value.strides, rewrite_.is_number(v), value.number};
  }

  /// The op as steps: a group of the pointwise pass, or a single op. Without an op if it is
  /// neither.
  Steps steps_of(int i) {
    Steps steps;
    if (i < 0 || !is_plain(i)) return steps;
    const GraphOp& op = rewrite_.op(i);
    if (op.owner && is_steps(*op.op)) steps.op = op.owner;
    if (!op.owner && is_fusable_step(*op.op) && op.outputs.size() == 1) steps.op = single(op);
    if (steps.op) steps.at = i;
    return steps;
  }

  std::shared_ptr<const Op> single(const GraphOp& op) {
    const GraphValue& out = rewrite_.value(op.outputs[0]);
    FusedBuilder builder(out.sizes);
    std::vector<FusedArgument> arguments;
    std::vector<int> values;
    for (int v : op.inputs) {
      if (v >= 0) arguments.push_back(argument(v));
      values.push_back(v < 0 ? -1 : builder.input(arguments.back()));
    }
    DType compute;
    if (!step_dtype(*op.op, arguments, out.dtype, &compute)) return nullptr;
    builder.output(builder.step(*op.op, op.attrs, values, compute, out.dtype));
    std::string why;
    return builder.finish(&why);
  }

  bool refuse(int a, int b, const char* why) {
    report_.refuse(rewrite_.names_of({a, b}), why);
    return false;
  }

  /// The steps can stand around op i, whose pieces hold `v`.
  bool fits(const Steps& steps, int i, int v, int64_t unit, bool is_before) {
    const GraphValue& value = rewrite_.value(v);
    const int first = is_before ? steps.at : i, second = is_before ? i : steps.at;
    if (space_of(*steps.op) != value.sizes)
      return refuse(first, second, "they run over other shapes");
    if (!runs_in_pieces(*steps.op, unit))
      return refuse(first, second, "the steps repeat something that pieces would cut");
    return true;
  }

  bool reads(int i, int v) {
    const std::vector<int>& inputs = rewrite_.op(i).inputs;
    return std::find(inputs.begin(), inputs.end(), v) != inputs.end();
  }

  /// What gives op i its first input, if it can do so piece by piece.
  Steps before(int i, const PiecewiseOp& middle) {
    if (!middle.takes_before) return {};
    const GraphOp& op = rewrite_.op(i);
    const int v = op.inputs[0];
    Steps steps = steps_of(rewrite_.maker(v));
    if (!steps.op) return {};
    const std::vector<int>& made = rewrite_.op(steps.at).outputs;
    if (!fits(steps, i, v, middle.unit(op.attrs, rewrite_.value(v).sizes), true)) return {};
    for (size_t k = 0; k < made.size(); ++k)
      if (std::count(op.inputs.begin(), op.inputs.end(), made[k]) != (made[k] == v ? 1 : 0) ||
          (made[k] == v && is_sum_of(*steps.op, static_cast<int>(k)))) {
        refuse(steps.at, i, "more than the first input comes from there");
        return {};
      }
    if (!rewrite_.can_join({steps.at, i})) {
      refuse(steps.at, i, "other ops lie between");
      return {};
    }
    return steps;
  }

  /// What reads the first result of op i, and no other that is whole only at the end.
  Steps after(int i, const PiecewiseOp& middle, const Steps& before) {
    const GraphOp& op = rewrite_.op(i);
    const int out = op.outputs[0];
    const int64_t unit = middle.unit(op.attrs, rewrite_.value(out).sizes);
    std::vector<int> parts = {i};
    if (before.op) parts.insert(parts.begin(), before.at);
    for (int reader : rewrite_.readers(out)) {
      Steps steps = steps_of(reader);
      if (!steps.op || !fits(steps, i, out, unit, false)) continue;
      bool waits = false;
      for (size_t k = 1; k < op.outputs.size(); ++k) waits |= reads(reader, op.outputs[k]);
      for (size_t k = 0; before.op && k < rewrite_.op(before.at).outputs.size(); ++k)
        waits |= is_sum_of(*before.op, static_cast<int>(k)) &&
                 reads(reader, rewrite_.op(before.at).outputs[k]);
      parts.push_back(reader);
      const bool joins = !waits && rewrite_.can_join(parts);
      parts.pop_back();
      if (joins) return steps;
      refuse(i, reader,
             waits ? "it needs a result that is whole only at the end"
                   : "an op between them needs the one and makes the other");
    }
    return {};
  }

  void try_join(int i, const PiecewiseOp& middle) {
    const GraphOp& op = rewrite_.op(i);
    if (op.inputs[0] < 0) return;
    // Gradients that are not wanted have no elements.
    const int64_t made = count(rewrite_.value(op.outputs[0]).sizes);
    const int64_t n = std::max(made, count(rewrite_.value(op.inputs[0]).sizes));
    if (n == 0) return;
    const size_t refused = report_.refusals.size();
    const Steps first = before(i, middle), last = made ? after(i, middle, first) : Steps();
    if (!first.op && !last.op) {
      if (refused == report_.refusals.size())
        report_.refuse(op.op->name, "no pointwise operation of its shape stands next to it");
      return;
    }
    // Steps around a single piece would only be called another way.
    if ((first.op ? n : made) > kPiece) return join(i, middle, first, last);
    if (first.op) refuse(first.at, i, "it is so small that it stays in the cache");
    if (last.op) refuse(i, last.at, "it is so small that it stays in the cache");
  }

  static int64_t count(const Shape& sizes) {
    int64_t n = 1;
    for (int64_t size : sizes) n *= size;
    return n;
  }

  /// The output of the steps behind op i whose memory the op's result may have; -1 if none.
  int shared_output(int i, const Steps& last) {
    const int out = rewrite_.op(i).outputs[0];
    if (!last.op || rewrite_.is_result(out) || rewrite_.readers(out).size() != 1 ||
        rewrite_.memory.sharing(out).size() != 1)
      return -1;
    const std::vector<int>& inputs = rewrite_.op(last.at).inputs;
    if (std::count(inputs.begin(), inputs.end(), out) != 1) return -1;
    int argument = 0;
    for (int v : inputs) {
      if (v == out) return output_over_input(*last.op, argument);
      argument += v >= 0;
    }
    return -1;
  }

  /// Numbers the arguments of the whole op: inputs in order of use, then outputs.
  struct Arguments {
    std::vector<int> inputs, outputs;  ///< values
    int of(int v) const {
      const auto made = std::find(outputs.begin(), outputs.end(), v);
      if (made != outputs.end())
        return static_cast<int>(inputs.size()) + static_cast<int>(made - outputs.begin());
      return static_cast<int>(std::find(inputs.begin(), inputs.end(), v) - inputs.begin());
    }
    bool has(int v) const {
      return std::count(inputs.begin(), inputs.end(), v) +
                 std::count(outputs.begin(), outputs.end(), v) >
             0;
    }
  };

  void join(int i, const PiecewiseOp& middle, const Steps& first, const Steps& last) {
    std::vector<int> ops = {i};
    if (first.op) ops.insert(ops.begin(), first.at);
    if (last.op) ops.push_back(last.at);
    const int out = rewrite_.op(i).outputs[0];
    const int shared = shared_output(i, last);
    const int shares_with =
        shared < 0 ? -1 : rewrite_.op(last.at).outputs[static_cast<size_t>(shared)];
    Arguments whole;
    for (int k : ops)
      for (int v : rewrite_.op(k).outputs)
        if (v != out || shared < 0) whole.outputs.push_back(v);
    for (int k : ops)
      for (int v : rewrite_.op(k).inputs)
        if (v >= 0 && !(v == out && shared >= 0) && !whole.has(v)) whole.inputs.push_back(v);
    if (whole.inputs.size() + whole.outputs.size() > kMostArguments) return;
    const auto number = [&](int v) {
      return v < 0 ? -1 : whole.of(v == out && shared >= 0 ? shares_with : v);
    };
    const auto arguments_of = [&](const Steps& steps) {
      PieceSteps part{steps.op, {}};
      if (!steps.op) return part;
      for (int v : rewrite_.op(steps.at).inputs)
        if (v >= 0) part.arguments.push_back(number(v));
      for (int v : rewrite_.op(steps.at).outputs) part.arguments.push_back(number(v));
      return part;
    };
    PiecesParts parts;
    parts.middle = &middle;
    parts.attrs = rewrite_.op(i).attrs;
    for (int v : rewrite_.op(i).inputs) parts.inputs.push_back(number(v));
    for (int v : rewrite_.op(i).outputs) parts.outputs.push_back(number(v));
    parts.before = arguments_of(first);
    parts.after = arguments_of(last);
    for (int v : whole.inputs) parts.arguments.push_back(argument(v));
    for (int v : whole.outputs) {
      OutputMeta& meta = parts.results.emplace_back();
      meta.dtype = rewrite_.value(v).dtype;
      meta.sizes = rewrite_.value(v).sizes;
    }
    put(ops, whole, make_pieces_op(std::move(parts)));
  }

  void put(const std::vector<int>& ops, const Arguments& whole, std::shared_ptr<const Op> op) {
    const int at = ops.back();
    GraphOp fused = rewrite_.op(at);
    fused.body = rewrite_.body_of(ops, whole.inputs, whole.outputs);
    fused.scope = rewrite_.scope_around(ops);
    fused.attrs = Attrs();
    fused.op = op.get();
    fused.owner = std::move(op);
    fused.inputs = whole.inputs;
    fused.outputs = whole.outputs;
    report_.note("pieces", rewrite_.names_of(ops), &rewrite_.op(at));
    for (int k : ops) {
      taken_[static_cast<size_t>(k)] = 1;
      rewrite_.merge(k, at);
    }
    rewrite_.put(at, std::move(fused));
  }

  Rewrite rewrite_;
  PassReport& report_;
  std::vector<char> taken_;
};

}  // namespace

GraphData with_fused_pieces(const GraphData& graph, PassReport& report) {
  return Surrounding(graph, report)();
}

}  // namespace autograd::detail
