// Follows what is no number in a loss back to the first value that was none.
#include "core/explain_nonfinite.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "autograd/ops.hpp"
#include "core/record.hpp"

namespace autograd {
namespace detail {
namespace {

bool is_bad(double v) { return !std::isfinite(v); }

constexpr int kKinds = 3;
int kind_of(double bad) { return std::isnan(bad) ? 0 : bad > 0 ? 1 : 2; }

/// An element of an output.
struct Spot {
  const Node* node = nullptr;
  int index = 0;
  int64_t element = 0;
};

/// An input that a bad element came from.
struct Source {
  int input;
  int64_t element;
};

/// The first bad value on one way back from the loss. One without a node lies in a leaf or
/// constant, which is input `input` of `user`.
struct BadOrigin {
  NonfiniteReason reason = NonfiniteReason::kHealthy;
  Spot spot;
  const Node* user = nullptr;
  int input = 0;
  double value = 0;
  std::string from;  // where infinities come from
  uint64_t order = 0;
};

/// When a node ran: tensors are numbered in the order in which they are made. An op in place gives
/// its output the number of an input.
uint64_t time_of(const Node& node) {
  uint64_t time = node.outputs.size() ? node.outputs[0].id : 0;
  for (const NodeInput& input : node.inputs) time = std::max(time, input.id);
  return time;
}

void write_element(const Tensor& contiguous, int64_t i, double v) {
  if (contiguous.dtype() == DType::kFloat64)
    static_cast<double*>(contiguous.data())[i] = v;
  else
    static_cast<float*>(contiguous.data())[i] = static_cast<float>(v);
}

std::vector<int64_t> some_of(const std::vector<int64_t>& list, size_t most) {
  if (list.size() <= most) return list;
  std::vector<int64_t> some(most);
  for (size_t i = 0; i < most; ++i) some[i] = list[i * list.size() / most];
  return some;
}

/// Asks an op what becomes of an element of its output for other inputs.
class Trial {
 public:
  Trial(const ValuesBehind& values, const Spot& spot)
      : values_(values), spot_(spot), possible_(values.knows_inputs(*spot.node)) {
    for (int i = 0; i < spot.node->inputs.size(); ++i)
      inputs_.push_back(values.input(*spot.node, i));
    possible_ = possible_ && !values_.run_again(*spot_.node, inputs_).empty();
  }
  bool is_possible() const { return possible_; }
  const std::vector<Tensor>& inputs() const { return inputs_; }

  /// The element, NaN if there is none.
  double run(const std::vector<Tensor>& inputs) const {
    const std::vector<Tensor> outputs = values_.run_again(*spot_.node, inputs);
    const auto index = static_cast<size_t>(spot_.index);
    if (index >= outputs.size() || outputs[index].numel() <= spot_.element) return std::nan("");
    return element_of(outputs[index], spot_.element);
  }
  /// With every element of every floating-point input put through `change`.
  template <class Change>
  double run_changed(const Change& change, bool as_double = false) const {
    std::vector<Tensor> inputs = inputs_;
    for (Tensor& t : inputs) {
      if (!t || !is_floating(t.dtype())) continue;
      const bool is_number = t.head()->is_number;
      const std::vector<double> old = t.to_vector();
      t = as_double ? to(clone(t), DType::kFloat64) : clone(t);
      body(t)->is_number = is_number;
      for (size_t i = 0; i < old.size(); ++i)
        write_element(t, static_cast<int64_t>(i), change(old[i]));
    }
    return run(inputs);
  }

