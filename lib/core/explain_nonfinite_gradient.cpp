// Looks for the first gradient that is no number, where all values are finite.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "autograd/grad.hpp"
#include "autograd/ops.hpp"
#include "core/backward_watch.hpp"
#include "core/explain_nonfinite.hpp"

namespace autograd::detail {
namespace {

/// A node whose gradient rule turned finite gradients into others, or was given bad ones.
struct Event {
  const Node* node = nullptr;
  bool got_bad = false;  // gradients of outputs were bad
  int input = -1;        // the first input with a bad gradient; -1: none
  int64_t element = -1;  // of that input
  int64_t at = -1;       // the same, of the result before it is summed to the input's sizes
  Shape sizes;           // of that result
  double value = 0;      // the bad gradient
  double incoming = 0;   // the gradient of the output that belongs to it; NaN if there is no such
  double largest = 0;    // magnitude of the incoming gradients
};

class Watch : public BackwardWatch {
 public:
  void on_node(const Node& node, const Tensor* grads, const Tensor* results) override {
    Event event;
    event.node = &node;
    for (int i = 0; i < node.outputs.size(); ++i) event.got_bad |= first_nonfinite(grads[i]) >= 0;
    for (int i = 0; i < node.inputs.size() && event.input < 0; ++i) {
      if (!node.inputs[i].needs_grad()) continue;
      const int64_t at = first_nonfinite(results[i]);
      if (at < 0) continue;
      event.input = i;
      event.at = at;
      event.sizes = results[i].sizes();
      event.element = before_broadcast(node.inputs[i].sizes, event.sizes, at);
      event.value = element_of(results[i], at);
      event.incoming = std::nan("");
      if (grads[0] && grads[0].sizes() == event.sizes) event.incoming = element_of(grads[0], at);
    }
    if (event.input >= 0 && grads[0])
      for (const double v : grads[0].to_vector())
        event.largest = std::max(event.largest, std::fabs(v));
    if (event.got_bad || event.input >= 0) events.push_back(event);
  }
  std::vector<Event> events;
};

/// The first bad gradient on the way to a leaf with a bad gradient.
struct Found {
  const Event* made = nullptr;  // by this rule
  const Node* given = nullptr;  // or on the way into this node: a sum, or a hook
  const TensorBody* leaf = nullptr;
};

// True if a rule that ran before sent a bad gradient to this node.
bool was_sent_bad(const std::vector<Event>& events, size_t i) {
  for (size_t k = 0; k < i; ++k)
    for (const NodeInput& input : events[k].node->inputs)
      if (input.node == events[i].node && events[k].input >= 0) return true;
  return false;
}

Found find_first(const ValuesBehind& values, const std::vector<Event>& events,
                 const std::vector<const TensorBody*>& bad_leaves) {
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    if (event.got_bad && was_sent_bad(events, i)) continue;
    for (const TensorBody* leaf : bad_leaves) {
      if (event.got_bad) {
        if (values.leads_to(event.node, leaf)) return {nullptr, event.node, leaf};
        continue;
      }
      const NodeInput& input = event.node->inputs[event.input];
      if (input.leaf == leaf || values.leads_to(input.node, leaf)) return {&event, nullptr, leaf};
    }
  }
  return {nullptr, nullptr, bad_leaves.front()};
}

NonfiniteReason reason_of(const Event& event, const std::vector<NonfiniteInput>& inputs) {
  if (event.node->op->traits & kFunction) return NonfiniteReason::kCustomFunction;
  double largest = event.largest;
  for (const NonfiniteInput& input : inputs)
    if (input.is_known) largest = std::max({largest, std::fabs(input.low), std::fabs(input.high)});
  // Numbers of usual size don't overflow when they are multiplied.
  return std::isinf(event.value) && largest > 1e12 ? NonfiniteReason::kGradientOverflow
                                                   : NonfiniteReason::kDerivative;
}

void describe_rule(NonfiniteExplanation& found, const ValuesBehind& values, const Event& event) {
  const Node& node = *event.node;
  found.op = node.op->name;
  found.location = node.location;
  found.value = event.value;
  found.has_element = true;
  found.element = place_of(node.inputs[event.input].sizes, event.element);
  found.inputs = describe_inputs(values, node, event.sizes, event.at);
  found.reason = reason_of(event, found.inputs);
  found.path = values.path_to(&node);
  const std::string from = list_values(found.inputs);
  const std::string what =
      concat("the first bad gradient, ", value_text(event.value), ", is that of ",
             element_text(node.inputs[event.input].sizes, event.element), "input ", event.input,
             " of ", op_text(node), from.empty() ? "" : ", called with " + from);
  std::string advice;
  if (found.reason == NonfiniteReason::kCustomFunction)
    advice = ": the backward of this function returned it";
  else if (found.reason == NonfiniteReason::kGradientOverflow)
    advice = ": the gradient is too large for the dtype. Scale the loss or the values down";
  else if (event.incoming == 0)
    advice =
        ": the value is not even used, its gradient is 0, but 0 times an infinite derivative is "
        "nan. Choose a harmless input with where() before the operation, not after it";
  else
    advice =
        ": the derivative is not finite there. Keep the input away from there: add a small number, "
        "or clamp() it";
  found.sentence = what + advice;
}

void describe_sum(NonfiniteExplanation& found, const ValuesBehind& values, const Node* node,
                  const TensorBody* leaf) {
  const Hooks* hooks = leaf->hooks;
  if (node) {
    hooks = nullptr;
    for (const NodeOutput& output : node->outputs)
      if (output.hooks) hooks = output.hooks.get();
    found.op = node->op->name;
    found.location = node->location;
    found.path = values.path_to(node);
  } else {
    found.location = leaf->made_at;
  }
  const bool has_hooks = (hooks && !hooks->list.empty()) || (node && node->extra);
  found.reason = has_hooks ? NonfiniteReason::kHook : NonfiniteReason::kGradientOverflow;
  const std::string of = node ? "the output of " + op_text(*node) : leaf_text(values, leaf);
  found.sentence =
      has_hooks ? concat("a hook on ", of, " returned the first bad gradient")
                : concat("the gradients of ", of,
                         " are finite, but their sum is too large for the dtype. Scale the loss or "
                         "the values down");
}

}  // namespace