 private:
  const ValuesBehind& values_;
  const Spot spot_;
  bool possible_;
  std::vector<Tensor> inputs_;
};

/// True for an input without history whose values are not known.
bool is_gone(const ValuesBehind& values, const Node& node, int k) {
  const NodeInput& input = node.inputs[k];
  return input.id && !input.node && !values.input(node, k);
}

/// Finds out which bad inputs made an output bad, by giving the op others in their place.
class Blame {
 public:
  Blame(const Trial& trial, const Spot& spot) : trial_(trial), spot_(spot) {
    const Shape& sizes = spot.node->outputs[spot.index].sizes;
    const bool pointwise = spot.node->op->traits & kPointwise;
    for (const Tensor& t : trial.inputs()) {
      bad_.push_back(bad_elements(t));
      if (!pointwise || bad_.back().empty() || t.dim() > sizes.size()) continue;
      const int64_t only = before_broadcast(t.sizes(), sizes, spot.element);
      if (only < t.numel() && is_bad(element_of(t, only)))
        bad_.back() = {only};
      else
        bad_.back().clear();
    }
  }

  /// Up to `most` elements of each input and kind. None: the op itself did it.
  std::vector<Source> sources(size_t most) const {
    std::vector<Source> found, all;
    for (size_t k = 0; k < bad_.size(); ++k)
      if (!bad_[k].empty()) all.push_back({static_cast<int>(k), likely_element(k)});
    if (all.empty() || !trial_.is_possible()) return all;
    for (const double harmless : {0.5, 2.0}) {
      if (is_bad(with_bad({}, 0, harmless))) continue;
      for (const Source& source : all) {
        const auto k = static_cast<size_t>(source.input);
        for (const std::vector<int64_t>& alike : by_kind(k))
          if (is_bad(with_bad(alike, k, harmless))) {
            const int64_t one = narrow_down(alike, k, harmless);
            found.push_back({source.input, one});
            for (const int64_t e : some_of(alike, most - 1))
              if (e != one && is_bad(with_bad({e}, k, harmless)))
                found.push_back({source.input, e});
          }
      }
      return found.empty() ? all : found;
    }
    return {};
  }

 private:
  // Without trials: the one at the same place, or the first.
  int64_t likely_element(size_t k) const {
    const Tensor& t = trial_.inputs()[k];
    if (t.sizes() == spot_.node->outputs[spot_.index].sizes &&
        std::binary_search(bad_[k].begin(), bad_[k].end(), spot_.element))
      return spot_.element;
    return bad_[k].front();
  }
  // NaN, inf and -inf may have different causes.
  std::vector<std::vector<int64_t>> by_kind(size_t k) const {
    std::vector<std::vector<int64_t>> lists(kKinds);
    for (int64_t e : bad_[k])
      lists[static_cast<size_t>(kind_of(element_of(trial_.inputs()[k], e)))].push_back(e);
    lists.erase(std::remove_if(lists.begin(), lists.end(), [](const auto& l) { return l.empty(); }),
                lists.end());
    return lists;
  }
  // All bad elements are replaced by `harmless` but these of input k.
  double with_bad(const std::vector<int64_t>& kept, size_t k, double harmless) const {
    std::vector<Tensor> inputs = trial_.inputs();
    for (size_t i = 0; i < inputs.size(); ++i) {
      const std::vector<int64_t> bad = bad_elements(inputs[i]);
      if (bad.empty()) continue;
      const Tensor old = inputs[i];
      inputs[i] = clone(old);
      body(inputs[i])->is_number = old.head()->is_number;
      for (int64_t e : bad) write_element(inputs[i], e, harmless);
      if (i == k)
        for (int64_t e : kept) write_element(inputs[i], e, element_of(old, e));
    }
    return trial_.run(inputs);
  }
  // One element that does it alone, if there is one.
  int64_t narrow_down(std::vector<int64_t> left, size_t k, double harmless) const {
    while (left.size() > 1) {
      const auto middle = left.begin() + static_cast<std::ptrdiff_t>(left.size() / 2);
      const std::vector<int64_t> first(left.begin(), middle), second(middle, left.end());
      if (is_bad(with_bad(first, k, harmless)))
        left = first;
      else if (is_bad(with_bad(second, k, harmless)))
        left = second;
      else
        break;
    }
    return left.front();
  }

  const Trial& trial_;
  const Spot& spot_;
  std::vector<std::vector<int64_t>> bad_;
};

class Tracer {
 public:
  explicit Tracer(const ValuesBehind& values) : values_(values) {}

  BadOrigin first(const Spot& from) {
    pending_.push_back({from, {}});
    for (size_t i = 0; i < pending_.size(); ++i) visit(Visit(pending_[i]));
    if (origins_.empty())
      origins_.push_back({NonfiniteReason::kUnknownInput, from, nullptr, 0, 0, "", 0});
    std::stable_sort(origins_.begin(), origins_.end(),
                     [](const BadOrigin& a, const BadOrigin& b) { return a.order < b.order; });
    BadOrigin found = origins_.front();
    if (found.reason == NonfiniteReason::kUnknownInput) found.from = others_like(found);
    return found;
  }

 private:
  struct Visit {
    Spot spot;
    Spot met;  // where infinities became no number, if they did
  };
  void visit(const Visit& v);
  /// Goes on behind inputs that are not known; false if nothing bad is found there.
  bool look_behind(const Visit& v);
  void go_on(const Visit& v, const Source& source, const Tensor& from, double value);
  size_t most_elements() const { return work_left_ > 0 ? 16 : 1; }
  void end_at_input(const Visit& v, int input, double value);
  void end_at_op(const Visit& v, const Trial& trial, double value);
  void meet(const Spot& spot, const std::string& from);
  /// The calls of other ops whose inputs are not known either, some of them.
  std::string others_like(const BadOrigin& first) const;
  NonfiniteReason reason_of(const Trial& trial, const Node& node, double value) const;