NonfiniteExplanation explain_bad_gradient(ValuesBehind& values, const Tensor& loss) {
  NonfiniteExplanation found;
  found.location = body(loss)->made_at;
  if (values.is_freed()) {
    found.reason = NonfiniteReason::kFreed;
    const bool any_bad = std::any_of(
        values.leaves().begin(), values.leaves().end(),
        [](TensorBody* leaf) { return leaf->grad && first_nonfinite(borrow(leaf->grad)) >= 0; });
    if (!any_bad) found.reason = NonfiniteReason::kHealthy;
    found.sentence = any_bad ? concat("A gradient is not finite, but the graph of the loss made",
                                      at_line(found.location),
                                      " was freed by backward(): ask before it, or call "
                                      "backward(retain_graph=True)")
                             : "The loss and the gradients of its leaves are finite";
    return found;
  }
  std::vector<Tensor> leaves;
  for (TensorBody* leaf : values.leaves()) leaves.push_back(borrow(leaf));
  Watch watch;
  std::vector<Tensor> grads;
  {
    const WatchBackward watching(&watch);
    BackwardOptions options;
    options.retain_graph = options.allow_unused = true;
    grads = grad({loss}, leaves, {full(loss.sizes(), 1.0, loss.dtype())}, options);
  }
  std::vector<const TensorBody*> bad;
  for (size_t i = 0; i < grads.size(); ++i)
    if (first_nonfinite(grads[i]) >= 0) bad.push_back(values.leaves()[i]);
  if (bad.empty()) {
    found.sentence = "The loss and the gradients of its leaves are finite";
    return found;
  }
  values.complete();
  found.in_backward = true;
  const Found first = find_first(values, watch.events, bad);
  if (first.made)
    describe_rule(found, values, *first.made);
  else
    describe_sum(found, values, first.given, first.leaf);
  set_parameter(found, values, first.leaf);
  found.sentence = concat("The loss is finite, the gradient of ", leaf_text(values, first.leaf),
                          " is not: ", found.sentence);
  return found;
}

}  // namespace autograd::detail