  const ValuesBehind& values_;
  std::vector<Visit> pending_;
  std::set<std::tuple<const Node*, int, int>> seen_;  // the last one is a kind
  std::vector<BadOrigin> origins_;
  // Of each kind one element is followed. Others may come from an earlier value, and are followed
  // as well, as long as that takes no more work than this, in elements of inputs and in visits.
  static constexpr int64_t kVisit = 64;
  std::set<std::tuple<const Node*, int, int64_t>> seen_elements_;
  int64_t work_left_ = 1 << 17;
};

void Tracer::visit(const Visit& v) {
  const Node& node = *v.spot.node;
  const double value = element_of(values_.output(node, v.spot.index), v.spot.element);
  if (!seen_elements_.insert({&node, v.spot.index, v.spot.element}).second) return;
  if (!seen_.insert({&node, v.spot.index, kind_of(value)}).second && work_left_ <= 0) return;
  const Trial trial(values_, v.spot);
  const std::vector<Source> sources = Blame(trial, v.spot).sources(most_elements());
  work_left_ -= kVisit;
  for (const Tensor& t : trial.inputs()) work_left_ -= t ? t.numel() : 0;
  if (sources.empty() && (values_.knows_inputs(node) || !look_behind(v)))
    end_at_op(v, trial, value);
  for (const Source& source : sources)
    go_on(v, source, trial.inputs()[static_cast<size_t>(source.input)], value);
}

void Tracer::go_on(const Visit& v, const Source& source, const Tensor& t, double value) {
  const NodeInput& input = v.spot.node->inputs[source.input];
  const double from = element_of(t, source.element);
  Visit next{{input.node, static_cast<int>(input.index), source.element}, v.met};
  if (std::isnan(value) && std::isinf(from)) next.met = v.spot;
  if (input.node && values_.output(*input.node, static_cast<int>(input.index)))
    pending_.push_back(next);
  else
    end_at_input({v.spot, next.met}, source.input, from);
}

bool Tracer::look_behind(const Visit& v) {
  const size_t before = pending_.size() + origins_.size();
  std::vector<const Node*> unknown;
  std::set<const Node*> seen;
  const auto look_at_inputs = [&](const Node& node) {
    for (int i = 0; i < node.inputs.size(); ++i) {
      const Tensor t = values_.input(node, i);
      for (const int64_t bad : some_of(bad_elements(t), most_elements()))
        go_on({{&node, 0, 0}, v.met}, {i, bad}, t, 0);
      if (!t && node.inputs[i].node && seen.insert(node.inputs[i].node).second)
        unknown.push_back(node.inputs[i].node);
    }
  };
  look_at_inputs(*v.spot.node);
  for (size_t i = 0; i < unknown.size(); ++i) look_at_inputs(*unknown[i]);
  if (pending_.size() + origins_.size() > before) return true;
  // Those from which on nothing is known.
  for (const Node* node : unknown)
    if (node->op->traits & kFunction || !values_.knows_inputs(*node)) {
      const bool is_function = node->op->traits & kFunction;
      bool is_first = true, has_gone = false;
      for (int k = 0; k < node->inputs.size(); ++k) {
        is_first &= !seen.count(node->inputs[k].node);
        has_gone |= is_gone(values_, *node, k);
      }
      if (is_function || is_first || has_gone)
        origins_.push_back(
            {is_function ? NonfiniteReason::kCustomFunction : NonfiniteReason::kUnknownInput,
             {node, 0, -1},
             nullptr,
             0,
             std::nan(""),
             "",
             time_of(*node)});
    }
  return pending_.size() + origins_.size() > before;
}

void Tracer::meet(const Spot& spot, const std::string& from) {
  const double value = element_of(values_.output(*spot.node, spot.index), spot.element);
  origins_.push_back(
      {NonfiniteReason::kInfinities, spot, nullptr, 0, value, from, time_of(*spot.node)});
}

std::string Tracer::others_like(const BadOrigin& first) const {
  constexpr int kMost = 3;
  std::string text;
  int count = 0;
  for (const BadOrigin& other : origins_) {
    if (other.reason != first.reason || other.spot.node == first.spot.node) continue;
    if (++count <= kMost) text += concat(", or those of ", op_text(*other.spot.node));
  }
  return count > kMost ? text + " and others" : text;
}

void Tracer::end_at_input(const Visit& v, int i, double value) {
  const NodeInput& input = v.spot.node->inputs[i];
  // -inf in data is there on purpose, as in a mask, unless it reaches the loss.
  if (!input.leaf && !input.node && v.met.node && std::isinf(value) && value < 0)
    return meet(v.met, "a constant");
  origins_.push_back({input.leaf ? NonfiniteReason::kLeaf : NonfiniteReason::kConstant, v.spot,
                      v.spot.node, i, value, "", input.id});
}

void Tracer::end_at_op(const Visit& v, const Trial& trial, double value) {
  const Node& node = *v.spot.node;
  NonfiniteReason reason = reason_of(trial, node, value);
  if (reason == NonfiniteReason::kConstant && v.met.node) return meet(v.met, op_text(node));
  origins_.push_back({reason, v.spot, nullptr, 0, value, "", time_of(node)});
}

NonfiniteReason Tracer::reason_of(const Trial& trial, const Node& node, double value) const {
  using R = NonfiniteReason;
  if (node.op->traits & kFunction) return R::kCustomFunction;
  if (!values_.knows_inputs(node)) return R::kUnknownInput;
  if (!trial.is_possible()) return std::isinf(value) ? R::kOverflow : R::kUndefined;
  const auto constant = [&](double c) { return trial.run_changed([=](double) { return c; }); };
  if (std::isinf(value) && std::isinf(constant(1)) && std::isinf(constant(0.5)))
    return R::kConstant;
  if (!is_bad(trial.run_changed([](double v) { return v; }, true))) return R::kOverflow;
  for (const double step : {1e-12, -1e-12}) {
    const auto nudge = [=](double v) { return v == 0 ? step : v * (1 + step * 1e6); };
    if (!is_bad(trial.run_changed(nudge, true))) return R::kSingular;
  }
  return std::isinf(value) ? R::kOverflow : R::kUndefined;
}

// ---- sentences

std::string what_happened(const BadOrigin& origin, const NonfiniteExplanation& found, DType dtype) {
  const std::string from = list_values(found.inputs);
  const std::string made =
      concat("made by ", op_text(*origin.spot.node), from.empty() ? "" : " from " + from);
  switch (origin.reason) {
    case NonfiniteReason::kOverflow:
      return concat(made, ", which is too large for ", name_of(dtype),
                    ". Keep the values smaller: scale them, subtract their maximum, or work with "
                    "logarithms");
    case NonfiniteReason::kSingular:
      return concat(made,
                    ", where the operation has no finite value. Keep its input away from "
                    "there: add a small number, clamp() it, or choose another value with "
                    "where() before the operation");
    case NonfiniteReason::kUndefined:
      return concat(made,
                    ", where the operation is not defined. Keep its input inside of the "
                    "domain, as by clamp(), or choose another value with where() before it");
    case NonfiniteReason::kInfinities:
      return concat(made, ": infinities, put there by ", origin.from,
                    ", meet. Leave at least one finite value, or fill in a large finite number in "
                    "place of infinity");
    case NonfiniteReason::kCustomFunction:
      return concat("made by the function ", op_text(*origin.spot.node),
                    from.empty() ? "" : ", called with " + from);
    default:
      return concat("put there by ", op_text(*origin.spot.node));
  }
}

/// What of a call is not known any more.
std::string gone_text(const ValuesBehind& values, const Node& node) {
  std::string text;
  for (int k = 0; k < node.inputs.size(); ++k) {
    const NodeInput& input = node.inputs[k];
    if (!is_gone(values, node, k)) continue;
    if (!text.empty()) text += " and ";
    if (input.leaf)
      text += concat("the values that ", leaf_text(values, input.leaf), " had then");
    else
      text += concat("the data without gradient, of sizes ", input.sizes, ",");
  }
  return text.empty() ? "the inputs" : text;
}

std::string gone_sentence(const ValuesBehind& values, const BadOrigin& origin) {
  const Node& node = *origin.spot.node;
  const bool is_known = origin.spot.element >= 0;
  const std::string start =
      is_known ? concat("the first bad value that is known, ", value_text(origin.value), ", is ",
                        element_text(node.outputs[origin.spot.index].sizes, origin.spot.element),
                        "what was made by ", op_text(node), ": ")
               : "the first bad value was not kept: ";
  return concat(start, gone_text(values, node), " that ", is_known ? "it" : op_text(node),
                " was called with", origin.from,
                ", hold it or lead to it. Keep them, unchanged, and they are looked at, "
                "too");
}

/// ", last changed by 'sgd' at file:line": what to look at, where there was a change.
std::string describe_change(NonfiniteExplanation& found, const TensorBody& b) {
  const Op* const by = b.storage->changed_by.load(std::memory_order_relaxed);
  const Location at = b.storage->changed_at.load(std::memory_order_relaxed);
  if (!by && !at) return "";
  if (at) found.location = at;
  if (by) found.op = by->name;
  const char* const what = by && by->traits & kUpdate ? "the optimizer's " : "";
  return concat(", last changed", by ? concat(" by ", what, "'", by->name, "'") : "", at_line(at));
}

/// What to look at instead of this loss.
std::string advice_on(const TensorBody& leaf) {
  const Op* const by = leaf.storage->changed_by.load(std::memory_order_relaxed);
  if (!by || !(by->traits & kUpdate))
    return "It was so before this loss was computed: look at what was done before";
  return concat("It was so before this loss was computed: ask about the loss of that step",
                leaf.grad && first_nonfinite(borrow(leaf.grad)) >= 0
                    ? ", whose gradient is not finite"
                    : ", or take smaller ones");
}

void describe_start(NonfiniteExplanation& found, const ValuesBehind& values,
                    const BadOrigin& origin) {
  const NodeInput& input = origin.user->inputs[origin.input];
  const Tensor t = values.input(*origin.user, origin.input);
  const int64_t at = first_nonfinite(t);
  found.has_element = true;
  found.element = place_of(input.sizes, at);
  found.value = element_of(t, at);
  std::string what;
  if (input.leaf) {
    found.location = input.leaf->made_at;
    what = concat(leaf_text(values, input.leaf), describe_change(found, *input.leaf), ". ",
                  advice_on(*input.leaf));
    set_parameter(found, values, input.leaf);
  } else {
    found.location = origin.user->location;
    const TensorBody* const data = body_or_null(input.saved);
    if (data && data->made_at) found.location = data->made_at;
    what = concat("the data without gradient that ", op_text(*origin.user), " was called with",
                  data && data->made_at ? ", made" + at_line(data->made_at) : "",
                  data ? describe_change(found, *data) : "", ". Check it before it is used");
  }
  found.sentence = concat("the first bad value, ", value_text(found.value), ", is ",
                          element_text(input.sizes, at), what);
}

}  // namespace

NonfiniteExplanation explain_bad_value(ValuesBehind& values, const Tensor& loss) {
  const TensorBody* root = body(loss);
  values.complete();
  NonfiniteExplanation found;
  const BadOrigin origin = Tracer(values).first(
      {root->node, static_cast<int>(root->output_index), first_nonfinite(loss)});
  found.reason = origin.reason;
  found.value = origin.value;
  if (origin.user) {
    found.path = values.path_to(origin.user);
    describe_start(found, values, origin);
  } else {
    const Node& node = *origin.spot.node;
    const NodeOutput& output = node.outputs[origin.spot.index];
    found.op = node.op->name;
    found.location = node.location;
    found.has_element = origin.spot.element >= 0;
    if (found.has_element) found.element = place_of(output.sizes, origin.spot.element);
    found.inputs = describe_inputs(values, node, output.sizes, origin.spot.element);
    found.path = values.path_to(&node);
    const TensorBody* leaf = values.leaf_behind(&node);
    set_parameter(found, values, leaf);
    found.sentence = origin.reason == NonfiniteReason::kUnknownInput
                         ? gone_sentence(values, origin)
                         : concat("the first bad value, ",
                                  found.has_element ? value_text(found.value) + ", is "
                                                    : "which was not kept, is in ",
                                  element_text(output.sizes, origin.spot.element), "what was ",
                                  what_happened(origin, found, output.dtype),
                                  leaf ? concat(". It was computed from ", leaf_text(values, leaf))
                                       : std::string());
  }
  found.sentence =
      concat("The loss made", at_line(root->made_at), " is not finite: ", found.sentence);
  return found;
}

}  // namespace detail

const char* name_of(NonfiniteReason reason) {
  constexpr const char* names[] = {
      "healthy",           "leaf",       "constant",        "overflow",      "singular",
      "undefined",         "infinities", "custom_function", "unknown_input", "derivative",
      "gradient_overflow", "hook",       "freed",           "not_recorded"};
  return names[static_cast<int>(reason)];
}

NonfiniteExplanation explain_nonfinite(const Tensor& loss, const GraphNames& names) {
  using namespace detail;
  TensorBody* root = body(loss);
  if (root->is_batched)
    fail(ErrorCode::kRuntime, "explain_nonfinite: not inside a function being transformed by vmap");
  if (root->source) refresh_view(root);
  const bool is_finite = first_nonfinite(loss) < 0;
  NonfiniteExplanation found;
  found.location = root->made_at;
  if (!root->node) {
    found.reason = is_finite             ? NonfiniteReason::kHealthy
                   : root->requires_grad ? NonfiniteReason::kLeaf
                                         : NonfiniteReason::kNotRecorded;
    found.sentence = is_finite
                         ? "The loss is finite, and has no history"
                         : concat("The loss made", at_line(root->made_at),
                                  " is not finite, and has no history: compute it with gradients");
    return found;
  }
  ValuesBehind values(loss, names);
  return is_finite ? explain_bad_gradient(values, loss) : explain_bad_value(values, loss);
}

}  // namespace autograd
